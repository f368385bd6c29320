package front

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// parts are what a gateway holds, in two messages.
func (s *scene) parts(nonce wire.Nonce, by ed25519.PrivateKey) (topic string, all [][]byte) {
	s.t.Helper()
	for n := range uint16(2) {
		h := wire.Holding{Nonce: nonce, Buckets: [][]byte{}, Tombstones: []wire.ID{}, Part: n, Parts: 2}
		if n == 0 {
			h.Manifest = []byte{1}
		}
		all = append(all, s.envelope(wire.TypeHolding, wire.RoleGateway, 0, s.g.place.Address(), s.encode(h), by))
	}
	return s.g.place.Up(wire.TypeHolding), all
}

// work is what waits for the issuer.
func (s *scene) holdings() []api.Holding {
	s.t.Helper()
	w, err := s.front.client.Work(context.Background(), 1<<62, 0)
	s.must(err)
	return w.Holdings
}

// TestHolding: a gateway that names a list which is not known here is asked for what
// it holds, however high its number is, and nothing else comes of it: the next list
// goes out, and only what is signed and was asked for reaches the issuer, once.
func TestHolding(t *testing.T) {
	s := newScene(t)
	first, log := s.twoForms(1, nil)
	_, err := s.front.client.PutList(t.Context(), first)
	s.must(err)
	s.part()
	if k := s.hello2(1, wire.Hash(log[1].Hash)); k.Holding {
		t.Fatal("a gateway that has the newest list is asked")
	}
	topic, early := s.parts(s.g.nonce, s.g.key)
	s.link.receive(topic, early[0])
	s.link.receive(topic, early[1])
	k := s.hello2(1<<64-1, wire.Hash{9})
	if !k.Holding || k.List != 1 {
		t.Fatalf("%+v", k)
	}
	if len(s.holdings()) > 0 {
		t.Fatal("what nobody asked for reaches the issuer")
	}
	second, _ := s.twoForms(2, log)
	_, err = s.front.client.PutList(t.Context(), second)
	s.must(err)
	s.part()
	_, forged := s.parts(s.g.nonce, newKey(t))
	topic, parts := s.parts(s.g.nonce, s.g.key)
	for _, envelope := range append(forged, parts[1], parts[1], early[0], early[1]) { // the early ones answer another hello
		s.link.receive(topic, envelope)
	}
	time.Sleep(50 * time.Millisecond) // nothing comes of it, now or later
	if len(s.holdings()) > 0 {
		t.Fatal("half of it reaches the issuer")
	}
	s.link.receive(topic, parts[0])
	var got []api.Holding
	s.until("the issuer gets it", func() bool { got = s.holdings(); return len(got) == 1 })
	if string(got[0].Parts[0]) != string(parts[0]) || string(got[0].Parts[1]) != string(parts[1]) {
		t.Fatal("other parts")
	}
	if len(s.holdings()) > 0 {
		t.Fatal("an issuer that leaves it lying is answered at once, again and again")
	}
	s.must(s.front.client.Taken(t.Context(), got[0]))
	if len(s.holdings()) > 0 {
		t.Fatal("it comes twice")
	}
	if k := s.hello2(1<<64-1, wire.Hash{9}); k.Holding {
		t.Fatal("what was judged is asked for again")
	}
	if k := s.hello2(1<<64-1, wire.Hash{8}); !k.Holding {
		t.Fatal("another list is not asked for")
	}
}

// TestStep: a list that uses up the numbers is not taken; the next one is.
func TestStep(t *testing.T) {
	s := newScene(t)
	first, log := s.twoForms(5, nil)
	_, err := s.front.client.PutList(t.Context(), first)
	s.must(err)
	far, _ := s.twoForms(1<<64-1, log)
	if _, err := s.front.client.PutList(t.Context(), far); err == nil || !strings.Contains(err.Error(), "too far") {
		t.Fatal(err)
	}
	next, _ := s.twoForms(6, log)
	_, err = s.front.client.PutList(t.Context(), next)
	s.must(err)
}

// TestRefusal: a gateway's word that it does not take a list shows in gateways and
// status with what to do, and makes it hand over what it has; a proof ends both.
func TestRefusal(t *testing.T) {
	s := newScene(t)
	l, log := s.twoForms(1, nil)
	_, err := s.front.client.PutList(t.Context(), l)
	s.must(err)
	s.part()
	s.hello2(0, wire.Hash{})
	s.g.add(wire.Header{Kind: wire.KindRefused, Outcome: wire.OutcomeRefused, Reason: wire.ReasonSecondNeeded, Source: wire.TypeList, Count: 1}, false)
	s.link.receive(s.g.say(wire.TypeBatch, s.g.batch(0, 1)))
	envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	if k := s.g.ack2(envelope); !k.Holding {
		t.Fatal("the issuer can't count for itself")
	}
	if g := s.shown(); g.Refuses != wire.ReasonSecondNeeded.String() {
		t.Fatalf("%+v", g)
	}
	st, err := s.front.client.Status(t.Context())
	if err != nil || !strings.Contains(strings.Join(st.Problems, "\n"), "registryd lists --building b1") {
		t.Fatal(st.Problems, err)
	}
	s.g.add(wire.Header{Kind: wire.KindListApplied, Count: 1, Detail: log[1].Hash}, false)
	s.link.receive(s.g.say(wire.TypeBatch, s.g.batch(1, 1)))
	_, err = s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	s.must(err)
	if g := s.shown(); g.Refuses != "" || g.Applied != 1 {
		t.Fatalf("%+v", g)
	}
}

// TestSafe: acks name what a backup has, and nothing before one is said to be kept.
func TestSafe(t *testing.T) {
	s := newScene(t)
	s.g.fill(3)
	s.hello2(0, wire.Hash{})
	send := func(first, n int) wire.Ack2 {
		t.Helper()
		s.link.receive(s.g.say(wire.TypeBatch, s.g.batch(first, n)))
		envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
		s.must(err)
		return s.g.ack2(envelope)
	}
	if k := send(0, 2); k.Next != 2 || k.Safe != 0 {
		t.Fatalf("%+v", k)
	}
	body, err := s.front.client.Backup(t.Context(), "one")
	s.must(err)
	s.must(body.Close())
	if k := send(2, 1); k.Next != 3 || k.Safe != 0 {
		t.Fatalf("a copy that nobody keeps counts: %+v", k)
	}
	if _, err := s.front.client.Kept(t.Context(), "another"); err == nil {
		t.Fatal("a copy that never was is kept")
	}
	_, err = s.front.client.Kept(t.Context(), "one")
	s.must(err)
	if k := s.hello2(0, wire.Hash{}); k.Safe != 2 {
		t.Fatalf("%+v", k)
	}
	s.restart()
	if k := s.hello2(0, wire.Hash{}); k.Safe != 2 {
		t.Fatalf("after a restart: %+v", k)
	}
}

// TestTooOldToAsk: a gateway of format 1 that has a list or house document which this
// registry does not know is named, with what to do, as long as that is so, and nothing
// waits for it.
func TestTooOldToAsk(t *testing.T) {
	s := newScene(t)
	first, log := s.twoForms(1, nil)
	_, err := s.front.client.PutList(t.Context(), first)
	s.must(err)
	named := func(list uint64, hash wire.Hash, house uint64, want bool) {
		t.Helper()
		h := s.g.hello()
		s.g.nonce[15]++
		h.Nonce, h.List, h.ListHash, h.House = s.g.nonce, list, hash, house
		s.ask(wire.TypeHello, h)
		st, err := s.front.client.Status(t.Context())
		s.must(err)
		if strings.Contains(strings.Join(st.Problems, "\n"), "too old to be asked") != want {
			t.Errorf("list %d %x, house %d: %q", list, hash[:2], house, st.Problems)
		}
		all, err := s.front.client.Gateways(t.Context(), "")
		s.must(err)
		if all[0].TooOld != want {
			t.Errorf("list %d %x, house %d: too old %v", list, hash[:2], house, all[0].TooOld)
		}
	}
	named(900, wire.Hash{9}, 1, true)
	named(1, wire.Hash{9}, 1, true) // our number, another list
	named(0, wire.Hash{}, 99, true)
	payload, err := wire.PayloadOf(first.Old)
	s.must(err)
	named(1, sha256.Sum256(payload), 1, false)
	named(1, wire.Hash{9}, 1, true)
	s.hello2(1, sha256.Sum256(payload)) // its program is a newer one now
	st, err := s.front.client.Status(t.Context())
	if err != nil || strings.Contains(strings.Join(st.Problems, "\n"), "too old") {
		t.Error(st.Problems, err)
	}
	second, _ := s.twoForms(2, log)
	_, err = s.front.client.PutList(t.Context(), second)
	s.must(err)
}
