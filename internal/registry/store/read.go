package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// Gateway is what is known of one that was ever heard.
type Gateway struct {
	ID      int64
	Place   wire.Place
	Hello   []byte // payload; nil: never
	HelloAt time.Time
	Epoch   uint64 // newest; 0: none
	Size    uint64 // entries of it
	Total   uint64 // entries of all epochs
	Line    uint64 // in which it numbers its tenancy records; 0: none
	Records uint64 // stored of that line
	Renew   bool   // that line contradicts itself: it must begin another
	Owing   bool   // persons of some of its records may still be with it
	// Applied is the newest list of its building that one of its entries
	// proves, by version and hash; 0: none.
	Applied   uint64
	AppliedAt time.Time
	SetBacks  uint64 // how often a hello has voided proofs
	SetBackTo uint64 // the oldest list that one of these named
	Alarms    int    // heard since the time that Gateways was asked with
	Forks     int
}

// Gateways returns those of a building (all, for ""), by building and id.
// Alarms are counted from a time on.
func (s *Store) Gateways(ctx context.Context, building string, alarmsFrom time.Time) ([]Gateway, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT g.id, g.district, g.town, g.building, g.gateway, g.hello, g.hello_at,
		(SELECT COALESCE(SUM(size), 0) FROM epochs e WHERE e.gateway = g.id),
		(SELECT COUNT(*) FROM alarms a WHERE a.gateway = g.id AND a.heard_at >= $1),
		(SELECT COUNT(*) FROM forks f WHERE f.gateway = g.id)
		FROM gateways g WHERE ($2 = '' OR g.building = $3) ORDER BY g.building, g.gateway`, alarmsFrom.UnixMilli(), building, building)
	var all []Gateway
	err = each(rows, err, func() error {
		var g Gateway
		var helloAt, total int64
		if err := rows.Scan(&g.ID, &g.Place.District, &g.Place.Town, &g.Place.Building, &g.Place.Gateway, &g.Hello, &helloAt,
			&total, &g.Alarms, &g.Forks); err != nil {
			return err
		}
		g.HelloAt, g.Total = time.UnixMilli(helloAt), uint64(total)
		all = append(all, g)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read gateways: %w", err)
	}
	for i := range all {
		if err := s.fill(ctx, &all[i]); err != nil {
			return nil, fmt.Errorf("read gateway %s: %w", all[i].Place.Address(), err)
		}
	}
	return all, nil
}

func (s *Store) fill(ctx context.Context, g *Gateway) error {
	var epoch, size, version, at int64
	rows, err := s.read.QueryContext(ctx, `SELECT epoch, size FROM epochs WHERE gateway = $1 ORDER BY number DESC LIMIT 1`, g.ID)
	if err := first(rows, err, &epoch, &size); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	rows, err = s.read.QueryContext(ctx, `SELECT a.version, a.stored_at FROM applied a WHERE a.gateway = $1
		AND (EXISTS (SELECT 1 FROM lists l WHERE l.building = $2 AND l.version = a.version AND l.hash = a.hash)
		OR EXISTS (SELECT 1 FROM manifests m WHERE m.building = $3 AND m.hash = a.hash AND m.own = 1))
		ORDER BY a.version DESC, a.stored_at LIMIT 1`, g.ID, g.Place.Building, g.Place.Building)
	if err := first(rows, err, &version, &at); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	g.Epoch, g.Size, g.Applied = uint64(epoch), uint64(size), uint64(version)
	if version > 0 {
		g.AppliedAt = time.UnixMilli(at)
	}
	return s.fillLine(ctx, g)
}

// Epochs returns the epochs that are stored of a gateway, newest first.
func (s *Store) Epochs(ctx context.Context, gateway int64) (all []uint64, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT epoch FROM epochs WHERE gateway = $1 ORDER BY number DESC`, gateway)
	err = each(rows, err, func() error {
		var epoch int64
		err := rows.Scan(&epoch)
		all = append(all, uint64(epoch))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read epochs: %w", err)
	}
	return all, nil
}

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

// Batches calls each with the batches that may hold entries of the filter, by
// gateway, epoch in the order they came, and sequence; with Newest, the other way
// round, by when they were stored. Where an entry's own clock was wrong, only
// what stands around it and when it was stored bound its time: no entry is of
// later than when it was stored, so that a batch is not left out by its clock
// alone.
func (s *Store) Batches(ctx context.Context, f Filter, call func(wire.Place, Batch) error) error {
	from, to := int64(-1<<62), int64(1<<62)
	if !f.From.IsZero() {
		from = f.From.UnixMilli()
	}
	if !f.To.IsZero() {
		to = f.To.UnixMilli()
	}
	query, args := f.query(from, to)
	rows, err := s.read.QueryContext(ctx, query, args...)
	err = each(rows, err, func() error {
		var p wire.Place
		b, err := scanBatch(rows, &p.District, &p.Town, &p.Building, &p.Gateway)
		if err != nil {
			return err
		}
		return call(p, b)
	})
	if err != nil {
		return fmt.Errorf("read batches: %w", err)
	}
	return nil
}

func (f Filter) query(from, to int64) (string, []any) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	query := `SELECT g.district, g.town, g.building, g.gateway,
		b.gateway, b.epoch, b.first, b.next, b.wall_from, b.wall_to, b.body, b.sealed, b.stored_at
		FROM batches b JOIN gateways g ON g.id = b.gateway JOIN epochs e ON e.gateway = b.gateway AND e.epoch = b.epoch
		WHERE (b.wall_to >= ` + arg(from) + ` OR b.stored_at >= ` + arg(from) + `)
		AND (b.wall_from < ` + arg(to) + ` OR b.wall_to > b.stored_at + ` + arg(Ahead.Milliseconds()) + `)`
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
			WHERE g2.building = ` + arg(c.Building) + ` AND g2.gateway = ` + arg(c.Gateway) + ` AND e2.epoch = ` + arg(int64(c.Epoch)) + `)`
	}
	start := ``
	if newest {
		start = `(b.stored_at < ` + arg(c.Stored) + ` OR b.stored_at = ` + arg(c.Stored) + ` AND `
	}
	place := start + `(g.building > ` + arg(c.Building) + ` OR g.building = ` + arg(c.Building) + ` AND (g.gateway > ` + arg(c.Gateway) +
		` OR g.gateway = ` + arg(c.Gateway) + ` AND `
	if newest {
		return place + `(e.number < ` + number() + ` OR e.number = ` + number() + ` AND b.first <= ` + arg(int64(c.Sequence)) + `))))`
	}
	return place + `(e.number > ` + number() + ` OR e.number = ` + number() + ` AND b.next > ` + arg(int64(c.Sequence)) + `)))`
}

// Around calls each with the batches of an epoch beside an entry, the nearest
// first, until call says that it has seen enough: those that end at it or before,
// with back, else those that begin at it or behind.
func (s *Store) Around(ctx context.Context, gateway int64, epoch, sequence uint64, back bool, call func(Batch) (more bool, err error)) error {
	query := `SELECT gateway, epoch, first, next, wall_from, wall_to, body, sealed, stored_at FROM batches WHERE gateway = $1 AND epoch = $2 AND `
	if back {
		query += `next <= $3 ORDER BY first DESC`
	} else {
		query += `first >= $3 ORDER BY first`
	}
	rows, err := s.read.QueryContext(ctx, query, gateway, int64(epoch), int64(sequence))
	err = each(rows, err, func() error {
		b, err := scanBatch(rows)
		if err != nil {
			return err
		}
		more, err := call(b)
		if err == nil && !more {
			return errSeen
		}
		return err
	})
	if err != nil && !errors.Is(err, errSeen) {
		return fmt.Errorf("read batches: %w", err)
	}
	return nil
}

// errSeen ends a query whose caller has seen enough.
var errSeen = errors.New("seen")

func scanBatch(rows *sql.Rows, before ...any) (b Batch, err error) {
	var epoch, begin, next, stored int64
	err = rows.Scan(append(before, &b.Gateway, &epoch, &begin, &next, &b.WallFrom, &b.WallTo, &b.Body, &b.Sealed, &stored)...)
	b.Epoch, b.First, b.Next, b.Stored = uint64(epoch), uint64(begin), uint64(next), time.UnixMilli(stored)
	return b, err
}

// Alarms calls each with the newest of a building (of all, for ""), at most
// limit.
func (s *Store) Alarms(ctx context.Context, building string, limit int, call func(wire.Place, Alarm) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT g.district, g.town, g.building, g.gateway, a.epoch, a.seq, a.header, a.stored, a.heard_at
		FROM alarms a JOIN gateways g ON g.id = a.gateway WHERE ($1 = '' OR g.building = $2)
		UNION ALL SELECT g.district, g.town, g.building, g.gateway, f.epoch, f.first, NULL, 1, f.found_at
		FROM forks f JOIN gateways g ON g.id = f.gateway WHERE ($3 = '' OR g.building = $4)
		ORDER BY 9 DESC, 5 DESC, 6 DESC LIMIT $5`, building, building, building, building, limit)
	err = each(rows, err, func() error {
		var p wire.Place
		var a Alarm
		var epoch, seq, heard int64
		if err := rows.Scan(&p.District, &p.Town, &p.Building, &p.Gateway, &epoch, &seq, &a.Header, &a.Stored, &heard); err != nil {
			return err
		}
		a.Epoch, a.Sequence, a.Heard = uint64(epoch), uint64(seq), time.UnixMilli(heard)
		return call(p, a)
	})
	if err != nil {
		return fmt.Errorf("read alarms: %w", err)
	}
	return nil
}

// Records calls each with the tenancy records above a number, in order, at
// most limit.
func (s *Store) Records(ctx context.Context, after uint64, limit int, call func(wire.Place, Record) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT g.district, g.town, g.building, g.gateway,
		d.number, d.gateway, d.line, d.record, d.envelope, d.person, d.stored_at
		FROM deliveries d JOIN gateways g ON g.id = d.gateway WHERE d.number > $1 ORDER BY d.number LIMIT $2`, int64(after), limit)
	err = each(rows, err, func() error {
		var p wire.Place
		var r Record
		var number, line, record, at int64
		if err := rows.Scan(&p.District, &p.Town, &p.Building, &p.Gateway,
			&number, &r.Gateway, &line, &record, &r.Envelope, &r.Person, &at); err != nil {
			return err
		}
		r.Number, r.Line, r.Record, r.Stored = uint64(number), uint64(line), uint64(record), time.UnixMilli(at)
		return call(p, r)
	})
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

// LastRecord returns the number of the newest tenancy record; 0: none.
func (s *Store) LastRecord(ctx context.Context) (uint64, error) {
	n, err := one(s.read.QueryContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM deliveries`))
	if err != nil {
		return 0, fmt.Errorf("read records: %w", err)
	}
	return uint64(n), nil
}

// Person returns a sealed person by its SHA-256, or ErrNotFound.
func (s *Store) Person(ctx context.Context, hash []byte) (sealed []byte, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT sealed FROM persons WHERE hash = $1`, hash)
	if err := first(rows, err, &sealed); err != nil {
		return nil, fmt.Errorf("read sealed person: %w", err)
	}
	return sealed, nil
}

// Trusts calls each with the Trust documents, the oldest first.
func (s *Store) Trusts(ctx context.Context, call func(envelope []byte) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT envelope FROM trust ORDER BY version`)
	err = each(rows, err, func() error {
		var envelope []byte
		if err := rows.Scan(&envelope); err != nil {
			return err
		}
		return call(envelope)
	})
	if err != nil {
		return fmt.Errorf("read trust documents: %w", err)
	}
	return nil
}

// Houses calls each with the House documents of all buildings; old is the one of the
// first format, where there is another.
func (s *Store) Houses(ctx context.Context, call func(building string, envelope, old []byte) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT h.building, h.envelope, o.envelope FROM houses h LEFT JOIN old_houses o ON o.building = h.building ORDER BY h.building`)
	err = each(rows, err, func() error {
		var building string
		var envelope, old []byte
		if err := rows.Scan(&building, &envelope, &old); err != nil {
			return err
		}
		return call(building, envelope, old)
	})
	if err != nil {
		return fmt.Errorf("read house documents: %w", err)
	}
	return nil
}

// Lists calls each with the newest list of every building: of its bytes with the
// manifest of the newest format alone.
func (s *Store) Lists(ctx context.Context, call func(l List, stored time.Time) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT l.building, l.version, l.hash, l.stored_at, l.manifest, o.hash FROM lists l
		LEFT JOIN old_lists o ON o.building = l.building WHERE l.manifest IS NOT NULL ORDER BY l.building`)
	err = each(rows, err, func() error {
		var l List
		var version, at int64
		var hash, old []byte
		if err := rows.Scan(&l.Building, &version, &hash, &at, &l.Manifest, &old); err != nil {
			return err
		}
		l.Version = uint64(version)
		copy(l.Hash[:], hash)
		copy(l.OldHash[:], old)
		return call(l, time.UnixMilli(at))
	})
	if err != nil {
		return fmt.Errorf("read lists: %w", err)
	}
	return nil
}

// List returns the newest list of a building, or ErrNotFound.
func (s *Store) List(ctx context.Context, building string) (List, error) {
	l := List{Building: building}
	var version int64
	var hash, old []byte
	rows, err := s.read.QueryContext(ctx, `SELECT l.version, l.hash, l.manifest, l.second, o.hash, o.manifest, o.second FROM lists l
		LEFT JOIN old_lists o ON o.building = l.building WHERE l.building = $1 AND l.manifest IS NOT NULL`, building)
	if err := first(rows, err, &version, &hash, &l.Manifest, &l.Second, &old, &l.Old, &l.OldSecond); err != nil {
		return List{}, fmt.Errorf("read list of %s: %w", building, err)
	}
	l.Version = uint64(version)
	copy(l.Hash[:], hash)
	copy(l.OldHash[:], old)
	return l, nil
}

// Bucket returns a bucket of a building's newest list, or ErrNotFound.
func (s *Store) Bucket(ctx context.Context, building string, hash wire.Hash) (body []byte, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT body FROM buckets WHERE building = $1 AND hash = $2`, building, hash[:])
	if err := first(rows, err, &body); err != nil {
		return nil, fmt.Errorf("read bucket of %s: %w", building, err)
	}
	return body, nil
}

// BucketHashes returns which buckets of a building are stored.
func (s *Store) BucketHashes(ctx context.Context, building string) (map[wire.Hash]bool, error) {
	have, err := bucketHashes(s.read.QueryContext(ctx, `SELECT hash FROM buckets WHERE building = $1`, building))
	if err != nil {
		return nil, fmt.Errorf("read buckets of %s: %w", building, err)
	}
	return have, nil
}

// bucketHashes returns a map that has each hash, with the value false.
func bucketHashes(rows *sql.Rows, err error) (map[wire.Hash]bool, error) {
	have := map[wire.Hash]bool{}
	err = each(rows, err, func() error {
		var b []byte
		if err := rows.Scan(&b); err != nil || len(b) != sha256.Size {
			return err
		}
		have[wire.Hash(b)] = false
		return nil
	})
	return have, err
}

// Count returns the numbers of stored entries and batches.
func (s *Store) Count(ctx context.Context) (entries, batches uint64, err error) {
	var e, b int64
	rows, err := s.read.QueryContext(ctx, `SELECT (SELECT COALESCE(SUM(size), 0) FROM epochs), (SELECT COUNT(*) FROM batches)`)
	if err := first(rows, err, &e, &b); err != nil {
		return 0, 0, fmt.Errorf("count entries: %w", err)
	}
	return uint64(e), uint64(b), nil
}
