package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gatehouse/internal/durable"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// Local is a tenancy record that no list has settled yet: of this gateway, or
// of a sibling. Who signed it is the caller's to check.
type Local struct {
	Gateway  string // that made it
	Record   wire.Record
	Envelope []byte      // of the record, signed
	Change   wire.Change // what Record.House says
	Person   []byte      // sealed; own records only, empty where there is none or the registry has it
	Entered  bool        // its journal entry is durable
	Aging    bool        // a notice that the list was made with, whose days have not passed here
}

// maxHeld bounds the unsettled records of one sibling.
const maxHeld = wire.MaxHave

// AddLocal makes a record durable and then puts it in force. One that the list
// has settled, or that is held already, changes nothing; the same change under
// another number is the same change. What can't be made durable is refused,
// since a grant that the next start forgets locks a tenant out; but an end and a
// suspension hold in memory, with ErrNotDurable, and Run tries to write them.
func (k *Keyring) AddLocal(l Local) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.checkLocal(l); err != nil {
		return fmt.Errorf("add record: %w", err)
	}
	h := &held{Local: l.clone(), kept: k.own()}
	if old := k.find(l.Gateway, l.Record.ID); old != nil {
		return k.addAgain(old, h)
	}
	records := k.with(h)
	rows := rowsOf(k.listed(), records)
	left, done := settle(k.listed(), rows, k.over.index, records)
	own := l.Gateway == k.registry.Load().Place.Gateway
	switch {
	case !own && slices.Contains(done, h):
		return nil
	case !own && k.countOf(l.Gateway) >= maxHeld:
		return fmt.Errorf("add record: %s has %d unsettled ones here, and no more are kept", l.Gateway, maxHeld)
	}
	if _, err := merge(k.listed(), rows, k.over.index, left); err != nil {
		return fmt.Errorf("add record: %w", err)
	}
	failed := k.writeRecord(h)
	if failed != nil && l.Change.Op != wire.OpEnd && l.Change.Op != wire.OpSuspend {
		k.removeRecord(h)
		return fmt.Errorf("add record: nothing was changed: %w", failed)
	}
	h.unwritten = failed != nil
	k.records = records
	k.refresh()
	if failed != nil {
		return fmt.Errorf("add record: %w: %w", ErrNotDurable, failed)
	}
	return nil
}

func (k *Keyring) checkLocal(l Local) error {
	if k.registry.Load() == nil {
		return fmt.Errorf("%w: a house by itself has none: the landlord's list says it all", ErrRefused)
	}
	if !wire.ValidName(l.Gateway, false) || len(l.Envelope) == 0 {
		return fmt.Errorf("%w: no gateway or no envelope", ErrRefused)
	}
	if k.registry.Load().Strange(l.Gateway) {
		return fmt.Errorf("%w: gateway %s is not of the building (any more)", ErrRefused, l.Gateway)
	}
	_, err := wire.Encode(l.Record)
	if err == nil {
		_, err = wire.Encode(l.Change)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// addAgain takes a record that is held already. Under a new number its gateway
// has begun a new line; a list that has seen either has seen the change.
func (k *Keyring) addAgain(old, h *held) error {
	if old.place() == h.place() || slices.Contains(old.also, h.place()) {
		return nil
	}
	h.Change, h.Entered, h.kept = old.Change, old.Entered || h.Entered, old.kept
	h.also = append(slices.Clone(old.also), old.place())
	if n := len(h.also); n > maxAlso {
		h.also = h.also[n-maxAlso:]
	}
	if err := k.writeRecord(h); err != nil {
		return fmt.Errorf("add record again: %w", err) // the old one goes on
	}
	k.records = slices.DeleteFunc(slices.Clone(k.records), func(o *held) bool { return o == old })
	k.records = k.with(h)
	k.refresh()
	k.sweep()
	return nil
}

// maxAlso bounds the earlier numbers that a record is known under.
const maxAlso = 8

// with returns the records with one more, in order.
func (k *Keyring) with(h *held) []*held {
	i, _ := slices.BinarySearchFunc(k.records, h, (*held).compare)
	return slices.Insert(slices.Clone(k.records), i, h)
}

func (k *Keyring) find(gateway string, id wire.ID) *held {
	i := slices.IndexFunc(k.records, func(h *held) bool { return h.Gateway == gateway && h.Record.ID == id })
	if i < 0 {
		return nil
	}
	return k.records[i]
}

func (k *Keyring) countOf(gateway string) (n int) {
	for _, h := range k.records {
		if h.Gateway == gateway {
			n++
		}
	}
	return n
}

// Locals returns the unsettled records by gateway, line and number.
func (k *Keyring) Locals() []Local {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []Local
	seen := k.list.seen()
	for _, h := range k.left {
		l := h.clone()
		l.Aging = h.young && h.seenIn(seen)
		all = append(all, l)
	}
	return all
}

// Undelivered returns own records that the list has settled and that stay for
// the sealed person of their grant: a sibling may have brought the record to the
// registry, and nobody but its maker can bring the person. They count no more.
func (k *Keyring) Undelivered() (all []Local) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	_, done := settle(k.listed(), rowsOf(k.listed(), k.records), k.over.index, k.records)
	owed := owing(done)
	for _, h := range done {
		if owed[h.Change.Grant] && h.Gateway == r.Place.Gateway {
			all = append(all, h.clone())
		}
	}
	return all
}

// owing are the grants of records with a person that the registry has not got.
func owing(records []*held) map[wire.ID]bool {
	owed := make(map[wire.ID]bool)
	for _, h := range records {
		if len(h.Person) > 0 {
			owed[h.Change.Grant] = true
		}
	}
	return owed
}

func (l Local) clone() Local {
	l.Envelope, l.Person = bytes.Clone(l.Envelope), bytes.Clone(l.Person)
	return l
}

// SetLocals replaces all records of this gateway: it numbers them anew, in a new
// line, because its disk was set back. Each file is replaced whole; after a
// crash some may have their new number and some their old one, and it is called
// again. A sealed person that is on disk stays where none is given.
func (k *Keyring) SetLocals(own []Local) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := make([]*held, 0, len(own))
	for _, l := range own {
		if err := k.checkLocal(l); err != nil {
			return fmt.Errorf("set records: %w", err)
		}
		if l.Gateway != k.registry.Load().Place.Gateway {
			return fmt.Errorf("set records: %w: one is of %s", ErrRefused, l.Gateway)
		}
		h := &held{Local: l.clone()}
		if old := k.find(l.Gateway, l.Record.ID); old != nil && len(h.Person) == 0 {
			h.Person = old.Person
		}
		if err := k.writeRecord(h); err != nil {
			return fmt.Errorf("set records: %w", err)
		}
		next = append(next, h)
	}
	for _, old := range k.records {
		if old.Gateway != k.registry.Load().Place.Gateway {
			next = append(next, old)
		} else if !slices.ContainsFunc(own, func(l Local) bool { return l.Record.ID == old.Record.ID }) {
			k.removeRecord(old)
		}
	}
	slices.SortFunc(next, (*held).compare)
	k.records = next
	k.refresh()
	return nil
}

// Entered notes that the journal entry of an own record is durable.
func (k *Keyring) Entered(id wire.ID) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	if r == nil {
		return errors.New("note entry of record: a house by itself has none")
	}
	h := k.find(r.Place.Gateway, id)
	if h == nil || h.Entered {
		return nil // settled already, or noted
	}
	h.Entered = true
	if err := k.writeRecord(h); err != nil {
		h.Entered = false
		return fmt.Errorf("note entry of record: %w", err)
	}
	return nil
}

// StoredLocals erases the sealed persons of own records through a number: the
// registry has them. What it may lose is kept apart.
func (k *Keyring) StoredLocals(line, number uint64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	if r == nil {
		return errors.New("erase persons: a house by itself has none")
	}
	for _, h := range k.records {
		if h.Gateway != r.Place.Gateway || h.Record.Line != line || h.Record.Number > number || h.stored {
			continue
		}
		if err := k.kept.keep(h.Local); err != nil {
			return err
		}
		h.stored = true
		if len(h.Person) == 0 {
			continue
		}
		if err := durable.Remove(k.personFile(h)); err != nil {
			return fmt.Errorf("erase person of a record: %w", err)
		}
		h.Person = nil
	}
	k.sweep()
	return nil
}

// sweep erases the records that the list has settled, once the list is on disk.
// One whose person the registry has not got stays until it has, with the others
// of its grant. Ends go last: without them an earlier check-in must not be left.
// Callers hold mu.
func (k *Keyring) sweep() {
	if len(k.records) == 0 || k.list == nil || k.stored != k.list {
		return
	}
	rows := rowsOf(k.listed(), k.records)
	left, done := settle(k.listed(), rows, k.over.index, k.records)
	owed := owing(done)
	done = slices.DeleteFunc(done, func(h *held) bool {
		if owed[h.Change.Grant] {
			left = append(left, h)
		}
		return owed[h.Change.Grant]
	})
	if len(done) == 0 {
		return
	}
	slices.SortStableFunc(done, func(a, b *held) int { return rankToSweep(a) - rankToSweep(b) })
	if !k.bury(done, rows) {
		return
	}
	for _, h := range done {
		k.didWrite()
		if err := k.removeRecord(h); err != nil {
			k.opts.Log.Error().Err(err).Msg("settled record can't be erased")
			left = append(left, h) // tried again
		}
	}
	slices.SortFunc(left, (*held).compare)
	k.records = left
}

// bury keeps the grants that settled records have ended and that the list does not
// name, before the records go. It reports whether a file has them. Callers hold mu.
func (k *Keyring) bury(done []*held, rows map[wire.ID][]wire.Grant) bool {
	var ended []wire.ID
	for _, h := range done {
		if h.Change.Op == wire.OpEnd && len(rows[h.Change.Grant]) == 0 {
			ended = append(ended, h.Change.Grant)
		}
	}
	return !k.over.add(ended...) || k.store(k.list) == nil
}

func rankToSweep(h *held) int {
	switch h.Change.Op {
	case wire.OpCheckIn:
		return 0
	case wire.OpEnd:
		return 2
	}
	return 1
}

// writeRecords tries again to write what is in memory only. Callers hold mu.
func (k *Keyring) writeRecords() {
	for _, h := range k.records {
		if !h.unwritten {
			continue
		}
		if err := k.writeRecord(h); err != nil {
			k.opts.Log.Error().Err(err).Msg("record can't be written")
			return
		}
		h.unwritten = false
	}
}

// dropRecords erases the records of some gateways and reports whether there were
// any. Callers hold mu, and refresh.
func (k *Keyring) dropRecords(of func(gateway string) bool) bool {
	left := slices.DeleteFunc(slices.Clone(k.records), func(h *held) bool {
		if !of(h.Gateway) {
			return false
		}
		if err := k.removeRecord(h); err != nil { // the next start does not take it
			k.opts.Log.Error().Err(err).Msg("record of a removed gateway can't be erased")
		}
		return true
	})
	dropped := len(left) < len(k.records)
	k.records = left
	return dropped
}

// overdue counts siblings' records that no list has settled within a day of the
// own clock, by gateway: the registry can't read what is sealed to it, or
// refuses it, and nobody here can tell.
func (k *Keyring) overdue() map[string]int {
	n := make(map[string]int)
	now := k.own()
	for _, h := range k.left {
		if h.kept == 0 { // an earlier program kept it
			h.kept = now
		}
		if h.Gateway != k.registry.Load().Place.Gateway && !h.young && now > h.kept+signedtime.Day {
			n[h.Gateway]++
		}
	}
	return n
}

func (k *Keyring) recordsDir() string { return filepath.Join(k.opts.Dir, "records") }

// makeRecordsDir makes the folder when the first record needs it.
func (k *Keyring) makeRecordsDir() error { return durable.MakeDir(k.recordsDir(), 0o700) }
