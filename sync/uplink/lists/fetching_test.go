package lists

import (
	"crypto/ed25519"
	"testing"
	"time"

	"gatehouse/sync/wire"
)

// bare is a keyring without a list. Its one key is a witness's.
type bare struct{ witness ed25519.PublicKey }

func (k bare) Trust() (t wire.Trust) {
	if k.witness != nil {
		t.Keys = []wire.RoleKey{{Role: wire.RoleWitness, Epoch: 1, Public: [ed25519.PublicKeySize]byte(k.witness)}}
	}
	return t
}
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
		t.Errorf("rolled back: %+v, of list %d", w, f.Named().Number)
	}
}

// TestListBeforeTheAnswer: a list that comes before the hello is answered is not
// taken, and not kept; afterwards it is. A registry that answers nothing is waited for a while
// only: it may still revoke.
func TestListBeforeTheAnswer(t *testing.T) {
	const gateway = "house/gw-1"
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	payload, err := wire.Encode(wire.ListPart{Manifest: []byte("list 1")})
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := wire.Sign(wire.Protected{Type: wire.TypeList, Role: wire.RoleWitness, Epoch: 1, Address: gateway}, payload, key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1e9, 0)
	k := bare{key.Public().(ed25519.PublicKey)}
	f := NewFetching(k, gateway, 1, NewBorrowing(k, "gw-1", 1))
	f.Connected(0, now)
	if l, err := f.Take(envelope, now); l != nil || err != nil || f.gathering.manifest != nil {
		t.Errorf("before the answer: %v, %v", l, err)
	}
	f.MayTake(now)
	if l, err := f.Take(envelope, now); err != nil || l == nil || string(l.Manifest) != "list 1" {
		t.Errorf("after it: %v, %v", l, err)
	}
	deaf := NewFetching(k, gateway, 1, NewBorrowing(k, "gw-1", 1))
	deaf.Connected(0, now)
	for wait, taken := range map[time.Duration]bool{AgreeMost - time.Second: false, AgreeMost: true} {
		if l, err := deaf.Take(envelope, now.Add(wait)); err != nil || (l != nil) != taken {
			t.Errorf("%v without an answer: %v, %v", wait, l, err)
		}
	}
}
