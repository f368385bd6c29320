package store

import (
	"context"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// modelOfBatches: whatever is committed and rolled back, the store is what a
// map would be.
func modelOfBatches(t *testing.T, open func(testing.TB) *Store) {
	type key struct{ epoch, first uint64 }
	s := open(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		p := place
		p.Building = fmt.Sprintf("b%d", run)
		id := gateway(t, s, p)
		want := map[key]byte{}
		rt.Repeat(map[string]func(*rapid.T){"update": func(rt *rapid.T) {
			fail := rapid.Bool().Draw(rt, "fail")
			next := map[key]byte{}
			clash := false
			err := s.Update(context.Background(), func(tx *Tx) error {
				for range rapid.IntRange(1, 5).Draw(rt, "batches") {
					k := key{rapid.Uint64Range(1, 3).Draw(rt, "epoch"), rapid.Uint64Range(0, 20).Draw(rt, "first")}
					body := rapid.Byte().Draw(rt, "body")
					_, old := want[k]
					_, now2 := next[k]
					clash = clash || old || now2
					if err := tx.AddBatch(Batch{Gateway: id, Epoch: k.epoch, First: k.first, Next: k.first + 1, Body: []byte{body}}, now); err != nil {
						return err
					}
					next[k] = body
				}
				if fail {
					return os.ErrInvalid
				}
				return nil
			})
			if (err != nil) != (clash || fail) {
				rt.Fatalf("clash %v, fail %v: %v", clash, fail, err)
			}
			if err == nil {
				for k, v := range next {
					want[k] = v
				}
			}
		}, "": func(rt *rapid.T) {
			for epoch := uint64(1); epoch <= 3; epoch++ {
				var rows []Batch
				update(t, s, func(tx *Tx) (err error) { rows, err = tx.Overlapping(id, epoch, 0, 100, 1000); return err })
				for _, b := range rows {
					if want[key{epoch, b.First}] != b.Body[0] {
						rt.Fatalf("batch %d of epoch %d is another", b.First, epoch)
					}
				}
				n := 0
				for k := range want {
					if k.epoch == epoch {
						n++
					}
				}
				if n != len(rows) {
					rt.Fatalf("%d batches of epoch %d, want %d", len(rows), epoch, n)
				}
			}
		}})
	})
}
