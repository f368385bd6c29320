package front

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// scene is a front with one gateway on a link in memory.
type scene struct {
	*rig
	link  *memory
	front *started
	g     *model
}

func newScene(t testing.TB) *scene {
	s := &scene{rig: newRig(t)}
	s.g = s.gateway("g1", 7)
	s.run()
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) run() {
	link, make := newMemory()
	s.link = link
	s.front = s.start(Options{Link: make, CosignEvery: time.Nanosecond})
}

func (s *scene) restart() {
	s.front.stop()
	s.run()
}

// ask sends a message and returns the ack.
func (s *scene) ask(kind string, p wire.Payload) wire.Ack {
	s.t.Helper()
	s.link.receive(s.g.say(kind, p))
	envelope, err := s.link.next(s.g.place.Down(wire.TypeAck), timeout)
	if err != nil {
		s.t.Fatalf("no ack of a %s: %v", kind, err)
	}
	return s.g.ack(envelope)
}

// silent sends a message that must not be answered.
func (s *scene) silent(topic string, payload []byte) {
	s.t.Helper()
	s.link.receive(topic, payload)
	if _, err := s.link.next(s.g.place.Down(wire.TypeAck), 150*time.Millisecond); err == nil {
		s.t.Fatal("it was answered")
	}
}

func (s *scene) at(a wire.Ack, epoch, next uint64) {
	s.t.Helper()
	if a.Epoch != epoch || a.Next != next {
		s.t.Fatalf("ack of epoch %d through %d, want %d through %d", a.Epoch, a.Next, epoch, next)
	}
	if epoch == s.g.epoch && a.Root != wire.Hash(s.g.ranges[next].Root()) {
		s.t.Fatalf("ack through %d has another root", next)
	}
}

func TestBatchesAreStoredOnceAndInOrder(t *testing.T) {
	s := newScene(t)
	s.g.fill(300)
	a := s.ask(wire.TypeHello, s.g.hello())
	s.at(a, 7, 0)
	if a.Nonce != s.g.nonce || a.House != 1 || a.Trust != 1 || a.Window == 0 || a.List != 0 {
		t.Errorf("ack of the hello: %+v", a)
	}
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 100)), 7, 100)
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 100)), 7, 100)  // again
	s.at(s.ask(wire.TypeBatch, s.g.batch(20, 30)), 7, 100)  // a part of it
	s.at(s.ask(wire.TypeBatch, s.g.batch(150, 50)), 7, 100) // a gap before it
	s.at(s.ask(wire.TypeBatch, s.g.batch(50, 100)), 7, 150) // overlaps
	s.restart()
	s.at(s.ask(wire.TypeBatch, s.g.batch(149, 151)), 7, 300)
	if got := s.entries(api.EntryFilter{}); len(got) != 300 {
		t.Fatalf("%d entries, want 300", len(got))
	} else {
		for i, e := range got {
			if e.Sequence != uint64(i) || e.Counter != uint64(i) || e.Door != "front" || len(e.WhoHash) != 32 {
				t.Fatalf("entry %d: %+v", i, e)
			}
		}
	}
	if st, err := s.front.client.Status(t.Context()); err != nil || st.Entries != 300 || st.Batches != 3 || st.Gateways != 1 {
		t.Errorf("status %+v, %v", st, err)
	}
}

func (s *scene) entries(f api.EntryFilter) (all []api.Entry) {
	s.t.Helper()
	_, err := s.front.client.Entries(context.Background(), f, func(e api.Entry) error { all = append(all, e); return nil })
	s.must(err)
	return all
}

func TestForkIsKeptAndNotStored(t *testing.T) {
	s := newScene(t)
	s.g.fill(100)
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 100)), 7, 100)
	twin := *s.g // the same card, rolled back and gone another way
	twin.headers, twin.whos, twin.ranges, twin.boot = twin.headers[:50:50], twin.whos[:50:50], twin.ranges[:51:51], 2
	twin.fill(100)
	honest := s.g
	s.g = &twin
	for _, b := range []wire.Batch{twin.batch(50, 40), twin.batch(40, 100), twin.batch(100, 20), twin.batch(50, 40)} {
		a := s.ask(wire.TypeBatch, b)
		if a.Next != 100 || a.Root != wire.Hash(honest.ranges[100].Root()) {
			t.Fatalf("ack of a fork: through %d", a.Next)
		}
	}
	gateways, err := s.front.client.Gateways(t.Context(), "b1")
	if err != nil || len(gateways) != 1 || gateways[0].Forks != 3 || gateways[0].Stored != 100 {
		t.Fatalf("gateways %+v, %v", gateways, err)
	}
	if alarms, err := s.front.client.Alarms(t.Context(), "b1", 10); err != nil || len(alarms) != 3 || alarms[0].Kind != "fork" {
		t.Fatalf("alarms %+v, %v", alarms, err)
	}
	// A new epoch takes the other history.
	twin.epoch = 8
	s.at(s.ask(wire.TypeBatch, twin.batch(0, 150)), 8, 150)
	if got := s.entries(api.EntryFilter{}); len(got) != 250 {
		t.Errorf("%d entries of both epochs", len(got))
	}
}

func TestForgedMessagesAreNotAnswered(t *testing.T) {
	s := newScene(t)
	s.g.fill(10)
	stranger := s.gateway("g1", 7)
	stranger.fill(10)
	s.silent(stranger.say(wire.TypeBatch, stranger.batch(0, 10)))
	other := s.gateway("g2", 7)
	other.fill(10)
	s.silent(other.say(wire.TypeBatch, other.batch(0, 10))) // not of the house
	topic, payload := other.say(wire.TypeHello, other.hello())
	s.silent(s.g.place.Up(wire.TypeHello), payload) // another's message on this topic
	moved := s.g.place
	moved.Town = "t2"
	_, payload = s.g.say(wire.TypeHello, s.g.hello())
	s.silent(moved.Up(wire.TypeHello), payload)
	s.silent(s.g.place.Up(wire.TypeBatch), payload) // of another type
	b := s.g.batch(0, 10)
	b.Signature[5] ^= 1
	s.silent(s.g.say(wire.TypeBatch, b))
	for _, p := range [][]byte{nil, {0xd2}, make([]byte, wire.MaxMessage+1), payload[:len(payload)-1]} {
		s.silent(s.g.place.Up(wire.TypeBatch), p)
	}
	s.silent(topic+"/x", payload)
	s.silent("gatehouse/v1", payload)
	// A root that the entries do not hash to, signed by the gateway itself.
	b = s.g.batch(0, 10)
	b.Root[0] ^= 1
	b.Signature = checkpoint.Checkpoint{Address: s.g.place.Address(), Epoch: 7, Size: 10, Root: b.Root}.Sign(s.g.key)
	s.at(s.ask(wire.TypeBatch, b), 7, 0)
	if st, err := s.front.client.Status(t.Context()); err != nil || st.Entries != 0 || st.Refused < 9 {
		t.Errorf("status %+v, %v", st, err)
	}
}

// TestCheckpointsAreChecked: a gateway that signs its batches and not their checkpoints is found out
// within 64 entries, and with the first of an epoch.
func TestCheckpointsAreChecked(t *testing.T) {
	s := newScene(t)
	s.g.fill(130)
	bad := func(first, n int) wire.Batch {
		b := s.g.batch(first, n)
		b.Signature[5] ^= 1
		return b
	}
	s.silent(s.g.say(wire.TypeBatch, bad(0, 1)))
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 5)), 7, 5)
	s.at(s.ask(wire.TypeBatch, bad(5, 58)), 7, 63)
	s.silent(s.g.say(wire.TypeBatch, bad(63, 1)))
	s.silent(s.g.say(wire.TypeBatch, bad(63, 67)))
	s.at(s.ask(wire.TypeBatch, s.g.batch(63, 2)), 7, 65)
}

func TestOddEntriesAreStored(t *testing.T) {
	s := newScene(t)
	s.g.fill(2)
	s.g.headers[1] = []byte("no header at all")
	hash := wire.Hash(s.g.whos[1])
	s.g.ranges[2] = s.g.ranges[1].Add(leafHash(s.g.headers[1], hash))
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 2)), 7, 2)
	if got := s.entries(api.EntryFilter{}); len(got) != 1 {
		t.Errorf("%d entries can be shown, want 1", len(got))
	}
}

func TestRecordsReachTheIssuerOnce(t *testing.T) {
	s := newScene(t)
	person := []byte("a sealed person")
	deliver := func(line, number uint64, person []byte) wire.Ack {
		r := wire.Record{Line: line, Number: number, ID: wire.ID{byte(line), byte(number)}, House: []byte{1}, Desk: []byte{2}}
		if person != nil {
			r.Person = sha256.Sum256(person)
		}
		envelope := s.envelope(wire.TypeRecord, wire.RoleGateway, 0, s.g.place.Address(), s.encode(r), s.g.key)
		return s.ask(wire.TypeDelivery, wire.Delivery{Record: envelope, Person: person})
	}
	for i, c := range []struct{ line, number, wantLine, want uint64 }{
		{5, 2, 0, 0}, {5, 1, 5, 1}, {5, 1, 5, 1}, {5, 3, 5, 1}, {5, 2, 5, 2}, {6, 1, 6, 1}, {5, 2, 6, 1}, {6, 2, 6, 2},
	} {
		if a := deliver(c.line, c.number, person); a.Line != c.wantLine || a.Records != c.want {
			t.Fatalf("step %d: ack names %d of line %d", i, a.Records, a.Line)
		}
	}
	bad := wire.Record{Line: 6, Number: 3, ID: wire.ID{1}, House: []byte{1}, Desk: []byte{2}, Person: wire.Hash{1}}
	envelope := s.envelope(wire.TypeRecord, wire.RoleGateway, 0, s.g.place.Address(), s.encode(bad), s.g.key)
	s.silent(s.g.say(wire.TypeDelivery, wire.Delivery{Record: envelope, Person: person}))
	s.restart()
	work, err := s.front.client.Work(t.Context(), 0, 0)
	if err != nil || len(work.Deliveries) != 4 || work.Next != 4 {
		t.Fatalf("work %+v, %v", work, err)
	}
	for i, d := range work.Deliveries {
		if d.Number != uint64(i+1) || d.Place != api.Place(s.g.place) || len(d.PersonHash) != 32 {
			t.Errorf("delivery %d: %+v", i, d)
		}
	}
	if sealed, err := s.front.client.Person(t.Context(), work.Deliveries[0].PersonHash); err != nil || string(sealed) != string(person) {
		t.Errorf("person %q, %v", sealed, err)
	}
	s.restart() // nobody has asked this one for work
	got := make(chan api.Work, 1)
	go func() {
		w, _ := s.front.client.Work(context.Background(), 4, time.Minute)
		got <- w
	}()
	s.until("the issuer waits for work", s.front.inbox.Attended)
	began := time.Now()
	deliver(6, 3, nil)
	if w := <-got; len(w.Deliveries) != 1 || w.Next != 5 || time.Since(began) >= time.Minute/2 {
		t.Errorf("whoever waits for work was woken after %v: %+v", time.Since(began), w)
	}
}

func TestListsArePushedAskedForAndProved(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	put := func(l api.List) (api.Pushed, error) { return s.front.client.PutList(context.Background(), l) }
	l1 := s.list(1, 20)
	if p, err := put(l1); err != nil || p.Pushed != 1 || p.Version != 1 {
		t.Fatalf("pushed %+v, %v", p, err)
	}
	if part := s.part(); len(part.Buckets) != 1 {
		t.Errorf("%d buckets pushed", len(part.Buckets))
	}
	if _, err := put(l1); err != nil {
		t.Errorf("the same list again: %v", err)
	}
	s.part()
	for name, bad := range map[string]api.List{
		"older":     {Building: "b1", Manifest: s.list(1, 3).Manifest, Buckets: s.list(1, 3).Buckets},
		"no bucket": {Building: "b1", Manifest: s.list(2, 5).Manifest},
		"moved":     {Building: "b2", Manifest: s.list(2, 5).Manifest, Buckets: s.list(2, 5).Buckets},
	} {
		if _, err := put(bad); err == nil {
			t.Errorf("a list is taken: %s", name)
		}
	}
	l2 := s.list(2, 500)
	hash := s.listHash
	if _, err := put(l2); err != nil {
		t.Fatal(err)
	}
	s.part()
	s.link.receive(s.g.say(wire.TypeWant, wire.Want{List: true, House: true, Trust: true, Buckets: []wire.Hash{sha256.Sum256(l2.Buckets[0])}}))
	if part := s.part(); len(part.Buckets) != 1 || string(part.Manifest) != string(l2.Manifest) {
		t.Error("the answer has not what was asked for")
	}
	for _, kind := range []string{wire.TypeHouse, wire.TypeTrust} {
		if _, err := s.link.next(s.g.place.Down(kind), timeout); err != nil {
			t.Errorf("%s did not come: %v", kind, err)
		}
	}
	s.g.add(wire.Header{Kind: wire.KindListApplied, Count: 2, Detail: make([]byte, 32)}, false) // another list of that version proves nothing
	s.g.add(wire.Header{Kind: wire.KindListApplied, Count: 2, Detail: hash[:]}, false)
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 1)), 7, 1)
	if g := s.shown(); g.Applied != 0 || g.List != 2 || g.Sent != 2 || g.Unproven <= 0 || !g.Online {
		t.Errorf("before the proof: %+v", g)
	}
	if a := s.ask(wire.TypeBatch, s.g.batch(1, 1)); a.List != 2 || a.ListHash != hash {
		t.Errorf("ack names list %d", a.List)
	}
	if g := s.shown(); g.Applied != 2 || g.Unproven != 0 {
		t.Errorf("after the proof: %+v", g)
	}
}

func (s *scene) shown() api.Gateway {
	s.t.Helper()
	all, err := s.front.client.Gateways(context.Background(), "b1")
	if err != nil || len(all) != 1 {
		s.t.Fatalf("gateways %+v, %v", all, err)
	}
	return all[0]
}

func (s *scene) part() (part wire.ListPart) {
	s.t.Helper()
	envelope, err := s.link.next(s.g.place.Down(wire.TypeList), timeout)
	s.must(err)
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeList, Role: wire.RoleWitness, Address: s.g.place.Address(), Newest: wire.Formats},
		[]wire.Key{{Role: wire.RoleWitness, Epoch: 1, Public: s.front.keys.witnessPublic()}})
	s.must(err)
	s.must(wire.Decode(payload, &part))
	return part
}

// TestRestartedFrontPushes: gateways that stayed connected to a broker
// elsewhere say no hello when the front comes back, and hear of a revocation
// all the same.
func TestRestartedFrontPushes(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	s.restart()
	if p, err := s.front.client.PutList(t.Context(), s.list(1, 5)); err != nil || p.Pushed != 0 {
		t.Errorf("pushed %+v, %v", p, err)
	}
	s.part()
	if g := s.shown(); g.Sent != 0 || g.Online {
		t.Errorf("the front believes that it was heard: %+v", g)
	}
}

func TestEntriesAreFiltered(t *testing.T) {
	s := newScene(t)
	for i, door := range []string{"front", "yard", "front"} {
		s.g.add(wire.Header{Kind: wire.KindAccess, Door: door, Clock: wire.ClockNTP, Wall: int64(1_000_000 + 1000*i)}, true)
		s.g.add(wire.Header{Kind: wire.KindOpened, Door: door, Clock: wire.ClockNTP, Wall: int64(1_000_500 + 1000*i)}, false)
	}
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 4)), 7, 4)
	s.at(s.ask(wire.TypeBatch, s.g.batch(2, 4)), 7, 6) // overlaps: two of its entries are stored already
	for _, c := range []struct {
		f    api.EntryFilter
		want int
	}{
		{api.EntryFilter{}, 6}, {api.EntryFilter{Door: "front"}, 4}, {api.EntryFilter{Kind: "opened"}, 3}, {api.EntryFilter{Door: "yard", Kind: "access"}, 1},
		{api.EntryFilter{From: time.UnixMilli(1_001_000)}, 4}, {api.EntryFilter{To: time.UnixMilli(1_001_000)}, 2}, {api.EntryFilter{Limit: 5}, 5},
		{api.EntryFilter{Building: "b2"}, 0}, {api.EntryFilter{Building: "b1", Gateway: "g1"}, 6}, {api.EntryFilter{Gateway: "g2"}, 0},
	} {
		if got := s.entries(c.f); len(got) != c.want {
			t.Errorf("%+v: %d entries, want %d", c.f, len(got), c.want)
		}
	}
}

func TestRemovedGatewayIsCutOff(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	other := s.gateway("g2", 9)
	if _, err := s.front.client.PutHouse(t.Context(), s.house(2, other)); err != nil {
		t.Fatal(err)
	}
	s.silent(s.g.say(wire.TypeHello, s.g.hello()))
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if len(s.link.cut) != 1 || s.link.cut[0] != s.g.place {
		t.Errorf("disconnected: %v", s.link.cut)
	}
	if _, err := s.front.client.PutHouse(t.Context(), s.house(1, s.g)); err == nil {
		t.Error("an older house document is taken")
	}
}

func TestAlarmsByNoticeAndEntry(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	s.g.fill(3)
	s.g.add(wire.Header{Kind: wire.KindForced, Door: "front"}, false)
	s.link.receive(s.g.say(wire.TypeNotice, wire.Notice{Epoch: 7, Sequence: 3, Header: s.g.headers[3]}))
	alarms := func() []api.Alarm {
		all, err := s.front.client.Alarms(context.Background(), "", 10)
		s.must(err)
		return all
	}
	s.until("an alarm", func() bool { return len(alarms()) > 0 })
	if a := alarms(); len(a) != 1 || a[0].Stored || a[0].Kind != "forced" || a[0].Door != "front" {
		t.Fatalf("alarms after the notice: %+v", a)
	}
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 4)), 7, 4)
	if a := alarms(); len(a) != 1 || !a[0].Stored {
		t.Fatalf("alarms after the entry: %+v", a)
	}
	if g := s.shown(); g.Alarms != 1 {
		t.Errorf("%d alarms", g.Alarms)
	}
}

// TestAlarmsInOrder: those of a gateway that was away come at once, the newest, by its
// notice, before the others; they are shown by their own time.
func TestAlarmsInOrder(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	s.g.fill(1)
	for i, door := range []string{"c1", "c2", "c3"} {
		s.g.add(wire.Header{Kind: wire.KindForced, Door: door, Wall: int64(1_700_000_000_000 + i), Clock: wire.ClockNTP}, false)
	}
	s.link.receive(s.g.say(wire.TypeNotice, wire.Notice{Epoch: 7, Sequence: 3, Header: s.g.headers[3]}))
	shown := func() (doors string) {
		all, err := s.front.client.Alarms(context.Background(), "", 10)
		s.must(err)
		for _, a := range all {
			doors += a.Door + " "
		}
		return doors
	}
	s.until("an alarm", func() bool { return shown() == "c3 " })
	s.at(s.ask(wire.TypeBatch, s.g.batch(0, 4)), 7, 4)
	if got := shown(); got != "c3 c2 c1 " {
		t.Errorf("alarms of %s", got)
	}
	s.g.add(wire.Header{Kind: wire.KindForced, Door: "unset", Wall: 1}, false) // its clock knows nothing
	s.g.add(wire.Header{Kind: wire.KindForced, Door: "ahead", Wall: 9_000_000_000_000, Clock: wire.ClockNTP}, false)
	s.at(s.ask(wire.TypeBatch, s.g.batch(4, 2)), 7, 6)
	if got := shown(); got != "ahead unset c3 c2 c1 " {
		t.Errorf("with clocks that are wrong: %s", got)
	}
}

func TestStatusIsOfTheNewestConnection(t *testing.T) {
	s := newScene(t)
	s.ask(wire.TypeHello, s.g.hello())
	s.link.receive(s.g.say(wire.TypeStatus, wire.Status{Nonce: wire.Nonce{99}}))       // an old will
	s.link.receive(s.g.say(wire.TypeNotice, wire.Notice{Epoch: 7, Header: []byte{1}})) // refused; only to pass the worker
	s.ask(wire.TypeHello, s.g.hello())
	if !s.shown().Online {
		t.Error("an old will counts")
	}
	s.link.receive(s.g.say(wire.TypeStatus, wire.Status{Nonce: s.g.nonce}))
	s.until("a will counts", func() bool { return !s.shown().Online })
}

// TestFormats: a hello of format 2 is answered in format 2, as are the batches
// after it, after a restart too; one of format 1 in format 1. A front that is a
// version behind does not hear it at all.
func TestFormats(t *testing.T) {
	s := newScene(t)
	s.g.fill(30)
	hello := func() wire.Hello {
		s.g.nonce[0]++
		return s.g.hello()
	}
	hello2 := func() wire.Hello2 { return wire.Hello2{Hello: hello(), Formats: []uint64{1, 2}} }
	for _, c := range []struct {
		what   string
		say    func() (kind string, body wire.Payload)
		format uint64
	}{
		{"hello of format 2", func() (string, wire.Payload) { return wire.TypeHello, hello2() }, 2},
		{"hello of format 1", func() (string, wire.Payload) { return wire.TypeHello, hello() }, 1},
		{"its batch", func() (string, wire.Payload) { return wire.TypeBatch, s.g.batch(0, 10) }, 1},
		{"another of format 2", func() (string, wire.Payload) { return wire.TypeHello, hello2() }, 2},
		{"the same in format 1: the gateway reads both", func() (string, wire.Payload) { return wire.TypeHello, s.g.hello() }, 2},
		{"its batch", func() (string, wire.Payload) { return wire.TypeBatch, s.g.batch(10, 10) }, 2},
	} {
		s.ask(c.say())
		if s.g.format != c.format {
			t.Errorf("%s is answered in format %d, want %d", c.what, s.g.format, c.format)
		}
	}
	s.restart()
	if s.ask(wire.TypeBatch, s.g.batch(20, 10)); s.g.format != 2 {
		t.Errorf("after a restart a batch is answered in format %d", s.g.format)
	}
	s.front.stop()
	link, dial := newMemory()
	s.link, s.front = link, s.start(Options{Link: dial, Formats: 1})
	if s.ask(wire.TypeBatch, s.g.batch(20, 10)); s.g.format != 1 {
		t.Errorf("a front a version behind answers in format %d", s.g.format)
	}
	s.silent(s.g.say(wire.TypeHello, hello2()))
	if s.ask(wire.TypeHello, s.g.hello()); s.g.format != 1 {
		t.Errorf("a front a version behind answers a hello in format %d", s.g.format)
	}
}

// TestEpochThatCitesNone: a gateway whose journal was deleted begins anew as if
// nothing had been. That is an alarm; a new machine, the first epoch, and one that
// cites are none.
func TestEpochThatCitesNone(t *testing.T) {
	s := newScene(t)
	alarms := func() (found []string) {
		all, err := s.front.client.Alarms(t.Context(), "", 100)
		s.must(err)
		for _, a := range all {
			found = append(found, a.Kind+" "+a.Reason)
		}
		return found
	}
	send := func(epoch uint64, key ed25519.PrivateKey, cite []byte) {
		t.Helper()
		g := s.g
		g.epoch, g.key, g.headers, g.whos, g.ranges = epoch, key, nil, nil, g.ranges[:1]
		if cite != nil {
			g.add(wire.Header{Kind: wire.KindEpoch, Reason: wire.ReasonDamaged, Detail: cite}, false)
		}
		g.fill(3)
		s.ask(wire.TypeBatch, g.batch(0, len(g.headers)))
	}
	own := s.g.key
	s.ask(wire.TypeHello, s.g.hello())
	send(7, own, nil)
	if got := alarms(); len(got) != 0 {
		t.Fatalf("the first epoch: %q", got)
	}
	send(8, own, binary.BigEndian.AppendUint64(nil, 7))
	if got := alarms(); !slices.Equal(got, []string{"epoch damaged_file"}) {
		t.Fatalf("one that cites: %q", got)
	}
	send(9, own, nil)
	if got := alarms(); len(got) != 2 || !slices.Contains(got, "epoch cites_none") {
		t.Fatalf("one that cites none: %q", got)
	}
	s.ask(wire.TypeBatch, s.g.batch(0, 3)) // replayed
	if got := alarms(); len(got) != 2 {
		t.Fatalf("again: %q", got)
	}
	other := newKey(t)
	s.g.key = other
	_, err := s.front.downlink.Documents.PutHouse(t.Context(), s.house(2, s.g))
	s.must(err)
	send(10, other, nil)
	if got := alarms(); len(got) != 2 {
		t.Errorf("another machine: %q", got)
	}
	send(11, other, nil)
	if got := alarms(); len(got) != 3 {
		t.Errorf("its journal deleted: %q", got)
	}
}

// TestEntriesThatDoNotCome: a broker that lets hellos through and no batches is told to
// the operator, once they had time to come.
func TestEntriesThatDoNotCome(t *testing.T) {
	var passed atomic.Int64
	s := newScene(t)
	s.front.stop()
	link, make := newMemory()
	s.link = link
	s.front = s.start(Options{Link: make, Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }})
	hello := func() {
		s.g.nonce[15]++
		s.ask(wire.TypeHello, s.g.hello())
	}
	said := func() bool {
		st, err := s.front.client.Status(t.Context())
		s.must(err)
		return slices.ContainsFunc(st.Problems, func(p string) bool {
			return strings.HasPrefix(p, "gateway b1/g1 says since ") && strings.HasSuffix(p, s.g.place.Up(wire.TypeBatch))
		})
	}
	s.g.fill(10)
	hello()
	if said() {
		t.Error("said before they had time to come")
	}
	passed.Store(int64(5*time.Minute + time.Second))
	hello() // it goes on to say hello
	if !said() {
		t.Error("nobody is told that entries do not come")
	}
	s.ask(wire.TypeBatch, s.g.batch(0, 5))
	if said() {
		t.Error("they come")
	}
	hello()
	s.ask(wire.TypeBatch, s.g.batch(5, 5))
	passed.Add(int64(24 * time.Hour))
	hello()
	if said() {
		t.Error("all are here")
	}
}

// TestStranger: a machine that speaks as a gateway with another key, as one that was
// replaced does, gets no answer, and the operator reads of it what to do, until five
// minutes after its last message.
func TestStranger(t *testing.T) {
	s := newScene(t)
	said := func() bool {
		st, err := s.front.client.Status(t.Context())
		s.must(err)
		return slices.ContainsFunc(st.Problems, func(p string) bool {
			return strings.Contains(p, "somebody speaks as gateway b1/g1") && strings.Contains(p, "registryd gateway add --replace")
		})
	}
	s.ask(wire.TypeHello, s.g.hello())
	if said() {
		t.Fatal("the gateway itself is taken for somebody else")
	}
	own := s.g.key
	s.g.key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s.g.nonce[0]++
	s.silent(s.g.say(wire.TypeHello, s.g.hello()))
	if !said() {
		t.Error("the operator is not told")
	}
	s.g.key = own
	s.g.nonce[0]++
	s.ask(wire.TypeHello, s.g.hello())
	if !said() {
		t.Error("an answer to the gateway hides that there are two")
	}
}
