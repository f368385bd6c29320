package query

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/registry/store"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// TestReachAtOnce: many who ask at once for entries whose clock was unset, for whose time a search looks beside each,
// do not wait for each other's connections for ever.
func TestReachAtOnce(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "front.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := time.UnixMilli(1_790_000_000_000)
	if err := s.Update(context.Background(), func(tx *store.Tx) error { return unset(tx, at, 20) }); err != nil {
		t.Fatal(err)
	}
	const askers = 8
	done := make(chan error, askers)
	for range askers {
		go func() {
			for range 10 {
				all, err := Reach(context.Background(), s, "b", "g", []string{"front"}, at.Add(-time.Hour), at.Add(time.Hour))
				if err != nil || len(all) != 1 || all[0].End != 20 {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range askers {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("they wait for ever")
		}
	}
}

// unset stores entries, one a batch, by a clock that nobody had set.
func unset(tx *store.Tx, at time.Time, n uint64) error {
	id, _, err := tx.Gateway(wire.Place{District: "d", Town: "t", Building: "b", Gateway: "g"})
	for i := uint64(0); i < n && err == nil; i++ {
		var header, body []byte
		header, err = wire.Header{Boot: 1, Counter: i, BootTime: i * 1e9, Kind: wire.KindOpened, Door: "front"}.Encode()
		if err == nil {
			body, err = wire.Encode(wire.Batch{Epoch: 1, First: i, Headers: [][]byte{header}, Whos: [][]byte{nil}})
		}
		if err == nil {
			err = tx.AddBatch(store.Batch{Gateway: id, Epoch: 1, First: i, Next: i + 1, Body: body}, at)
		}
	}
	if err == nil {
		err = tx.SetRange(id, 1, tree.Range{}, at)
	}
	return err
}
