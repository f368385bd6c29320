package ledger

import (
	"testing"

	"gatehouse/device/devicetest"
)

// written is a log of these entries, numbered in their order.
func written(t *testing.T, nth int, entries ...Entry) *Log {
	t.Helper()
	b := NewLog(nth, false)
	for i, e := range entries {
		e.Epoch, e.Sequence, e.Boot, e.Counter = "e", uint64(i), 1, uint64(i)
		if err := b.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func swiped(outcome, reason string) Entry {
	return Entry{Kind: "access", Door: YardDoor, Outcome: outcome, Reason: reason}
}

// TestSealed: a cover may fall into any day of a house with a registry, and into none without.
func TestSealed(t *testing.T) {
	for remote, want := range map[bool]int{true: 0, false: 1} {
		b := NewLog(0, remote)
		if err := b.Add(Entry{Epoch: "e", Kind: "sealed", Boot: 1}); err != nil {
			t.Fatal(err)
		}
		if lost, unexplained, _ := b.Compare(nil); lost != 0 || unexplained != want {
			t.Errorf("with a registry %v: lost %d, unexplained %d; want %d", remote, lost, unexplained, want)
		}
	}
}

func TestCompare(t *testing.T) {
	card, moved := swiped("granted", "granted"), Entry{Kind: "released", Door: YardDoor, Ref: &entryRef{Boot: 1, Counter: 0}}
	for name, c := range map[string]struct {
		nth               int
		world             Counts
		log               []Entry
		lost, unexplained int
	}{
		"nothing":                    {},
		"all there":                  {world: Counts{{YardDoor, Granted}: 1, {YardDoor, released}: 1}, log: []Entry{card, moved}},
		"card lost":                  {world: Counts{{YardDoor, Granted}: 2, {YardDoor, released}: 1}, log: []Entry{card, moved}, lost: 1},
		"release lost":               {world: Counts{{YardDoor, Granted}: 1, {YardDoor, released}: 1}, log: []Entry{card}, lost: 1},
		"release that nobody saw":    {world: Counts{{YardDoor, Granted}: 1}, log: []Entry{card, moved}, unexplained: 1},
		"other door":                 {world: Counts{{FrontDoor, Granted}: 1}, log: []Entry{card}, lost: 1, unexplained: 1},
		"unknown kind":               {log: []Entry{{Kind: "gap"}}, unexplained: 1},
		"slow disk":                  {log: []Entry{{Kind: "journal"}, {Kind: "released_late", Door: YardDoor}}},
		"full disk":                  {log: []Entry{{Kind: "space", Reason: "disk_full", Count: 85}}},
		"full journal":               {log: []Entry{{Kind: "space", Reason: "none", Count: 85}}, unexplained: 1},
		"kill took the release":      {nth: 1, world: Counts{{YardDoor, Granted}: 1, {YardDoor, AtKill}: 1}, log: []Entry{card}},
		"kill left the release":      {nth: 1, world: Counts{{YardDoor, Granted}: 1, {YardDoor, AtKill}: 1}, log: []Entry{card, moved}},
		"kill took the card":         {nth: 1, world: Counts{{YardDoor, Granted}: 1, {YardDoor, AtKill}: 1}, lost: 1},
		"kill that moved nothing":    {nth: 1, world: Counts{{YardDoor, Granted}: 1}, log: []Entry{card, moved}, unexplained: 1},
		"kill excuses no other door": {nth: 1, world: Counts{{YardDoor, Granted}: 1, {YardDoor, AtKill}: 1, {FrontDoor, released}: 1}, log: []Entry{card}, lost: 1},
		"repeats and a flood": {world: Counts{{YardDoor, Denied + "unknown_card"}: 10, {YardDoor, Denied + "expired"}: 1},
			log: []Entry{swiped("denied", "unknown_card"), swiped("denied", "expired"),
				{Kind: "repeated", Door: YardDoor, Count: 4, Ref: &entryRef{Boot: 1, Counter: 0}}, {Kind: "flood", Door: YardDoor, Count: 5}}},
		"repeats of the wrong one": {world: Counts{{YardDoor, Denied + "unknown_card"}: 2, {YardDoor, Denied + "expired"}: 1},
			log: []Entry{swiped("denied", "unknown_card"), swiped("denied", "expired"),
				{Kind: "repeated", Door: YardDoor, Count: 1, Ref: &entryRef{Boot: 1, Counter: 1}}}, lost: 1, unexplained: 1},
	} {
		t.Run(name, func(t *testing.T) {
			lost, unexplained, wrong := written(t, c.nth, c.log...).Compare(c.world)
			if lost != c.lost || unexplained != c.unexplained || (len(wrong) > 0) != (lost+unexplained > 0) {
				t.Errorf("lost %d, unexplained %d, wrong %v; want %d and %d", lost, unexplained, wrong, c.lost, c.unexplained)
			}
		})
	}
}

// TestGap: a log that leaves an entry out, or goes on in another epoch, is none.
func TestGap(t *testing.T) {
	for name, second := range map[string]Entry{
		"left out":      {Epoch: "e", Sequence: 2},
		"twice":         {Epoch: "e", Sequence: 0},
		"another epoch": {Epoch: "f", Sequence: 1},
	} {
		b := written(t, 0, Entry{Kind: "boot"})
		if err := b.Add(second); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	late := NewLog(0, false)
	if err := late.Add(Entry{Epoch: "e", Sequence: 1}); err == nil {
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
		"front starts":                 {FrontDoor, 9, []string{off, on}, 0, 0, false, true},
		"front opens":                  {FrontDoor, 9, []string{off, on, off, on}, 1, 1, false, true},
		"front stops":                  {FrontDoor, 2, []string{off, on, off, free}, 0, 0, true, false},
		"front is killed":              {FrontDoor, 9, []string{off, on, free}, 0, 0, true, false},
		"front is killed while open":   {FrontDoor, 9, []string{off, on, off, free}, 1, 0, true, false},
		"yard starts":                  {YardDoor, 9, []string{off}, 0, 0, false, true},
		"yard opens":                   {YardDoor, 9, []string{off, on, off}, 1, 1, false, true},
		"yard opens with the start":    {YardDoor, 9, []string{off, on}, 1, 0, true, true},
		"yard stops":                   {YardDoor, 1, []string{off, free}, 0, 0, false, false},
		"yard opens while it stops":    {YardDoor, 1, []string{off, on, free}, 1, 0, false, false},
		"yard is killed while open":    {YardDoor, 9, []string{off, on, free}, 1, 0, false, false},
		"the same level is no release": {YardDoor, 9, []string{off, on, on, off, off}, 1, 1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWorld()
			w.Begins()
			for i, m := range c.moves {
				if i == c.ends {
					w.Ends()
				}
				w.Moved(devicetest.Change{Line: c.door + "-relay", Driven: m != free, Active: m == on})
			}
			l := w.Lock(c.door)
			r, s := w.counts[Row{c.door, released}], w.counts[Row{c.door, secured}]
			if r != c.released || s != c.secured || l.Released != c.isReleased || l.Driven != c.driven {
				t.Errorf("released %d, secured %d, now %+v; want %+v", r, s, l, c)
			}
		})
	}
}

// TestCompareCopy: what the registry lacks, has twice, has made up or tells
// otherwise is found.
func TestCompareCopy(t *testing.T) {
	entry := func(n uint64) Entry {
		return Entry{Epoch: "e", Sequence: n, Boot: 1, Counter: n, Kind: "access", Door: YardDoor, Detail: "00", BootTime: n}
	}
	asStored := func(n uint64) Entry {
		e := entry(n)
		e.Detail, e.BootTime = "", 0
		return e
	}
	other := asStored(1)
	other.Door = FrontDoor
	log := []Entry{entry(0), entry(1), entry(2)}
	for name, c := range map[string]struct {
		central               []Entry
		lost, doubled, differ int
	}{
		"the same":     {central: []Entry{asStored(0), asStored(1), asStored(2)}},
		"one lacks":    {central: []Entry{asStored(0), asStored(2)}, lost: 1},
		"one twice":    {central: []Entry{asStored(0), asStored(1), asStored(1), asStored(2)}, doubled: 1},
		"one made up":  {central: []Entry{asStored(0), asStored(1), asStored(2), asStored(3)}, doubled: 1},
		"another door": {central: []Entry{asStored(0), other, asStored(2)}, differ: 1},
		"nothing":      {lost: 3},
	} {
		lost, doubled, differ := CompareCopy(log, c.central)
		if lost != c.lost || doubled != c.doubled || differ != c.differ {
			t.Errorf("%s: lost %d, doubled %d, different %d; want %d, %d, %d", name, lost, doubled, differ, c.lost, c.doubled, c.differ)
		}
	}
}
