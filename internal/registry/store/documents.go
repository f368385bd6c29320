package store

import (
	"context"
	"database/sql"
)

// Documents are what was signed for gateways: trust and House documents, lists, undos of
// times. It is part of a Tx.
type Documents struct{ conn }

// PutTrust keeps a Trust document.
func (d Documents) PutTrust(version uint64, envelope []byte) error {
	return d.exec(`INSERT INTO trust (version, envelope) VALUES ($1, $2) ON CONFLICT (version) DO NOTHING`, int64(version), envelope)
}

// Trusts calls each with the Trust documents, the oldest first.
func (s *Store) Trusts(ctx context.Context, call func(envelope []byte) error) error {
	return s.each(ctx, "read trust documents", func(rows *sql.Rows) error {
		var envelope []byte
		if err := rows.Scan(&envelope); err != nil {
			return err
		}
		return call(envelope)
	}, `SELECT envelope FROM trust ORDER BY version`)
}

// PutHouse keeps the House document of a building in place of the one before.
func (d Documents) PutHouse(building string, version uint64, envelope []byte) error {
	return d.exec(`INSERT INTO houses (building, version, envelope) VALUES ($1, $2, $3)
		ON CONFLICT (building) DO UPDATE SET version = excluded.version, envelope = excluded.envelope`, building, int64(version), envelope)
}

// PutOldHouse keeps the House document for gateways that read the first format
// only; none, if it is empty.
func (d Documents) PutOldHouse(building string, envelope []byte) error {
	if err := d.exec(`DELETE FROM old_houses WHERE building = $1`, building); err != nil || len(envelope) == 0 {
		return err
	}
	return d.exec(`INSERT INTO old_houses (building, envelope) VALUES ($1, $2)`, building, envelope)
}

// Houses calls each with the House documents of all buildings; old is the one of the
// first format, where there is another.
func (s *Store) Houses(ctx context.Context, call func(building string, envelope, old []byte) error) error {
	return s.each(ctx, "read house documents", func(rows *sql.Rows) error {
		var building string
		var envelope, old []byte
		if err := rows.Scan(&building, &envelope, &old); err != nil {
			return err
		}
		return call(building, envelope, old)
	}, `SELECT h.building, h.envelope, o.envelope FROM houses h LEFT JOIN old_houses o ON o.building = h.building ORDER BY h.building`)
}

// PutUndo keeps what takes a signed time back at a gateway, in the place of the one
// before; none, if it is empty.
func (d Documents) PutUndo(building, gateway string, envelope []byte) error {
	if err := d.exec(`DELETE FROM undos WHERE building = $1 AND gateway = $2`, building, gateway); err != nil || len(envelope) == 0 {
		return err
	}
	return d.exec(`INSERT INTO undos (building, gateway, envelope) VALUES ($1, $2, $3)`, building, gateway, envelope)
}

// Undos calls each with those that are kept.
func (s *Store) Undos(ctx context.Context, call func(building, gateway string, envelope []byte)) error {
	return s.each(ctx, "read undos of times", func(rows *sql.Rows) error {
		var building, gateway string
		var envelope []byte
		err := rows.Scan(&building, &gateway, &envelope)
		if err == nil {
			call(building, gateway, envelope)
		}
		return err
	}, `SELECT building, gateway, envelope FROM undos ORDER BY building, gateway`)
}
