package main

import (
	"fmt"
	"maps"
	"sync"
)

// book is the daemon's log, counted in the words of the ledger. Safe for use by
// many goroutines.
type book struct {
	mu       sync.Mutex
	rows     ledger
	kinds    map[entryRef]row // of each entry, for those that refer to it
	entries  uint64
	epoch    string
	nth      int       // the daemon was killed at the n-th card granted at the yard; 0: not yet
	killRef  *entryRef // the entry of that card
	slowDisk int       // entries by which the log tells of a slow disk itself
	fullDisk uint64    // percent in use, where the log tells of a disk that is nearly full; 0: it doesn't
	remote   bool      // a registry makes the lists: the doors can't know how many
}

func newBook(nth int, remote bool) *book {
	return &book{rows: ledger{}, kinds: map[entryRef]row{}, nth: nth, remote: remote}
}

// more counts an entry unless it is counted already.
func (b *book) more(e logEntry) error {
	b.mu.Lock()
	known := b.entries > 0 && e.Epoch == b.epoch && e.Sequence < b.entries
	b.mu.Unlock()
	if known {
		return nil
	}
	return b.add(e)
}

// add counts one entry. The log is one sequence without a gap.
func (b *book) add(e logEntry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == 0 {
		b.epoch = e.Epoch
	}
	if e.Sequence != b.entries || e.Epoch != b.epoch {
		return fmt.Errorf("log: entry %d of epoch %s where entry %d of %s must follow", e.Sequence, e.Epoch, b.entries, b.epoch)
	}
	b.entries++
	r, n := b.row(e)
	b.rows[r] += n
	ref := entryRef{Boot: e.Boot, Counter: e.Counter}
	b.kinds[ref] = r
	if r == (row{yardDoor, granted}) && b.rows[r] == b.nth {
		b.killRef = &ref
	}
	return nil
}

// names are the kinds that are counted as they are.
var names = map[string]string{
	"released": released, "secured": secured, "opened": opened, "closed": closed, "exit": exits,
	"command": commands, "online": online, "offline": offline, "list_applied": listApplied,
	"boot": starts, "stop": stops, "site": siteRead, "tenancy": tenancyChanged, "told": told,
}

// row says what an entry tells, and how often. What it has no word for comes
// under its own name, where the building has nothing to put against it.
func (b *book) row(e logEntry) (row, int) {
	at := func(what string) row { return row{e.Door, what} }
	switch e.Kind {
	case "access":
		switch {
		case e.Outcome == "denied":
			return at(denied + e.Reason), 1
		case e.Reason == "capture":
			return at(captured), 1
		}
		return at("cards " + e.Outcome), 1
	case "repeated": // more of what it refers to
		if e.Ref != nil {
			return b.kinds[*e.Ref], int(e.Count)
		}
	case "flood": // strangers at the front: the only cards that come in numbers
		return at(denied + "unknown_card"), int(e.Count)
	case "released":
		if e.Ref != nil && b.killRef != nil && *e.Ref == *b.killRef {
			return at(atKill), 1
		}
	case "fault":
		return at(map[bool]string{true: faultOver, false: fault}[e.Outcome == "idle"] + e.Reason), 1
	case "reader":
		return at(readerKey + e.Reason), 1
	case "fire":
		return at(map[string]string{"active": fireActive, "idle": fireIdle}[e.Outcome]), 1
	case "fire_reset":
		return at(map[string]string{"done": fireReset, "refused": fireRefused}[e.Outcome]), 1
	case "clock":
		return at(map[bool]string{true: clockSet, false: e.Kind}[e.Reason == "clock_set"]), 1
	case "list_applied", "authority":
		if b.remote {
			return at(fromCentre), 0
		}
	case "journal", "released_late":
		b.slowDisk++
		return at(ofDisk), 0
	case "space":
		if e.Reason == "disk_full" {
			b.fullDisk = max(b.fullDisk, e.Count)
			return at(ofDisk), 0
		}
	}
	if what, ok := names[e.Kind]; ok {
		return at(what), 1
	}
	return at(e.Kind), 1
}

// What the log tells and the building can't know: of the disk, and what came
// from a registry.
const (
	ofDisk     = "of the disk"
	fromCentre = "from the registry"
)

// count returns how often something stands in the log.
func (b *book) count(r row) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rows[r]
}

// compare returns what the log lost and what nothing explains. The release at
// a kill -9 is written after its card and not waited for: it alone may be lost.
func (b *book) compare(world ledger) (lost, unexplained int, wrong []row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := ledger{}
	maps.Copy(all, world)
	maps.Copy(all, b.rows)
	for r := range all {
		missing := world[r] - b.rows[r]
		if missing == 0 || r.what == atKill && missing > 0 {
			continue
		}
		wrong = append(wrong, r)
		lost += max(missing, 0)
		unexplained += max(-missing, 0)
	}
	return lost, unexplained, wrong
}
