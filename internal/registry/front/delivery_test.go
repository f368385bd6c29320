package front

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// pair is a front with two gateways of one building: a makes records, b brings
// them too.
type pair struct {
	*scene
	a, b *model
}

func newPair(t testing.TB) *pair {
	p := &pair{scene: newScene(t)}
	p.a, p.b = p.g, p.gateway("g2", 8)
	if _, err := p.front.client.PutHouse(t.Context(), p.house(2, p.a, p.b)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) record(line, number uint64, id byte, person []byte) []byte {
	r := wire.Record{Line: line, Number: number, ID: wire.ID{id}, House: []byte{1}, Desk: []byte{2}}
	if person != nil {
		r.Person = sha256.Sum256(person)
	}
	return p.envelope(wire.TypeRecord, wire.RoleGateway, 0, p.a.place.Address(), p.encode(r), p.a.key)
}

// deliver has a bring a record, and checks what the ack names.
func (p *pair) deliver(line, number uint64, id byte, person []byte, wantLine, want uint64) {
	p.t.Helper()
	p.g = p.a
	p.names(p.ask(wire.TypeDelivery, wire.Delivery{Record: p.record(line, number, id, person), Person: person}), wantLine, want)
}

func (p *pair) names(a wire.Ack, line, records uint64) {
	p.t.Helper()
	if a.Line != line || a.Records != records {
		p.t.Fatalf("the ack names %d of line %d, want %d of %d", a.Records, a.Line, records, line)
	}
}

// says has a say hello.
func (p *pair) says(wantLine, want uint64) {
	p.t.Helper()
	p.g = p.a
	p.names(p.ask(wire.TypeHello, p.a.hello()), wantLine, want)
}

// relay has b bring a record of a's. Nobody is answered, and what b's own acks
// name does not change.
func (p *pair) relay(record, person []byte) {
	p.t.Helper()
	p.link.receive(p.b.say(wire.TypeDelivery, wire.Delivery{Record: record, Person: person}))
	p.g = p.b
	p.names(p.ask(wire.TypeHello, p.b.hello()), 0, 0)
	for _, g := range []*model{p.a, p.b} {
		if _, err := p.link.next(g.place.Down(wire.TypeAck), 10*time.Millisecond); !errors.Is(err, errSilence) {
			p.t.Fatalf("%s was answered", g.place.Address())
		}
	}
}

// stored checks the ids of the records that the issuer gets, in order.
func (p *pair) stored(want ...byte) {
	p.t.Helper()
	w, err := p.front.client.Work(context.Background(), 0, 0)
	p.must(err)
	var ids []byte
	for _, d := range w.Deliveries {
		key := wire.Key{Role: wire.RoleGateway, Public: p.a.key.Public().(ed25519.PublicKey)}
		payload, _, err := wire.Open(d.Envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: p.a.place.Address()}, []wire.Key{key})
		p.must(err)
		var r wire.Record
		p.must(wire.Decode(payload, &r))
		if d.Place != api.Place(p.a.place) {
			p.t.Errorf("record %d is of %s", r.ID[0], d.Place.Address())
		}
		ids = append(ids, r.ID[0])
	}
	if string(ids) != string(want) {
		p.t.Fatalf("records %v, want %v", ids, want)
	}
}

func (p *pair) forks() int {
	p.t.Helper()
	alarms, err := p.front.client.Alarms(context.Background(), "b1", 100)
	p.must(err)
	return len(alarms)
}

// TestSiblingBringsARecord: what the maker lost, or can't bring, is stored under
// its own number. The person comes from the maker alone: until it has brought
// the record itself, acks do not name it, since it would erase the person then.
func TestSiblingBringsARecord(t *testing.T) {
	p := newPair(t)
	person := []byte("a sealed person")
	p.deliver(5, 1, 1, nil, 5, 1)
	p.relay(p.record(5, 3, 3, nil), nil) // the one before it is missing
	p.relay(p.record(5, 2, 2, person), nil)
	p.relay(p.record(5, 2, 2, person), nil) // again
	p.relay(p.record(5, 3, 3, nil), nil)
	p.stored(1, 2, 3)
	p.says(5, 1)
	p.restart()
	p.says(5, 1)
	p.deliver(5, 4, 4, nil, 5, 1)
	hash := sha256.Sum256(person)
	if _, err := p.front.client.Person(t.Context(), hash[:]); err == nil {
		t.Fatal("a person from nowhere")
	}
	p.deliver(5, 2, 2, person, 5, 4)
	if sealed, err := p.front.client.Person(t.Context(), hash[:]); err != nil || string(sealed) != string(person) {
		t.Fatalf("person %q, %v", sealed, err)
	}
	p.stored(1, 2, 3, 4)
	if n := p.forks(); n != 0 {
		t.Errorf("%d alarms", n)
	}
}

// TestBroughtAgain: a record that is stored, and that a sibling brings all the same,
// is one that no list settles: the issuer gets it again, once a day.
func TestBroughtAgain(t *testing.T) {
	p := newPair(t)
	p.deliver(5, 1, 1, nil, 5, 1)
	p.deliver(5, 2, 2, nil, 5, 2)
	p.stored(1, 2)
	w, err := p.front.client.Work(t.Context(), 0, 0)
	p.must(err)
	p.relay(p.record(5, 1, 1, nil), nil)
	p.stored(2, 1)
	again, err := p.front.client.Work(t.Context(), w.Next, 0)
	p.must(err)
	if len(again.Deliveries) != 1 || again.Deliveries[0].Record != 1 {
		t.Fatalf("%+v", again)
	}
	p.relay(p.record(5, 2, 2, nil), nil)
	p.relay(p.record(5, 1, 1, nil), nil) // today it was handed on already
	p.stored(1, 2)
	p.says(5, 2)
	p.deliver(5, 1, 1, nil, 5, 2) // from its maker it is an ack that was lost
	p.stored(1, 2)
	p.deliver(5, 3, 3, nil, 5, 3)
	p.stored(1, 2, 3)
}

// TestSiblingMakesNoLineTheNewest: unless its maker has none, since it never
// came that far itself.
func TestSiblingMakesNoLineTheNewest(t *testing.T) {
	p := newPair(t)
	p.relay(p.record(5, 1, 1, nil), nil)
	p.says(5, 1)
	p.relay(p.record(6, 1, 2, nil), nil)
	p.says(5, 1)
	p.deliver(7, 1, 3, nil, 7, 1)
	p.relay(p.record(6, 2, 4, nil), nil)
	p.deliver(6, 2, 4, nil, 7, 1) // an old one of its own, replayed
	p.deliver(6, 3, 5, nil, 7, 1) // or late
	p.restart()
	p.says(7, 1)
	p.stored(1, 2, 3, 4, 5)
}

// TestStrangersRecords: what a sibling brings is stored only if a gateway of the
// same building's House document has signed it, and never with a person.
func TestStrangersRecords(t *testing.T) {
	p := newPair(t)
	person := []byte("a sealed person")
	forged := *p.a
	forged.key = newKey(t)
	gone := p.gateway("g3", 9) // it was of the building
	for _, h := range []api.Document{p.house(3, p.a, p.b, gone), p.house(4, p.a, p.b)} {
		if _, err := p.front.client.PutHouse(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := p.gateway("g1", 10)
	elsewhere.place.Building = "b2"
	if _, err := p.front.client.PutHouse(t.Context(), p.house(1, elsewhere)); err != nil {
		t.Fatal(err)
	}
	p.relay(p.record(5, 1, 1, person), person)
	honest := p.a
	for _, maker := range []*model{&forged, gone, elsewhere} {
		p.a = maker
		record := p.record(5, 1, 1, nil)
		p.a = honest
		p.relay(record, nil)
	}
	p.relay([]byte("no envelope"), nil)
	p.stored()
	p.says(0, 0)
}

// TestTwoRecordsOfOneNumber: a gateway whose disk was rolled back has made two. The
// second is not acked as stored: the ack names no line, so that the gateway
// begins another. One that a sibling brings is stored beside the first.
func TestTwoRecordsOfOneNumber(t *testing.T) {
	p := newPair(t)
	p.deliver(5, 1, 1, nil, 5, 1)
	p.deliver(5, 2, 2, nil, 5, 2)
	p.deliver(5, 2, 9, nil, 0, 0)
	p.restart()
	p.says(0, 0)
	p.deliver(5, 2, 2, nil, 0, 0) // an old one, replayed
	if n := p.forks(); n != 1 {
		t.Fatalf("%d alarms", n)
	}
	p.deliver(6, 1, 9, nil, 6, 1)
	p.stored(1, 2, 9)
	p.deliver(5, 2, 9, nil, 6, 1) // an old one, replayed
	p.relay(p.record(5, 2, 8, nil), nil)
	p.relay(p.record(5, 2, 8, nil), nil)
	p.stored(1, 2, 9, 8)
	p.restart()
	p.relay(p.record(5, 2, 8, nil), nil)
	p.says(6, 1)
	p.stored(1, 2, 9, 8)
	if n := p.forks(); n != 2 {
		t.Errorf("%d alarms", n)
	}
}

// TestSetBackVoidsProofs: only a hello that can't be an old one does.
func TestSetBackVoidsProofs(t *testing.T) {
	s := newScene(t)
	for v := uint64(1); v <= 4; v++ {
		if _, err := s.front.client.PutList(t.Context(), s.list(v, int(v))); err != nil {
			t.Fatal(err)
		}
		s.g.add(wire.Header{Kind: wire.KindListApplied, Count: v, Detail: s.listHash[:]}, false)
	}
	s.ask(wire.TypeBatch, s.g.batch(0, 4))
	hello := func(epoch, next, list uint64) {
		t.Helper()
		h := s.g.hello()
		h.Epoch, h.Next, h.List = epoch, next, list
		s.ask(wire.TypeHello, h)
	}
	want := func(applied, backs, to uint64) {
		t.Helper()
		if g := s.shown(); g.Applied != applied || g.SetBacks != backs || g.SetBackTo != to {
			t.Fatalf("list %d proved, %d rollbacks to %d; want %d, %d, %d", g.Applied, g.SetBacks, g.SetBackTo, applied, backs, to)
		}
	}
	hello(7, 4, 4)
	want(4, 0, 0)
	hello(7, 3, 3) // it may be an old one: what proves list 4 came after it
	want(4, 0, 0)
	hello(7, 4, 3) // the directory of grants alone was rolled back
	want(3, 1, 3)
	hello(7, 4, 3)
	want(3, 1, 3)
	s.restart()
	want(3, 1, 3)
	twin := *s.g
	twin.epoch, twin.nonce = 8, wire.Nonce{2}
	hello(8, 2, 1) // the disk of some time ago, or another machine
	want(1, 2, 1)
	s.g = &twin
	twin.headers, twin.whos, twin.ranges = nil, nil, twin.ranges[:1:1]
	twin.add(wire.Header{Kind: wire.KindListApplied, Count: 4, Detail: s.listHash[:]}, false)
	s.ask(wire.TypeBatch, twin.batch(0, 1))
	want(4, 2, 1)
	hello(7, 4, 3) // of an earlier epoch: an old one
	want(4, 2, 1)
	hello(8, 1, 3)
	want(1, 3, 1) // at most what it says: what was proved between was void before
}
