package dbfile

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/rs/zerolog"
)

// Step brings the tables of a database from one schema version to the next, within
// the transaction that keeps the new version.
type Step func(ctx context.Context, tx *sql.Tx) error

// Statements is the step that executes SQL statements one after the other.
func Statements(all ...string) Step {
	return func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range all {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
}

// Migrate brings an open database to the newest schema that the program knows:
// version n is what the first n steps make. All missing steps are one transaction,
// and each leaves its number in the table migrations. Version 0 is an empty
// database, or one from before versions were kept: the first step makes what is
// missing there, and loses nothing.
//
// A large database may take long, and nobody is served meanwhile: the log says so before and after. It changes nothing in a database of a newer version, and its error says what to do.
func Migrate(ctx context.Context, log zerolog.Logger, db *sql.DB, path string, steps ...Step) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("migrate %s: begin: %w", path, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	version := 0
	_, err = tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY)`)
	if err == nil {
		err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM migrations`).Scan(&version)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: read its schema version: %w", path, err)
	}
	if version > len(steps) {
		return fmt.Errorf("%s has schema version %d, and this program knows %d: a newer registryd has written it. Start that one again, "+
			"or move the database away and put back a copy from before the update (%s)", path, version, len(steps), procedure(path))
	}
	began, behind := time.Now(), version < len(steps)
	if behind {
		log.Warn().Str("database", path).Int("from", version).Int("to", len(steps)).
			Msg("the database is brought to a newer schema version, which takes minutes if it is large: until then nobody is served. Do not stop it, or it begins anew")
	}
	for n := version; n < len(steps); n++ {
		if err := steps[n](ctx, tx); err != nil {
			return fmt.Errorf("migrate %s to schema version %d: %w", path, n+1, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO migrations (version) VALUES ($1)`, n+1); err != nil {
			return fmt.Errorf("migrate %s: keep schema version %d: %w", path, n+1, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate %s: commit: %w", path, err)
	}
	if behind {
		log.Info().Str("database", path).Int("version", len(steps)).Dur("took_ms", time.Since(began)).Msg("the database has the newer schema version")
	}
	return nil
}
