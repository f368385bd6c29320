package store

import (
	"database/sql"
	"errors"
	"fmt"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// AddChange keeps an event of a building.
func AddChange(q Querier, id string, e fold.Event) error {
	body, err := wire.Encode(e.Change)
	if err != nil {
		return err
	}
	return exec(q, "keep change", `INSERT INTO changes (building, gateway, line, number, record, grant_id, tenancy, at, body, person, settled, least)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, e.Source, blob(e.Line), int64(e.Number), e.Record[:], e.Change.Grant[:], e.Change.Tenancy[:], e.At, body, e.Person[:], e.Settled, e.Least)
}

// SettleChange keeps that the operator has decided on an event.
func SettleChange(q Querier, id string, e fold.Event) error {
	return exec(q, "keep what is settled", `UPDATE changes SET settled = 1 WHERE building = ? AND gateway = ? AND record = ?`, id, e.Source, e.Record[:])
}

// BuildingOf is the building of a grant, or with tenancy of a tenancy; empty: it is not
// there.
func BuildingOf(q Querier, tenancy bool, id wire.ID) (building string, err error) {
	query := `SELECT building FROM changes WHERE grant_id = ? ORDER BY n LIMIT 1`
	if tenancy {
		query = `SELECT building FROM changes WHERE tenancy = ? ORDER BY n LIMIT 1`
	}
	err = q.QueryRow(query, id[:]).Scan(&building)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the building of %s: %w", id, err)
	}
	return building, nil
}

// PutSeen keeps how far a line has been taken in.
func PutSeen(q Querier, id string, l building.Line, s building.Seen) error {
	return exec(q, "keep seen", `INSERT INTO seen (building, gateway, line, number, at, used) VALUES (?,?,?,?,?,?)
		ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, at = excluded.at, used = excluded.used`,
		id, l.Gateway, blob(l.Number), int64(s.Number), s.At, int64(s.Used))
}

// PutCovered keeps what a list has seen of a line which was taken over.
func PutCovered(q Querier, id string, l building.Line, c building.Cover) error {
	return exec(q, "keep what a list has seen", `INSERT INTO covered (building, gateway, line, number, events) VALUES (?,?,?,?,?)
		ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, events = excluded.events`,
		id, l.Gateway, blob(l.Number), int64(c.Number), c.Events)
}

// maxWaiting records of a gateway are kept that came before the one that they follow.
const maxWaiting = 2048

// AddWaiting keeps a record that came before the one that it follows. It reports
// whether there is space for it.
func AddWaiting(q Querier, id string, l building.Line, record uint64, envelope []byte) (bool, error) {
	var n int
	err := q.QueryRow(`SELECT count(*) FROM waiting WHERE building = ? AND gateway = ?`, id, l.Gateway).Scan(&n)
	if err != nil || n >= maxWaiting {
		return false, err
	}
	return true, exec(q, "keep waiting record", `INSERT INTO waiting (building, gateway, line, number, envelope) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		id, l.Gateway, blob(l.Number), int64(record), envelope)
}

// TakeWaiting returns the envelope of a record that waits, which does so no more; nil:
// it does not.
func TakeWaiting(q Querier, id string, l building.Line, record uint64) (envelope []byte, err error) {
	args := []any{id, l.Gateway, blob(l.Number), int64(record)}
	err = q.QueryRow(`SELECT envelope FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...).Scan(&envelope)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		_, err = q.Exec(`DELETE FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...)
	}
	if err != nil {
		return nil, fmt.Errorf("take waiting record: %w", err)
	}
	return envelope, nil
}

// AddReinstated keeps that a grant was made in the place of one that a list had ended,
// at a time, unix s.
func AddReinstated(q Querier, id string, next, old wire.ID, by wire.Hash, at uint32) error {
	return exec(q, "keep what was reinstated", `INSERT INTO reinstated (building, grant_id, old_id, list_hash, at) VALUES (?,?,?,?,?)`, id, next[:], old[:], by[:], at)
}

// Reinstated is the grant that was made in the place of one; nil: none.
func Reinstated(q Querier, old wire.ID) (*wire.ID, error) {
	var next wire.ID
	err := q.QueryRow(`SELECT grant_id FROM reinstated WHERE old_id = ?`, old[:]).Scan(bytesInto(next[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was reinstated: %w", err)
	}
	return &next, nil
}
