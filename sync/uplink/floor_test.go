package uplink

import (
	"errors"
	"testing"
	"time"

	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// floorRing is a keyring of which only times are used.
type floorRing struct {
	Keyring
	floor, signed int64 // unix s
}

func (r *floorRing) Floor() int64                    { return r.floor }
func (r *floorRing) RaiseFloor(unix int64, _ uint64) { r.floor = max(r.floor, unix) }
func (r *floorRing) Lists() lists.State              { return lists.State{} } // no list: its time is far in the past
func (r *floorRing) Trust() wire.Trust               { return wire.Trust{} }
func (r *floorRing) House() wire.House               { return wire.House{Issued: uint32(r.signed)} }

// TestFarTime: a witness can't push a gateway's floor into the future, in one
// step or in many, in one run or in many.
func TestFarTime(t *testing.T) {
	const day = 24 * 60 * 60
	start := time.Unix(1_790_000_000, 0)
	for name, c := range map[string]struct {
		signed, floor, wall int64 // against the start
		trusted             bool
		times               []int64
		runs                int // of the daemon; each an hour
		want                int64
	}{
		"in step":                               {floor: -9 * day, trusted: true, times: []int64{5}, want: 5},
		"a day ahead of a trusted clock":        {floor: -9 * day, trusted: true, times: []int64{day}, want: day},
		"more than that":                        {floor: -9 * day, trusted: true, times: []int64{day + 1}, want: -9 * day},
		"a month in the drawer, no clock":       {signed: -30 * day, floor: -30 * day, wall: -30 * day, times: []int64{0}, want: 0},
		"ten years, no clock":                   {times: []int64{3650 * day}, want: 0},
		"step by step, no clock":                {times: []int64{50 * day, 100 * day, 150 * day}, want: 50 * day},
		"step by step, start by start":          {times: []int64{50 * day, 60 * day, 61 * day, 120 * day}, runs: 12, want: 60 * day},
		"a wrong clock that nobody trusts":      {wall: 3650 * day, times: []int64{100 * day}, want: 0},
		"a new gateway, which has no floor yet": {floor: -1_790_000_000, times: []int64{1<<32 - 1 - 1_790_000_000, 3}, want: 3},
	} {
		ring := &floorRing{floor: start.Unix() + c.floor, signed: start.Unix() + c.signed}
		stamp := journaled.Stamp{Wall: (start.Unix() + c.wall) * 1000, Trusted: c.trusted}
		for range max(c.runs, 1) {
			f := &floor{keyring: ring, clock: func() journaled.Stamp { return stamp }, first: start.Add(-time.Hour)}
			for _, at := range c.times {
				if err := f.hear(start.Unix()+at, 1, start); err != nil && !errors.Is(err, errFarTime) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		if got := ring.floor - start.Unix(); got != c.want {
			t.Errorf("%s: floor at %d, want %d", name, got, c.want)
		}
	}
	if r := reasonOf(errFarTime); r != wire.ReasonClockLeapt {
		t.Errorf("recorded as %s", r)
	}
}

// TestFarTimeAtTheStart: before a time server can have set the clock, no more
// than a day is believed.
func TestFarTimeAtTheStart(t *testing.T) {
	start := time.Unix(1_790_000_000, 0)
	ring := &floorRing{floor: start.Unix(), signed: start.Unix() - 1000}
	f := &floor{keyring: ring, clock: func() journaled.Stamp { return journaled.Stamp{} }}
	ahead := start.Unix() + 30*24*60*60
	if err := f.hear(ahead, 1, start); !errors.Is(err, errFarTime) || ring.floor != start.Unix() {
		t.Errorf("at the start: %v", err)
	}
	if err := f.hear(start.Unix()+3600, 1, start); err != nil {
		t.Errorf("an hour ahead: %v", err)
	}
	if err := f.hear(ahead, 1, start.Add(settleFor)); err != nil || ring.floor != ahead {
		t.Errorf("later: %v", err)
	}
}
