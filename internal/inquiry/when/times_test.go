package when

import (
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestTimes: of a good clock is the time itself, of a run that learnt its time later what follows from that, of one that
// never did what stands around it, and of the last the moment of the reading.
func TestTimes(t *testing.T) {
	const second = 1_000_000_000
	at := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC).UnixMilli()
	all := NewTimes()
	for _, e := range []struct {
		g      journaled.Glimpse
		wanted bool
	}{
		{journaled.Glimpse{Boot: 1, BootTime: 5 * second, Wall: 7}, true}, // before anybody knew: 5 s before the next
		{journaled.Glimpse{Boot: 1, BootTime: 10 * second, Wall: at, Clock: wire.ClockNTP}, false},
		{journaled.Glimpse{Boot: 1, BootTime: 11 * second, Wall: at + 1000, Clock: wire.ClockRegistry}, true},
		{journaled.Glimpse{Boot: 2, BootTime: 1 * second, Wall: 9}, true}, // a run that never knew
		{journaled.Glimpse{Boot: 3, BootTime: 1 * second, Wall: at + 60_000, Clock: wire.ClockNTP}, false},
		{journaled.Glimpse{Boot: 4, BootTime: 1 * second, Wall: 9}, true}, // the present one, which does not know either
	} {
		all.Next(e.g, e.wanted)
	}
	all.End(Moment{Boot: 4, BootTime: 20 * second, Wall: at + 90_000}, at/1000+100)
	want := []Span{{at - 5000 - 2001, at - 5000 + 2001}, {at + 1000, at + 1000}, {at + 1000, at + 60_000}, {at + 60_000, at + 100_000}}
	for i, w := range want {
		if got := all.Of(i); got != w || got.Sure() != (i == 1) {
			t.Errorf("entry %d: %+v, want %+v", i, got, w)
		}
	}
	if early, late := all.Of(2).Bounds(time.UTC); early.UnixMilli() != at+1000 || late.UnixMilli() != at+60_000 {
		t.Errorf("%v to %v", early, late)
	}
	alone := NewTimes()
	alone.Next(journaled.Glimpse{Boot: 1}, true)
	alone.End(Moment{Boot: 1}, 100)
	if early, _ := alone.Of(0).Bounds(time.UTC); early != nil {
		t.Errorf("nobody knows, and it was not before %v", early)
	}
}
