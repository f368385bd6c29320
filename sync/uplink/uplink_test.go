package uplink

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/journal/hints"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

func TestEverythingArrivesOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(60)
		if !w.settle(time.Minute) {
			t.Fatalf("not in step: %+v", w.uplink.Status())
		}
		w.append(1)
		if !w.settle(5 * time.Second) {
			t.Fatal("a live entry took more than 5 s")
		}
		if fault := w.same(); fault != "" {
			t.Fatal(fault)
		}
		if w.ring.floor == 0 {
			t.Error("the registry's time raised no floor")
		}
		w.stop()
		if got, want := w.journal.Acked(), w.journal.Status().Position; got.Epoch != want.Epoch || got.Sequence+1 < want.Sequence {
			t.Errorf("cursor is at %v, the journal at %v", got, want)
		}
	})
}

// TestGather: entries of one moment go in one message where they may wait for each
// other, and none goes beside another that is not confirmed.
func TestGather(t *testing.T) {
	bubble(t, func(w *world) {
		w.stop()
		w.gather = 50 * time.Millisecond
		w.startGateway()
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		for range 20 {
			before := 0
			w.reg.set(func(r *registry) { before = r.batches })
			for range 3 {
				w.journal.Queue(wire.Header{Kind: wire.KindOnline}, wire.Who{}) // one that is not held for a passage
				time.Sleep(10 * time.Millisecond)
			}
			if !w.settle(10 * time.Second) {
				t.Fatal("not in step")
			}
			w.reg.set(func(r *registry) {
				if r.batches != before+1 {
					t.Errorf("%d messages for the entries of one moment", r.batches-before)
				}
			})
		}
		if fault := w.same(); fault != "" {
			t.Fatal(fault)
		}
	})
}

// TestLateHello: a hello that the broker kept back comes when the next one has come.
// The registry takes it for the newest, and hears no other that was said before; the
// gateway does not say the same for ever.
func TestLateHello(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		greet := func(bad faultnet.Misdeeds) {
			w.broker.Set(bad)
			w.link.Cut()
			w.link.Restore()
			time.Sleep(500 * time.Millisecond)
			w.broker.Set(faultnet.Misdeeds{})
		}
		greet(faultnet.Misdeeds{Drop: 1})
		seen := w.broker.Seen()
		late := seen[slices.IndexFunc(seen[len(seen)-2:], func(m mqtt.Message) bool { return m.Topic == w.place.Up(wire.TypeHello) })+len(seen)-2]
		w.reg.set(func(r *registry) { r.silent = true })
		greet(faultnet.Misdeeds{})
		w.broker.Inject(late)
		synctest.Wait()
		w.reg.set(func(r *registry) { r.silent = false })
		w.append(1)
		if !w.settle(2 * time.Minute) {
			t.Fatalf("never in step again: %+v", w.uplink.Status())
		}
		if fault := w.same(); fault != "" {
			t.Fatal(fault)
		}
	})
}

// TestCheckpointIsCosigned: the note opens with both keys, by the library of
// others.
func TestCheckpointIsCosigned(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.stop() // the end of the journal writes it
		text, err := hints.Cosigned(w.dir)
		if err != nil {
			t.Fatal(err)
		}
		at := w.journal.Acked()
		log, err := note.NewVerifier(checkpoint.LogVKey(checkpoint.Checkpoint{Address: "b/g", Epoch: at.Epoch}.Origin(), publicOf(w.keys.gateway)))
		if err != nil {
			t.Fatal(err)
		}
		witness, err := formats.NewVerifierForCosignatureV1(checkpoint.WitnessVKey("gatehouse/registry", publicOf(w.keys.witness)))
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open([]byte(text), note.VerifierList(log, witness))
		if err != nil || len(n.Sigs) != 2 {
			t.Fatalf("%d signatures: %v\n%s", len(n.Sigs), err, text)
		}
	})
}
