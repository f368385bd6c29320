package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// Gateway is what is known of one that was ever heard.
type Gateway struct {
	ID        int64
	Place     wire.Place
	Hello     []byte // payload; nil: never
	HelloAt   time.Time
	Epoch     uint64 // newest; 0: none
	Size      uint64 // entries of it
	Total     uint64 // entries of all epochs
	Numbering Numbering
	// Applied is the newest list of its building that one of its entries
	// proves, by version and hash; 0: none.
	Applied   uint64
	AppliedAt time.Time
	SetBacks  uint64 // how often a hello has voided proofs
	SetBackTo uint64 // the oldest list that one of these named
	Alarms    int    // heard since the time that Gateways was asked with
	Forks     int
}

// Numbering is how a gateway numbers its tenancy records.
type Numbering struct {
	Line    uint64 // 0: none
	Records uint64 // stored of that line
	Renew   bool   // that line contradicts itself: it must begin another
	Pending bool   // persons of some of its records may still be with it
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
		err := rows.Scan(&g.ID, &g.Place.District, &g.Place.Town, &g.Place.Building, &g.Place.Gateway, &g.Hello, (*ms)(&g.HelloAt),
			(*u64)(&g.Total), &g.Alarms, &g.Forks)
		all = append(all, g)
		return err
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

// fill reads what stands in other tables of a gateway.
func (s *Store) fill(ctx context.Context, g *Gateway) error {
	maybe := func(into []any, query string, args ...any) (bool, error) {
		rows, err := s.read.QueryContext(ctx, query, args...)
		err = first(rows, err, into...)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	n := &g.Numbering
	_, err := maybe([]any{(*u64)(&g.Epoch), (*u64)(&g.Size)}, `SELECT epoch, size FROM epochs WHERE gateway = $1 ORDER BY number DESC LIMIT 1`, g.ID)
	if err == nil {
		_, err = maybe([]any{(*u64)(&g.Applied), (*ms)(&g.AppliedAt)}, `SELECT a.version, a.stored_at FROM applied a WHERE a.gateway = $1
			AND (EXISTS (SELECT 1 FROM lists l WHERE l.building = $2 AND l.version = a.version AND l.hash = a.hash)
			OR EXISTS (SELECT 1 FROM manifests m WHERE m.building = $3 AND m.hash = a.hash AND m.own = 1))
			ORDER BY a.version DESC, a.stored_at LIMIT 1`, g.ID, g.Place.Building, g.Place.Building)
	}
	known := true
	if err == nil {
		known, err = maybe([]any{(*u64)(&n.Line), &n.Renew}, `SELECT line, renew FROM lines WHERE gateway = $1`, g.ID)
	}
	if err == nil && !known {
		known, err = maybe([]any{(*u64)(&n.Line)}, `SELECT line FROM deliveries WHERE gateway = $1 ORDER BY number DESC LIMIT 1`, g.ID)
	}
	if err == nil && known {
		_, err = maybe([]any{(*u64)(&n.Records)}, `SELECT COALESCE(MAX(record), 0) FROM deliveries WHERE gateway = $1 AND line = $2`, g.ID, int64(n.Line))
	}
	if err == nil {
		_, err = maybe([]any{&n.Pending}, `SELECT EXISTS (SELECT 1 FROM owed WHERE gateway = $1)`, g.ID)
	}
	if err == nil {
		_, err = maybe([]any{(*u64)(&g.SetBacks), (*u64)(&g.SetBackTo)}, `SELECT number, list FROM setbacks WHERE gateway = $1`, g.ID)
	}
	return err
}

// Gateway returns the number of the gateway, with which its rows are named. A
// new one is given a number; one that moved gets its new district and town.
func (tx *Tx) Gateway(p wire.Place) (int64, error) {
	id, err := one(tx.query(`SELECT id FROM gateways WHERE building = $1 AND gateway = $2`, p.Building, p.Gateway))
	switch {
	case errors.Is(err, ErrNotFound):
		if id, err = one(tx.query(`SELECT COALESCE(MAX(id), 0) + 1 FROM gateways`)); err == nil {
			err = tx.exec(`INSERT INTO gateways (id, building, gateway, district, town, hello_at) VALUES ($1, $2, $3, $4, $5, 0)`,
				id, p.Building, p.Gateway, p.District, p.Town)
		}
	case err == nil:
		err = tx.exec(`UPDATE gateways SET district = $1, town = $2 WHERE id = $3 AND (district <> $4 OR town <> $5)`,
			p.District, p.Town, id, p.District, p.Town)
	}
	if err != nil {
		return 0, fmt.Errorf("gateway %s: %w", p.Address(), err)
	}
	return id, nil
}

// SetHello keeps the payload of a gateway's newest hello.
func (tx *Tx) SetHello(gateway int64, hello []byte, at time.Time) error {
	return tx.exec(`UPDATE gateways SET hello = $1, hello_at = $2 WHERE id = $3`, hello, at.UnixMilli(), gateway)
}

// Begins notes that a machine of this key begins a new epoch, and reports whether
// the same machine had others before.
func (tx *Tx) Begins(gateway int64, public []byte) (again bool, err error) {
	var old []byte
	rows, err := tx.query(`SELECT public FROM machines WHERE gateway = $1`, gateway)
	if err = first(rows, err, &old); err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("machine of a gateway: %w", err)
	}
	if bytes.Equal(old, public) {
		return true, nil
	}
	return false, tx.exec(`INSERT INTO machines (gateway, public) VALUES ($1, $2) ON CONFLICT (gateway) DO UPDATE SET public = excluded.public`,
		gateway, public)
}
