package uplink

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/wire"
)

// passage is what one person's way in makes, as the seconds of the entries tell.
var passage = []struct {
	at     time.Duration
	header wire.Header
}{
	{0, granted()},
	{0, wire.Header{Kind: wire.KindReleased, Door: "front"}},
	{time.Second, wire.Header{Kind: wire.KindOpened, Door: "front"}},
	{4 * time.Second, wire.Header{Kind: wire.KindClosed, Door: "front"}},
	{4 * time.Second, wire.Header{Kind: wire.KindSecured, Door: "front"}},
}

// inStep fails the test unless everything is at the registry, and returns how many batches came.
func (w *world) inStep(t *testing.T) (batches int) {
	t.Helper()
	if !w.settle(time.Minute) {
		t.Fatalf("not in step: %+v", w.uplink.Status())
	}
	w.reg.set(func(r *registry) { batches = r.batches })
	return batches
}

// TestPassageIsTwoBatches: what happens within two seconds is one batch, and comes then, also where one
// end is of before; the journal holds what nobody waits for a second longer. An entry is so some 400 bytes on the wire with a key
// to its seal (contexts_test.go has those without); one by one they are twice as many, and each that names somebody 1,600.
func TestPassageIsTwoBatches(t *testing.T) {
	for name, formats := range map[string]struct{ gateway, registry uint64 }{"": {}, "gateway of before": {gateway: 1}, "registry of before": {registry: 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.stop()
				w.reg.set(func(r *registry) { r.formats = formats.registry })
				w.formats = formats.gateway
				w.startGateway()
				w.passThrough(t)
			})
		})
	}
}

// passThrough lets somebody through, and looks at the batches.
func (w *world) passThrough(t *testing.T) {
	before, began, seen := w.inStep(t), time.Now(), len(w.broker.Seen())
	for i, e := range passage {
		time.Sleep(time.Until(began.Add(e.at)))
		who := wire.Who{}
		if i == 0 {
			who = wire.Who{Credential: &wire.CredentialID{1}, Grant: &wire.ID{2}, Tenancy: &wire.ID{3}, Method: wire.MethodCard}
		}
		w.journal.Queue(e.header, who)
	}
	if n := w.inStep(t) - before; n != 2 {
		t.Errorf("a passage is %d batches", n)
	}
	bytes := 0
	for _, m := range w.broker.Seen()[seen:] {
		if m.Topic == w.place.Up(wire.TypeBatch) {
			bytes += len(m.Topic) + len(m.Payload)
		}
	}
	if most := 450 * len(passage); bytes < most/2 || bytes > most {
		t.Errorf("a passage is %d bytes on the wire", bytes)
	}
	all := w.all()
	for i, e := range all[len(all)-len(passage):] {
		if got := w.reg.arrived[string(e.Header)].Sub(began.Add(passage[i].at)); got < time.Second || got > 3250*time.Millisecond {
			t.Errorf("entry %d comes after %v", i, got)
		}
	}
	if fault := w.same(); fault != "" {
		t.Error(fault)
	}
}

// TestKilledWhileHeld: whenever the gateway is killed while a batch waits, is under way, or was just
// confirmed, the registry has each durable entry once after the next start, and at once.
func TestKilledWhileHeld(t *testing.T) {
	for _, after := range []time.Duration{100, 1100, 1900, 2100, 2600, 3500, 4500} {
		t.Run((after * time.Millisecond).String(), func(t *testing.T) {
			bubble(t, func(w *world) { w.killedWhileHeld(t, after*time.Millisecond) })
		})
	}
}

func (w *world) killedWhileHeld(t *testing.T, after time.Duration) {
	w.inStep(t)
	before, began := len(w.all()), time.Now()
	for _, e := range passage[:3] {
		time.Sleep(min(time.Until(began.Add(e.at)), time.Until(began.Add(after))))
		if time.Since(began) >= e.at {
			w.journal.Queue(e.header, wire.Who{})
		}
	}
	w.sent++
	time.Sleep(time.Until(began.Add(after)))
	synctest.Wait()
	image, had := filepath.Join(t.TempDir(), "image"), w.all()
	copyDirectory(t, w.dir, image)
	w.link.Cut()
	w.stop() // what it still saves in order is not in the image
	copyDirectory(t, image, w.dir)
	w.startGateway()
	started := time.Now()
	w.inStep(t)
	if fault := cmp.Or(w.same(), w.eachOnce()); fault != "" {
		t.Error(fault)
	}
	for i, e := range had[before:] {
		at, there := w.reg.arrived[string(e.Header)]
		if late := at.Sub(started); !there || late > 500*time.Millisecond {
			t.Errorf("entry %d of %d comes %v after the start, %t", i, len(had)-before, late, there)
		}
	}
}

// TestBacklogIsNotHeld: what was made without a connection comes at once with the next one, however
// little it is, and so does what a start finds, and what the registry has lost.
func TestBacklogIsNotHeld(t *testing.T) {
	bubble(t, func(w *world) {
		w.inStep(t)
		w.link.Cut()
		w.append(5)
		time.Sleep(10 * time.Second)
		w.link.Restore()
		first := w.arrivalOfLast(t)
		w.link.Cut()
		w.append(5)
		synctest.Wait()
		w.stop()
		w.startGateway()
		second := w.arrivalOfLast(t)
		w.append(5)
		w.inStep(t)
		w.link.Cut()
		w.reg.set(func(r *registry) {
			epoch := r.store.order[0]
			r.store.epochs[epoch] = r.store.epochs[epoch][:len(r.store.epochs[epoch])-5]
		})
		w.link.Restore()
		for what, got := range map[string]time.Duration{"made without a connection": first, "made before a start": second, "lost by the registry": w.arrivalOfLast(t)} {
			if got > 500*time.Millisecond {
				t.Errorf("what was %s comes after %v", what, got)
			}
		}
	})
}

// arrivalOfLast waits until the newest entry is at the registry, and returns how long that took.
func (w *world) arrivalOfLast(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	w.inStep(t)
	all := w.all()
	return w.reg.arrived[string(all[len(all)-1].Header)].Sub(began)
}

// happening is an entry that is made some time after the one before.
type happening struct {
	after time.Duration
	kind  wire.Kind // access; forced, an alarm; or closed, which the journal holds for 1.25 s
}

// TestHeldComesInTime: whatever comes when, and whatever is lost within one second, each entry is at
// the registry within 5 s. In good weather entries of passages share batches as far as two seconds go,
// and an alarm waits for nothing.
func TestHeldComesInTime(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var plan []happening
		for range rapid.IntRange(1, 9).Draw(r, "entries") { // so few that none comes in the instant in which a batch goes
			ms := 10*rapid.IntRange(0, 300).Draw(r, "after") + 3
			kind := rapid.SampledFrom([]wire.Kind{wire.KindAccess, wire.KindAccess, wire.KindAccess, wire.KindForced, wire.KindClosed}).Draw(r, "kind")
			plan = append(plan, happening{time.Duration(ms) * time.Millisecond, kind})
		}
		lost := time.Duration(-1)
		if rapid.Bool().Draw(r, "bad weather") {
			lost = time.Duration(rapid.IntRange(0, 12_000).Draw(r, "lost")) * time.Millisecond
		}
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = newWorld(t, 1).live(t, plan, lost) })
		if fault != "" {
			r.Fatalf("%s\n%+v, lost at %v", fault, plan, lost)
		}
	})
}

// live makes the entries of a plan; lost is when the second begins in which the broker drops
// everything, below 0: never.
func (w *world) live(t *testing.T, plan []happening, lost time.Duration) (fault string) {
	before := w.inStep(t)
	if lost >= 0 {
		time.AfterFunc(lost, func() { w.broker.Set(faultnet.Misdeeds{Drop: 1}) })
		time.AfterFunc(lost+time.Second, func() { w.broker.Set(faultnet.Misdeeds{}) })
	}
	first := len(w.all())
	var made []time.Time
	for _, e := range plan {
		time.Sleep(e.after)
		w.journal.Queue(wire.Header{Kind: e.kind, Door: "front"}, wire.Who{})
		made = append(made, time.Now())
	}
	time.Sleep(20 * time.Second)
	batches := w.inStep(t) - before
	for i, e := range w.all()[first:] {
		took, most := w.reg.arrived[string(e.Header)].Sub(made[i]), 5*time.Second
		if lost < 0 && plan[i].kind == wire.KindForced {
			most = 0
		}
		if took > most {
			return fmt.Sprintf("entry %d comes after %v", i, took)
		}
	}
	waits := func(h happening) bool { return h.kind == wire.KindClosed }
	if want := batchesOf(plan, made); lost < 0 && batches != want && !slices.ContainsFunc(plan, waits) {
		return fmt.Sprintf("%d batches, not %d", batches, want)
	}
	return ""
}

// batchesOf returns how many batches entries make that are two seconds from the first of a batch at
// most, and end with an alarm.
func batchesOf(plan []happening, made []time.Time) (n int) {
	var end time.Time
	for i, at := range made {
		if at.After(end) {
			n, end = n+1, at.Add(2*time.Second)
		}
		if plan[i].kind == wire.KindForced {
			end = at
		}
	}
	return n
}
