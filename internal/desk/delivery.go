package desk

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// Head returns the line of own records and how many were made in it; 0, 0 before the first.
func (r *Records) Head() (line, number uint64) {
	r.book.Lock()
	defer r.book.Unlock()
	return r.book.Line, r.book.Number
}

// mine returns the own records that are here, and those that are kept for a registry that may lose
// them, in order, each once and with its person.
func (r *Records) mine() []record.Local {
	all := r.own()
	at := make(map[wire.ID]int, len(all))
	for i, l := range all {
		at[l.Record.ID] = i
	}
	for _, l := range r.keyring.Kept.All() {
		i, here := at[l.Record.ID]
		switch {
		case !here:
			all = append(all, l)
		case len(all[i].Person) == 0:
			all[i].Person = l.Person
		}
	}
	return inOrder(all)
}

// Pending returns the own records that the registry has not confirmed, in order. A record without a
// person never had one, or its person was delivered before.
func (r *Records) Pending() []record.Local {
	r.book.Lock()
	defer r.book.Unlock()
	return slices.DeleteFunc(r.mine(), func(l record.Local) bool { return l.Record.Line != r.book.Line || l.Record.Number <= r.book.Stored })
}

// Behind takes the registry's count of own records where that is lower than before: it was rolled
// back. Kept records are delivered again; renew reports that only a new line can bring them.
func (r *Records) Behind(line, number uint64) (renew bool) {
	r.book.Lock()
	defer r.book.Unlock()
	if r.book.Stored == 0 || line == r.book.Line && number >= r.book.Stored {
		return false
	}
	mine := r.mine()
	if line != r.book.Line {
		return len(mine) > 0
	}
	next := number + 1
	for _, l := range mine {
		if l.Record.Line == line && l.Record.Number == next {
			next++
		}
	}
	if next <= r.book.Stored {
		return len(mine) > 0
	}
	r.log.Warn().Uint64("registry", number).Uint64("stored", r.book.Stored).Msg("the registry has lost records of this gateway, which are delivered again")
	r.book.Stored = number
	_ = r.book.save() // logged there; the registry repeats it
	return false
}

// Safe notes that the registry can't lose the own records through number.
func (r *Records) Safe(line, number uint64) {
	r.book.Lock()
	defer r.book.Unlock()
	if line != r.book.Line {
		return
	}
	if err := r.keyring.Kept.Safe(line, number); err != nil {
		r.log.Error().Err(err).Msg("records that the registry can't lose can't be erased here; it is tried again")
	}
}

// Stored notes that the registry has the own records through number, and deletes their sealed
// persons here.
func (r *Records) Stored(line, number uint64) {
	r.book.Lock()
	defer r.book.Unlock()
	number = min(number, r.book.Number)
	if line != r.book.Line || number <= r.book.Stored {
		return
	}
	if err := r.keyring.Records.Stored(line, number); err != nil {
		r.log.Error().Err(err).Msg("a sealed person that the registry has can't be deleted here; it is tried again")
		return
	}
	r.book.Stored = number
	_ = r.book.save() // logged there; the registry repeats it after the next start
}

// Renew begins a new line because the registry's numbering differs: this gateway's disk was rolled
// back, or the registry was. The registry has line and number; unsettled records keep their ids, by
// which it recognises those that it has.
func (r *Records) Renew(line, number uint64) error {
	r.book.Lock()
	defer r.book.Unlock()
	r.log.Warn().Uint64("registry", number).Uint64("made", r.book.Number).Bool("same line", line == r.book.Line).
		Msg("tenancy records are numbered anew")
	return r.renumber()
}

func (r *Records) renumber() error {
	mine, line := r.mine(), newLine()
	reg, err := r.registry()
	if err != nil && len(mine) > 0 {
		return fmt.Errorf("number records anew: %w", err)
	}
	here := make(map[wire.ID]bool)
	for _, l := range r.own() {
		here[l.Record.ID] = true
	}
	var own, kept []record.Local
	for i, l := range mine {
		l.Record.Line, l.Record.Number = line, uint64(i)+1
		if l.Envelope, err = r.envelope(reg, l.Record); err != nil {
			return fmt.Errorf("number records anew: %w", err)
		}
		if here[l.Record.ID] {
			own = append(own, l)
		} else {
			kept = append(kept, l)
		}
	}
	err = r.keyring.Records.Replace(own)
	if err == nil {
		err = r.keyring.Kept.Replace(kept) // after the persons of the others stand with their records
	}
	if err != nil {
		return fmt.Errorf("number records anew: %w", err)
	}
	if len(mine) == 0 {
		line = 0 // the next record begins a line
	}
	r.book.Line, r.book.Number, r.book.Stored = line, uint64(len(mine)), 0
	_ = r.book.save() // logged there; after a restart the records themselves show it
	return nil
}

// mendLines renumbers records that a crash has left in two lines, or that are signed by the key
// from before the gateway was enrolled again: the registry would wait for ever for the end of one
// line, and refuses what that key has signed.
func (r *Records) mendLines() {
	r.book.Lock()
	defer r.book.Unlock()
	if !slices.ContainsFunc(r.own(), func(l record.Local) bool { return l.Record.Line != r.book.Line || r.unheard(l) }) {
		return
	}
	if err := r.renumber(); err != nil {
		r.log.Error().Err(err).Msg("tenancy records stand in two numberings, or under the key of before; it is tried again")
	}
}

// unheard reports whether a record will never be taken by the registry because another key of this
// gateway has signed it.
func (r *Records) unheard(l record.Local) bool {
	if r.key == nil || l.Record.Number <= r.book.Stored {
		return false
	}
	_, p, _ := wire.Open(l.Envelope, wire.Expect{}, nil) // only to learn who signed it
	return p.KeyID != wire.IDOf(r.key.Public().(ed25519.PublicKey))
}

// Hear takes a sibling's record. Errors wrap one of wire's: the signer is no gateway of this
// building, or the record is malformed. A record that is known, or that the active list includes,
// changes nothing; before the building's key has come, no record does.
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
	if r.keyring.Keys.Building() == nil {
		return nil // the building's key is on its way, and the record is sent again
	}
	c, err := r.keyring.Keys.Building().OpenRecord(rec.House)
	if err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	return r.take(record.Local{Gateway: gateway, Record: rec, Envelope: slices.Clone(envelope), Change: c, Entered: true})
}

// take makes a sibling's change active. A record that the keyring does not keep, because the list
// has settled it, does not go into the book either.
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
// and the ids of all the siblings' records held.
func (r *Records) Unsettled() (own [][]byte, have []wire.ID) {
	for _, l := range r.keyring.Records.All() {
		if r.isOwn(l) {
			own = append(own, l.Envelope)
		} else {
			have = append(have, l.Record.ID)
		}
	}
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
