package front

import (
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

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
	const n = 3 * 16 // thrice what a repeated batch is compared with
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
