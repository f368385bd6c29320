package uplink

import (
	"testing"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/journal/hints"
	"gatehouse/sync/uplink/entries"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
)

// heldBy reads the checkpoint that a gateway keeps; 0: none.
func (w *world) heldBy() (size uint64) {
	w.t.Helper()
	text := w.journal.Cosigned()
	if text == "" {
		return 0
	}
	c, _, err := checkpoint.ParseNote(text, "b/g", "gatehouse/registry", []wire.Key{{Public: publicOf(w.keys.witness)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Size
}

func (w *world) cosigning(f func(checkpoint.Checkpoint, uint32) wire.Signature) {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	w.reg.cosign = f
}

// TestCosignatureIsVerifiedFirst: an ack whose cosignature is over something else
// moves no cursor, whatever else is right about it.
func TestCosignatureIsVerifiedFirst(t *testing.T) {
	k := makeKeys()
	for name, f := range map[string]func(checkpoint.Checkpoint, uint32) wire.Signature{
		"another time":   func(c checkpoint.Checkpoint, at uint32) wire.Signature { return c.Cosign(k.witness, uint64(at)+1) },
		"another key":    func(c checkpoint.Checkpoint, at uint32) wire.Signature { return c.Cosign(k.issuer, uint64(at)) },
		"as a log signs": func(c checkpoint.Checkpoint, _ uint32) wire.Signature { return c.Sign(k.witness) },
		"another size": func(c checkpoint.Checkpoint, at uint32) wire.Signature {
			c.Size++
			return c.Cosign(k.witness, uint64(at))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				w.cosigning(f)
				w.append(5)
				if w.settle(time.Minute) || w.journal.Acked().Sequence != 0 {
					t.Fatalf("the cursor moved to %d", w.journal.Acked().Sequence)
				}
				w.cosigning(nil)
				if !w.settle(5 * time.Minute) {
					t.Error("no way on when the witness signs right again")
				}
			})
		})
	}
}

// TestAckWithoutCosignature: what is stored is stored; the checkpoint that can be
// shown to others stays the one before, also over a restart.
func TestAckWithoutCosignature(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		time.Sleep(time.Second)
		before := w.heldBy()
		w.cosigning(func(checkpoint.Checkpoint, uint32) wire.Signature { return wire.Signature{} })
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("an ack without a cosignature moves nothing")
		}
		time.Sleep(time.Second)
		if before == 0 || w.heldBy() != before {
			t.Errorf("the checkpoint of %d entries became one of %d", before, w.heldBy())
		}
		w.stop()
		w.startGateway()
		if !w.settle(time.Minute) {
			t.Fatal("not in step after a restart")
		}
		if c := w.reg.claimed(); c.Size != before || c.Epoch != w.journal.Acked().Epoch || c.Signature == (wire.Signature{}) {
			t.Errorf("the hello says that %d entries are cosigned, the file %d", c.Size, before)
		}
		w.cosigning(nil)
		w.append(1)
		if !w.settle(time.Minute) {
			t.Fatal("not in step after a restart")
		}
		time.Sleep(time.Second)
		if w.heldBy() <= before+5 {
			t.Errorf("cosigned through %d", w.heldBy())
		}
	})
}

// TestRegistryStartedAnew: a registry that cosigns nothing before a hello hears one as soon as it shows that, and no more
// than one where it has another reason.
func TestRegistryStartedAnew(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		time.Sleep(time.Minute) // else one that follows is expected
		before := w.greeted()
		heard := func() bool { return len(w.reg.hellos) > before } // the registry's lock is held
		w.cosigning(func(c checkpoint.Checkpoint, at uint32) (none wire.Signature) {
			if !heard() {
				return none
			}
			return c.Cosign(w.keys.witness, uint64(at))
		})
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		time.Sleep(time.Second)
		if w.heldBy() != w.journal.Acked().Sequence {
			t.Errorf("cosigned through %d of %d", w.heldBy(), w.journal.Acked().Sequence)
		}
		w.cosigning(func(checkpoint.Checkpoint, uint32) wire.Signature { return wire.Signature{} })
		time.Sleep(entries.AsksEvery)
		before = w.greeted()
		for range 10 {
			w.append(1)
			if !w.settle(time.Minute) {
				t.Fatal("not in step")
			}
		}
		if n := w.greeted() - before; n != 1 {
			t.Errorf("%d hellos for ten acks without a cosignature", n)
		}
	})
}

// TestRegistryStartedAnewAtOnce: where the ack before had a cosignature a moment ago, and nobody comes any more, the last
// entries of the evening don't wait for the next hello either.
func TestRegistryStartedAnewAtOnce(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		before := w.greeted()
		w.cosigning(func(c checkpoint.Checkpoint, at uint32) (none wire.Signature) {
			if len(w.reg.hellos) == before { // the registry's lock is held
				return none
			}
			return c.Cosign(w.keys.witness, uint64(at))
		})
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		time.Sleep(10 * time.Second)
		if w.heldBy() != w.journal.Acked().Sequence || w.greeted() != before+1 {
			t.Errorf("cosigned through %d of %d, %d hellos", w.heldBy(), w.journal.Acked().Sequence, w.greeted()-before)
		}
	})
}

// TestCosignatureFollows: an ack without a cosignature soon after one with it asks for nothing, and the
// checkpoint of one that follows is kept; one over another tree of that size is not.
func TestCosignatureFollows(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.cosigning(func(checkpoint.Checkpoint, uint32) (none wire.Signature) { return none })
		before, hellos := w.heldBy(), w.greeted()
		w.append(5)
		if !w.settle(time.Minute) || w.heldBy() != before {
			t.Fatalf("the checkpoint of %d entries became one of %d", before, w.heldBy())
		}
		w.reg.mu.Lock()
		w.reg.cosign = nil
		link := w.reg.broker.Connect(faultnet.Client{Name: "the registry's other link"})
		other := wire.Ack{Nonce: w.reg.nonce, Time: uint32(time.Now().Unix()), Epoch: w.journal.Acked().Epoch, Next: w.journal.Acked().Sequence, Root: wire.Hash{1}, Window: 4}
		other.Cosignature = checkpoint.Checkpoint{Address: w.reg.place.Address(), Epoch: other.Epoch, Size: other.Next, Root: other.Root}.Cosign(w.reg.witness, uint64(other.Time))
		w.reg.say(link, wire.TypeAck, other)
		w.reg.mu.Unlock()
		time.Sleep(time.Second)
		if w.heldBy() != before {
			t.Errorf("the checkpoint of another tree of %d entries is kept", w.heldBy())
		}
		w.reg.mu.Lock()
		w.reg.answer(link, w.journal.Acked().Epoch)
		w.reg.mu.Unlock()
		time.Sleep(time.Second)
		if w.heldBy() != w.journal.Acked().Sequence || w.greeted() != hellos {
			t.Errorf("cosigned through %d of %d, %d hellos", w.heldBy(), w.journal.Acked().Sequence, w.greeted()-hellos)
		}
	})
}

func (w *world) greeted() int {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	return len(w.reg.hellos)
}

// TestSafeMarkIsKept: what the registry says that it can't lose, and no more than it
// has, is the journal's, for erasing.
func TestSafeMarkIsKept(t *testing.T) {
	bubble(t, func(w *world) {
		w.reg.mu.Lock()
		w.reg.safe = 3
		w.reg.mu.Unlock()
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		is := func(want uint64) {
			t.Helper()
			w.stop()
			h, err := hints.Saved(w.dir)
			if err != nil || h.Safe.Epoch != w.journal.Acked().Epoch || h.Safe.Sequence != want {
				t.Errorf("kept %v, want %d, %v", h.Safe, want, err)
			}
			w.startGateway()
		}
		is(3)
		w.reg.mu.Lock()
		w.reg.safe = 1 << 40
		w.reg.mu.Unlock()
		w.append(5)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		is(w.journal.Acked().Sequence)
	})
}
