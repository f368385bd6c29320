package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// sampleHolding is a list of more than one message.
func sampleHolding() lists.Holding {
	h := lists.Holding{Manifest: bytes.Repeat([]byte{1}, 40<<10), Second: []byte{2}, House: bytes.Repeat([]byte{3}, 30<<10)}
	for i := range byte(5) {
		h.Buckets = append(h.Buckets, bytes.Repeat([]byte{i}, 40<<10))
	}
	for i := range 7000 {
		h.Over = append(h.Over, wire.ID{1, byte(i), byte(i >> 8)})
	}
	return h
}

// joined puts parts together again.
func joined(parts []wire.Holding) (h lists.Holding) {
	for _, p := range parts {
		h.Manifest, h.Second, h.House = append(h.Manifest, p.Manifest...), append(h.Second, p.Second...), append(h.House, p.House...)
		h.Buckets, h.Over = append(h.Buckets, p.Buckets...), append(h.Over, p.Tombstones...)
	}
	return h
}

func sameHolding(a, b lists.Holding) bool {
	return bytes.Equal(a.Manifest, b.Manifest) && bytes.Equal(a.Second, b.Second) && bytes.Equal(a.House, b.House) &&
		slices.EqualFunc(a.Buckets, b.Buckets, bytes.Equal) && slices.Equal(a.Over, b.Over)
}

// TestHolding: a registry that asks gets all that is held, in parts that fit, under
// the nonce of the newest hello, again until it asks no more.
func TestHolding(t *testing.T) {
	bubble(t, func(w *world) {
		want := sampleHolding()
		w.ring.mu.Lock()
		w.ring.holding = want
		w.ring.mu.Unlock()
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.mu.Lock()
		if len(w.reg.held) > 0 {
			t.Error("it was not asked for")
		}
		w.reg.asks = true
		w.reg.mu.Unlock()
		w.append(1) // its ack asks
		time.Sleep(4 * time.Second)
		w.reg.mu.Lock()
		held, nonce := w.reg.held, w.reg.nonce
		w.reg.held = nil
		w.reg.mu.Unlock()
		if !sameHolding(joined(held), want) {
			t.Fatalf("%d parts are not what is held", len(held))
		}
		for i, p := range held {
			if p.Nonce != nonce || int(p.Part) != i || int(p.Parts) != len(held) {
				t.Errorf("part %d of %d, nonce %x", p.Part, p.Parts, p.Nonce)
			}
		}
		n := len(held)
		time.Sleep(time.Minute)
		w.reg.mu.Lock()
		if again := len(w.reg.held); again < n || again%n != 0 {
			t.Errorf("sent again %d parts of %d", again, n)
		}
		w.reg.asks = false
		w.reg.mu.Unlock()
		w.append(1)
		time.Sleep(time.Minute)
		w.reg.mu.Lock()
		w.reg.held = nil
		w.reg.mu.Unlock()
		time.Sleep(time.Hour)
		w.reg.mu.Lock()
		defer w.reg.mu.Unlock()
		if len(w.reg.held) > 0 {
			t.Error("it is asked for no more")
		}
	})
}

// sibling is another gateway of the building.
type sibling struct {
	place wire.Place
	ring  *ring
	stop  func()
}

// withSibling makes the house one of two, and starts the world's gateway anew in it.
func (w *world) withSibling() (*sibling, func()) {
	w.t.Helper()
	key := ed25519.NewKeyFromSeed(append(make([]byte, 31), 7))
	s := &sibling{place: wire.Place{District: "d", Town: "t", Building: "b", Gateway: "other"}}
	own := wire.HouseGateway{ID: "g", Public: [32]byte(publicOf(w.keys.gateway)), KEM: w.keys.kemPublic}
	house := w.keys.house(1, own, wire.HouseGateway{ID: "other", Public: [32]byte(publicOf(key)), KEM: w.keys.kemPublic})
	s.ring = w.keys.ring(s.place)
	s.ring.reg.House = house
	w.stop()
	w.ring.mu.Lock()
	w.ring.reg.House = house
	w.ring.mu.Unlock()
	w.startGateway()
	return s, func() {
		link := w.broker.Connect(faultnet.Client{Name: "other", Subscribe: []string{s.place.Down("+"), s.place.House("+")}})
		u, err := New(Options{Link: link, Place: s.ring.reg.Place, Registry: s.ring.reg.Name, Journal: w.journal, Keyring: s.ring, Key: key, Clock: w.stamp, Log: w.log()})
		if err != nil {
			w.t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { _ = u.Run(ctx); close(ended) }()
		s.stop = func() { stop(); <-ended }
	}
}

// holds gives a keyring of the tests a list and what is over.
func (w *world) holds(r *ring, version uint64, over ...wire.ID) {
	manifest, buckets := w.makeList(version, 2, 3)
	if err := r.Apply(lists.List{Manifest: manifest, Buckets: buckets}); err != nil {
		w.t.Fatal(err)
	}
	r.mu.Lock()
	r.holding = lists.Holding{Manifest: manifest, Buckets: buckets, Over: over}
	r.applied = nil
	r.mu.Unlock()
}

func (r *ring) lists() []uint64 { r.mu.Lock(); defer r.mu.Unlock(); return slices.Clone(r.applied) }

// TestNewGatewayTakesItsSiblingsList: with a sibling there, its list comes before
// the registry's, with what is over.
func TestNewGatewayTakesItsSiblingsList(t *testing.T) {
	bubble(t, func(w *world) {
		w.publishList(9, 0, 1, false)
		s, start := w.withSibling()
		w.holds(s.ring, 5, wire.ID{6, 6})
		time.Sleep(time.Minute)
		if got := w.ring.lists(); len(got) > 0 {
			t.Fatalf("applied %v before the sibling was heard", got)
		}
		start()
		time.Sleep(2 * time.Minute)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{5, 9}) {
			t.Errorf("applied %v, want the sibling's 5 and then the registry's 9", got)
		}
		w.ring.mu.Lock()
		if !slices.Equal(w.ring.inherited.Over, []wire.ID{{6, 6}}) {
			t.Errorf("inherited %v", w.ring.inherited.Over)
		}
		w.ring.mu.Unlock()
		if n := w.count(applied(5)); n != 1 {
			t.Errorf("%d entries that the sibling's was applied", n)
		}
		s.stop()
	})
}

// TestSiblingsAreWaitedFor ten minutes at most, not at all where all are as new,
// and not by a gateway that has a list.
func TestSiblingsAreWaitedFor(t *testing.T) {
	bubble(t, func(w *world) { // nobody answers
		w.publishList(9, 0, 1, false)
		w.withSibling()
		time.Sleep(10*time.Minute - 5*time.Second)
		if got := w.ring.lists(); len(got) > 0 {
			t.Fatalf("applied %v within ten minutes", got)
		}
		time.Sleep(30 * time.Second)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{9}) {
			t.Errorf("applied %v after ten minutes", got)
		}
	})
	bubble(t, func(w *world) { // both are new
		w.publishList(9, 0, 1, false)
		s, start := w.withSibling()
		start()
		time.Sleep(2 * time.Minute)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{9}) {
			t.Errorf("applied %v in a new house", got)
		}
		s.stop()
	})
	bubble(t, func(w *world) { // it has one
		w.holds(w.ring, 5)
		w.publishList(9, 0, 1, false)
		w.withSibling()
		time.Sleep(time.Minute)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{9}) {
			t.Errorf("applied %v over its own", got)
		}
	})
}

// TestNewGatewaysSayThatTheyAreNew: one that asked before its sibling was there asks
// again when that one does, although it waits for nobody any more: the other does.
func TestNewGatewaysSayThatTheyAreNew(t *testing.T) {
	bubble(t, func(w *world) {
		s, _ := w.withSibling()
		time.Sleep(5 * time.Second) // its first question is gone
		link := w.broker.Connect(faultnet.Client{Name: "other", Subscribe: []string{w.place.House("+")}})
		payload, err := wire.Encode(wire.Holding{Nonce: wire.Nonce{1}, Parts: 1})
		if err != nil {
			t.Fatal(err)
		}
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), 7))
		w.broker.Inject(mqtt.Message{Topic: s.place.House("other"), Payload: sign(wire.TypeHolding, wire.RoleGateway, s.place.Address(), payload, key)})
		time.Sleep(5 * time.Second)
		for {
			select {
			case m := <-link.Messages():
				if _, p, err := wire.Open(m.Payload, wire.Expect{Type: wire.TypeHolding, Role: wire.RoleGateway, Address: w.place.Address(), Newest: 2},
					[]wire.Key{{Role: wire.RoleGateway, Public: publicOf(w.keys.gateway)}}); err == nil && p.Type == wire.TypeHolding {
					return
				}
				continue
			default:
			}
			t.Fatal("it says nothing, and the other waits for it")
		}
	})
}

// TestUnprovedList: that a list proves nothing is an alarm only when its proof was
// for the active list: first the gateway says hello anew and asks again.
func TestUnprovedList(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.publishList(3, 0, 1, true)
		time.Sleep(time.Second)
		proveNot := func(n int) {
			w.ring.mu.Lock()
			w.ring.unproved = n
			w.ring.mu.Unlock()
		}
		alarms := func() int { return w.count(is(wire.KindRefused, wire.OutcomeRefused, wire.ReasonUnproved)) }
		proveNot(1)
		w.hellos()
		w.publishList(5, 0, 2, true) // the hello named no list
		time.Sleep(time.Minute)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{3, 5}) || alarms() != 0 || len(w.hellos()) == 0 {
			t.Errorf("applied %v, %d alarms", got, alarms())
		}
		proveNot(2)
		w.publishList(7, 0, 2, true)
		time.Sleep(time.Minute)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{3, 5, 7}) || alarms() != 1 {
			t.Errorf("applied %v, %d alarms", got, alarms())
		}
	})
}

// TestUnprovedBeforeTheAnswer: a list that comes before the hello is answered may have
// been sent before it was heard. It is no alarm, and is asked for again.
func TestUnprovedBeforeTheAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.publishList(3, 0, 1, true)
		time.Sleep(time.Second)
		w.reg.set(func(r *registry) { r.silent = true })
		w.link.Cut()
		w.link.Restore()
		time.Sleep(time.Second)
		w.ring.mu.Lock()
		w.ring.unproved = 2
		w.ring.mu.Unlock()
		w.publishList(5, 0, 2, true)
		time.Sleep(2 * time.Second)
		if got := w.ring.lists(); !slices.Equal(got, []uint64{3}) {
			t.Fatalf("applied %v: this test shows nothing", got)
		}
		w.reg.set(func(r *registry) { r.silent = false })
		time.Sleep(time.Minute)
		alarms := w.count(is(wire.KindRefused, wire.OutcomeRefused, wire.ReasonUnproved))
		if got := w.ring.lists(); !slices.Equal(got, []uint64{3, 5}) || alarms > 1 {
			t.Errorf("applied %v, %d alarms", got, alarms)
		}
	})
}

// TestNewSiblingIsAnsweredAgain: a gateway that was rolled back a moment after it was new
// asks again, and does not wait for a minute.
func TestNewSiblingIsAnsweredAgain(t *testing.T) {
	bubble(t, func(w *world) {
		s, _ := w.withSibling()
		w.holds(w.ring, 5)
		time.Sleep(time.Second)
		link := w.broker.Connect(faultnet.Client{Name: "other", Subscribe: []string{w.place.House("+")}})
		key := ed25519.NewKeyFromSeed(append(make([]byte, 31), 7))
		for question := range byte(2) {
			payload, err := wire.Encode(wire.Holding{Nonce: wire.Nonce{question + 1}, Parts: 1})
			if err != nil {
				t.Fatal(err)
			}
			w.broker.Inject(mqtt.Message{Topic: s.place.House("other"), Payload: sign(wire.TypeHolding, wire.RoleGateway, s.place.Address(), payload, key)})
			time.Sleep(lists.BorrowEvery)
			answers := 0
			for len(link.Messages()) > 0 {
				m := <-link.Messages()
				_, _, err := wire.Open(m.Payload, wire.Expect{Type: wire.TypeHolding, Role: wire.RoleGateway, Address: w.place.Address(), Newest: 2},
					[]wire.Key{{Role: wire.RoleGateway, Public: publicOf(w.keys.gateway)}})
				if err == nil {
					answers++
				}
			}
			if answers != 1 {
				t.Errorf("question %d: %d answers", question, answers)
			}
		}
	})
}
