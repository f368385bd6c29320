package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"

	"gatehouse/internal/journal"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/wire"
)

// TestJournal: entries, places and what a journal says of a place where it has nothing are
// the same to the uplink.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.Open(journal.Options{Dir: t.TempDir(), Ballast: -1, Log: zerolog.Nop(), Clock: func() journal.Stamp { return journal.Stamp{} }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- j.Run(ctx) }()
		for range 3 {
			if _, err := j.Append(ctx, wire.Header{Kind: wire.KindForced, Door: "front"}, wire.Who{}); err != nil {
				t.Fatal(err)
			}
		}
		f := Journal{Journal: j}
		want, _, _ := j.Entries(ctx, journal.Position{}, 10)
		got, next, err := f.Entries(ctx, entries.Position{}, 10)
		same := slices.EqualFunc(got, want, func(a entries.Entry, b journal.Entry) bool {
			return a.Position == entries.Position(b.Position) && string(a.Header) == string(b.Header)
		})
		if h := f.Head(); err != nil || len(got) < 3 || !same || next != h.Position || h.Oldest != got[0].Position {
			t.Errorf("entries %v, then %v, %v; head %+v", got, next, err, h)
		}
		if _, err := f.Range(ctx, entries.Position{Epoch: next.Epoch, Sequence: next.Sequence + 1}); !errors.Is(err, entries.ErrAhead) || !errors.Is(err, journal.ErrAhead) {
			t.Errorf("behind the end: %v", err)
		}
		if _, err := f.Range(ctx, entries.Position{Epoch: next.Epoch + 1}); !errors.Is(err, entries.ErrGone) || !errors.Is(err, journal.ErrGone) {
			t.Errorf("in no epoch: %v", err)
		}
		if err := f.Ack(next); err != nil || f.Acked() != next {
			t.Errorf("acked %v, %v", f.Acked(), err)
		}
		other := fmt.Errorf("sick disk")
		if err := placed(other); err != other || placed(nil) != nil {
			t.Errorf("another error: %v", err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
