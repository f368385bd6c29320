package uplink

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal"
	"gatehouse/sync/uplink/lists"
)

// copies is a keyring of which only the status is used.
type copies struct {
	Keyring
	status lists.State
}

func (c *copies) Lists() lists.State { return c.status }

// TestListOnNoDisk: an active list that no disk has taken is not proved, since
// a restart would undo it; it is when a disk takes it.
func TestListOnNoDisk(t *testing.T) {
	j, err := journal.Open(journal.Options{Dir: t.TempDir(), Log: zerolog.Nop(), Clock: func() journal.Stamp { return journal.Stamp{} }})
	if err != nil {
		t.Fatal(err)
	}
	ring, now := &copies{status: lists.State{Version: 6, Active: 7}}, time.Now()
	a := &actor{logbook: logbook{journal: j}, authority: authority{proving: proving{keyring: ring, unproved: 7}}}
	before := j.Status().Queued
	if next := a.prove(t.Context(), now); !next.After(now) || j.Status().Queued != before {
		t.Errorf("on no disk: %d entries, again at %v", j.Status().Queued-before, next)
	}
	ring.status.Version = 7
	for range 2 {
		if next := a.prove(t.Context(), now); !next.IsZero() || j.Status().Queued != before+1 {
			t.Errorf("on one disk: %d entries, again at %v", j.Status().Queued-before, next)
		}
	}
}
