package store

import (
	"fmt"
	"time"
)

// Filter narrows batches; zero fields don't.
type Filter struct {
	Building string
	Gateway  string
	From     time.Time // entries of this time or a later one may be in it
	To       time.Time // exclusive
	After    *Cursor   // only those that stand behind it, and the one that holds it
	Newest   bool      // what was stored last first
}

// Cursor is a place among stored entries.
type Cursor struct {
	Building string
	Gateway  string
	Epoch    uint64
	Sequence uint64
	Stored   int64 // when its batch was stored, ms since 1970; only needed with Newest
}

// Ahead is how far a wall clock may be ahead of the time at which an entry was
// stored, before one of the two is taken for wrong.
const Ahead = 5 * time.Minute

// query is what the batches are read by, and its arguments.
func (f Filter) query() (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	query := `SELECT g.district, g.town, g.building, g.gateway,
		` + batchColumns + `
		FROM batches b JOIN gateways g ON g.id = b.gateway JOIN epochs e ON e.gateway = b.gateway AND e.epoch = b.epoch
		WHERE TRUE`
	if !f.From.IsZero() {
		query += ` AND (b.wall_to >= ` + arg(f.From) + ` OR b.stored_at >= ` + arg(f.From) + `)`
	}
	if !f.To.IsZero() {
		query += ` AND (b.wall_from < ` + arg(f.To) + ` OR b.wall_to > b.stored_at + ` + arg(Ahead.Milliseconds()) + `)`
	}
	if f.Building != "" {
		query += ` AND g.building = ` + arg(f.Building)
	}
	if f.Gateway != "" {
		query += ` AND g.gateway = ` + arg(f.Gateway)
	}
	if f.After != nil {
		query += ` AND ` + f.After.behind(f.Newest, arg)
	}
	if f.Newest {
		return query + ` ORDER BY b.stored_at DESC, g.building, g.gateway, e.number DESC, b.first DESC`, args
	}
	return query + ` ORDER BY g.building, g.gateway, e.number, b.first`, args
}

// behind is what a batch fulfils that holds the entry at the cursor or one behind
// it.
func (c *Cursor) behind(newest bool, arg func(any) string) string {
	number := func() string {
		return `(SELECT e2.number FROM epochs e2 JOIN gateways g2 ON g2.id = e2.gateway
			WHERE g2.building = ` + arg(c.Building) + ` AND g2.gateway = ` + arg(c.Gateway) + ` AND e2.epoch = ` + arg(c.Epoch) + `)`
	}
	start := ``
	if newest {
		start = `(b.stored_at < ` + arg(c.Stored) + ` OR b.stored_at = ` + arg(c.Stored) + ` AND `
	}
	place := start + `(g.building > ` + arg(c.Building) + ` OR g.building = ` + arg(c.Building) + ` AND (g.gateway > ` + arg(c.Gateway) +
		` OR g.gateway = ` + arg(c.Gateway) + ` AND `
	if newest {
		return place + `(e.number < ` + number() + ` OR e.number = ` + number() + ` AND b.first <= ` + arg(c.Sequence) + `))))`
	}
	return place + `(e.number > ` + number() + ` OR e.number = ` + number() + ` AND b.next > ` + arg(c.Sequence) + `)))`
}
