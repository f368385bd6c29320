package keyring

import (
	"fmt"
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/internal/keyring/recordfiles"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// maxHeld bounds the unsettled records of one sibling.
const maxHeld = wire.MaxHave

// Records are the tenancy records of the building's gateways that are kept beside the list until it
// has settled them. They are safe for concurrent use.
type Records struct {
	active *active // its mu guards them too
	files  *recordfiles.Pending
	kept   *recordfiles.Kept
}

// Add makes a record durable and then active. One that the list
// has settled, or that is held already, changes nothing; the same change under
// another number is the same change. What can't be made durable is refused,
// since a grant that the next start forgets locks a tenant out; but an end and a
// suspension hold in memory, with ErrNotDurable, and Run tries to write them.
func (r *Records) Add(l record.Local) error {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := r.check(l); err != nil {
		return fmt.Errorf("add record: %w", err)
	}
	h := &record.Held{Local: l.Clone(), Kept: a.time.Own()}
	if old := a.state.Records.Find(l.Gateway, l.Record.ID); old != nil {
		return r.addAgain(old, h)
	}
	records, settled, err := a.state.Try(h)
	own := l.Gateway == a.keys.Own()
	switch {
	case !own && settled:
		return nil
	case !own && a.state.Records.CountOf(l.Gateway) >= maxHeld:
		return fmt.Errorf("add record: %s has %d unsettled ones here, and no more are kept", l.Gateway, maxHeld)
	case err != nil:
		return fmt.Errorf("add record: %w", err)
	}
	failed := r.files.Write(h)
	if failed != nil && l.Change.Op != wire.OpEnd && l.Change.Op != wire.OpSuspend {
		_ = r.files.Remove(h)
		return fmt.Errorf("add record: nothing was changed: %w", failed)
	}
	h.Unwritten = failed != nil
	r.set(records)
	if failed != nil {
		return fmt.Errorf("add record: %w: %w", ErrNotDurable, failed)
	}
	return nil
}

// set replaces the records and refreshes. Callers hold mu.
func (r *Records) set(records record.Set) {
	r.active.state.Records = records
	r.active.refresh()
}

func (r *Records) check(l record.Local) error {
	reg := r.active.keys.Registry()
	if reg == nil {
		return fmt.Errorf("%w: a standalone house has none: the landlord's list says it all", ErrRefused)
	}
	if !wire.ValidName(l.Gateway, false) || len(l.Envelope) == 0 {
		return fmt.Errorf("%w: no gateway or no envelope", ErrRefused)
	}
	if reg.Strange(l.Gateway) {
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

// addAgain takes a record that is held already. A new number means that its gateway has begun a new
// line; a list that has seen either number has seen the change.
func (r *Records) addAgain(old, h *record.Held) error {
	if old.Place() == h.Place() || slices.Contains(old.Also, h.Place()) {
		return nil
	}
	h.Renumbers(old)
	if err := r.files.Write(h); err != nil {
		return fmt.Errorf("add record again: %w", err) // the old one stays
	}
	r.set(r.without(func(o *record.Held) bool { return o == old }).With(h))
	r.sweep()
	return nil
}

func (r *Records) without(gone func(*record.Held) bool) record.Set {
	return slices.DeleteFunc(slices.Clone(r.active.state.Records), gone)
}

// All returns the unsettled records by gateway, line and number.
func (r *Records) All() (all []record.Local) {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.state.Seen()
	for _, h := range a.state.Left {
		l := h.Clone()
		l.Aging = h.Young && h.SeenIn(seen)
		all = append(all, l)
	}
	return all
}

// Undelivered returns own records that the list has settled and that stay for the sealed person of
// their grant: a sibling may have brought the record to the registry, and only its maker can bring
// the person. They have no effect any more.
func (r *Records) Undelivered() (all []record.Local) {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.state.Undelivered() {
		if h.Gateway == a.keys.Own() {
			all = append(all, h.Clone())
		}
	}
	return all
}

// Replace replaces all records of this gateway by ones of a new line, because its disk was rolled
// back. Each file is replaced whole; after a crash some may have their new number and some their
// old one, and it is called again. A sealed person on disk stays where none is given.
func (r *Records) Replace(own []record.Local) error {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	next := make(record.Set, 0, len(own))
	for _, l := range own {
		if err := r.check(l); err != nil {
			return fmt.Errorf("set records: %w", err)
		}
		if l.Gateway != a.keys.Own() {
			return fmt.Errorf("set records: %w: one is of %s", ErrRefused, l.Gateway)
		}
		h := &record.Held{Local: l.Clone()}
		if old := a.state.Records.Find(l.Gateway, l.Record.ID); old != nil && len(h.Person) == 0 {
			h.Person = old.Person
		}
		if err := r.files.Write(h); err != nil {
			return fmt.Errorf("set records: %w", err)
		}
		next = append(next, h)
	}
	for _, old := range a.state.Records {
		if old.Gateway != a.keys.Own() {
			next = append(next, old)
		} else if next.Find(old.Gateway, old.Record.ID) == nil {
			_ = r.files.Remove(old)
		}
	}
	slices.SortFunc(next, (*record.Held).Compare)
	r.set(next)
	return nil
}

// Entered notes that the journal entry of an own record is durable. That survives the process at once, and a power cut
// after a minute, if the record is still there: before, the record gets another entry, which does no harm.
func (r *Records) Entered(id wire.ID) {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.state.Records.Find(a.keys.Own(), id); h != nil && !h.Entered {
		h.Entered = true
		h.Unnoted = !r.files.Note(h)
	}
}

// Stored erases the sealed persons of own records through a number, because the registry has them.
// Records that it may lose are kept apart (recordfiles.Kept).
func (r *Records) Stored(line, number uint64) error {
	a := r.active
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.state.Records {
		if h.Gateway != a.keys.Own() || h.Record.Line != line || h.Record.Number > number || h.Stored {
			continue
		}
		if err := r.kept.Keep(h.Local); err != nil {
			return err
		}
		h.Stored = true
		if len(h.Person) == 0 {
			continue
		}
		if err := r.files.RemovePerson(h); err != nil {
			return fmt.Errorf("erase person of a record: %w", err)
		}
		h.Person = nil
	}
	r.sweep()
	return nil
}

// sweep erases the records that the list has settled (merge.State), once the list is on disk, and
// once a file has the grants that only they have ended. Callers hold mu.
func (r *Records) sweep() {
	a := r.active
	if len(a.state.Records) == 0 || a.state.List == nil || a.stored != a.state.List {
		return
	}
	done, left, ended := a.state.Sweep()
	if len(done) == 0 || a.state.Over.Add(ended...) && a.store(a.state.List) != nil {
		return
	}
	for _, h := range done {
		a.dir.DidWrite()
		if err := r.files.Remove(h); err != nil {
			a.dir.Log.Error().Err(err).Msg("settled record can't be erased")
			left = append(left, h) // tried again later
		}
	}
	slices.SortFunc(left, (*record.Held).Compare)
	a.state.Records = left
}

// tend writes records that are in memory only, and what is only noted there. Callers hold mu.
func (r *Records) tend() {
	for _, h := range r.active.state.Records {
		if !h.Unwritten && !h.Unnoted {
			continue
		}
		if err := r.files.Write(h); err != nil {
			r.active.dir.Log.Error().Err(err).Msg("record can't be written")
			break
		}
		h.Unwritten, h.Unnoted = false, false
	}
	r.files.Tend()
}

// drop erases the records of some gateways and reports whether there were any. Callers hold mu, and
// refresh.
func (r *Records) drop(of func(gateway string) bool) bool {
	left := r.without(func(h *record.Held) bool {
		if of(h.Gateway) {
			r.erase(h) // the next start ignores it
			return true
		}
		return false
	})
	dropped := len(left) < len(r.active.state.Records)
	r.active.state.Records = left
	return dropped
}

func (r *Records) erase(h *record.Held) {
	if err := r.files.Remove(h); err != nil {
		r.active.dir.Log.Error().Err(err).Msg("record of a removed gateway can't be erased")
	}
}

// read reads the files, at a start and when the building's key comes. Records of gateways that were
// removed are erased. Callers hold mu, and refresh.
func (r *Records) read() {
	a := r.active
	if a.keys.Registry() == nil || a.keys.Building() == nil {
		return
	}
	for _, h := range r.files.Read() {
		switch {
		case a.keys.Registry().Strange(h.Gateway):
			a.dir.Log.Warn().Str("gateway", h.Gateway).Msg("record of a removed gateway is erased")
			r.erase(h)
		case a.state.Records.Find(h.Gateway, h.Record.ID) == nil:
			a.state.Records = a.state.Records.With(h)
		}
	}
}

// status counts the records. Siblings' records are overdue after a day of the own clock: the
// registry can't read them, or refuses them, which is not visible here. Callers hold mu.
func (r *Records) status() RecordStatus {
	a := r.active
	s := RecordStatus{Unsettled: len(a.state.Left), Overdue: make(map[string]int)}
	now := a.time.Own()
	for _, h := range a.state.Left {
		if h.Unwritten {
			s.Unwritten++
		}
		if h.Kept == 0 { // an earlier program kept it
			h.Kept = now
		}
		if h.Gateway != a.keys.Own() && !h.Young && now > h.Kept+signedtime.Day {
			s.Overdue[h.Gateway]++
		}
	}
	return s
}
