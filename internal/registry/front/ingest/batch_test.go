package ingest

import (
	"testing"

	"gatehouse/sync/wire"
)

// TestNotesAtAGlance: the kinds that are not decoded have no entry that is an
// alarm, and the wall clock of any entry is noted.
func TestNotesAtAGlance(t *testing.T) {
	for kind := wire.Kind(1); kind != 0; kind++ {
		for _, outcome := range []wire.Outcome{0, wire.OutcomeGranted, wire.OutcomeActive} {
			for _, reason := range []wire.Reason{0, 264} {
				h := wire.Header{Wall: 77, Kind: kind, Outcome: outcome, Reason: reason, Count: 3, Detail: make([]byte, 32)}
				if kind == wire.KindSealed {
					h.Detail = make([]byte, wire.SealedSize)
				}
				b, err := h.Encode()
				if err != nil {
					t.Fatal(err)
				}
				n := readNote(b)
				if n.wall != 77 || n.alarm != h.Alarm() || n.applied != (kind == wire.KindListApplied) || n.applied && n.version != 3 {
					t.Errorf("kind %d, outcome %d, reason %d: %+v", kind, outcome, reason, n)
				}
			}
		}
	}
	if n := readNote([]byte{0xff}); n != (note{unsure: true}) {
		t.Errorf("of no header: %+v", n)
	}
}
