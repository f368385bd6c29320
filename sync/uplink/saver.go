package uplink

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// saveEvery bounds the writes of the cursor: one that is lost only means that
// the registry gets a batch twice.
const saveEvery = 200 * time.Millisecond

// saver writes cursor and checkpoint behind the acks, in its own goroutine: a
// card takes its time.
type saver struct {
	journal  saverJournal
	keyring  interface{ Trust() wire.Trust }
	key      ed25519.PrivateKey
	path     string
	address  string
	registry string // its name
	log      zerolog.Logger
	wake     chan struct{}

	mu   sync.Mutex
	ack  *wire.Ack2 // newest, not yet written
	held heldNote
}

// saverJournal is the part of the journal that keeps the cursor.
type saverJournal interface {
	Head() Head
	Safe(Position) error
	Acked() Position
	Ack(Position) error
}

func newSaver(o Options) *saver {
	s := &saver{journal: o.Journal, keyring: o.Keyring, key: o.Key, path: o.Checkpoint, address: o.Place.Address(), registry: o.Registry,
		log: o.Log, wake: make(chan struct{}, 1)}
	s.load()
	return s
}

// save has the place of an ack written that was compared with the journal.
func (s *saver) save(k wire.Ack2) {
	s.mu.Lock()
	s.ack = &k
	s.mu.Unlock()
	poke(s.wake)
}

func (s *saver) run(ctx context.Context) {
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

func (s *saver) write() {
	s.mu.Lock()
	k, held := s.ack, s.held
	s.ack = nil
	s.mu.Unlock()
	if k == nil {
		return
	}
	at := placeOf(*k)
	if k.Safe > 0 {
		if err := s.journal.Safe(Position{Epoch: k.Epoch, Sequence: min(k.Safe, k.Next)}); err != nil {
			s.log.Warn().Err(err).Msg("that entries are safe is not written")
		}
	}
	if at != s.journal.Acked() {
		if err := s.journal.Ack(at); err != nil {
			s.log.Warn().Err(err).Msg("cursor of the uplink is not written") // the registry was set back, or a sick disk
			return
		}
	}
	if s.path == "" || k.Cosignature == (wire.Signature{}) || !s.isNewer(*k, held) {
		return
	}
	c, w, ok := s.cosigned(*k)
	if !ok {
		s.log.Warn().Msg("the witness's key was taken back: checkpoint not kept")
		return
	}
	s.mu.Lock()
	s.held = heldNote{c, w}
	s.mu.Unlock()
	note := c.Note(s.key.Public().(ed25519.PublicKey), c.Sign(s.key), w)
	if err := durable.WriteFile(s.path, []byte(note), 0o600); err != nil {
		s.log.Warn().Err(err).Msg("cosigned checkpoint is not written")
	}
}

// heldNote is the newest checkpoint that a witness cosigned; zero: none.
type heldNote struct {
	wire.Checkpoint
	by wire.Cosignature
}

// newest returns what is held, for the hello: a registry that was set back must not
// cosign below it. A key that is no witness's any more has no say.
func (s *saver) newest() wire.Cosigned {
	s.mu.Lock()
	held := s.held
	s.mu.Unlock()
	for _, w := range s.keyring.Trust().Keyset(wire.RoleWitness) {
		if held.Size > 0 && w.Public.Equal(held.by.Public) {
			return wire.Cosigned{Epoch: held.Epoch, Size: held.Size, Time: uint32(held.by.Time), Signature: held.by.Signature}
		}
	}
	return wire.Cosigned{}
}

// isNewer says whether an ack goes beyond what is held: more of the same epoch,
// or the newest epoch. Older epochs that are sent again don't count.
func (s *saver) isNewer(k wire.Ack2, held heldNote) bool {
	switch {
	case held.Size == 0:
		return true
	case k.Epoch == held.Epoch:
		return k.Next > held.Size
	}
	return k.Epoch == s.journal.Head().Epoch
}

// load reads what was held before this run. A file that is no such note, or by a
// key that is no witness's any more, counts as none.
func (s *saver) load() {
	text, err := os.ReadFile(s.path)
	if s.path == "" || err != nil {
		return
	}
	c, w, err := wire.ParseNote(string(text), s.address, wire.WitnessName(s.registry), s.keyring.Trust().Keyset(wire.RoleWitness))
	if err != nil {
		s.log.Warn().Err(err).Str("file", s.path).Msg("the cosigned checkpoint there can't be used")
		return
	}
	s.held = heldNote{c, w}
}

var errCosignature = fmt.Errorf("%w: the witness's cosignature is not over what its ack says", wire.ErrBadSignature)

// check is done before anything moves: what the registry is believed to have must be
// what strangers can be shown. An ack without a cosignature is the witness's word all
// the same: a registry that was set back, or whose clock was, must not cosign before it
// has caught up with what it cosigned.
func (s *saver) check(k wire.Ack2) error {
	if k.Cosignature == (wire.Signature{}) {
		return nil
	}
	if _, _, ok := s.cosigned(k); !ok {
		return errCosignature
	}
	return nil
}

// cosigned returns the checkpoint of an ack with the witness's signature.
func (s *saver) cosigned(k wire.Ack2) (wire.Checkpoint, wire.Cosignature, bool) {
	c := wire.Checkpoint{Address: s.address, Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	for _, w := range s.keyring.Trust().Keyset(wire.RoleWitness) {
		if c.VerifyCosignature(w.Public, uint64(k.Time), k.Cosignature) {
			return c, wire.Cosignature{Name: wire.WitnessName(s.registry), Public: w.Public, Time: uint64(k.Time), Signature: k.Cosignature}, true
		}
	}
	return c, wire.Cosignature{}, false
}
