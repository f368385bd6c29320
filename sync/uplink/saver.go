package uplink

import (
	"context"
	"crypto/ed25519"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// saveEvery bounds the writes of the cursor: one that is lost only means that
// the registry gets a batch twice.
const saveEvery = 200 * time.Millisecond

// saver writes cursor and checkpoint behind the acks, in its own goroutine: a
// card takes its time.
type saver struct {
	journal *journal.Journal
	keyring Keyring
	key     ed25519.PrivateKey
	path    string
	address string
	log     zerolog.Logger
	wake    chan struct{}

	mu  sync.Mutex
	ack *wire.Ack2 // newest, not yet written
}

func newSaver(a *actor) *saver {
	return &saver{journal: a.o.Journal, keyring: a.o.Keyring, key: a.o.Key, path: a.o.Checkpoint, address: a.address,
		log: a.o.Log, wake: make(chan struct{}, 1)}
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
	k := s.ack
	s.ack = nil
	s.mu.Unlock()
	if k == nil {
		return
	}
	at := journal.Position{Epoch: k.Epoch, Sequence: k.Next}
	if at == s.journal.Acked() {
		return
	}
	if err := s.journal.Ack(at); err != nil {
		s.log.Warn().Err(err).Msg("cursor of the uplink is not written") // the registry was set back, or a sick disk
		return
	}
	if s.path == "" {
		return
	}
	note, ok := s.note(*k)
	if !ok {
		s.log.Warn().Msg("the witness's cosignature of the journal does not verify: checkpoint not kept")
		return
	}
	if err := durable.WriteFile(s.path, []byte(note), 0o600); err != nil {
		s.log.Warn().Err(err).Msg("cosigned checkpoint is not written")
	}
}

// note returns the checkpoint with both signatures.
func (s *saver) note(k wire.Ack2) (string, bool) {
	reg := s.keyring.Registry()
	c := wire.Checkpoint{Address: s.address, Epoch: k.Epoch, Size: k.Next, Root: k.Root}
	for _, w := range reg.Trust.Keyset(wire.RoleWitness) {
		if c.Verify(w.Public, k.Cosignature) {
			return c.Note(
				wire.NoteSignature{Name: "gatehouse/" + s.address, Public: s.key.Public().(ed25519.PublicKey), Signature: c.Sign(s.key)},
				wire.NoteSignature{Name: "gatehouse/" + reg.Name, Public: w.Public, Signature: k.Cosignature}), true
		}
	}
	return "", false
}
