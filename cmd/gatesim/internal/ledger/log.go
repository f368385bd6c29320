package ledger

import (
	"fmt"
	"maps"
	"sync"
)

// Log is the daemon's log, counted in the words of the ledger. Safe for use by
// many goroutines.
type Log struct {
	mu       sync.Mutex
	rows     Counts
	kinds    map[entryRef]Row // of each entry, for those that refer to it
	Entries  uint64
	epoch    string
	nth      int       // the daemon was killed at the n-th card granted at the yard; 0: not yet
	killRef  *entryRef // the entry of that card
	SlowDisk int       // entries by which the log tells of a slow disk itself
	FullDisk uint64    // percent in use, where the log tells of a disk that is nearly full; 0: it doesn't
	remote   bool      // a registry makes the lists: the doors can't know how many
}

// NewLog counts nothing yet. The daemon was killed at the nth card granted at the yard, 0: not yet; remote: a
// registry makes the lists.
func NewLog(nth int, remote bool) *Log {
	return &Log{rows: Counts{}, kinds: map[entryRef]Row{}, nth: nth, remote: remote}
}

// More counts an entry unless it is counted already.
func (b *Log) More(e Entry) error {
	b.mu.Lock()
	known := b.Entries > 0 && e.Epoch == b.epoch && e.Sequence < b.Entries
	b.mu.Unlock()
	if known {
		return nil
	}
	return b.Add(e)
}

// Add counts one entry. The log is one sequence without a gap.
func (b *Log) Add(e Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.Entries == 0 {
		b.epoch = e.Epoch
	}
	if e.Sequence != b.Entries || e.Epoch != b.epoch {
		return fmt.Errorf("log: entry %d of epoch %s where entry %d of %s must follow", e.Sequence, e.Epoch, b.Entries, b.epoch)
	}
	b.Entries++
	r, n := b.row(e)
	b.rows[r] += n
	ref := entryRef{Boot: e.Boot, Counter: e.Counter}
	b.kinds[ref] = r
	if r == (Row{YardDoor, Granted}) && b.rows[r] == b.nth {
		b.killRef = &ref
	}
	return nil
}

// names are the kinds, some with an outcome, that are counted as they are.
var names = map[string]string{
	"released": released, "secured": secured, "opened": Opened, "closed": Closed, "exit": Exits,
	"command operator": Commands, "command install_opened": Window, "online": Online, "offline": Offline, "list_applied": ListApplied,
	"boot": Starts, "stop": Stops, "site": SiteRead, "tenancy": TenancyChanged, "told": Told,
	"fire active": FireActive, "fire idle": FireIdle, "fire_reset done": FireReset, "fire_reset refused": FireRefused,
}

// row says what an entry tells, and how often. What it has no word for comes
// under its own name, where the building has nothing to put against it.
func (b *Log) row(e Entry) (Row, int) {
	at := func(what string) Row { return Row{e.Door, what} }
	switch e.Kind {
	case "repeated": // more of what it refers to
		if e.Ref != nil {
			return b.kinds[*e.Ref], int(e.Count)
		}
	case "flood": // strangers at the front: the only cards that come in numbers
		return at(Denied + "unknown_card"), int(e.Count)
	case "released":
		if e.Ref != nil && b.killRef != nil && *e.Ref == *b.killRef {
			return at(AtKill), 1
		}
	case "list_applied", "authority", "sealed": // sealed ones that say nothing come at random times
		if b.remote {
			return at(fromCentre), 0
		}
	case "journal", "released_late":
		b.SlowDisk++
		return at(ofDisk), 0
	case "space":
		if e.Reason == "disk_full" {
			b.FullDisk = max(b.FullDisk, e.Count)
			return at(ofDisk), 0
		}
	}
	return at(word(e)), 1
}

// word is the row of a kind that tells one thing.
func word(e Entry) string {
	switch {
	case e.Kind == "access" && e.Outcome == "denied":
		return Denied + e.Reason
	case e.Kind == "access" && e.Reason == "capture":
		return Captured
	case e.Kind == "access":
		return "cards " + e.Outcome
	case e.Kind == "fault" && e.Outcome == "idle":
		return FaultOver + e.Reason
	case e.Kind == "fault":
		return Fault + e.Reason
	case e.Kind == "reader":
		return ReaderKey + e.Reason
	case e.Kind == "clock" && e.Reason == "clock_set":
		return ClockSet
	}
	for _, kind := range []string{e.Kind + " " + e.Outcome, e.Kind + " " + e.Reason, e.Kind} {
		if what, ok := names[kind]; ok {
			return what
		}
	}
	return e.Kind
}

// What the log tells and the building can't know: of the disk, and what came
// from a registry or is sealed to one.
const (
	ofDisk     = "of the disk"
	fromCentre = "from the registry"
)

// Count returns how often something stands in the log.
func (b *Log) Count(r Row) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rows[r]
}

// Compare returns what the log lost and what nothing explains. The release at
// a kill -9 is written after its card and not waited for: it alone may be lost.
func (b *Log) Compare(world Counts) (lost, unexplained int, wrong []Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := Counts{}
	maps.Copy(all, world)
	maps.Copy(all, b.rows)
	for r := range all {
		missing := world[r] - b.rows[r]
		if missing == 0 || r.What == AtKill && missing > 0 {
			continue
		}
		wrong = append(wrong, r)
		lost += max(missing, 0)
		unexplained += max(-missing, 0)
	}
	return lost, unexplained, wrong
}
