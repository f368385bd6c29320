package front

import (
	"crypto/ed25519"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	formats "github.com/transparency-dev/formats/note"
	sumdb "golang.org/x/mod/sumdb/note"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
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
	text := c.Note(s.g.key.Public().(ed25519.PublicKey), c.Sign(s.g.key), checkpoint.Cosignature{Name: name, Public: s.witness.Public().(ed25519.PublicKey),
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
	if _, err := s.front.client.PutHouse(t.Context(), s.house(2, s.gateway("g2", 9))); err != nil {
		t.Fatal(err)
	}
	if gone, err := s.front.client.VKeys(t.Context(), s.g.place.Building); err != nil || len(gone.Logs) != 0 || len(gone.Witnesses) != 1 {
		t.Errorf("of a gateway that was removed: %+v, %v", gone, err)
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
		// More was cosigned before this store was rolled back.
		if ok, err := tx.Cosign(id, 7, 25, wire.Hash{1}, time.Now().Add(2*time.Hour).Unix()); !ok || err != nil {
			t.Errorf("%t, %v", ok, err)
		}
	})
	a = s.ask(wire.TypeBatch, s.g.batch(20, 3))
	if s.at(a, 7, 23); cosigned(a) {
		t.Error("less is cosigned")
	}
}

// TestCosignsNowAndThen: what grows fast is cosigned every so often and in answers to hellos, and
// the last of it by an ack of its own.
func TestCosignsNowAndThen(t *testing.T) {
	var later atomic.Int64
	pass := func() { later.Add(int64(2 * time.Minute)) }
	s := &scene{rig: newRig(t)}
	s.g = s.gateway("g1", 7)
	var link func(func(string, []byte)) (Link, error)
	s.link, link = newMemory()
	s.front = s.start(Options{Link: link, CosignEvery: time.Minute,
		Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }})
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err != nil {
		t.Fatal(err)
	}
	s.g.fill(60)
	s.ask(wire.TypeHello, s.g.hello())
	is := func(a wire.Ack, next uint64, want bool) {
		t.Helper()
		if s.at(a, 7, next); cosigned(a) != want {
			t.Errorf("through %d, cosigned: %t", next, cosigned(a))
		}
	}
	batch := func(first int, want bool) {
		t.Helper()
		is(s.ask(wire.TypeBatch, s.g.batch(first, 10)), uint64(first+10), want)
	}
	follows := func(next uint64) {
		t.Helper()
		pass()
		envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
		if err != nil {
			t.Fatal("no cosignature follows")
		}
		is(s.g.ack(envelope), next, true)
	}
	nothing := func() {
		t.Helper()
		pass()
		if _, err := s.link.next(s.g.place.Down(wire.TypeAck), 1500*time.Millisecond); err == nil {
			t.Error("a cosignature follows one")
		}
	}
	batch(0, true)
	batch(10, false)
	batch(20, false)
	follows(30)
	nothing()
	batch(30, true)
	batch(40, false)
	s.g.nonce[15]++
	is(s.ask(wire.TypeHello, s.g.hello()), 50, true)
	nothing()
	batch(50, true)
}

// claims is a hello that brings a cosignature.
func (s *scene) claims(epoch, size uint64, at uint32, by ed25519.PrivateKey, root wire.Hash) wire.Hello2 {
	c := checkpoint.Checkpoint{Address: s.g.place.Address(), Epoch: epoch, Size: size, Root: root}
	s.g.nonce[15]++
	return wire.Hello2{Hello: s.g.hello(), Formats: []uint64{1, 2},
		Cosigned: wire.Cosigned{Epoch: epoch, Size: size, Time: at, Signature: c.Cosign(by, uint64(at))}}
}

// TestCosignsFromWhereTheGatewayStands: a front whose store was rolled back acks, and
// cosigns when it has caught up with what the gateway holds, if that is of the
// same entries.
func TestCosignsFromWhereTheGatewayStands(t *testing.T) {
	now := uint32(time.Now().Unix())
	for name, c := range map[string]struct {
		size    uint64
		time    uint32
		forged  bool
		epoch   uint64
		ahead   bool // what is stored is cosigned no more
		after   bool // it is again, when the store has reached it
		remarks int
	}{
		"known":               {10, now - 10, false, 7, false, true, 0},
		"ahead":               {25, now - 10, false, 7, true, true, 1},
		"ahead, other tree":   {25, now - 10, true, 7, true, false, 1},
		"same size, later":    {10, now + 3600, false, 7, true, false, 0}, // until that time
		"same size, other":    {10, now + 3600, true, 7, true, false, 0},
		"ahead, and a clock":  {25, now + 3600, false, 7, true, false, 1},
		"of another epoch":    {1 << 60, now, false, 8, false, true, 1},
		"at the batch's end":  {30, now - 10, false, 7, true, true, 1},
		"more than ever come": {1 << 60, 1<<32 - 1, false, 7, true, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.g.fill(30)
			s.ask(wire.TypeHello, s.g.hello())
			s.ask(wire.TypeBatch, s.g.batch(0, 10))
			root := wire.Hash{9}
			if c.size <= 30 && !c.forged {
				root = wire.Hash(s.g.ranges[c.size].Root())
			}
			a := s.ask(wire.TypeHello, s.claims(c.epoch, c.size, c.time, s.witness, root))
			if s.at(a, 7, 10); cosigned(a) == c.ahead {
				t.Errorf("answer to the hello cosigned: %t", cosigned(a))
			}
			a = s.ask(wire.TypeBatch, s.g.batch(10, 10))
			if s.at(a, 7, 20); cosigned(a) == c.ahead {
				t.Errorf("below it, cosigned: %t", cosigned(a))
			}
			a = s.ask(wire.TypeBatch, s.g.batch(20, 10))
			if s.at(a, 7, 30); cosigned(a) != c.after {
				t.Errorf("beyond it, cosigned: %t", cosigned(a))
			}
			st, err := s.front.client.Status(t.Context())
			if err != nil || len(st.Remarks) != c.remarks {
				t.Errorf("remarks %+v, %v", st.Remarks, err)
			}
		})
	}
}

// TestCosignsNothingBeforeAHello: a front that has just started doesn't know what
// its gateways hold.
func TestCosignsNothingBeforeAHello(t *testing.T) {
	s := newScene(t)
	s.g.fill(30)
	s.ask(wire.TypeHello, s.g.hello())
	s.ask(wire.TypeBatch, s.g.batch(0, 10))
	s.restart()
	if a := s.ask(wire.TypeBatch, s.g.batch(10, 10)); cosigned(a) {
		t.Error("cosigned before the first hello")
	}
	s.g.nonce[15]++
	if a := s.ask(wire.TypeHello, s.g.hello()); !cosigned(a) {
		t.Error("not cosigned after it")
	}
}

// cosign changes what the store says that was cosigned.
func (s *scene) cosign(f func(*store.Tx, int64)) {
	s.t.Helper()
	err := s.front.store.Update(s.t.Context(), func(tx *store.Tx) error {
		id, _, err := tx.Gateway(s.g.place)
		f(tx, id)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestCosignsNothingInDoubt: a front whose clock leapt says "stored", and not when.
func TestCosignsNothingInDoubt(t *testing.T) {
	m := &machine{wall: time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC), boot: time.Hour}
	s := &scene{rig: newRig(t)}
	s.g = s.gateway("g1", 7)
	var link func(func(string, []byte)) (Link, error)
	s.link, link = newMemory()
	s.front = s.start(Options{Link: link, Clock: m.source(), CosignEvery: time.Nanosecond})
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err != nil {
		t.Fatal(err)
	}
	s.g.fill(30)
	s.ask(wire.TypeHello, s.g.hello())
	if a := s.ask(wire.TypeBatch, s.g.batch(0, 10)); !cosigned(a) {
		t.Error("not cosigned by a good clock")
	}
	m.set(200*24*time.Hour, time.Minute)
	a := s.ask(wire.TypeBatch, s.g.batch(10, 10))
	if s.at(a, 7, 20); cosigned(a) {
		t.Error("cosigned in doubt")
	}
	m.set(0, time.Minute)
	a = s.ask(wire.TypeBatch, s.g.batch(20, 10))
	if s.at(a, 7, 30); !cosigned(a) {
		t.Error("not cosigned when the clock is right again")
	}
}
