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

// saveEvery bounds the writes of the cursor: one that is lost only means that
// the registry gets a batch twice.
const saveEvery = 200 * time.Millisecond

// Saver writes cursor and checkpoint behind the acks, in its own goroutine: a
// card takes its time.
type Saver struct {
	o    Options
	wake chan struct{}

	mu   sync.Mutex
	ack  *wire.Ack2 // newest, not yet written
	held heldNote
}

// NewSaver reads what was held before; it writes nothing until Run.
func NewSaver(o Options) *Saver {
	s := &Saver{o: o, wake: make(chan struct{}, 1)}
	s.load()
	return s
}

// Save has the place of an ack written that was compared with the journal.
func (s *Saver) Save(k wire.Ack2) {
	s.mu.Lock()
	s.ack = &k
	s.mu.Unlock()
	poke(s.wake)
}

// Run writes until ctx ends, and what is not written yet then.
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

// Newest returns what is held, for the hello: a registry that was set back must not
// cosign below it. A key that is no witness's any more has no say.
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

// isNewer says whether an ack goes beyond what is held: more of the same epoch,
// or the newest epoch. Older epochs that are sent again don't count.
func (s *Saver) isNewer(k wire.Ack2, held heldNote) bool {
	switch {
	case held.Size == 0:
		return true
	case k.Epoch == held.Epoch:
		return k.Next > held.Size
	}
	return k.Epoch == s.o.Journal.Head().Epoch
}

// load reads what was held before this run. A file that is no such note, or by a
// key that is no witness's any more, counts as none.
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

// Check is done before anything moves: what the registry is believed to have must be
// what strangers can be shown. An ack without a cosignature is the witness's word all
// the same: a registry that was set back, or whose clock was, must not cosign before it
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
