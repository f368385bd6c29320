package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/dbfile"
)

// Backups are what backups of the database have, and the remarks of restores. It is part of a Tx.
type Backups struct{ conn }

// Kinds of a Stream.
const (
	MarkEntries = 1 // entries of an epoch
	MarkRecords = 2 // records of a line
)

// Stream is an epoch or line of a gateway.
type Stream struct {
	Gateway int64
	Kind    int64
	Number  uint64 // of the epoch or line
}

// Mark is how much of a stream a backup has.
type Mark struct {
	Stream
	Count uint64 // entries or records, from the first on
}

func (m *Mark) fields() []any { return []any{&m.Gateway, &m.Kind, &m.Number, &m.Count} }

// Copy writes a consistent copy of the database to a path that must not exist. Writers are not
// blocked.
func (s *Store) Copy(ctx context.Context, path string) error {
	return dbfile.Copy(ctx, s.read.DB, path)
}

// MarksOf returns how much of each stream a copy has.
func MarksOf(ctx context.Context, path string) ([]Mark, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("read copy %s: %w", path, err)
	}
	defer db.Close()
	return list(conn{ctx, db}, "read copy "+path, (*Mark).fields, `SELECT gateway, 1, epoch, size FROM epochs
		UNION ALL SELECT gateway, 2, line, MAX(record) FROM deliveries GROUP BY gateway, line`)
}

// SetSafe stores that a backup has these marks.
func (b Backups) SetSafe(all []Mark, at time.Time) error {
	for _, m := range all {
		err := b.exec(`INSERT INTO safe (gateway, kind, stream, mark, backup_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (gateway, kind, stream) DO UPDATE SET mark = excluded.mark, backup_at = excluded.backup_at`,
			m.Gateway, m.Kind, m.Number, m.Count, at)
		if err != nil {
			return fmt.Errorf("keep what is safe: %w", err)
		}
	}
	return b.setMoment("backup", at)
}

// Safe returns what backups have, and when the newest was made; the zero time if there is none.
func (s *Store) Safe(ctx context.Context) (all []Mark, at time.Time, err error) {
	all, err = list(s.reading(ctx), "read what is safe", (*Mark).fields, `SELECT gateway, kind, stream, mark FROM safe`)
	if err == nil {
		at, err = s.reading(ctx).moment("backup")
	}
	return all, at, err
}

// SetPutBack stores when a copy was found in place of the database.
func (b Backups) SetPutBack(at time.Time) error { return b.setMoment("put_back", at) }

// PutBack returns that time; the zero time if it never happened.
func (s *Store) PutBack(ctx context.Context) (time.Time, error) {
	return s.reading(ctx).moment("put_back")
}

// Acts returns the number of the newest line of the ledger of answers that the database has; 0: none.
func (b Backups) Acts() (uint64, error) {
	return b.number("read the mark of the ledger of answers", `SELECT value FROM meta WHERE name = 'answers'`)
}

// SetActs stores that number.
func (b Backups) SetActs(line uint64) error { return b.setMeta("answers", line) }

// setMoment stores a time in the table meta.
func (b Backups) setMoment(name string, at time.Time) error { return b.setMeta(name, at) }

func (b Backups) setMeta(name string, value any) error {
	return b.exec(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}

// moment reads a time of the table meta; the zero time if it is missing.
func (c conn) moment(name string) (at time.Time, err error) {
	_, err = c.row("read the time of "+name, []any{&at}, `SELECT value FROM meta WHERE name = $1`, name)
	return at, err
}

// Remark stores a restore's remark until it is dismissed; the same text only once.
func (b Backups) Remark(text string, at time.Time) error {
	return b.exec(`INSERT INTO remarks (text, said_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, text, at)
}

// PutAway dismisses all remarks.
func (b Backups) PutAway() error { return b.exec(`DELETE FROM remarks`) }

// Remarks returns the remarks, the oldest first.
func (s *Store) Remarks(ctx context.Context) ([]api.Remark, error) {
	return list(s.reading(ctx), "read remarks", func(r *api.Remark) []any { return []any{&r.Text, &r.Time} },
		`SELECT text, said_at FROM remarks ORDER BY said_at, text`)
}
