package uplink

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"
)

// pass lets somebody through, waits until that is at the registry, and returns the bytes of an entry on the
// wire, with the topic.
func (w *world) pass(t *testing.T) (bytes int) {
	t.Helper()
	began, seen := time.Now(), len(w.broker.Seen())
	for i, e := range passage {
		time.Sleep(time.Until(began.Add(e.at)))
		who := wire.Who{}
		if i == 0 {
			w.sent++
			who = wire.Who{Credential: &wire.CredentialID{1}, Grant: &wire.ID{2}, Tenancy: &wire.ID{byte(w.sent), 3}, Method: wire.MethodCard}
		}
		w.journal.Queue(e.header, who)
	}
	w.inStep(t)
	for _, m := range w.broker.Seen()[seen:] {
		if m.Topic == w.place.Up(wire.TypeBatch) {
			bytes += len(m.Topic) + len(m.Payload)
		}
	}
	return bytes / len(passage)
}

// counts are how many batches brought a context, named one, and named one that the registry had not.
type counts struct{ brought, named, lacked int }

// contexts takes what came since the last call.
func (w *world) contexts() (n counts) {
	w.reg.set(func(r *registry) {
		n = counts{r.contexts.brought, r.contexts.named, r.contexts.lacked}
		r.contexts.brought, r.contexts.named, r.contexts.lacked = 0, 0, 0
	})
	return n
}

// came fails the test unless these came, and the registry can open all that it has.
func (w *world) came(t *testing.T, what string, want counts) {
	t.Helper()
	if got := w.contexts(); got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
	if fault := w.same(); fault != "" {
		t.Errorf("%s: %s", what, fault)
	}
}

// losesContexts makes the registry as one whose database has none.
func losesContexts(r *registry) {
	clear(r.contexts.keys)
	r.contexts.newest = wire.ID{}
}

// TestOneContextForAnHour: the first passage brings the key of a context, the others name it; an hour later
// there is another.
func TestOneContextForAnHour(t *testing.T) {
	bubble(t, func(w *world) {
		if n := w.pass(t); n < 400 || n > 500 {
			t.Errorf("the first passage takes %d bytes an entry", n)
		}
		for range 9 {
			time.Sleep(5 * time.Minute)
			if n := w.pass(t); n > 250 {
				t.Errorf("a passage takes %d bytes an entry", n)
			}
		}
		w.came(t, "within the hour", counts{brought: 1, named: 9})
		time.Sleep(16 * time.Minute)
		w.pass(t)
		w.pass(t)
		w.came(t, "after it", counts{brought: 1, named: 1})
	})
}

// TestContextIsOfOneEpochAndKey: a new epoch, another records key and a start each make another context.
func TestContextIsOfOneEpochAndKey(t *testing.T) {
	bubble(t, func(w *world) {
		w.pass(t)
		w.contexts()
		w.reg.set(func(r *registry) { // its disk was set back: the gateway's epoch ends
			list := r.store.epochs[r.store.order[0]]
			list[0].header = list[0].header[:1] + "x"
		})
		w.link.Cut()
		w.link.Restore()
		if !w.settle(5 * time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		w.pass(t)
		w.pass(t)
		if got := w.contexts(); got != (counts{brought: 1, named: 1}) || len(w.reg.store.order) != 2 {
			t.Errorf("a new epoch: %+v", got)
		}
		private, public, err := sealing.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		w.reg.set(func(r *registry) { r.kem = private })
		w.ring.mu.Lock()
		w.ring.reg.Trust.Records = public
		w.ring.mu.Unlock()
		w.pass(t)
		w.pass(t)
		if got := w.contexts(); got != (counts{brought: 1, named: 1}) {
			t.Errorf("another records key: %+v", got)
		}
		w.stop()
		w.startGateway()
		w.pass(t)
		w.pass(t)
		if got := w.contexts(); got != (counts{brought: 1, named: 1}) {
			t.Errorf("a start: %+v", got)
		}
		w.reg.mu.Lock()
		defer w.reg.mu.Unlock()
		if len(w.reg.faults) > 0 {
			t.Error(w.reg.faults)
		}
	})
}

// TestRegistryLosesContext: a registry that has lost a context confirms no entry of it, and gets the key again
// in time, on the same connection, with a new one, and with all that it had in the meantime lost.
func TestRegistryLosesContext(t *testing.T) {
	bubble(t, func(w *world) {
		for _, c := range []struct {
			what string
			lose func()
			want counts
		}{
			{"nothing", func() {}, counts{brought: 1}},
			{"on the same connection", func() { w.reg.set(losesContexts) }, counts{brought: 1, named: 1, lacked: 1}},
			{"with a new connection", func() {
				w.link.Cut()
				w.reg.set(losesContexts)
				w.link.Restore()
			}, counts{brought: 1}},
			{"while the link is down, and packed before", func() {
				w.link.Cut()
				w.append(1)
				time.Sleep(10 * time.Second)
				w.reg.set(losesContexts)
				w.link.Restore()
				w.inStep(t)
			}, counts{brought: 1, named: 1}},
			{"once more", func() { w.reg.set(losesContexts) }, counts{brought: 1, named: 1, lacked: 1}},
		} {
			w.inStep(t)
			c.lose()
			began := time.Now()
			w.pass(t)
			if took := time.Since(began); took > 12*time.Second {
				t.Errorf("%s: it takes %v", c.what, took)
			}
			w.came(t, c.what, c.want)
		}
		before := w.reg.store.clone() // and then: a copy of the database from before is put back
		w.reg.set(losesContexts)
		w.pass(t)
		w.pass(t)
		w.reg.set(func(r *registry) { r.store = before; losesContexts(r) })
		w.link.Cut()
		w.link.Restore()
		w.pass(t)
		if fault := w.same(); fault != "" {
			t.Error(fault)
		}
	})
}

// TestAcksInAnyOrder: a broker that loses, doubles, delays and replays messages for an hour makes no entry
// one that can't be opened, and no end of it.
func TestAcksInAnyOrder(t *testing.T) {
	bubble(t, func(w *world) {
		w.inStep(t)
		for range 4 {
			w.broker.Set(faultnet.Misdeeds{Drop: 0.2, Duplicate: 0.4, Reorder: 0.2, Delay: 5 * time.Second, Replay: 0.3})
			for range 20 {
				time.Sleep(40 * time.Second)
				w.append(3)
			}
			w.reg.set(losesContexts)
			w.broker.Set(faultnet.Misdeeds{})
			if !w.settle(10 * time.Minute) {
				t.Fatalf("not in step: %+v", w.uplink.Status())
			}
			if fault := w.same(); fault != "" {
				t.Fatal(fault)
			}
		}
		if n := w.contexts(); n.named == 0 || n.brought == 0 {
			t.Errorf("%+v", n)
		}
	})
}

// TestReplayedAck: an ack from before the registry had the context costs a key once more, and nothing else.
func TestReplayedAck(t *testing.T) {
	bubble(t, func(w *world) {
		w.inStep(t)
		var first mqtt.Message
		for _, m := range w.broker.Seen() {
			if m.Topic == w.place.Down(wire.TypeAck) {
				first = m
				break
			}
		}
		w.pass(t)
		w.broker.Inject(first) // overtaken: it counts no more
		synctest.Wait()
		w.pass(t)
		w.came(t, "a replay", counts{brought: 1, named: 1})
	})
}

// TestContextsOfVersions: an end of the version before gets what it reads, whichever end that is, also when it
// comes in place of a newer one, and goes again.
func TestContextsOfVersions(t *testing.T) {
	bubble(t, func(w *world) {
		w.stop()
		w.formats = 2
		w.startGateway()
		w.pass(t)
		w.came(t, "a gateway of the version before", counts{})
		w.stop()
		w.formats = 0
		w.startGateway()
		w.pass(t)
		w.pass(t)
		w.came(t, "a new one", counts{brought: 1, named: 1})
		for range 2 {
			w.reg.set(func(r *registry) { r.formats = 2 })
			w.pass(t)
			w.came(t, "a registry of the version before, on the same connection", counts{})
			w.link.Cut()
			w.link.Restore()
			w.pass(t)
			w.came(t, "with a new one", counts{})
			w.reg.set(func(r *registry) { r.formats = 0; losesContexts(r) })
			w.link.Cut()
			w.link.Restore()
			w.pass(t)
			w.pass(t)
			w.came(t, "a new registry", counts{brought: 1, named: 1})
		}
		w.hellos()
		w.reg.set(func(r *registry) { r.formats = 1 })
		w.pass(t)
		if got := w.hellos(); !slices.Equal(got, []uint64{2, 1}) {
			t.Errorf("a registry of two versions before is greeted in formats %d", got)
		}
	})
}
