package uplink

import (
	"errors"
	"testing"
	"time"

	"gatehouse/internal/journal"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

// floorRing is a keyring of which only the floor is used.
type floorRing struct {
	Keyring
	floor int64
}

func (r *floorRing) Floor() int64          { return r.floor }
func (r *floorRing) RaiseFloor(unix int64) { r.floor = max(r.floor, unix) }

// TestFarTime: a witness can't push a gateway's floor into the future, in one
// step or in many.
func TestFarTime(t *testing.T) {
	const day = 24 * 60 * 60
	start := time.Unix(1_790_000_000, 0)
	for name, c := range map[string]struct {
		floor, wall int64
		trusted     bool
		times       []int64
		want        int64
	}{
		"in step":                          {floor: -9 * day, wall: 0, trusted: true, times: []int64{5}, want: 5},
		"a day ahead of a trusted clock":   {floor: -9 * day, wall: 0, trusted: true, times: []int64{day}, want: day},
		"more than that":                   {floor: -9 * day, wall: 0, trusted: true, times: []int64{day + 1}, want: -9 * day},
		"a month in the drawer, no clock":  {floor: -30 * day, wall: -30 * day, times: []int64{0}, want: 0},
		"ten years, no clock":              {floor: 0, wall: 0, times: []int64{3650 * day}, want: 0},
		"step by step, no clock":           {floor: 0, wall: 0, times: []int64{50 * day, 100 * day, 150 * day}, want: 50 * day},
		"a wrong clock that nobody trusts": {floor: 0, wall: 3650 * day, times: []int64{100 * day}, want: 0},
	} {
		ring := &floorRing{floor: start.Unix() + c.floor}
		stamp := journal.Stamp{Wall: (start.Unix() + c.wall) * 1000, Trusted: c.trusted}
		a := &actor{o: Options{Keyring: ring, Clock: func() journal.Stamp { return stamp }}}
		for _, at := range c.times {
			if err := a.hearTime(start.Unix()+at, start); err != nil && !errors.Is(err, errFarTime) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := ring.floor - start.Unix(); got != c.want {
			t.Errorf("%s: floor at %d, want %d", name, got, c.want)
		}
	}
	none := &floorRing{}
	a := &actor{o: Options{Keyring: none, Clock: func() journal.Stamp { return journal.Stamp{} }}}
	if err := a.hearTime(start.Unix(), start); err != nil || none.floor != start.Unix() {
		t.Errorf("the first time that a gateway ever hears: %v, floor %d", err, none.floor)
	}
	if r := reasonOf(errFarTime); r != wire.ReasonClockLeapt {
		t.Errorf("recorded as %s", r)
	}
	var _ Keyring = (*keyring.Keyring)(nil)
}
