package entries

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/checkpoint"
	"gatehouse/sync/wire/journaled"
)

// Saver gives what the acks say to the journal. For one goroutine.
type Saver struct {
	o     Options
	held  heldNote  // the newest
	heard heldNote  // of the ack that was checked last; zero: it had no cosignature
	asks  time.Time // until then no hello follows an ack without one
	since time.Time // when an ack had one last
	lacks bool      // the entries that were confirmed last are not cosigned yet
}

// NewSaver begins with the checkpoint of an earlier run.
func NewSaver(o Options) *Saver {
	s := &Saver{o: o}
	s.load()
	return s
}

// Save takes an ack that was checked, and compared with the journal.
func (s *Saver) Save(k wire.Ack2) {
	at := PlaceOf(k)
	if k.Safe > 0 {
		s.o.Journal.Safe(journaled.Position{Epoch: k.Epoch, Sequence: min(k.Safe, k.Next)})
	}
	if at != s.o.Journal.Acked() {
		if err := s.o.Journal.Ack(at); err != nil {
			s.o.Log.Warn().Err(err).Msg("cursor of the uplink does not move") // the registry was rolled back
			return
		}
	}
	if s.heard.Size == 0 || !s.isNewer(k) {
		return
	}
	s.held = s.heard
	s.o.Journal.SetCosigned(s.held.Note(s.o.Key.Public().(ed25519.PublicKey), s.held.Sign(s.o.Key), s.held.by))
}

// AsksEvery is the least time between hellos that only ask for a cosignature. A registry may have other reasons not to
// give one, and for days.
const AsksEvery = 30 * time.Minute

// followsWithin is the longest time for which acks have no cosignature since one was soon before, with
// some reserve: a registry cosigns what grows every few seconds.
const followsWithin = 6 * time.Second

// Lacks notes whether the ack that confirmed entries had no cosignature.
func (s *Saver) Lacks(k wire.Ack2) { s.lacks = k.Cosignature == (wire.Signature{}) }

// AsksAt returns when a hello has to follow an ack without a cosignature; zero: none has to. A registry that was started
// anew cosigns nothing for a gateway before its first hello.
func (s *Saver) AsksAt() time.Time {
	if !s.lacks {
		return time.Time{}
	}
	if follows := s.since.Add(followsWithin); follows.After(s.asks) {
		return follows
	}
	return s.asks
}

// Asked notes that a hello follows.
func (s *Saver) Asked(now time.Time) { s.asks = now.Add(AsksEvery) }

// heldNote is the newest checkpoint that a witness cosigned; zero: none.
type heldNote struct {
	checkpoint.Checkpoint
	by checkpoint.Cosignature
}

// Newest returns the newest cosigned checkpoint, for the hello: a registry that was rolled back
// must not cosign below it. A note by a former witness's key is left out.
func (s *Saver) Newest() wire.Cosigned {
	for _, w := range s.o.Keyring.Trust().Keyset(wire.RoleWitness) {
		if s.held.Size > 0 && w.Public.Equal(s.held.by.Public) {
			return wire.Cosigned{Epoch: s.held.Epoch, Size: s.held.Size, Time: uint32(s.held.by.Time), Signature: s.held.by.Signature}
		}
	}
	return wire.Cosigned{}
}

// isNewer reports whether an ack goes beyond held: more of the same epoch, or the journal's newest
// epoch. Older epochs that are sent again don't count.
func (s *Saver) isNewer(k wire.Ack2) bool {
	switch {
	case s.held.Size == 0:
		return true
	case k.Epoch == s.held.Epoch:
		return k.Next > s.held.Size
	}
	return k.Epoch == s.o.Journal.Head().Epoch
}

// load takes the note of an earlier run. A damaged one, or one by a former witness's key, counts as
// none.
func (s *Saver) load() {
	text := s.o.Journal.Cosigned()
	if text == "" {
		return
	}
	c, w, err := checkpoint.ParseNote(text, s.o.Address, checkpoint.WitnessName(s.o.Registry), s.o.Keyring.Trust().Keyset(wire.RoleWitness))
	if err != nil {
		s.o.Log.Warn().Err(err).Msg("the cosigned checkpoint of the journal can't be used")
		return
	}
	s.held = heldNote{c, w}
}

var errCosignature = fmt.Errorf("%w: the witness's cosignature is not over what its ack says", wire.ErrBadSignature)

// Check refuses an ack with a wrong cosignature, before anything moves: what the registry is
// believed to have must be provable to strangers. An ack without a cosignature is the witness's
// word all the same: a registry that was rolled back, or whose clock was, must not cosign before it
// has caught up with what it cosigned.
func (s *Saver) Check(k wire.Ack2, now time.Time) error {
	s.heard = heldNote{}
	if k.Cosignature == (wire.Signature{}) {
		return nil
	}
	var ok bool
	if s.heard, ok = s.cosigned(k); !ok {
		return errCosignature
	}
	s.since, s.lacks = now, false
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
