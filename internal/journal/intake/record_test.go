package intake

import (
	"errors"
	"testing"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestRecord: whoever waits for a record gets one outcome: at once, by the channel, or by saying that it is too late.
func TestRecord(t *testing.T) {
	in := New(1, 4, func() journaled.Stamp { return journaled.Stamp{} }, zerolog.Nop())
	written := make(chan journaled.Written, 8)
	record := func() (wire.Ref, error) {
		return in.Record(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted}, wire.Who{}, written)
	}
	outcome := func(what string, ref wire.Ref, want error) {
		t.Helper()
		select {
		case w := <-written:
			if w.Ref != ref || !errors.Is(w.Err, want) {
				t.Errorf("%s: %v %v, want %v %v", what, w.Ref, w.Err, ref, want)
			}
		default:
			t.Errorf("%s: no outcome", what)
		}
	}
	none := func(what string) {
		t.Helper()
		if len(written) > 0 {
			t.Errorf("%s: an outcome, %v", what, <-written)
		}
	}

	ref, err := record()
	none("queued")
	in.Take(100, false)
	none("taken")
	in.Committed()
	outcome("durable", ref, nil)
	if in.Late(ref) || in.State().Degraded || err != nil {
		t.Errorf("degraded by an entry that is durable (%v)", err)
	}

	taken, _ := record()
	in.Take(100, false)
	waits, _ := record()
	if !in.Late(taken) || !in.State().Degraded || in.State().Reason != wire.ReasonSlowDisk {
		t.Errorf("not degraded by an entry that is late: %+v", in.State())
	}
	outcome("one is late, the other need not wait", waits, ErrDegraded)
	if in.Late(taken) || in.Late(waits) {
		t.Error("late twice")
	}
	if ref, err := record(); !errors.Is(err, ErrDegraded) || ref == (wire.Ref{}) {
		t.Errorf("degraded: %v %v", ref, err)
	}
	in.Committed()
	none("written after all")

	in.Take(100, false)
	in.Committed()
	first, _ := record()
	for range 4 {
		in.Queue(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeGranted}, wire.Who{})
	}
	outcome("dropped for others", first, ErrDropped)
	if ref, err := in.Record(wire.Header{}, wire.Who{}, written); err == nil || ref != (wire.Ref{}) {
		t.Errorf("malformed: %v %v", ref, err)
	}
	if ref, err := in.Record(wire.Header{Kind: wire.KindAccess, Outcome: wire.OutcomeDenied}, wire.Who{}, written); !errors.Is(err, ErrDropped) || ref != (wire.Ref{}) {
		t.Errorf("dropped at once: %v %v", ref, err)
	}
	none("known at once")
}
