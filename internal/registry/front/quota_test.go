package front

import (
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// shared runs f on a transaction of a front that has a store and nothing else.
func shared(t *testing.T, c Config, f func(*txn, *gateway)) {
	t.Helper()
	r := newRig(t)
	front := &Front{o: Options{Config: c}}
	var err error
	front.store, err = store.Open(t.Context(), r.dir+"/quota.db")
	r.must(err)
	t.Cleanup(func() { r.must(front.store.Close()) })
	r.must(front.store.Update(t.Context(), func(tx *store.Tx) error {
		g := &gateway{address: "b1/g1", place: wire.Place{District: "d1", Town: "t1", Building: "b1", Gateway: "g1"}}
		f(&txn{Tx: tx, front: front, now: time.Now(), books: map[*gateway]*ledger{}, acked: map[ackKey]bool{}}, g)
		return nil
	}))
}

// TestBudget: what one gateway may have stored within a day ends, is one alarm,
// and begins again a day later; records have their own.
func TestBudget(t *testing.T) {
	shared(t, Config{GatewayPerDay: 1}, func(x *txn, g *gateway) {
		l, err := x.ledger(g)
		if err != nil {
			t.Fatal(err)
		}
		batch := func(size int) bool {
			ok, err := x.roomForBatch(g, l, false, size)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		record := func(size int) bool {
			ok, err := x.roomForRecord(g, size)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !batch(1<<20) || l.held(x.now) != 0 {
			t.Error("what a gateway may have is not stored")
		}
		for range 2 {
			if batch(1) {
				t.Error("more than it may have is stored")
			}
		}
		if got := l.held(x.now); got != 3600 {
			t.Errorf("asked to wait %d s", got)
		}
		if !record(maxRecordBytes) || record(1) {
			t.Error("records go by another bound")
		}
		x.now = x.now.Add(quotaTime - time.Minute)
		if batch(1) || l.held(x.now) != 60 {
			t.Errorf("a minute before the end of the day it is asked to wait %d s", l.held(x.now))
		}
		x.now = x.now.Add(time.Minute)
		if !batch(1) || !record(1) || l.held(x.now) != 0 {
			t.Error("the day after nothing is stored")
		}
	})
}

// TestEpochsAreBounded: a gateway that begins epochs without end is stopped, and
// goes on when the old ones are of last month.
func TestEpochsAreBounded(t *testing.T) {
	shared(t, Config{GatewayPerDay: 1}, func(x *txn, g *gateway) {
		l, err := x.ledger(g)
		if err != nil {
			t.Fatal(err)
		}
		m := newRig(t).gateway("g1", 7)
		m.fill(1)
		taken := 0
		for epoch := uint64(1); epoch <= maxEpochs+50; epoch++ {
			ok, err := x.roomForBatch(g, l, true, 1)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				taken++
				if err := x.SetRange(l.id, epoch, m.ranges[1], x.now); err != nil {
					t.Fatal(err)
				}
			}
		}
		if taken != maxEpochs || l.held(x.now) != 3600 {
			t.Errorf("%d epochs are taken; then it is asked to wait %d s", taken, l.held(x.now))
		}
		if ok, err := x.roomForBatch(g, l, false, 1); err != nil || !ok {
			t.Errorf("an epoch that is there can't go on: %v", err)
		}
		x.now = x.now.Add(epochTime + time.Second)
		if ok, err := x.roomForBatch(g, l, true, 1); err != nil || !ok {
			t.Errorf("a month later no epoch is taken: %v", err)
		}
	})
}

// TestQuotaIsToldToTheGateway: what is too much is not stored, the ack says
// where the gateway stands and asks it to wait, and there is one alarm.
func TestQuotaIsToldToTheGateway(t *testing.T) {
	s := newScene(t)
	s.front.stop()
	c := s.config()
	c.GatewayPerDay = 1
	link, make := newMemory()
	s.link, s.front = link, s.start(Options{Link: make, Config: c})
	const each = 100
	s.g.fill(60 * each)
	full := 0
	for i := range 60 {
		b := s.g.batch(i*each, each)
		b.Sealed = filler(40 << 10)
		a := s.ask(wire.TypeBatch, b)
		if a.Next != uint64((i+1)*each) {
			if a.Window != 0 || a.RetryAfter < 3590 {
				t.Fatalf("refused with window %d, wait %d s", a.Window, a.RetryAfter)
			}
			full = i
			break
		}
	}
	if full < 10 || full > 25 {
		t.Fatalf("%d batches of 40 KiB and more are stored within 1 MiB", full)
	}
	b := s.g.batch(full*each, each)
	b.Sealed = filler(40 << 10)
	s.at(s.ask(wire.TypeBatch, b), 7, uint64(full*each))
	if a := s.ask(wire.TypeHello, s.g.hello()); a.Window != 0 || a.RetryAfter == 0 {
		t.Errorf("answer to the hello: %+v", a)
	}
	if got := s.alarms(); len(got) != 1 || got[0].Kind != "refused" || got[0].Reason != "too_much" || !got[0].Stored {
		t.Errorf("alarms %+v", got)
	}
}

func filler(n int) []byte {
	b := make([]byte, n)
	b[0] = 1
	return b
}

func (s *scene) alarms() []api.Alarm {
	s.t.Helper()
	all, err := s.front.client.Alarms(s.t.Context(), "", 0)
	s.must(err)
	return all
}

// TestRepeatedBatches: the ack comes whatever is repeated; what contradicts a
// signed root that is stored is a fork at any length; and one batch can't make
// the front read a whole journal.
func TestRepeatedBatches(t *testing.T) {
	s := newScene(t)
	const n = 3 * maxOverlap
	s.g.fill(n)
	for i := range n {
		s.at(s.ask(wire.TypeBatch, s.g.batch(i, 1)), 7, uint64(i+1))
	}
	forks := func() int { return s.shown().Forks }
	for _, span := range [][2]int{{0, n}, {0, n - 1}, {n - 5, 5}, {0, 1}, {3, 9}} {
		s.at(s.ask(wire.TypeBatch, s.g.batch(span[0], span[1])), 7, n)
	}
	if forks() != 0 {
		t.Error("repetitions are forks")
	}
	liar := s.gateway("g1", 7)
	liar.key = s.g.key
	liar.headers, liar.whos, liar.ranges = s.g.headers[:1:1], s.g.whos[:1:1], s.g.ranges[:2:2]
	liar.add(wire.Header{Kind: wire.KindForced, Door: "front"}, false)
	liar.fill(n)
	for i, span := range [][2]int{{0, n}, {0, n - 1}, {1, 5}, {n, 1}} { // its end, an earlier one, a few, beyond it
		s.at(s.ask(wire.TypeBatch, liar.batch(span[0], span[1])), 7, n)
		if forks() != i+1 {
			t.Errorf("entries %d to %d: %d forks, want %d", span[0], span[0]+span[1], forks(), i+1)
		}
	}
}
