package uplink

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

const (
	startWindow = 4  // batches in flight until the registry says otherwise
	maxWindow   = 32 // keeps a link of 50 ms full, in 2 MiB
	// forkFirst and forkMost keep a registry that answers nonsense from filling
	// the disk with epochs.
	forkFirst = time.Minute
	forkMost  = time.Hour
)

// sending keeps batches until they are confirmed, and sends again from the last
// confirmed place when that takes too long.
type sending struct {
	journal sendingJournal
	packer  packer // as each packing begins
	log     zerolog.Logger

	cursor  Position // all before it is at the registry
	flight  []batch  // in order from the cursor
	sent    int      // how many of them were published since the last hello
	window  int
	paused  time.Time     // the registry takes none before
	again   time.Time     // when what was sent counts as lost
	wait    time.Duration // for an answer
	gap     *batch        // what follows the flight is gone
	packing *packing      // nil: no place was agreed on yet

	forkDue  time.Time // no new epoch before
	forkWait time.Duration
}

// sendingJournal is the part of the journal that is moved on from.
type sendingJournal interface {
	Head() Head
	Ack(Position) error
	NewEpoch(ctx context.Context, from Position, detail []byte) (Position, error)
}

// todo is what the sending of entries wants done.
type todo uint8

const (
	rest    todo = iota
	publish      // the batches that next returns
	ask          // anew where the registry stands: what was sent counts as lost
	leave        // the gap that has been reached
)

// due returns what is to be done now while entries may be sent, and when to ask
// again.
func (s *sending) due(now time.Time) (do todo, next time.Time) {
	switch {
	case now.Before(s.paused):
		return rest, s.paused
	case s.sent > 0 && !now.Before(s.again):
		s.wait = backoff(s.wait, firstWait, longWait)
		return ask, now
	case len(s.flight) == 0 && s.gap != nil:
		return leave, now
	case len(s.flight) == 0:
		s.packing.ask()
		return rest, time.Time{}
	}
	return publish, s.again
}

// next returns the next batch that the window allows; nil: there is none.
func (s *sending) next(now time.Time) (envelope []byte) {
	if s.sent >= min(len(s.flight), s.window) {
		return nil
	}
	if s.sent == 0 {
		s.again = now.Add(max(s.wait, firstWait))
	}
	return s.flight[s.sent].envelope
}

// packed is where the next batch comes from; nil while there is no room.
func (s *sending) packed() <-chan batch {
	if s.packing == nil || s.gap != nil || len(s.flight) >= max(s.window, 1) {
		return nil
	}
	return s.packing.out
}

// take takes a batch that was packed.
func (s *sending) take(b batch) {
	s.packing.asked = false
	if b.gap {
		s.gap = &b
		return
	}
	s.flight = append(s.flight, b)
}

// setWindow follows the registry's wish: how many batches, or none for a while.
func (s *sending) setWindow(k wire.Ack2, now time.Time) {
	s.window = min(int(k.Window), maxWindow)
	if s.window == 0 {
		s.window = 1
		s.paused = now.Add(max(time.Second, time.Duration(k.RetryAfter)*time.Second))
		s.again = s.paused.Add(firstWait)
	}
}

func placeOf(k wire.Ack2) Position {
	return Position{Epoch: k.Epoch, Sequence: k.Next}
}

// confirmed moves the cursor over the batches that an ack confirms, if it does. The
// root must be the one that was computed here.
func (s *sending) confirmed(k wire.Ack2, now time.Time) (moved bool) {
	for i, b := range s.flight {
		if b.end == placeOf(k) && b.root == k.Root {
			s.drop(i + 1)
			s.sent = max(0, s.sent-i-1)
			s.wait, s.forkWait = 0, 0
			s.again = now.Add(firstWait)
			return true
		}
	}
	return false
}

// drop moves the cursor over n batches.
func (s *sending) drop(n int) {
	s.cursor = s.flight[n-1].end
	s.flight = append(s.flight[:0], s.flight[n:]...)
}

// resume goes on where both ends agree: behind some of the flight, or anew from
// there. It reports whether the cursor was moved, and whether over batches.
func (s *sending) resume(ctx context.Context, at Position, r tree.Range) (moved, over bool) {
	s.sent = 0
	for i, b := range s.flight {
		if s.packing != nil && b.end == at && b.root == wire.Hash(r.Root()) {
			s.drop(i + 1)
			s.wait = 0
			return true, true
		}
	}
	if at == s.cursor && s.packing != nil {
		return false, false
	}
	s.stop()
	s.cursor, s.flight, s.gap = at, nil, nil
	s.packing = s.packer.start(ctx, at, r)
	return true, false
}

// moveTo forgets what was packed: another place is to be asked about first.
func (s *sending) moveTo(at Position) {
	s.stop()
	s.cursor, s.flight, s.gap = at, nil, nil
}

// stop stops the packing.
func (s *sending) stop() {
	if s.packing != nil {
		s.packing.end()
		s.packing = nil
	}
}

// inStep says whether the registry has all that is here.
func (s *sending) inStep() bool { return s.journal.Head().Position == s.cursor }

// lostEpoch says whether the registry has nothing of an epoch of which it had
// something: it lost its store, and may lack the epochs before as well. Those
// come first, so the oldest is asked about; what is there is not taken twice.
func (s *sending) lostEpoch(at, oldest Position) bool {
	return at.Sequence == 0 && s.cursor.Sequence > 0 && oldest.Epoch != at.Epoch
}

// newEpoch leaves the epoch of the journal: everything from a place on goes into a
// new one that cites what the registry has. It returns false where that can't be
// done, or was done too short a time ago.
func (s *sending) newEpoch(ctx context.Context, from Position, k wire.Ack2, now time.Time) (at Position, ok bool) {
	if now.Before(s.forkDue) {
		return at, false
	}
	s.forkWait = backoff(s.forkWait, forkFirst, forkMost)
	s.forkDue = now.Add(s.forkWait)
	s.stop()
	_ = s.journal.Ack(from) // so that a crash from here on repeats less; it may be there already, or farther
	cite := binary.BigEndian.AppendUint64(nil, k.Epoch)
	cite = append(binary.BigEndian.AppendUint64(cite, k.Next), k.Root[:]...)
	at, err := s.journal.NewEpoch(ctx, from, cite)
	if errors.Is(err, ErrGone) {
		at, err = s.journal.NewEpoch(ctx, s.journal.Head().Oldest, cite)
	}
	if err != nil {
		s.log.Error().Err(err).Msg("new epoch of the journal can't be made; it is tried again")
	}
	return at, err == nil
}
