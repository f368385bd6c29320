package main

import (
	"testing"

	"gatehouse/device/devicetest"
)

// written is a log of these entries, numbered in their order.
func written(t *testing.T, nth int, entries ...logEntry) *book {
	t.Helper()
	b := newBook(nth, false)
	for i, e := range entries {
		e.Epoch, e.Sequence, e.Boot, e.Counter = "e", uint64(i), 1, uint64(i)
		if err := b.add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func swiped(outcome, reason string) logEntry {
	return logEntry{Kind: "access", Door: yardDoor, Outcome: outcome, Reason: reason}
}

func TestCompare(t *testing.T) {
	card, moved := swiped("granted", "granted"), logEntry{Kind: "released", Door: yardDoor, Ref: &entryRef{Boot: 1, Counter: 0}}
	for name, c := range map[string]struct {
		nth               int
		world             ledger
		log               []logEntry
		lost, unexplained int
	}{
		"nothing":                    {},
		"all there":                  {world: ledger{{yardDoor, granted}: 1, {yardDoor, released}: 1}, log: []logEntry{card, moved}},
		"card lost":                  {world: ledger{{yardDoor, granted}: 2, {yardDoor, released}: 1}, log: []logEntry{card, moved}, lost: 1},
		"release lost":               {world: ledger{{yardDoor, granted}: 1, {yardDoor, released}: 1}, log: []logEntry{card}, lost: 1},
		"release that nobody saw":    {world: ledger{{yardDoor, granted}: 1}, log: []logEntry{card, moved}, unexplained: 1},
		"other door":                 {world: ledger{{frontDoor, granted}: 1}, log: []logEntry{card}, lost: 1, unexplained: 1},
		"unknown kind":               {log: []logEntry{{Kind: "gap"}}, unexplained: 1},
		"slow disk":                  {log: []logEntry{{Kind: "journal"}, {Kind: "released_late", Door: yardDoor}}},
		"full disk":                  {log: []logEntry{{Kind: "space", Reason: "disk_full", Count: 85}}},
		"full journal":               {log: []logEntry{{Kind: "space", Reason: "none", Count: 85}}, unexplained: 1},
		"kill took the release":      {nth: 1, world: ledger{{yardDoor, granted}: 1, {yardDoor, atKill}: 1}, log: []logEntry{card}},
		"kill left the release":      {nth: 1, world: ledger{{yardDoor, granted}: 1, {yardDoor, atKill}: 1}, log: []logEntry{card, moved}},
		"kill took the card":         {nth: 1, world: ledger{{yardDoor, granted}: 1, {yardDoor, atKill}: 1}, lost: 1},
		"kill that moved nothing":    {nth: 1, world: ledger{{yardDoor, granted}: 1}, log: []logEntry{card, moved}, unexplained: 1},
		"kill excuses no other door": {nth: 1, world: ledger{{yardDoor, granted}: 1, {yardDoor, atKill}: 1, {frontDoor, released}: 1}, log: []logEntry{card}, lost: 1},
		"repeats and a flood": {world: ledger{{yardDoor, denied + "unknown_card"}: 10, {yardDoor, denied + "expired"}: 1},
			log: []logEntry{swiped("denied", "unknown_card"), swiped("denied", "expired"),
				{Kind: "repeated", Door: yardDoor, Count: 4, Ref: &entryRef{Boot: 1, Counter: 0}}, {Kind: "flood", Door: yardDoor, Count: 5}}},
		"repeats of the wrong one": {world: ledger{{yardDoor, denied + "unknown_card"}: 2, {yardDoor, denied + "expired"}: 1},
			log: []logEntry{swiped("denied", "unknown_card"), swiped("denied", "expired"),
				{Kind: "repeated", Door: yardDoor, Count: 1, Ref: &entryRef{Boot: 1, Counter: 1}}}, lost: 1, unexplained: 1},
	} {
		t.Run(name, func(t *testing.T) {
			lost, unexplained, wrong := written(t, c.nth, c.log...).compare(c.world)
			if lost != c.lost || unexplained != c.unexplained || (len(wrong) > 0) != (lost+unexplained > 0) {
				t.Errorf("lost %d, unexplained %d, wrong %v; want %d and %d", lost, unexplained, wrong, c.lost, c.unexplained)
			}
		})
	}
}

// TestGap: a log that leaves an entry out, or goes on in another epoch, is none.
func TestGap(t *testing.T) {
	for name, second := range map[string]logEntry{
		"left out":      {Epoch: "e", Sequence: 2},
		"twice":         {Epoch: "e", Sequence: 0},
		"another epoch": {Epoch: "f", Sequence: 1},
	} {
		b := written(t, 0, logEntry{Kind: "boot"})
		if err := b.add(second); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	late := newBook(0, false)
	if err := late.add(logEntry{Epoch: "e", Sequence: 1}); err == nil {
		t.Error("a log that begins at entry 1: taken")
	}
}

// TestMoved: what a relay's move means, with current and without.
func TestMoved(t *testing.T) {
	const on, off, free = "on", "off", "free"
	for name, c := range map[string]struct {
		door               string
		ends               int // the daemon is told to stop after so many moves
		moves              []string
		released, secured  int
		isReleased, driven bool
	}{
		"front starts":                 {frontDoor, 9, []string{off, on}, 0, 0, false, true},
		"front opens":                  {frontDoor, 9, []string{off, on, off, on}, 1, 1, false, true},
		"front stops":                  {frontDoor, 2, []string{off, on, off, free}, 0, 0, true, false},
		"front is killed":              {frontDoor, 9, []string{off, on, free}, 0, 0, true, false},
		"front is killed while open":   {frontDoor, 9, []string{off, on, off, free}, 1, 0, true, false},
		"yard starts":                  {yardDoor, 9, []string{off}, 0, 0, false, true},
		"yard opens":                   {yardDoor, 9, []string{off, on, off}, 1, 1, false, true},
		"yard opens with the start":    {yardDoor, 9, []string{off, on}, 1, 0, true, true},
		"yard stops":                   {yardDoor, 1, []string{off, free}, 0, 0, false, false},
		"yard opens while it stops":    {yardDoor, 1, []string{off, on, free}, 1, 0, false, false},
		"yard is killed while open":    {yardDoor, 9, []string{off, on, free}, 1, 0, false, false},
		"the same level is no release": {yardDoor, 9, []string{off, on, on, off, off}, 1, 1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.begins()
			for i, m := range c.moves {
				if i == c.ends {
					w.ends()
				}
				w.moved(devicetest.Change{Line: c.door + "-relay", Driven: m != free, Active: m == on})
			}
			l := w.lock(c.door)
			r, s := w.books[row{c.door, released}], w.books[row{c.door, secured}]
			if r != c.released || s != c.secured || l.released != c.isReleased || l.driven != c.driven {
				t.Errorf("released %d, secured %d, now %+v; want %+v", r, s, l, c)
			}
		})
	}
}

// TestCardForms: the two forms of one card are those that the daemon expects,
// and everybody has a card of their own.
func TestCardForms(t *testing.T) {
	all := newPeople()
	seen := map[uint64]string{}
	for _, p := range append(all.residents, all.visitor, all.lost, all.moved, all.gardener, stranger(0), stranger(200)) {
		c, err := p.atFront()
		if err != nil {
			t.Fatal(err)
		}
		low := c.Uint64(1, 24)
		if low != p.card&0xFFFFFF || p.card >= 1<<40 {
			t.Errorf("%s: the front door's reader sees %x", p.name, low)
		}
		if other, ok := seen[low]; ok {
			t.Errorf("%s has the card of %s", p.name, other)
		}
		seen[low] = p.name
	}
}

// TestCompareCopy: what the registry lacks, has twice, has made up or tells
// otherwise is found.
func TestCompareCopy(t *testing.T) {
	entry := func(n uint64) logEntry {
		return logEntry{Epoch: "e", Sequence: n, Boot: 1, Counter: n, Kind: "access", Door: yardDoor, Detail: "00", BootTime: n}
	}
	asStored := func(n uint64) logEntry {
		e := entry(n)
		e.Detail, e.BootTime = "", 0
		return e
	}
	other := asStored(1)
	other.Door = frontDoor
	log := []logEntry{entry(0), entry(1), entry(2)}
	for name, c := range map[string]struct {
		central               []logEntry
		lost, doubled, differ int
	}{
		"the same":     {central: []logEntry{asStored(0), asStored(1), asStored(2)}},
		"one lacks":    {central: []logEntry{asStored(0), asStored(2)}, lost: 1},
		"one twice":    {central: []logEntry{asStored(0), asStored(1), asStored(1), asStored(2)}, doubled: 1},
		"one made up":  {central: []logEntry{asStored(0), asStored(1), asStored(2), asStored(3)}, doubled: 1},
		"another door": {central: []logEntry{asStored(0), other, asStored(2)}, differ: 1},
		"nothing":      {lost: 3},
	} {
		lost, doubled, differ := compareCopy(log, c.central)
		if lost != c.lost || doubled != c.doubled || differ != c.differ {
			t.Errorf("%s: lost %d, doubled %d, different %d; want %d, %d, %d", name, lost, doubled, differ, c.lost, c.doubled, c.differ)
		}
	}
}
