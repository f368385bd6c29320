package store

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"gatehouse/sync/wire"
)

// Filter selects batches; a zero field selects all.
type Filter struct {
	Building string
	Gateway  string
	From     time.Time // batches that may have entries of this time or later
	To       time.Time // exclusive
	After    *Cursor   // only batches after it, and the one that has it
	Newest   bool      // last stored first
}

// Cursor is a position among stored entries.
type Cursor struct {
	Building string
	Gateway  string
	Epoch    uint64
	Sequence uint64
	Stored   int64 // when its batch was stored, ms since 1970; only for Newest
}

// Ahead is how far a wall clock may be ahead of the time when the entry was stored before one of
// the two counts as wrong.
const Ahead = 5 * time.Minute

// soon is the longest time between the first entry of a batch and its storing for which the index
// of times has the batch, in ms. Batches that came later, or whose clock is ahead, have an index of
// their own: a gateway that was away sends few of them, each with hundreds of entries.
const soon = 3_600_000

// The two kinds of batches, in the words of their indexes: by the same words a query uses the index. They hold soon
// and Ahead, in ms: who changes one of those makes the indexes anew, in another schema version.
const (
	prompt = `wall_from >= stored_at - 3600000 AND wall_to <= stored_at + 300000`
	late   = `(wall_from < stored_at - 3600000 OR wall_to > stored_at + 300000)`
)

// searches creates schema version 3: indexes by which a building's batches of a day are found
// without a look at any other, and the newest record of a gateway.
var searches = []string{
	`CREATE INDEX batches_prompt ON batches (gateway, wall_from, epoch, first, wall_to, stored_at) WHERE ` + prompt,
	`CREATE INDEX batches_late ON batches (gateway, stored_at, epoch, first, wall_from, wall_to) WHERE ` + late,
	`CREATE INDEX batches_newest ON batches (gateway, stored_at)`,
	`CREATE INDEX batches_stored ON batches (stored_at)`,
	`CREATE INDEX deliveries_newest ON deliveries (gateway, number, line)`,
}

// Batches yields the batches that may have entries of the filter, by gateway, epoch in order of
// arrival, and sequence; with Newest in reverse order of storage. An entry with a wrong clock is
// bounded only by its neighbours and by when it was stored: no entry is from after that, so that a
// batch is not left out by its clocks alone. What is stored meanwhile may or may not be among them.
func (s *Store) Batches(ctx context.Context, f Filter) iter.Seq2[Batch, error] {
	found := search{s.reading(ctx), f}
	if f.Newest {
		return found.newest()
	}
	return found.oldest()
}

// search is one request for batches.
type search struct {
	conn
	Filter
}

// statement is the text of a query with its arguments.
type statement struct {
	text strings.Builder
	args []any
}

// add appends text, in which each ? stands for the next argument.
func (q *statement) add(text string, args ...any) {
	for _, arg := range args {
		before, after, _ := strings.Cut(text, "?")
		q.args = append(q.args, arg)
		fmt.Fprintf(&q.text, "%s$%d", before, len(q.args))
		text = after
	}
	q.text.WriteString(text)
}

// times adds the condition that a batch may have entries of the filter's times.
func (q *statement) times(f Filter) {
	if !f.From.IsZero() {
		q.add(` AND (b.wall_to >= ? OR b.stored_at >= ?)`, f.From, f.From)
	}
	if !f.To.IsZero() {
		q.add(` AND (b.wall_from < ? OR b.wall_to > b.stored_at + ?)`, f.To, Ahead.Milliseconds())
	}
}

// stream is one epoch of a gateway's entries.
type stream struct {
	place   wire.Place
	gateway int64
	epoch   uint64
	number  int64
}

// streamsAtOnce is how many streams are looked up together.
const streamsAtOnce = 1000

// oldest yields batches stream by stream.
func (s search) oldest() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		at, err := s.start()
		for more := err == nil; more; {
			var page []stream
			page, err = s.streams(at)
			more = err == nil && len(page) == streamsAtOnce
			for _, at = range page {
				for b, err := range s.along(at) {
					b.Place = at.place
					if !yield(b, err) || err != nil {
						return
					}
				}
			}
		}
		if err != nil {
			yield(Batch{}, err)
		}
	}
}

// start returns a stream that is before the first one to be read.
func (s search) start() (at stream, err error) {
	after := s.After
	if after == nil {
		return at, nil
	}
	at.place.Building, at.place.Gateway = after.Building, after.Gateway
	found, err := s.row("read the place to go on from", []any{&at.number},
		`SELECT e.number FROM epochs e JOIN gateways g ON g.id = e.gateway WHERE g.building = $1 AND g.gateway = $2 AND e.epoch = $3`,
		after.Building, after.Gateway, after.Epoch)
	if !found {
		at.number = math.MaxInt64
	}
	at.number--
	return at, err
}

// streams returns the next streams of the filter behind one.
func (s search) streams(behind stream) ([]stream, error) {
	var q statement
	q.add(`SELECT g.district, g.town, g.building, g.gateway, g.id, e.epoch, e.number FROM gateways g JOIN epochs e ON e.gateway = g.id
		WHERE g.building >= ? AND (g.building > ? OR g.gateway > ? OR g.gateway = ? AND e.number > ?)`,
		behind.place.Building, behind.place.Building, behind.place.Gateway, behind.place.Gateway, behind.number)
	if s.Building != "" {
		q.add(` AND g.building = ?`, s.Building)
	}
	if s.Gateway != "" {
		q.add(` AND g.gateway = ?`, s.Gateway)
	}
	q.add(` ORDER BY g.building, g.gateway, e.number LIMIT ?`, streamsAtOnce)
	return list(s.conn, "read epochs", func(e *stream) []any { return append(placeFields(&e.place), &e.gateway, &e.epoch, &e.number) },
		q.text.String(), q.args...)
}

// along yields the batches of a stream, in order.
func (s search) along(at stream) iter.Seq2[Batch, error] {
	var q statement
	q.add(`SELECT `+batchColumns+` FROM batches b WHERE gateway = ? AND epoch = ?`, at.gateway, at.epoch)
	if c := s.After; c != nil && c.Building == at.place.Building && c.Gateway == at.place.Gateway && c.Epoch == at.epoch {
		q.add(` AND next > ? AND first >= COALESCE((SELECT MAX(first) FROM batches WHERE gateway = ? AND epoch = ? AND first <= ?), 0)`,
			c.Sequence, at.gateway, at.epoch, c.Sequence)
	}
	if !s.From.IsZero() || !s.To.IsZero() {
		from, to, found, err := s.bounds("first", at.gateway, &at.epoch)
		if err != nil || !found {
			return nothingBut(err)
		}
		q.add(` AND first >= ? AND first <= ?`, from, to)
		q.times(s.Filter)
	}
	q.add(` ORDER BY first`)
	return rows(s.conn, readBatches, (*Batch).fields, q.text.String(), q.args...)
}

// nothingBut yields an error, if it is one.
func nothingBut(err error) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		if err != nil {
			yield(Batch{}, err)
		}
	}
}

// bounds returns the least and the greatest value of a column among the batches of a gateway, of
// one epoch or of all, that may have entries of the filter's times. It reads the indexes alone.
func (s search) bounds(column string, gateway int64, epoch *uint64) (from, to int64, found bool, err error) {
	var q statement
	q.add(`SELECT COUNT(*), COALESCE(MIN(v), 0), COALESCE(MAX(v), 0) FROM (SELECT ` + column + ` AS v FROM batches WHERE ` + prompt)
	if !s.From.IsZero() {
		q.add(` AND wall_from >= ?`, s.From.Add(-Ahead).UnixMilli()-soon)
	}
	if !s.To.IsZero() {
		q.add(` AND wall_from < ?`, s.To)
	}
	of := func() {
		q.add(` AND gateway = ?`, gateway)
		if epoch != nil {
			q.add(` AND epoch = ?`, *epoch)
		}
	}
	of()
	q.add(` UNION ALL SELECT ` + column + ` FROM batches b WHERE ` + late)
	q.times(s.Filter)
	of()
	q.add(`)`)
	var n uint64
	err = s.need("find batches by time", []any{&n, &from, &to}, q.text.String(), q.args...)
	return from, to, n > 0, err
}

// newest yields batches by when they were stored, the last first: those of a building merged from
// each of its gateways, so that the city's are not read.
func (s search) newest() iter.Seq2[Batch, error] {
	gateways := []int64{0}
	if s.Building != "" {
		var err error
		gateways, err = list(s.conn, "read gateways", itself[int64],
			`SELECT id FROM gateways WHERE building = $1 AND ($2 = '' OR gateway = $3) ORDER BY gateway`, s.Building, s.Gateway, s.Gateway)
		if err != nil || len(gateways) == 0 {
			return nothingBut(err)
		}
	}
	var q statement
	for i, gateway := range gateways {
		if i > 0 {
			q.add(` UNION ALL `)
		}
		q.add(`SELECT g.district, g.town, g.building, g.gateway, ` + batchColumns + `, e.number
			FROM batches b JOIN gateways g ON g.id = b.gateway JOIN epochs e ON e.gateway = b.gateway AND e.epoch = b.epoch WHERE TRUE`)
		if err := s.choose(&q, gateway); err != nil {
			return nothingBut(err)
		}
	}
	q.add(` ORDER BY 12 DESC, 3, 4, 13 DESC, 7 DESC`) // stored_at, building, gateway, number, first
	number := int64(0)
	return rows(s.conn, readBatches, func(b *Batch) []any { return append(append(placeFields(&b.Place), b.fields()...), &number) },
		q.text.String(), q.args...)
}

// choose adds the conditions for batches of a gateway, or of all for 0, to a query for the newest.
func (s search) choose(q *statement, gateway int64) error {
	if gateway != 0 {
		q.add(` AND b.gateway = ?`, gateway)
		if !s.From.IsZero() || !s.To.IsZero() {
			from, to, _, err := s.bounds("stored_at", gateway, nil)
			if err != nil {
				return err
			}
			q.add(` AND b.stored_at >= ? AND b.stored_at <= ?`, from, to)
		}
	} else if s.Gateway != "" {
		q.add(` AND g.gateway = ?`, s.Gateway)
	}
	q.times(s.Filter)
	if c := s.After; c != nil {
		number := `(SELECT e2.number FROM epochs e2 JOIN gateways g2 ON g2.id = e2.gateway WHERE g2.building = ? AND g2.gateway = ? AND e2.epoch = ?)`
		q.add(` AND b.stored_at <= ? AND (b.stored_at < ? OR g.building > ? OR g.building = ? AND (g.gateway > ? OR g.gateway = ?`,
			c.Stored, c.Stored, c.Building, c.Building, c.Gateway, c.Gateway)
		q.add(` AND (e.number < `+number+` OR e.number = `+number+` AND b.first <= ?)))`,
			c.Building, c.Gateway, c.Epoch, c.Building, c.Gateway, c.Epoch, c.Sequence)
	}
	return nil
}
