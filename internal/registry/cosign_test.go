package registry

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	formats "github.com/transparency-dev/formats/note"
	sumdb "golang.org/x/mod/sumdb/note"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// cosigned reports whether an ack bears a cosignature; ask has verified it.
func cosigned(a wire.Ack) bool { return a.Cosignature != wire.Signature{} }

// TestStrangerChecksCheckpoint: with the keys that the registry tells, stock
// verifiers accept what gateway and witness signed.
func TestStrangerChecksCheckpoint(t *testing.T) {
	s := newScene(t)
	s.g.fill(10)
	s.ask(wire.TypeHello, s.g.hello())
	a := s.ask(wire.TypeBatch, s.g.batch(0, 10))
	keys, err := s.front.client.VKeys(t.Context(), s.g.place.Building)
	if err != nil || len(keys.Witnesses) != 1 || len(keys.Logs) != 1 {
		t.Fatalf("%+v, %v", keys, err)
	}
	witness, err := formats.NewVerifierForCosignatureV1(keys.Witnesses[0])
	if err != nil {
		t.Fatal(err)
	}
	log, err := sumdb.NewVerifier(keys.Logs[0])
	if err != nil {
		t.Fatal(err)
	}
	c := s.g.checkpoint(10)
	name, _, _ := strings.Cut(keys.Witnesses[0], "+")
	text := c.Note(s.g.key.Public().(ed25519.PublicKey), c.Sign(s.g.key), wire.Cosignature{Name: name, Public: s.witness.Public().(ed25519.PublicKey),
		Time: uint64(a.Time), Signature: a.Cosignature})
	n, err := sumdb.Open([]byte(text), sumdb.VerifierList(log, witness))
	if err != nil || len(n.Sigs) != 2 {
		t.Fatalf("%d signatures, %v\n%s", len(n.Sigs), err, text)
	}
	if at, err := formats.CoSigV1Timestamp(n.Sigs[1]); err != nil || time.Since(at) > time.Hour {
		t.Errorf("cosigned at %v, %v", at, err)
	}
	if none, err := s.front.client.VKeys(t.Context(), "elsewhere"); err != nil || len(none.Logs) != 0 || len(none.Witnesses) != 1 {
		t.Errorf("of another building: %+v, %v", none, err)
	}
}

// TestCosignsOnlyForward: nothing, less than before, or at an earlier time is acked
// and not cosigned.
func TestCosignsOnlyForward(t *testing.T) {
	s := newScene(t)
	s.g.fill(30)
	if a := s.ask(wire.TypeHello, s.g.hello()); cosigned(a) {
		t.Error("an empty tree is cosigned")
	}
	if a := s.ask(wire.TypeBatch, s.g.batch(0, 10)); !cosigned(a) {
		t.Error("a stored batch is not cosigned")
	}
	s.cosign(func(tx *store.Tx, id int64) {
		if size, at, err := tx.Cosigned(id, 7); size != 10 || time.Since(time.Unix(at, 0)) > time.Hour || err != nil {
			t.Errorf("kept: cosigned %d at %d, %v", size, at, err)
		}
		// The clock was wrong for a while.
		if ok, err := tx.Cosign(id, 7, 10, wire.Hash(s.g.ranges[10].Root()), time.Now().Add(time.Hour).Unix()); !ok || err != nil {
			t.Errorf("%t, %v", ok, err)
		}
	})
	a := s.ask(wire.TypeBatch, s.g.batch(10, 10))
	if s.at(a, 7, 20); cosigned(a) {
		t.Error("cosigned at an earlier time")
	}
	s.cosign(func(tx *store.Tx, id int64) {
		// More was cosigned before this store was set back.
		if ok, err := tx.Cosign(id, 7, 25, wire.Hash{1}, time.Now().Add(2*time.Hour).Unix()); !ok || err != nil {
			t.Errorf("%t, %v", ok, err)
		}
	})
	a = s.ask(wire.TypeBatch, s.g.batch(20, 3))
	if s.at(a, 7, 23); cosigned(a) {
		t.Error("less is cosigned")
	}
}

// cosign changes what the store says that was cosigned.
func (s *scene) cosign(f func(*store.Tx, int64)) {
	s.t.Helper()
	err := s.front.store.Update(s.t.Context(), func(tx *store.Tx) error {
		id, err := tx.Gateway(s.g.place)
		f(tx, id)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
