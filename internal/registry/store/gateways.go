package store

import (
	"context"
	"fmt"
	"time"

	"gatehouse/sync/wire"
)

// Gateway is the state of a gateway that ever sent anything.
type Gateway struct {
	ID        int64
	Place     wire.Place
	Hello     []byte // payload; nil: never
	HelloAt   time.Time
	Epoch     uint64 // the newest; 0: none
	Size      uint64 // its entries
	Total     uint64 // entries of all epochs
	Numbering Numbering
	// Applied is the version of the newest list of its building that one of its entries proves; 0:
	// none.
	Applied   uint64
	AppliedAt time.Time
	SetBacks  uint64 // how often a hello voided proofs
	SetBackTo uint64 // the oldest list in such a hello
	Alarms    int    // since alarmsFrom of Gateways
	Forks     int
}

// Numbering is the numbering of a gateway's tenancy records.
type Numbering struct {
	Line    uint64 // 0: none
	Records uint64 // stored records of the line
	Renew   bool   // the line contradicts itself: the gateway must begin another
	Pending bool   // it may still have sealed persons of some records
}

// Gateways returns the gateways of a building (of all, for ""), by building and id. Alarms are
// counted from alarmsFrom on.
func (s *Store) Gateways(ctx context.Context, building string, alarmsFrom time.Time) ([]Gateway, error) {
	return list(s.reading(ctx), "read gateways", func(g *Gateway) []any {
		n := &g.Numbering
		return append(placeFields(&g.Place), &g.ID, &g.Hello, &g.HelloAt, &g.Epoch, &g.Size, &g.Total, &n.Line, &n.Records, &n.Renew, &n.Pending,
			&g.Applied, &g.AppliedAt, &g.SetBacks, &g.SetBackTo, &g.Alarms, &g.Forks)
	}, `SELECT g.district, g.town, g.building, g.gateway, g.id, g.hello, g.hello_at, e.epoch, e.size,
		(SELECT SUM(size) FROM epochs t WHERE t.gateway = g.id),
		g.line, (SELECT MAX(record) FROM deliveries d WHERE d.gateway = g.id AND d.line = g.line), g.renew,
		EXISTS (SELECT 1 FROM owed o WHERE o.gateway = g.id),
		a.version, a.stored_at, s.number, s.list,
		(SELECT COUNT(*) FROM alarms h WHERE h.gateway = g.id AND h.heard_at >= $1),
		(SELECT COUNT(*) FROM forks f WHERE f.gateway = g.id)
		FROM (SELECT w.*, COALESCE(l.renew, 0) AS renew,
				COALESCE(l.line, (SELECT line FROM deliveries d WHERE d.gateway = w.id ORDER BY number DESC LIMIT 1)) AS line
			FROM gateways w LEFT JOIN lines l ON l.gateway = w.id WHERE ($2 = '' OR w.building = $3)) g
		LEFT JOIN epochs e ON e.gateway = g.id AND e.number = (SELECT MAX(number) FROM epochs n WHERE n.gateway = g.id)
		LEFT JOIN setbacks s ON s.gateway = g.id
		LEFT JOIN applied a ON a.gateway = g.id AND (a.epoch, a.seq) = (SELECT p.epoch, p.seq FROM applied p WHERE p.gateway = g.id
			AND (EXISTS (SELECT 1 FROM lists l WHERE l.building = g.building AND l.version = p.version AND l.hash = p.hash)
			OR EXISTS (SELECT 1 FROM manifests m WHERE m.building = g.building AND m.hash = p.hash AND m.own = 1))
			ORDER BY p.version DESC, p.stored_at LIMIT 1)
		ORDER BY g.building, g.gateway`, alarmsFrom, building, building)
}

// Gateway returns the number of the gateway in the other tables. A new gateway gets a number; one
// that moved gets its new district and town.
func (tx *Tx) Gateway(p wire.Place) (int64, error) {
	err := tx.exec(`INSERT INTO gateways (id, building, gateway, district, town, hello_at)
		VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM gateways), $1, $2, $3, $4, 0)
		ON CONFLICT (building, gateway) DO UPDATE SET district = excluded.district, town = excluded.town
		WHERE gateways.district <> excluded.district OR gateways.town <> excluded.town`, p.Building, p.Gateway, p.District, p.Town)
	if err != nil {
		return 0, fmt.Errorf("gateway %s: %w", p.Address(), err)
	}
	id, err := tx.number("read number of "+p.Address(), `SELECT id FROM gateways WHERE building = $1 AND gateway = $2`, p.Building, p.Gateway)
	return int64(id), err
}

// SetHello stores the payload of a gateway's newest hello.
func (tx *Tx) SetHello(gateway int64, hello []byte, at time.Time) error {
	return tx.exec(`UPDATE gateways SET hello = $1, hello_at = $2 WHERE id = $3`, hello, at, gateway)
}

// Begins notes that a machine with this key begins a new epoch, and reports whether the same
// machine had earlier ones.
func (tx *Tx) Begins(gateway int64, public []byte) (again bool, err error) {
	n, err := tx.changed(`INSERT INTO machines (gateway, public) VALUES ($1, $2)
		ON CONFLICT (gateway) DO UPDATE SET public = excluded.public WHERE machines.public <> excluded.public`, gateway, public)
	return n == 0, wrap("machine of a gateway", err)
}
