package lists

import (
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// bare is a keyring without a list.
type bare struct{}

func (bare) Trust() wire.Trust                          { return wire.Trust{} }
func (bare) House() wire.House                          { return wire.House{} }
func (bare) Lists() State                               { return State{} }
func (bare) Missing([]byte, Proof) ([]wire.Hash, error) { return nil, nil }
func (bare) Holding() (Holding, error)                  { return Holding{}, nil }

// TestRegistrySetBack: a registry that names an older list than before has no
// buckets of the newer one, so that the older one is asked for from the start.
func TestRegistrySetBack(t *testing.T) {
	now := time.Unix(1e9, 0)
	f := NewFetching(bare{}, "house/gw-1", 1, NewBorrowing(bare{}, "gw-1", 1))
	f.MayTake(now)
	ack := func(list uint64) (k wire.Ack2) {
		k.ListEpoch, k.List = 1, list
		return k
	}
	f.Hears(ack(3), now)
	f.gathering.begin([]byte("list 3"), []wire.Hash{{3}})
	if w, _ := f.Fetch(now); w == nil || w.List || len(w.Buckets) != 1 {
		t.Fatalf("while it comes: %+v", w)
	}
	f.Standing(ack(3), now)
	if len(f.gathering.lacks) != 1 {
		t.Error("what came of a list that stands is forgotten")
	}
	f.Standing(ack(2), now)
	if w, _ := f.Fetch(now); w == nil || !w.List || len(w.Buckets) != 0 || f.Named().Number != 2 {
		t.Errorf("set back: %+v, of list %d", w, f.Named().Number)
	}
}
