package front

import (
	"testing"

	"pgregory.net/rapid"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// TestWhateverComes: repeated, reordered, overlapping and contradicting batches
// and a front that is restarted in between: what is acked is always a prefix of
// the one journal, never less than before, and each entry is stored once.
func TestWhateverComes(t *testing.T) {
	s := newScene(t)
	epoch := uint64(100)
	rapid.Check(t, func(rt *rapid.T) {
		epoch++
		g := &model{r: s.rig, place: s.g.place, key: s.g.key, epoch: epoch, nonce: s.g.nonce, ranges: s.g.ranges[:1], boot: 1}
		g.fill(60)
		common := rapid.IntRange(0, 40).Draw(rt, "common")
		twin := *g
		twin.headers, twin.whos, twin.ranges, twin.boot = g.headers[:common:common], g.whos[:common:common], g.ranges[:common+1:common+1], 2
		twin.fill(60 - common)
		acked := 0
		check := func(sender *model, a wire.Ack, end int) {
			if int(a.Next) < acked {
				rt.Fatalf("acked through %d before, through %d now", acked, a.Next)
			}
			if sender == g && end > acked && int(a.Next) > end {
				rt.Fatalf("acked through %d, more than was sent", a.Next)
			}
			acked = int(a.Next)
			if a.Root != wire.Hash(g.ranges[acked].Root()) {
				rt.Fatalf("the root of the ack through %d is not that of the journal", acked)
			}
		}
		send := func(sender *model, first, n int) {
			s.g = sender
			check(sender, s.ask(wire.TypeBatch, sender.batch(first, n)), first+n)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"any": func(rt *rapid.T) {
				f := rapid.IntRange(0, 59).Draw(rt, "first")
				send(g, f, rapid.IntRange(1, 60-f).Draw(rt, "n"))
			},
			"next": func(rt *rapid.T) {
				if acked < 60 {
					send(g, acked, rapid.IntRange(1, 60-acked).Draw(rt, "n"))
				}
			},
			"twin": func(rt *rapid.T) {
				// Before the first entry of the journal's own nobody can tell which of the two it is.
				if acked > common && acked < 60 {
					send(&twin, rapid.IntRange(0, acked).Draw(rt, "first"), 60-acked)
				}
			},
			"hello": func(rt *rapid.T) { s.g = g; check(g, s.ask(wire.TypeHello, g.hello()), 60) },
			"restart": func(rt *rapid.T) {
				if rapid.IntRange(0, 19).Draw(rt, "restart") == 0 {
					s.restart()
				}
			},
		})
		next := uint64(0)
		err := s.front.store.Update(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Overlapping(1, epoch, 0, 100, 1000)
			for _, b := range rows {
				if b.First != next {
					rt.Fatalf("stored from %d, want %d", b.First, next)
				}
				next = b.Next
			}
			return err
		})
		if err != nil || int(next) != acked {
			rt.Fatalf("stored through %d, acked through %d, %v", next, acked, err)
		}
	})
}
