package keyring

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"gatehouse/internal/access"
	"gatehouse/internal/durable"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/internal/keyring/copies"
	"gatehouse/internal/keyring/files"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// active is the active list with all that is laid over it, what of it opens, and how it is stored.
// Changes are made under mu and followed by refresh.
type active struct {
	dir    *files.Dir
	keys   *keys.Store
	time   *signedtime.Times
	copies *copies.Pair
	adopt  *adopt.List
	grants atomic.Pointer[access.Grants] // the snapshot that opens
	listed chan struct{}                 // has one where a list came

	mu     sync.Mutex // guards the rest, and the files of lists, records and marks
	state  merge.State
	stored *signedlist.List // the newest list that a file holds; nil: none
	lost   bool             // there was a list once, or there may have been
	marks  marks
	saved  marks // as their file has them
	saving int64 // s of the own clock, when that was written
	ahead  ahead
}

// read reads the marks and what is laid over the list, and returns the hash of the list that the
// last run had made active; zeros: nothing is in doubt.
func (a *active) read(authority string) (next wire.Hash) {
	a.dir.ReadEnded(marksFile, &a.saved)
	a.setMarks(a.saved.of(authority))
	var old struct {
		Grants []wire.ID `json:"grants"`
	}
	a.dir.Read(overFile, &old)
	a.state.Over.Add(old.Grants...)
	a.ahead.dir = a.dir
	r := a.ahead.read()
	a.state.Limits = r.Restraint
	a.state.Over.Add(r.Gone...)
	return r.Next
}

// setMarks takes marks that were read.
func (a *active) setMarks(m marks) {
	a.marks = m
	a.time.Load(signedtime.Marks{Floor: m.Floor, Floors: m.Floors, Undos: m.Undos, WitnessedMarks: m.WitnessedMarks})
}

// overFile held the grants that are over before they moved into the files of the list. It is read
// once more and then erased.
const overFile = "over.json"

// age recomputes which notices are young, and reports whether that has changed. Callers hold mu.
func (a *active) age() (changed bool) {
	r := a.keys.Registry()
	if r == nil {
		return false
	}
	c := merge.Clock{Own: a.time.Own(), Days: int64(grantlist.NoticeDays(r.House)) * signedtime.Day, Witnessed: a.time.Witnessed()}
	m := a.marks
	m.Notices, changed = a.state.Age(c, m.Notices)
	a.raiseMarks(m)
	return changed
}

// refresh makes active what the list and the records together say. Callers hold mu.
func (a *active) refresh() {
	a.age()
	if err := a.state.Refresh(); err != nil { // never with records that Records.Add has taken
		a.dir.Log.Error().Err(err).Msg("changes made at the building can't be merged into the list")
	}
	none, v := a.state.List == nil, &a.state.View
	if none && a.lost {
		v.Grants = v.Grants.Incomplete()
	}
	if none && len(a.state.Left) == 0 && (a.lost || a.keys.Building() == nil || len(a.keys.Issuers()) == 0) {
		v.Grants = nil
	}
	a.grants.Store(v.Grants)
	a.adopt.ForgetBound()
}

func (a *active) knows(id wire.CredentialID) bool {
	g := a.grants.Load()
	return g != nil && g.Knows(id)
}

func (a *active) publish(l *signedlist.List) {
	a.state.List, a.lost = l, false
	a.time.HearList(int64(l.Manifest.Issued), l.Signer.Epoch, a.keys.Registry() != nil)
	a.refresh()
}

// publishNone publishes the snapshot of a house without a list: one that never had any knows no
// card; one that lost it, or has no keys, is not ready to judge.
func (a *active) publishNone(bad bool) {
	a.lost = bad || a.marks.Version > 0
	a.refresh()
	if a.grants.Load() == nil {
		a.dir.Log.Warn().Bool("lost", a.lost).Msg("no grants: every card is refused; exits and fire work")
	}
}

// newer refuses a list that must not come after what was ever active, by its rank.
func (a *active) newer(next *signedlist.List) error {
	was := a.marks.rank()
	if l := a.state.List; l == nil && a.marks.admit(next) {
		return nil // the very list that was lost, or a newer one
	} else if l != nil && l.Rank().Compare(was) > 0 {
		was = l.Rank()
	}
	switch r := next.Rank(); {
	case r.Compare(was) <= 0:
		return fmt.Errorf("%w: %w: version %d was applied", ErrConflict, ErrRolledBack, was.Number)
	case !was.Reaches(r):
		return fmt.Errorf("%w: %w: version %d after %d, at most %d more", ErrRefused, ErrTooFar, r.Number, was.Number, signedlist.MaxStep)
	}
	return nil
}

// restrain applies what an unproved list takes, and keeps it on disk until a proved list is there.
func (a *active) restrain(took merge.Restraint) {
	a.state.Over.Add(took.Gone...)
	a.state.Limits = a.state.Limits.And(took)
	a.refresh()
	a.writeAhead(true, "what a list takes that proves nothing can't be written")
	_ = a.store(a.state.List) // with its tombstones; logged there, tried again in a minute
}

// activate makes a list active at once and entirely. Where its files take more than one sync each, a small
// file keeps what it takes until they have it.
func (a *active) activate(next *signedlist.List, took merge.Restraint) error {
	a.state.Over.Add(took.Gone...)
	a.ahead.pending, a.ahead.storing = a.state.Limits.And(took), next
	a.state.Limits = merge.Restraint{}
	a.publish(next)
	if a.ahead.there { // it names what this list does away with
		a.writeAhead(true, "what the list takes can't be written ahead of it")
	}
	select {
	case a.listed <- struct{}{}:
	default:
	}
	return a.store(next)
}

// writeAhead writes the small file, and logs a failure.
func (a *active) writeAhead(storing bool, failed string) {
	if err := a.ahead.keep(a.state.Limits, storing); err != nil {
		a.dir.Log.Error().Err(err).Msg(failed)
	}
}

// store writes a list, the grants that are over and the marks to both copies: one sync in each. Where
// it takes more, a small file says meanwhile what the list takes and that the two may differ, and the
// marks come last in their own file, because a mark without its list would lock the house out.
func (a *active) store(l *signedlist.List) error {
	if a.copies.Hold(l, &a.state.Over) {
		return a.settled(l)
	}
	s, err := a.storedBy(l)
	if err != nil {
		return err
	}
	if !a.ahead.there && !a.copies.Fit(s) {
		a.writeAhead(true, "that the grants are being written can't be written")
	}
	failed := a.copies.Write(s)
	if len(failed) > 0 && !a.ahead.there {
		a.writeAhead(true, "that a copy of the grants can't be written can't be written either")
	}
	switch len(failed) {
	case 0:
		return a.settled(l)
	case 1:
		a.stored = l
		a.writeMarks()
		return nil // the small file stays, because the two differ
	default:
		return fmt.Errorf("%w: %w", ErrNotDurable, errors.Join(failed...))
	}
}

// storedBy raises the marks for a list, in memory, and returns what is written to its copies: nothing older
// may follow, whatever a disk takes.
func (a *active) storedBy(l *signedlist.List) (*copies.Stored, error) {
	a.raiseMarks(a.marksAfter(l))
	ended, err := files.Ended(a.marks)
	if err != nil {
		return nil, fmt.Errorf("write the marks: %w", err)
	}
	return &copies.Stored{List: l, Over: &a.state.Over, Marks: ended}, nil
}

// inCopies begins or ends the changes ahead of the databases, where these are to hold what is active. Callers
// hold mu.
func (a *active) inCopies(do func(*copies.Pair, *copies.Stored)) {
	if a.stored == nil || a.stored != a.state.List {
		return
	}
	if s, err := a.storedBy(a.stored); err == nil {
		do(a.copies, s)
	}
}

// begin lets the copies of the list say that something is ahead of their databases.
func (a *active) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inCopies((*copies.Pair).Begin)
}

// settled cleans up once both files hold what is active: the small file keeps only what still has
// to be laid over it.
func (a *active) settled(l *signedlist.List) error {
	a.stored = l
	if a.raiseMarks(a.marksAfter(l)); a.ahead.there || a.saved.Version == 0 {
		a.writeMarks()
	}
	a.state.Limits.Gone, a.ahead.pending, a.ahead.storing = nil, merge.Restraint{}, nil
	if err := durable.Remove(a.dir.Join(overFile)); err != nil { // its content is in the list's files
		a.dir.Log.Error().Err(err).Msg("old file of grants that are over can't be erased")
	}
	a.writeAhead(false, "what the list has taken can't be erased from its small file")
	return nil
}

func (a *active) marksAfter(l *signedlist.List) marks {
	if a.marks.are(l) {
		return a.marks
	}
	a.time.CaughtUp()
	return a.marks.with(a.time.Marks()).after(l, a.keys.Issuers(), a.time.Own())
}

// raiseMarks changes the marks in memory.
func (a *active) raiseMarks(m marks) {
	if m.Changes = a.marks.Changes; !reflect.DeepEqual(m, a.marks) {
		a.marks = m
		a.marks.Changes++
	}
}

// saveMarks changes the marks, and writes them.
func (a *active) saveMarks(m marks) {
	a.raiseMarks(m)
	a.writeMarks()
}

// writeMarks writes the marks to their file if it has others. It may fail: both lists are written by then, and
// each raises them again at the next start.
func (a *active) writeMarks() {
	if reflect.DeepEqual(a.saved, a.marks) {
		return
	}
	if err := a.dir.SaveEnded(marksFile, a.marks); err != nil {
		a.dir.Log.Error().Err(err).Msg("mark of the newest list can't be written")
		return
	}
	a.saved, a.saving = a.marks, a.time.Own()
}

// floorEvery is how far the floor on disk may be behind, s, and how long the file of the marks may lack those of
// lists: an SD card lasts longer with a write an hour than with one an ack.
const floorEvery = 60 * 60 // s

// saveFloor writes the floor if it is ahead of the file by more than that, and marks of lists that the file lacks
// for as long. Callers hold mu.
func (a *active) saveFloor(ahead int64) {
	if a.time.Floor() >= a.saved.Floor+ahead {
		a.raiseMarks(a.marks.with(a.time.Marks()))
		a.writeMarks()
	}
	if a.time.Own() >= a.saving+ahead {
		a.writeMarks()
	}
}
