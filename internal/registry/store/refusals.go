package store

import (
	"context"
	"iter"
	"time"
)

// refusals creates schema version 10: mandates that were refused. Nothing of what they asked for is in it.
var refusals = []string{
	`CREATE TABLE refusals (at BIGINT NOT NULL, reason TEXT NOT NULL, district TEXT NOT NULL, town TEXT NOT NULL)`,
	`CREATE INDEX refusals_at ON refusals (at)`,
}

// Refusal is a mandate that was refused.
type Refusal struct {
	At             time.Time
	Reason         string // code
	District, Town string // that a mandate names which an approver has signed; else empty
}

// Refusals are the mandates that were refused.
type Refusals struct{ conn }

// Add stores that one was refused.
func (r Refusals) Add(a Refusal) error {
	return wrap("store refusal", r.exec(`INSERT INTO refusals (at, reason, district, town) VALUES ($1, $2, $3, $4)`, a.At, a.Reason, a.District, a.Town))
}

// Refused yields those that were refused since one time and before another, oldest first.
func Refused(ctx context.Context, s *Store, from, to time.Time) iter.Seq2[Refusal, error] {
	return rows(s.reading(ctx), "read refusals", func(r *Refusal) []any { return []any{&r.At, &r.Reason, &r.District, &r.Town} },
		`SELECT at, reason, district, town FROM refusals WHERE at >= $1 AND at < $2 ORDER BY at`, from, to)
}
