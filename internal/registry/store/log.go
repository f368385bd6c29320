package store

import (
	"context"
	"errors"
	"fmt"

	"gatehouse/sync/wire"
)

// Logged is one manifest in the log of a building's lists.
type Logged struct {
	Hash    wire.Hash
	Epoch   uint64 // of the issuers' role that signed it
	Version uint64
	Own     bool // of the issuer of this registry, as it is now
}

// ErrGap means a part of a log that does not go on where what is stored ends.
var ErrGap = errors.New("something before it is missing")

// PutLog keeps a part of a building's log from a place on. What stood there goes:
// the issuer's word on its own log is the newer one.
func (tx *Tx) PutLog(building string, from uint64, all []Logged) error {
	have, err := one(tx.query(`SELECT COUNT(*) FROM manifests WHERE building = $1`, building))
	if err == nil && uint64(have) < from {
		err = fmt.Errorf("%w: %d, and it begins at %d", ErrGap, have, from)
	}
	if err == nil {
		err = tx.exec(`DELETE FROM manifests WHERE building = $1 AND n >= $2`, building, int64(from))
	}
	for i, l := range all {
		if err != nil {
			break
		}
		own := int64(0)
		if l.Own {
			own = 1
		}
		err = tx.exec(`INSERT INTO manifests (building, n, hash, epoch, version, own) VALUES ($1, $2, $3, $4, $5, $6)`,
			building, int64(from)+int64(i), l.Hash[:], int64(l.Epoch), int64(l.Version), own)
	}
	if err != nil {
		return fmt.Errorf("log of %s: %w", building, err)
	}
	return nil
}

// Log returns the first manifests of a building's log, at most `most`.
func (s *Store) Log(ctx context.Context, building string, most uint64) (all []Logged, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT hash, epoch, version, own FROM manifests WHERE building = $1 AND n < $2 ORDER BY n`,
		building, int64(min(most, 1<<62)))
	err = each(rows, err, func() error {
		var l Logged
		var hash []byte
		var epoch, version, own int64
		err := rows.Scan(&hash, &epoch, &version, &own)
		copy(l.Hash[:], hash)
		l.Epoch, l.Version, l.Own = uint64(epoch), uint64(version), own == 1
		all = append(all, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read log of %s: %w", building, err)
	}
	return all, nil
}

// Knows reports whether a manifest is in a building's log, or was handed in before
// there was one.
func (tx *Tx) Knows(building string, hash wire.Hash) (bool, error) {
	n, err := one(tx.query(`SELECT (SELECT COUNT(*) FROM manifests WHERE building = $1 AND hash = $2)
		+ (SELECT COUNT(*) FROM lists WHERE building = $3 AND hash = $4)`, building, hash[:], building, hash[:]))
	if err != nil {
		return false, fmt.Errorf("look into the log of %s: %w", building, err)
	}
	return n > 0, nil
}

// SetSecond keeps a second issuer's word on the newest list of a building.
func (tx *Tx) SetSecond(building string, second, old []byte) error {
	if err := tx.exec(`UPDATE lists SET second = $1 WHERE building = $2 AND manifest IS NOT NULL`, second, building); err != nil {
		return fmt.Errorf("second signature: %w", err)
	}
	return tx.exec(`UPDATE old_lists SET second = $1 WHERE building = $2`, old, building)
}

// PutOldHouse keeps the House document for gateways that read the first format
// only; none, if it is empty.
func (tx *Tx) PutOldHouse(building string, envelope []byte) error {
	if err := tx.exec(`DELETE FROM old_houses WHERE building = $1`, building); err != nil || len(envelope) == 0 {
		return err
	}
	return tx.exec(`INSERT INTO old_houses (building, envelope) VALUES ($1, $2)`, building, envelope)
}

// PutUndo keeps what takes a signed time back at a gateway, in the place of the one
// before; none, if it is empty.
func (tx *Tx) PutUndo(building, gateway string, envelope []byte) error {
	if err := tx.exec(`DELETE FROM undos WHERE building = $1 AND gateway = $2`, building, gateway); err != nil || len(envelope) == 0 {
		return err
	}
	return tx.exec(`INSERT INTO undos (building, gateway, envelope) VALUES ($1, $2, $3)`, building, gateway, envelope)
}

// Undos calls each with those that are kept.
func (s *Store) Undos(ctx context.Context, call func(building, gateway string, envelope []byte)) error {
	rows, err := s.read.QueryContext(ctx, `SELECT building, gateway, envelope FROM undos ORDER BY building, gateway`)
	err = each(rows, err, func() error {
		var building, gateway string
		var envelope []byte
		err := rows.Scan(&building, &gateway, &envelope)
		if err == nil {
			call(building, gateway, envelope)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read undos of times: %w", err)
	}
	return nil
}
