package signedtime

import (
	"errors"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// TestDaysOfAnAbsence: a gateway that no witness reached may get the changes of so many
// days with the next list, and of a day more for each that a refused list waits.
func TestDaysOfAnAbsence(t *testing.T) {
	own := int64(100 * Day)
	times := New(func() time.Duration { return time.Duration(own) * time.Second })
	is := func(what string, want int) {
		t.Helper()
		if got := times.Days(); got != want {
			t.Errorf("%s: %d days, want %d", what, got, want)
		}
	}
	is("nobody was heard", 1)
	times.RaiseFloor(1_790_000_000, 1)
	own += 5 * Day
	is("five days away", 6)
	times.RaiseFloor(1_790_000_000, 1)
	own += Day - 1
	is("back for less than a day", 6)
	times.Refuse()
	own += 3 * Day
	times.RaiseFloor(1_790_000_000, 1)
	is("a list was refused then", 9)
	times.CaughtUp()
	is("a list is active", 1)
	again := New(func() time.Duration { return time.Duration(own+2*Day) * time.Second })
	again.Load(times.Marks())
	if got := again.Days(); got != 3 {
		t.Errorf("after a restart two days later: %d days", got)
	}
}

// TestUndo: what one key has signed goes when what is left is saved, and not before.
func TestUndo(t *testing.T) {
	times := New(func() time.Duration { return 0 })
	times.HearList(1000, 1, true)
	times.RaiseFloor(2000, 1)
	times.RaiseFloor(9000, 2)
	by := wire.RoleEpoch{Role: wire.RoleWitness, Epoch: 2}
	sick := errors.New("sick disk")
	if err := times.Undo(by, func(Marks) error { return sick }); !errors.Is(err, sick) || times.Floor() != 9000 || times.Witnessed() != 9000 {
		t.Fatalf("not saved: %v, floor %d, witnessed %d", err, times.Floor(), times.Witnessed())
	}
	var saved Marks
	err := times.Undo(by, func(m Marks) error { saved = m; return nil })
	if err != nil || saved.Floor != 2000 || len(saved.Floors) != 2 || saved.Undos != 1 || times.Floor() != 2000 || times.Witnessed() != 2000 {
		t.Fatalf("%v: saved %+v, floor %d, witnessed %d", err, saved, times.Floor(), times.Witnessed())
	}
	if got, want := times.HighestSigned(), (wire.Floor{Role: wire.RoleWitness, Epoch: 1, Unix: 2000, Undos: 1}); got != want {
		t.Errorf("highest %+v, want %+v", got, want)
	}
}
