package store

import (
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// AddChange keeps an event of a building.
func AddChange(t *Tx, id string, e fold.Event) {
	body, err := wire.Encode(e.Change)
	t.Fail(err)
	t.exec("keep change", `INSERT INTO changes (building, gateway, line, number, record, grant_id, tenancy, at, body, person, settled, least)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`,
		id, e.Source, blob(e.Line), int64(e.Number), e.Record[:], e.Change.Grant[:], e.Change.Tenancy[:], e.At, body, e.Person[:], e.Settled, e.Least)
}

// SettleChange keeps that the operator has decided on an event.
func SettleChange(t *Tx, id string, e fold.Event) {
	t.exec("keep what is settled", `UPDATE changes SET settled = 1 WHERE building = ? AND gateway = ? AND record = ?`, id, e.Source, e.Record[:])
}

// BuildingOf is the building of a grant, or with tenancy of a tenancy; empty: it is not there.
func BuildingOf(q Querier, tenancy bool, id wire.ID) (building string, err error) {
	query := `SELECT building FROM changes WHERE grant_id = ? ORDER BY n LIMIT 1`
	if tenancy {
		query = `SELECT building FROM changes WHERE tenancy = ? ORDER BY n LIMIT 1`
	}
	_, err = find(q, "look for the building of "+id.String(), []any{&building}, query, id[:])
	return building, err
}

// PutSeen keeps how far a line has been taken in.
func PutSeen(t *Tx, id string, l building.Line, s building.Seen) {
	t.exec("keep seen", `INSERT INTO seen (building, gateway, line, number, at, used) VALUES (?,?,?,?,?,?)
		ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, at = excluded.at, used = excluded.used`,
		id, l.Gateway, blob(l.Number), int64(s.Number), s.At, int64(s.Used))
}

// PutCovered keeps what a list has seen of a line which was taken over.
func PutCovered(t *Tx, id string, l building.Line, c building.Cover) {
	t.exec("keep what a list has seen", `INSERT INTO covered (building, gateway, line, number, events) VALUES (?,?,?,?,?)
		ON CONFLICT (building, gateway, line) DO UPDATE SET number = excluded.number, events = excluded.events`,
		id, l.Gateway, blob(l.Number), int64(c.Number), c.Events)
}

// maxWaiting records of a gateway are kept that came before the one that they follow.
const maxWaiting = 2048

// AddWaiting keeps a record that came before the one that it follows. It reports whether there is space for it.
func AddWaiting(t *Tx, id string, l building.Line, record uint64, envelope []byte) bool {
	var n int
	_, err := find(t, "count waiting records", []any{&n}, `SELECT count(*) FROM waiting WHERE building = ? AND gateway = ?`, id, l.Gateway)
	if t.Fail(err); n >= maxWaiting {
		return false
	}
	t.exec("keep waiting record", `INSERT INTO waiting (building, gateway, line, number, envelope) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING`,
		id, l.Gateway, blob(l.Number), int64(record), envelope)
	return true
}

// TakeWaiting returns the envelope of a record that waits, which does so no more; nil: it does not.
func TakeWaiting(t *Tx, id string, l building.Line, record uint64) (envelope []byte) {
	args := []any{id, l.Gateway, blob(l.Number), int64(record)}
	there, err := find(t, "take waiting record", []any{&envelope},
		`SELECT envelope FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...)
	if t.Fail(err); there {
		t.exec("take waiting record", `DELETE FROM waiting WHERE building = ? AND gateway = ? AND line = ? AND number = ?`, args...)
	}
	return envelope
}

// AddReinstated keeps that a grant was made in the place of one that a list had ended, at a time, unix s.
func AddReinstated(t *Tx, id string, next, old wire.ID, by wire.Hash, at uint32) {
	t.exec("keep what was reinstated", `INSERT INTO reinstated (building, grant_id, old_id, list_hash, at) VALUES (?,?,?,?,?)`, id, next[:], old[:], by[:], at)
}

// Reinstated is the grant that was made in the place of one; nil: none.
func Reinstated(q Querier, old wire.ID) (*wire.ID, error) {
	var next wire.ID
	there, err := find(q, "read what was reinstated", []any{bytesInto(next[:])}, `SELECT grant_id FROM reinstated WHERE old_id = ?`, old[:])
	if !there {
		return nil, err
	}
	return &next, nil
}
