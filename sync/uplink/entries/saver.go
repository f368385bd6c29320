package entries

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// saveEvery limits how often the cursor is written. Losing a write only means that the registry
// gets a batch twice.
const saveEvery = 200 * time.Millisecond

// Saver writes cursor and checkpoint behind the acks, in a goroutine of its own because an SD card
// is slow.
type Saver struct {
	o    Options
	wake chan struct{}

	mu   sync.Mutex
	ack  *wire.Ack2 // newest, not yet written
	held heldNote
}

// NewSaver reads the stored checkpoint; it writes nothing until Run.
func NewSaver(o Options) *Saver {
	s := &Saver{o: o, wake: make(chan struct{}, 1)}
	s.load()
	return s
}

// Save queues an ack, already compared with the journal, to be written.
func (s *Saver) Save(k wire.Ack2) {
	s.mu.Lock()
	s.ack = &k
	s.mu.Unlock()
	poke(s.wake)
}

// Run writes until ctx ends, then writes what is left.
func (s *Saver) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-s.wake:
			s.write()
			select {
			case <-ctx.Done():
			case <-time.After(saveEvery):
			}
		}
	}
	s.write()
}

func (s *Saver) write() {
	s.mu.Lock()
	k, held := s.ack, s.held
	s.ack = nil
	s.mu.Unlock()
	if k == nil {
		return
	}
	at := PlaceOf(*k)
	if k.Safe > 0 {
		if err := s.o.Journal.Safe(journaled.Position{Epoch: k.Epoch, Sequence: min(k.Safe, k.Next)}); err != nil {
			s.o.Log.Warn().Err(err).Msg("that entries are safe is not written")
		}
	}
	if at != s.o.Journal.Acked() {
		if err := s.o.Journal.Ack(at); err != nil {
			s.o.Log.Warn().Err(err).Msg("cursor of the uplink is not written") // the registry was set back, or a sick disk
			return
		}
	}
	if s.o.Checkpoint == "" || k.Cosignature == (wire.Signature{}) || !s.isNewer(*k, held) {
		return
	}
	held, ok := s.cosigned(*k)
	if !ok {
		s.o.Log.Warn().Msg("the witness's key was taken back: checkpoint not kept")
		return
	}
	s.mu.Lock()
	s.held = held
	s.mu.Unlock()
	note := held.Note(s.o.Key.Public().(ed25519.PublicKey), held.Sign(s.o.Key), held.by)
	if err := durable.WriteFile(s.o.Checkpoint, []byte(note), 0o600); err != nil {
		s.o.Log.Warn().Err(err).Msg("cosigned checkpoint is not written")
	}
}

// heldNote is the newest checkpoint that a witness cosigned; zero: none.
type heldNote struct {
	checkpoint.Checkpoint
	by checkpoint.Cosignature
}

// Newest returns the newest cosigned checkpoint, for the hello: a registry that was rolled back
// must not cosign below it. A note by a former witness's key is left out.
func (s *Saver) Newest() wire.Cosigned {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	for _, w := range s.o.Keyring.Trust().Keyset(wire.RoleWitness) {
		if held.Size > 0 && w.Public.Equal(held.by.Public) {
			return wire.Cosigned{Epoch: held.Epoch, Size: held.Size, Time: uint32(held.by.Time), Signature: held.by.Signature}
		}
	}
	return wire.Cosigned{}
}

// isNewer reports whether an ack goes beyond held: more of the same epoch, or the journal's newest
// epoch. Older epochs that are sent again don't count.
func (s *Saver) isNewer(k wire.Ack2, held heldNote) bool {
	switch {
	case held.Size == 0:
		return true
	case k.Epoch == held.Epoch:
		return k.Next > held.Size
	}
	return k.Epoch == s.o.Journal.Head().Epoch
}

// load reads the note of an earlier run. A damaged file, or a note by a former witness's key,
// counts as none.
func (s *Saver) load() {
	text, err := os.ReadFile(s.o.Checkpoint)
	if s.o.Checkpoint == "" || err != nil {
		return
	}
	c, w, err := checkpoint.ParseNote(string(text), s.o.Address, checkpoint.WitnessName(s.o.Registry), s.o.Keyring.Trust().Keyset(wire.RoleWitness))
	if err != nil {
		s.o.Log.Warn().Err(err).Str("file", s.o.Checkpoint).Msg("the cosigned checkpoint there can't be used")
		return
	}
	s.held = heldNote{c, w}
}

var errCosignature = fmt.Errorf("%w: the witness's cosignature is not over what its ack says", wire.ErrBadSignature)

// Check refuses an ack with a wrong cosignature, before anything moves: what the registry is
// believed to have must be provable to strangers. An ack without a cosignature is the witness's
// word all the same: a registry that was rolled back, or whose clock was, must not cosign before it
// has caught up with what it cosigned.
func (s *Saver) Check(k wire.Ack2) error {
	if _, ok := s.cosigned(k); !ok && k.Cosignature != (wire.Signature{}) {
		return errCosignature
	}
	return nil
}

// cosigned returns the checkpoint of an ack with the witness's signature.
func (s *Saver) cosigned(k wire.Ack2) (heldNote, bool) {
	c := checkpoint.Checkpoint{Address: s.o.Address, Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	for _, w := range s.o.Keyring.Trust().Keyset(wire.RoleWitness) {
		if c.VerifyCosignature(w.Public, uint64(k.Time), k.Cosignature) {
			return heldNote{c, checkpoint.Cosignature{Name: checkpoint.WitnessName(s.o.Registry), Public: w.Public, Time: uint64(k.Time), Signature: k.Cosignature}}, true
		}
	}
	return heldNote{}, false
}
