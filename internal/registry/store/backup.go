package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/internal/registry/dbfile"
)

// Backups are what backups have, and what restores have shown. It is part of a Tx.
type Backups struct{ conn }

// Kinds of what a Mark counts.
const (
	MarkEntries = 1 // of an epoch
	MarkRecords = 2 // of a line
)

// Mark says how much of a gateway's epoch or line a backup has.
type Mark struct {
	Gateway int64
	Kind    int64
	Stream  uint64 // epoch or line
	Count   uint64 // entries or records, from the first on
}

// Copy writes a whole copy of the database, as it is now, to a path where nothing
// is. Writers are not held up.
func (s *Store) Copy(ctx context.Context, path string) error { return dbfile.Copy(ctx, s.read, path) }

// MarksOf reads what a copy has.
func MarksOf(ctx context.Context, path string) (all []Mark, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("read copy %s: %w", path, err)
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT gateway, 1, epoch, size FROM epochs
		UNION ALL SELECT gateway, 2, line, MAX(record) FROM deliveries GROUP BY gateway, line`)
	if all, err = marks(rows, err); err != nil {
		return nil, fmt.Errorf("read copy %s: %w", path, err)
	}
	return all, nil
}

func marks(rows *sql.Rows, err error) (all []Mark, _ error) {
	err = each(rows, err, func() error {
		var m Mark
		err := rows.Scan(&m.Gateway, &m.Kind, (*u64)(&m.Stream), (*u64)(&m.Count))
		all = append(all, m)
		return err
	})
	return all, err
}

// SetSafe keeps that a backup has what these marks say.
func (b Backups) SetSafe(all []Mark, at time.Time) error {
	for _, m := range all {
		err := b.exec(`INSERT INTO safe (gateway, kind, stream, mark, backup_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (gateway, kind, stream) DO UPDATE SET mark = excluded.mark, backup_at = excluded.backup_at`,
			m.Gateway, m.Kind, int64(m.Stream), int64(m.Count), at.UnixMilli())
		if err != nil {
			return fmt.Errorf("keep what is safe: %w", err)
		}
	}
	return b.exec(`INSERT INTO meta (name, value) VALUES ('backup', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, at.UnixMilli())
}

// Safe returns what backups have, and when the newest was made; the zero time:
// there was none.
func (s *Store) Safe(ctx context.Context) (all []Mark, at time.Time, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT gateway, kind, stream, mark FROM safe`)
	if all, err = marks(rows, err); err != nil {
		return nil, at, fmt.Errorf("read what is safe: %w", err)
	}
	if at, err = s.moment(ctx, "backup"); err != nil {
		return nil, at, fmt.Errorf("read when the last backup was: %w", err)
	}
	return all, at, nil
}

// SetPutBack keeps that a copy was found in the place of the database that was in use.
func (b Backups) SetPutBack(at time.Time) error {
	return b.exec(`INSERT INTO meta (name, value) VALUES ('put_back', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, at.UnixMilli())
}

// PutBack is when that was; the zero time: never.
func (s *Store) PutBack(ctx context.Context) (time.Time, error) {
	at, err := s.moment(ctx, "put_back")
	if err != nil {
		return at, fmt.Errorf("read when a copy was put back: %w", err)
	}
	return at, nil
}

// moment reads a time of the table meta; the zero time: it is not there.
func (s *Store) moment(ctx context.Context, name string) (at time.Time, err error) {
	ms, err := one(s.read.QueryContext(ctx, `SELECT COALESCE(MAX(value), 0) FROM meta WHERE name = $1`, name))
	if err == nil && ms > 0 {
		at = time.UnixMilli(ms)
	}
	return at, err
}

// Remark keeps what a restore has shown until it is put away; the same text once.
func (b Backups) Remark(text string, at time.Time) error {
	return b.exec(`INSERT INTO remarks (text, said_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, text, at.UnixMilli())
}

// PutAway forgets all remarks.
func (b Backups) PutAway() error { return b.exec(`DELETE FROM remarks`) }

// Remarks calls each with what was said, the oldest first.
func (s *Store) Remarks(ctx context.Context, call func(text string, at time.Time)) error {
	return s.each(ctx, "read remarks", func(rows *sql.Rows) error {
		var text string
		var at time.Time
		err := rows.Scan(&text, (*ms)(&at))
		call(text, at)
		return err
	}, `SELECT text, said_at FROM remarks ORDER BY said_at, text`)
}
