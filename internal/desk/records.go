package desk

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// Pending is an own record that the registry has not confirmed yet.
type Pending struct {
	Line, Number uint64
	Envelope     []byte
	Person       []byte // sealed; nil: none, or it was delivered before
}

func newID() (id wire.ID) {
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// newLine returns the random name of a numbering; never 0.
func newLine() uint64 {
	id := newID()
	return binary.BigEndian.Uint64(id[:]) | 1
}

func (d *Desk) isOwn(l record.Local) bool {
	reg := d.p.Keyring.Keys.Registry()
	return reg != nil && l.Gateway == reg.Place.Gateway
}

// own returns the own records that are unsettled, or whose person the registry
// has not got, in order.
func (d *Desk) own() []record.Local {
	own := slices.DeleteFunc(d.p.Keyring.Records.All(), func(l record.Local) bool { return !d.isOwn(l) })
	own = append(own, d.p.Keyring.Records.Undelivered()...)
	slices.SortFunc(own, func(a, b record.Local) int {
		return cmp.Or(cmp.Compare(a.Record.Line, b.Record.Line), cmp.Compare(a.Record.Number, b.Record.Number))
	})
	return own
}

// record puts a change in force, then into the journal. A change that stops
// something holds even if no disk takes it; then a remark says so.
func (d *Desk) record(ctx context.Context, reg *keys.Registry, c wire.Change, person []byte) (remarks []string, err error) {
	line := d.book.Line
	if line == 0 {
		line = newLine()
	}
	l, err := d.sign(reg, line, d.book.Number+1, c, person)
	if err != nil {
		return nil, err
	}
	err = d.p.Keyring.Records.Add(l)
	if errors.Is(err, keyring.ErrNotDurable) && (c.Op == wire.OpEnd || c.Op == wire.OpSuspend) {
		remarks = append(remarks, "this is in force, but the disk has not taken it yet: it is tried again each minute. Mend the disk before the daemon is started anew")
	} else if err != nil {
		return nil, fmt.Errorf("record the %s: %w", c.Op, err)
	}
	d.book.Line, d.book.Number = line, d.book.Number+1
	d.book.apply(c)
	if d.save() != nil {
		remarks = append(remarks, "label and PIN could not be written: see gatehouse status about the disk")
	}
	if !d.enter(ctx, l) {
		remarks = append(remarks, "its entry in the log waits for the disk")
	}
	return remarks, nil
}

// sign makes the record of a change: sealed for the siblings, sealed for the
// issuer's desk, signed by the gateway.
func (d *Desk) sign(reg *keys.Registry, line, number uint64, c wire.Change, person []byte) (l record.Local, err error) {
	r := wire.Record{Line: line, Number: number, ID: newID()}
	plain, err := wire.Encode(c)
	if err != nil {
		return l, err
	}
	if r.House, err = d.p.Keyring.Keys.SealRecord(c); err != nil {
		return l, err
	}
	if r.Desk, err = wire.Seal(reg.Trust.Desk, wire.SealChange, reg.Place.Address(), plain); err != nil {
		return l, err
	}
	if len(person) > 0 {
		r.Person = sha256.Sum256(person)
	}
	l = record.Local{Gateway: reg.Place.Gateway, Record: r, Change: c, Person: person}
	l.Envelope, err = d.envelope(reg, r)
	return l, err
}

func (d *Desk) envelope(reg *keys.Registry, r wire.Record) ([]byte, error) {
	b, err := wire.Encode(r)
	if err != nil {
		return nil, err
	}
	return wire.Sign(wire.Protected{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: reg.Place.Address()}, b, d.p.Key)
}

// enterMost is how long a change waits for the disk to take its entry.
const enterMost = 2 * time.Second

// enter writes the entry of a record and reports whether it is durable. If it is
// not, it is queued, and written again after a restart: once more does no harm.
func (d *Desk) enter(ctx context.Context, l record.Local) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterMost)
	defer cancel()
	detail := sha256.Sum256(l.Record.Desk)
	grant, tenancy := l.Change.Grant, l.Change.Tenancy
	_, err := d.p.Journal.Append(ctx, wire.Header{Kind: wire.KindTenancy, Outcome: wire.OutcomeDone,
		Reason: reasonOf(l.Change.Op), Detail: detail[:]}, wire.Who{Grant: &grant, Tenancy: &tenancy})
	if err != nil {
		d.queued[l.Record.ID] = !errors.Is(err, journal.ErrDropped)
		d.p.Log.Warn().Err(err).Str("change", l.Change.Op.String()).Msg("entry of a tenancy's change is not durable yet")
		return false
	}
	if err := d.p.Keyring.Records.Entered(l.Record.ID); err != nil {
		d.p.Log.Warn().Err(err).Msg("that a change has its entry can't be written; it may get another")
	}
	return true
}

// reasonOf says what the entry of a change is about.
func reasonOf(o wire.Op) wire.Reason { return 600 + wire.Reason(o) }

// enterMissing writes the entries of records that have none yet.
func (d *Desk) enterMissing(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.own() {
		if !l.Entered && !d.queued[l.Record.ID] && ctx.Err() == nil {
			d.enter(ctx, l)
		}
	}
}

// Head returns the numbering of the own records and how many were made in it;
// 0, 0 before the first.
func (d *Desk) Head() (line, number uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.book.Line, d.book.Number
}

// mine returns the own records that are here, with those that are kept for a
// registry that may lose them, in order, each once and with its person.
func (d *Desk) mine() []record.Local {
	all := d.own()
	at := make(map[wire.ID]int, len(all))
	for i, l := range all {
		at[l.Record.ID] = i
	}
	for _, l := range d.p.Keyring.Kept.All() {
		i, here := at[l.Record.ID]
		switch {
		case !here:
			all = append(all, l)
		case len(all[i].Person) == 0:
			all[i].Person = l.Person
		}
	}
	slices.SortFunc(all, func(a, b record.Local) int {
		return cmp.Or(cmp.Compare(a.Record.Line, b.Record.Line), cmp.Compare(a.Record.Number, b.Record.Number))
	})
	return all
}

// Pending returns the own records that the registry has not confirmed, in order.
func (d *Desk) Pending() (all []Pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.mine() {
		if l.Record.Line == d.book.Line && l.Record.Number > d.book.Stored {
			all = append(all, Pending{l.Record.Line, l.Record.Number, l.Envelope, l.Person})
		}
	}
	return all
}

// Behind takes the registry's word of how many own records it has, where it had
// more before: it was set back. Those that are kept are delivered again; renew says
// that only another line can bring them.
func (d *Desk) Behind(line, number uint64) (renew bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.book.Stored == 0 || line == d.book.Line && number >= d.book.Stored {
		return false
	}
	mine := d.mine()
	if line != d.book.Line {
		return len(mine) > 0
	}
	next := number + 1
	for _, l := range mine {
		if l.Record.Line == line && l.Record.Number == next {
			next++
		}
	}
	if next <= d.book.Stored {
		return len(mine) > 0
	}
	d.p.Log.Warn().Uint64("registry", number).Uint64("stored", d.book.Stored).Msg("the registry has lost records of this gateway, which are delivered again")
	d.book.Stored = number
	_ = d.save() // logged there; the registry says it again
	return false
}

// Safe takes the registry's word that it can't lose the own records through number.
func (d *Desk) Safe(line, number uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if line != d.book.Line {
		return
	}
	if err := d.p.Keyring.Kept.Safe(line, number); err != nil {
		d.p.Log.Error().Err(err).Msg("records that the registry can't lose can't be erased here; it is tried again")
	}
}

// Stored takes the registry's word that it has the own records through number.
// What is sealed of persons in them is deleted here.
func (d *Desk) Stored(line, number uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	number = min(number, d.book.Number)
	if line != d.book.Line || number <= d.book.Stored {
		return
	}
	if err := d.p.Keyring.Records.Stored(line, number); err != nil {
		d.p.Log.Error().Err(err).Msg("a sealed person that the registry has can't be deleted here; it is tried again")
		return
	}
	d.book.Stored = number
	_ = d.save() // logged there; the registry says it again after the next start
}

// Renew begins a new numbering, because the registry's differs: this gateway's
// disk was set back, or the registry's was. What it has is line and number; the
// unsettled records keep their ids, by which it knows those that it holds.
func (d *Desk) Renew(line, number uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.p.Log.Warn().Uint64("registry", number).Uint64("made", d.book.Number).Bool("same line", line == d.book.Line).
		Msg("tenancy records are numbered anew")
	return d.renumber()
}

func (d *Desk) renumber() error {
	mine, line := d.mine(), newLine()
	reg, err := d.registry()
	if err != nil && len(mine) > 0 {
		return fmt.Errorf("number records anew: %w", err)
	}
	here := make(map[wire.ID]bool)
	for _, l := range d.own() {
		here[l.Record.ID] = true
	}
	var own, kept []record.Local
	for i, l := range mine {
		l.Record.Line, l.Record.Number = line, uint64(i)+1
		if l.Envelope, err = d.envelope(reg, l.Record); err != nil {
			return fmt.Errorf("number records anew: %w", err)
		}
		if here[l.Record.ID] {
			own = append(own, l)
		} else {
			kept = append(kept, l)
		}
	}
	err = d.p.Keyring.Records.Replace(own)
	if err == nil {
		err = d.p.Keyring.Kept.Replace(kept) // after the persons of the others stand with their records
	}
	if err != nil {
		return fmt.Errorf("number records anew: %w", err)
	}
	if len(mine) == 0 {
		line = 0 // the next record begins one
	}
	d.book.Line, d.book.Number, d.book.Stored = line, uint64(len(mine)), 0
	_ = d.save() // logged there; after a restart the records themselves say it
	return nil
}

// mendLines numbers records anew that a crash has left in two lines, or that are
// signed by the key of before the gateway was enrolled anew: the registry would wait
// for the end of one line for ever, and refuses what that key has signed.
func (d *Desk) mendLines() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.ContainsFunc(d.own(), func(l record.Local) bool { return l.Record.Line != d.book.Line || d.unheard(l) }) {
		return
	}
	if err := d.renumber(); err != nil {
		d.p.Log.Error().Err(err).Msg("tenancy records stand in two numberings, or under the key of before; it is tried again")
	}
}

// unheard reports whether the registry lacks a record that it will never take: another
// key of this gateway has signed it.
func (d *Desk) unheard(l record.Local) bool {
	if d.p.Key == nil || l.Record.Number <= d.book.Stored {
		return false
	}
	_, p, _ := wire.Open(l.Envelope, wire.Expect{}, nil) // only to learn who signed it
	return p.KeyID != wire.IDOf(d.p.Key.Public().(ed25519.PublicKey))
}

// Hear takes a sibling's record. The error wraps one of wire's: it is not of
// this building's gateway, or not in its one encoding. A record that is known,
// or that the list in force was made with, changes nothing, and none does before the
// building's key has come.
func (d *Desk) Hear(gateway string, envelope []byte) error {
	reg := d.p.Keyring.Keys.Registry()
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
	var r wire.Record
	if err := wire.Decode(payload, &r); err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	if !d.p.Keyring.Status().HasKey {
		return nil // the building's key is on its way, and the record comes again
	}
	c, err := d.p.Keyring.Keys.OpenRecord(r.House)
	if err != nil {
		return fmt.Errorf("record of gateway %s: %w", gateway, err)
	}
	return d.take(record.Local{Gateway: gateway, Record: r, Envelope: slices.Clone(envelope), Change: c, Entered: true})
}

// take puts a sibling's change in force. What the keyring does not keep, since
// the list has settled it, does not go into the book either.
func (d *Desk) take(l record.Local) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.holds(l)
	if err := d.p.Keyring.Records.Add(l); err != nil && !errors.Is(err, keyring.ErrNotDurable) {
		return fmt.Errorf("record of gateway %s: %w", l.Gateway, err)
	}
	if known || !d.holds(l) {
		return nil
	}
	d.foldUses()
	d.book.apply(l.Change)
	_ = d.save() // logged there; the next start reads the records again
	select {
	case d.soon <- struct{}{}:
	default:
	}
	return nil
}

func (d *Desk) holds(l record.Local) bool {
	return slices.ContainsFunc(d.p.Keyring.Records.All(), func(o record.Local) bool { return o.Gateway == l.Gateway && o.Record.ID == l.Record.ID })
}

// Unsettled returns the envelopes of the own records that no list has settled,
// and the ids of all the siblings' records held, ascending.
func (d *Desk) Unsettled() (own [][]byte, have []wire.ID) {
	for _, l := range d.p.Keyring.Records.All() {
		if d.isOwn(l) {
			own = append(own, l.Envelope)
		} else {
			have = append(have, l.Record.ID)
		}
	}
	slices.SortFunc(have, compareIDs)
	return own, have
}

// Siblings returns the envelopes of siblings' records that no list has settled,
// by gateway, line and number.
func (d *Desk) Siblings() (all [][]byte) {
	for _, l := range d.p.Keyring.Records.All() {
		if !d.isOwn(l) {
			all = append(all, l.Envelope)
		}
	}
	return all
}
