package store

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Buildings are the ids of all, in order.
func Buildings(q Querier) ([]string, error) {
	return column[string](q, "read buildings", `SELECT id FROM buildings ORDER BY id`)
}

// Unsent are the buildings with a list or House document that the front has not got.
func Unsent(q Querier) ([]string, error) {
	return column[string](q, "read what was not sent", `SELECT building FROM lists WHERE held = 0 AND sent = 0 UNION SELECT id FROM buildings WHERE house_sent = 0 AND house IS NOT NULL`)
}

// SetSent keeps that the front has the newest of a building.
func SetSent(t *Tx, id string) {
	t.exec("keep what was sent", `UPDATE lists SET sent = 1 WHERE building = ? AND held = 0`, id)
	t.exec("keep what was sent", `UPDATE buildings SET house_sent = 1 WHERE id = ?`, id)
}

// SetUnsent makes everything be handed over again.
func SetUnsent(t *Tx) {
	t.exec("hand over again", `UPDATE lists SET sent = 0`)
	t.exec("hand over again", `UPDATE buildings SET house_sent = 0`)
}

// PutBuilding keeps a building's flats, days of notice and key number; one that is new with its place.
func PutBuilding(t *Tx, b *building.Building) {
	flats, err := json.Marshal(append([]string{}, b.Flats...))
	t.Fail(err)
	t.exec("keep building", `INSERT INTO buildings (id, district, town, flats, notice_days, key_number, escrow_of, house_sent) VALUES (?,?,?,?,?,?,?,1)
		ON CONFLICT (id) DO UPDATE SET flats = excluded.flats, notice_days = excluded.notice_days,
			key_number = excluded.key_number, escrow_of = excluded.escrow_of`,
		b.ID, b.District, b.Town, string(flats), b.NoticeDays, b.KeyNumber, b.EscrowOf)
}

// PutHouse keeps the House document of a building, which the front has not got.
func PutHouse(t *Tx, b *building.Building) {
	t.exec("keep house document", `UPDATE buildings SET house = ?, house_old = ?, house_sent = 0 WHERE id = ?`, b.HouseEnvelope, b.HouseOld, b.ID)
}

// SetEscrow keeps a building's sealed key.
func SetEscrow(t *Tx, id string, sealed []byte) {
	t.exec("keep building key", `UPDATE buildings SET escrow = ? WHERE id = ?`, sealed, id)
}

// Escrow is a building's sealed key; empty: there is none.
func Escrow(q Querier, id string) (sealed []byte, err error) {
	_, err = find(q, "read building key", []any{&sealed}, `SELECT escrow FROM buildings WHERE id = ?`, id)
	return sealed, err
}

// Load works out a building from what is stored; nil: there is none.
func Load(q Querier, id string) (*building.Building, error) {
	b := building.New(id)
	var flats string
	var log []byte
	fields := []any{&b.District, &b.Town, &flats, &b.NoticeDays, &b.KeyNumber, &b.EscrowOf, &b.HouseEnvelope, &b.HouseOld, &log}
	there, err := find(q, "read its row", fields,
		`SELECT district, town, flats, notice_days, key_number, escrow_of, house, house_old, log FROM buildings WHERE id = ?`, id)
	if err == nil && !there {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(flats), &b.Flats)
	}
	if err == nil && b.HouseEnvelope != nil { // who signed it is not asked: the issuer's key may have been replaced since
		var payload []byte
		if payload, err = wire.PayloadOf(b.HouseEnvelope); err == nil {
			err = wire.Decode(payload, &b.House)
		}
	}
	if err == nil && len(log) > 0 { // a database of before the log begins one with the lists that it has
		b.Lists.Log, err = tree.Decode(log)
	}
	for _, load := range []func(Querier, *building.Building) error{loadSeen, loadChanges, loadLists, loadRevoked, loadSetBacks, loadRemovals, loadCovered} {
		if err == nil {
			err = load(q, b)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load building %s: %w", id, err)
	}
	return b, nil
}

func loadSeen(q Querier, b *building.Building) error {
	return each(q, "read lines", func(rows *sql.Rows) error {
		var l building.Line
		var s building.Seen
		err := rows.Scan(&l.Gateway, (*number)(&l.Number), &s.Number, &s.At, &s.Used)
		b.Lines.Load(l, s)
		return err
	}, `SELECT gateway, line, number, at, used FROM seen WHERE building = ?`, b.ID)
}

func loadChanges(q Querier, b *building.Building) error {
	err := each(q, "read changes", func(rows *sql.Rows) error {
		var e fold.Event
		var body []byte
		if err := rows.Scan(&e.Source, (*number)(&e.Line), (*signed)(&e.Number), bytesInto(e.Record[:]), &e.At, &body, bytesInto(e.Person[:]), &e.Settled, &e.Least); err != nil {
			return err
		}
		if err := wire.Decode(body, &e.Change); err != nil {
			return err
		}
		if !e.ByClock() {
			b.Tenancies.Add(e)
		}
		return nil
	}, `SELECT gateway, line, number, record, at, body, person, settled, least FROM changes WHERE building = ? ORDER BY n`, b.ID)
	b.Tenancies.FoldAll()
	return err
}

func loadRevoked(q Querier, b *building.Building) error {
	return each(q, "read revoked grants", func(rows *sql.Rows) error {
		var id wire.ID
		var r building.Revocation
		if err := rows.Scan(bytesInto(id[:]), &r.Version, &r.Dropped); err != nil {
			return err
		}
		if g := b.Tenancies.Grants[id]; g != nil && g.Known && !g.Ended {
			b.Lists.Healed = true // an earlier version ended it by the clock
			return nil
		}
		b.Lists.Revoked[id] = r
		return nil
	}, `SELECT grant_id, version, dropped FROM revoked WHERE building = ?`, b.ID)
}

func loadSetBacks(q Querier, b *building.Building) error {
	return each(q, "read rollbacks", func(rows *sql.Rows) error {
		var gateway string
		var n signed
		err := rows.Scan(&gateway, &n)
		b.Gateways.SetBacks[gateway] = uint64(n)
		return err
	}, `SELECT gateway, number FROM setbacks WHERE building = ?`, b.ID)
}

func loadRemovals(q Querier, b *building.Building) error {
	return each(q, "read what lists have taken away", func(rows *sql.Rows) error {
		var tenancy wire.ID
		var at uint32
		err := rows.Scan(bytesInto(tenancy[:]), &at)
		b.Lists.Removals[tenancy] = at
		return err
	}, `SELECT tenancy, at FROM removals WHERE building = ?`, b.ID)
}

func loadCovered(q Querier, b *building.Building) error {
	return each(q, "read what lists have seen", func(rows *sql.Rows) error {
		var l building.Line
		var c building.Cover
		err := rows.Scan(&l.Gateway, (*number)(&l.Number), (*signed)(&c.Number), &c.Events)
		b.Lines.Covered[l] = c
		return err
	}, `SELECT gateway, line, number, events FROM covered WHERE building = ?`, b.ID)
}
