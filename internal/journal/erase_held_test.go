package journal

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/holds"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestHeldStays: who passed a door that an officer has ordered to preserve is there for a week from then, over their time
// and a restart; who passed another goes in time; then no byte of anybody is left.
func TestHeldStays(t *testing.T) {
	o := &old{clock: newClock()}
	path := filepath.Join(t.TempDir(), "holds")
	var book *holds.Book
	open := func() {
		var err error
		book, err = holds.OpenBook(holds.Options{Path: path, Doors: []string{"front", "yard"}, Kept: func() time.Duration { return 30 * day }, Now: func() holds.Moment {
			s := o.clock.stamp()
			unix := s.Wall / 1000
			return holds.Moment{Wall: time.Unix(unix, 0), Boot: time.Duration(s.BootTime), Interval: trueclock.Interval{Sure: unix, Lo: unix, Hi: unix}}
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	open()
	o.rig = newRig(t, func(opts *Options) {
		opts.MaxEntries, opts.Clock = 20, o.clock.stamp
		opts.Preserved = func(h wire.Header) bool { return book.Held(h) }
	})
	o.start()
	began := o.clock.stamp().Wall / 1000
	for i := range 50 {
		h := granted()
		if h.Door = "front"; i%3 == 0 {
			h.Door = "yard"
		}
		o.append(h, somebody(byte(i+1)))
	}
	o.rounds()
	n := o.inClosed()
	closed := func() []int { return slices.DeleteFunc(o.traces(), func(i int) bool { return i >= n }) }
	var yard []int
	for i := range n {
		if i%3 == 0 {
			yard = append(yard, i)
		}
	}
	o.pass(28*day, true, true)
	err := book.Take(holds.Taken{Order: mandates.Order{Reference: wire.ID{1}, Door: "yard", From: uint32(began - 60), Until: uint32(began + 600)}})
	if err != nil {
		t.Fatal(err)
	}
	o.pass(5*day, true, true)
	if got := closed(); !slices.Equal(got, yard) || len(yard) < 5 {
		t.Errorf("five days later these people are there: %v, held are %v", got, yard)
	}
	if err := book.Save(); err != nil {
		t.Fatal(err)
	}
	o.stop()
	open()
	o.start()
	o.append(granted(), somebody(200))
	o.rounds()
	if got := closed(); !slices.Equal(got, yard) {
		t.Errorf("after a restart these people are there: %v", got)
	}
	o.pass(4*day, true, true)
	if got := closed(); len(got) > 0 {
		t.Errorf("the order is over, and these people are there: %v", got)
	}
}
