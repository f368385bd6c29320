package store

import (
	"context"

	"gatehouse/internal/registry/api"
)

// Documents are what was signed for gateways: trust and House documents, lists, undos of
// times. It is part of a Tx.
type Documents struct{ conn }

// PutTrust keeps a Trust document.
func (d Documents) PutTrust(version uint64, envelope []byte) error {
	return d.exec(`INSERT INTO trust (version, envelope) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING`, version, envelope)
}

// Trusts returns the Trust documents, the oldest first.
func (s *Store) Trusts(ctx context.Context) ([][]byte, error) {
	return list(s.reading(ctx), "read trust documents", itself[[]byte], `SELECT envelope FROM trust ORDER BY version`)
}

// PutHouse keeps the House document of a building, in its formats, in place of the one
// before.
func (d Documents) PutHouse(h api.Document, version uint64) error {
	err := d.exec(`INSERT INTO houses (building, version, envelope) VALUES ($1, $2, $3)
		ON CONFLICT (building) DO UPDATE SET version = excluded.version, envelope = excluded.envelope`, h.Building, version, h.Envelope)
	if err == nil {
		err = d.exec(`DELETE FROM old_houses WHERE building = $1`, h.Building)
	}
	if err != nil || len(h.Old) == 0 {
		return err
	}
	return d.exec(`INSERT INTO old_houses (building, envelope) VALUES ($1, $2)`, h.Building, h.Old)
}

// Houses returns the House documents of all buildings.
func (s *Store) Houses(ctx context.Context) ([]api.Document, error) {
	return list(s.reading(ctx), "read house documents", func(h *api.Document) []any { return []any{&h.Building, &h.Envelope, &h.Old} },
		`SELECT h.building, h.envelope, o.envelope FROM houses h LEFT JOIN old_houses o ON o.building = h.building ORDER BY h.building`)
}

// PutUndo keeps what takes a signed time back at a gateway, in the place of the one
// before; none, if its envelope is empty.
func (d Documents) PutUndo(u api.Undo) error {
	err := d.exec(`DELETE FROM undos WHERE building = $1 AND gateway = $2`, u.Building, u.Gateway)
	if err != nil || len(u.Envelope) == 0 {
		return err
	}
	return d.exec(`INSERT INTO undos (building, gateway, envelope) VALUES ($1, $2, $3)`, u.Building, u.Gateway, u.Envelope)
}

// Undos returns those that are kept.
func (s *Store) Undos(ctx context.Context) ([]api.Undo, error) {
	return list(s.reading(ctx), "read undos of times", func(u *api.Undo) []any { return []any{&u.Building, &u.Gateway, &u.Envelope} },
		`SELECT building, gateway, envelope FROM undos ORDER BY building, gateway`)
}
