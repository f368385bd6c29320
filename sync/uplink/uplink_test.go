package uplink

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"gatehouse/sync/wire"
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

// TestCheckpointIsCosigned: the note opens with both keys, by the library of
// others.
func TestCheckpointIsCosigned(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		time.Sleep(time.Second)
		text, err := os.ReadFile(filepath.Join(w.dir, "checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		at := w.journal.Acked()
		log, err := note.NewVerifier(wire.LogVKey(wire.Checkpoint{Address: "b/g", Epoch: at.Epoch}.Origin(), publicOf(w.keys.gateway)))
		if err != nil {
			t.Fatal(err)
		}
		witness, err := formats.NewVerifierForCosignatureV1(wire.WitnessVKey("gatehouse/registry", publicOf(w.keys.witness)))
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(text, note.VerifierList(log, witness))
		if err != nil || len(n.Sigs) != 2 {
			t.Fatalf("%d signatures: %v\n%s", len(n.Sigs), err, text)
		}
	})
}
