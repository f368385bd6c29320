package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"gatehouse/sync/wire"
)

// Gateway is the state of a gateway that ever sent anything, as people see it.
type Gateway struct {
	Place wire.Place
	Epoch uint64 // the newest; 0: none
	Size  uint64 // its entries
	Total uint64 // entries of all epochs
	Line  uint64 // of its tenancy records; 0: none
	// Records is the number of stored records of the line.
	Records uint64
	// Applied is the version of the newest list of its building that one of its entries proves; 0:
	// none.
	Applied   uint64
	AppliedAt time.Time
	SetBacks  uint64 // how often a hello voided proofs
	SetBackTo uint64 // the oldest list in such a hello
	Alarms    int    // since alarmsFrom of Gateways
	Forks     int
}

// The parts that queries of the state of gateways share.
const (
	// numbered are all gateways w, with the line in which they number their tenancy records.
	numbered = `SELECT w.*, COALESCE(l.renew, 0) AS renew,
			COALESCE(l.line, (SELECT line FROM deliveries d WHERE d.gateway = w.id ORDER BY number DESC LIMIT 1)) AS line
		FROM gateways w LEFT JOIN lines l ON l.gateway = w.id`
	// records is how many are stored of the line of a gateway g.
	records = `(SELECT MAX(record) FROM deliveries d WHERE d.gateway = g.id AND d.line = g.line)`
	// newestProof ends a query for the newest list of its building that an entry p of a gateway g proves.
	newestProof = ` FROM applied p WHERE p.gateway = g.id
		AND (EXISTS (SELECT 1 FROM lists l WHERE l.building = g.building AND l.version = p.version AND l.hash = p.hash)
		OR EXISTS (SELECT 1 FROM manifests m WHERE m.building = g.building AND m.hash = p.hash AND m.own = 1))
		ORDER BY p.version DESC, p.stored_at LIMIT 1`
)

// Gateways returns the gateways of a building (of all, for ""), by building and id. Alarms are
// counted from alarmsFrom on.
func (s *Store) Gateways(ctx context.Context, building string, alarmsFrom time.Time) ([]Gateway, error) {
	return list(s.reading(ctx), "read gateways", func(g *Gateway) []any {
		return append(placeFields(&g.Place), &g.Epoch, &g.Size, &g.Total, &g.Line, &g.Records,
			&g.Applied, &g.AppliedAt, &g.SetBacks, &g.SetBackTo, &g.Alarms, &g.Forks)
	}, `SELECT g.district, g.town, g.building, g.gateway, e.epoch, e.size,
		(SELECT SUM(size) FROM epochs t WHERE t.gateway = g.id),
		g.line, `+records+`, a.version, a.stored_at, s.number, s.list,
		(SELECT COUNT(*) FROM alarms h WHERE h.gateway = g.id AND h.heard_at >= $1),
		(SELECT COUNT(*) FROM forks f WHERE f.gateway = g.id)
		FROM (`+numbered+` WHERE ($2 = '' OR w.building = $3)) g
		LEFT JOIN epochs e ON e.gateway = g.id AND e.number = (SELECT MAX(number) FROM epochs n WHERE n.gateway = g.id)
		LEFT JOIN setbacks s ON s.gateway = g.id
		LEFT JOIN applied a ON a.gateway = g.id AND (a.epoch, a.seq) = (SELECT p.epoch, p.seq`+newestProof+`)
		ORDER BY g.building, g.gateway`, alarmsFrom, building, building)
}

// Known is what a front keeps in memory of each gateway that ever sent anything.
type Known struct {
	Place   wire.Place
	Hello   []byte // payload of the newest; nil: never
	HelloAt time.Time
	Applied uint64 // as that of Gateway
}

// Known yields all gateways, in no order.
func (s *Store) Known(ctx context.Context) iter.Seq2[Known, error] {
	return rows(s.reading(ctx), "read gateways", func(k *Known) []any {
		return append(placeFields(&k.Place), &k.Hello, &k.HelloAt, &k.Applied)
	}, `SELECT g.district, g.town, g.building, g.gateway, g.hello, g.hello_at, (SELECT p.version`+newestProof+`) FROM gateways g`)
}

// Numbering is the numbering of a gateway's entries and tenancy records.
type Numbering struct {
	Epoch   uint64 // the newest; 0: none
	Line    uint64 // 0: none
	Records uint64 // stored records of the line
	Renew   bool   // the line contradicts itself: the gateway must begin another
	Pending bool   // it may still have sealed persons of some records
}

// Gateway returns the number of the gateway in the other tables, and its stored numbering. A new
// gateway gets a number; one that moved gets its new district and town.
func (tx *Tx) Gateway(p wire.Place) (id int64, n Numbering, err error) {
	look := func() error {
		return tx.need("read numbering of "+p.Address(), []any{&id, &n.Epoch, &n.Line, &n.Records, &n.Renew, &n.Pending},
			`SELECT g.id, (SELECT e.epoch FROM epochs e WHERE e.gateway = g.id ORDER BY e.number DESC LIMIT 1), g.line, `+records+`, g.renew,
				EXISTS (SELECT 1 FROM owed o WHERE o.gateway = g.id)
			FROM (`+numbered+` WHERE w.district = $1 AND w.town = $2 AND w.building = $3 AND w.gateway = $4) g`, p.District, p.Town, p.Building, p.Gateway)
	}
	if err = look(); !errors.Is(err, ErrNotFound) {
		return id, n, err
	}
	err = tx.exec(`INSERT INTO gateways (id, building, gateway, district, town, hello_at)
		VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM gateways), $1, $2, $3, $4, 0)
		ON CONFLICT (building, gateway) DO UPDATE SET district = excluded.district, town = excluded.town`, p.Building, p.Gateway, p.District, p.Town)
	if err == nil {
		err = look()
	}
	return id, n, wrap("gateway "+p.Address(), err)
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
