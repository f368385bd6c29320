package desk

import (
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// Hear takes a sibling's record. The error wraps one of wire's: it is not of
// this building's gateway, or not in its one encoding. A record that is known,
// or that the active list was made with, changes nothing, and none does before the
// building's key has come.
func (r *Records) Hear(gateway string, envelope []byte) error {
	reg := r.keyring.Keys.Registry()
	if reg == nil || gateway == reg.Place.Gateway {
		return nil
	}
	g := reg.House.Gateway(gateway)
	if g == nil {
		return fmt.Errorf("record of gateway %s: %w: not of this building", gateway, wire.ErrUnknownKey)
	}
	address := wire.Place{Building: reg.Place.Building, Gateway: gateway}.Address()
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: address}, []wire.Key{g.Key()})
	if err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	var rec wire.Record
	if err := wire.Decode(payload, &rec); err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	if !r.keyring.Status().HasKey {
		return nil // the building's key is on its way, and the record comes again
	}
	c, err := r.keyring.Keys.Building().OpenRecord(rec.House)
	if err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	return r.take(record.Local{Gateway: gateway, Record: rec, Envelope: slices.Clone(envelope), Change: c, Entered: true})
}

// take makes a sibling's change active. What the keyring does not keep, since
// the list has settled it, does not go into the book either.
func (r *Records) take(l record.Local) error {
	r.book.Lock()
	defer r.book.Unlock()
	known := r.holds(l)
	if err := r.keyring.Records.Add(l); err != nil && !errors.Is(err, keyring.ErrNotDurable) {
		return fmt.Errorf("record of gateway %s: %w", l.Gateway, err)
	}
	if known || !r.holds(l) {
		return nil
	}
	r.book.foldUses()
	r.book.Tenancies.Apply(l.Change)
	_ = r.book.save() // logged there; the next start reads the records again
	select {
	case r.heard <- struct{}{}:
	default:
	}
	return nil
}

func (r *Records) holds(l record.Local) bool {
	return slices.ContainsFunc(r.keyring.Records.All(), func(o record.Local) bool { return o.Gateway == l.Gateway && o.Record.ID == l.Record.ID })
}

// Unsettled returns the envelopes of the own records that no list has settled,
// and the ids of all the siblings' records held, ascending.
func (r *Records) Unsettled() (own [][]byte, have []wire.ID) {
	for _, l := range r.keyring.Records.All() {
		if r.isOwn(l) {
			own = append(own, l.Envelope)
		} else {
			have = append(have, l.Record.ID)
		}
	}
	slices.SortFunc(have, tenancy.CompareIDs)
	return own, have
}

// Siblings returns the envelopes of siblings' records that no list has settled,
// by gateway, line and number.
func (r *Records) Siblings() (all [][]byte) {
	for _, l := range r.keyring.Records.All() {
		if !r.isOwn(l) {
			all = append(all, l.Envelope)
		}
	}
	return all
}
