package entries

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

const (
	startWindow = 4  // batches in flight until the registry says otherwise
	maxWindow   = 32 // keeps a link of 50 ms full, in 2 MiB
	// forkFirst and forkMost keep a registry that answers nonsense from filling
	// the disk with epochs.
	forkFirst = time.Minute
	forkMost  = time.Hour
)

// Sending keeps batches until they are confirmed, and sends again from the last
// confirmed place when that takes too long.
type Sending struct {
	o Options

	cursor  journaled.Position // all before it is at the registry
	flight  []Batch            // in order from the cursor
	sent    int                // how many of them were published since the last hello
	window  int
	paused  time.Time     // the registry takes none before
	again   time.Time     // when what was sent counts as lost
	wait    time.Duration // for an answer
	gap     *Batch        // what follows the flight is gone
	packing *packing      // nil: no place was agreed on yet

	forkDue  time.Time // no new epoch before
	forkWait time.Duration
}

// NewSending sends from where the journal was acked; it packs nothing until Resume.
func NewSending(o Options) Sending {
	if o.Batch <= 0 || o.Batch > wire.MaxBatch {
		o.Batch = BatchEntries
	}
	return Sending{o: o, cursor: o.Journal.Acked()}
}

// Cursor is the place before which everything is at the registry.
func (s *Sending) Cursor() journaled.Position { return s.cursor }

// Begin sets a cursor that was lost, or never was, to the oldest entry.
func (s *Sending) Begin(oldest journaled.Position) {
	if s.cursor.Epoch == 0 {
		s.cursor = oldest // what was delivered before the cursor was lost is named by the answer
	}
}

// Busy reports whether batches wait for their confirmation.
func (s *Sending) Busy() bool { return len(s.flight) > 0 }

// Gap returns where the entries begin again behind a gap that the flight has reached.
func (s *Sending) Gap() (end journaled.Position, ok bool) {
	if s.gap == nil {
		return end, false
	}
	return s.gap.end, true
}

// Todo is what the sending of entries wants done.
type Todo uint8

const (
	Rest    Todo = iota
	Publish      // the batches that Next returns
	Ask          // anew where the registry stands: what was sent counts as lost
	Leave        // the gap that has been reached
)

// Due returns what is to be done now while entries may be sent, and when to ask
// again.
func (s *Sending) Due(now time.Time) (do Todo, next time.Time) {
	switch {
	case now.Before(s.paused):
		return Rest, s.paused
	case s.sent > 0 && !now.Before(s.again):
		s.wait = timing.Backoff(s.wait, timing.FirstWait, timing.LongWait)
		return Ask, now
	case len(s.flight) == 0 && s.gap != nil:
		return Leave, now
	case len(s.flight) == 0:
		s.packing.ask()
		return Rest, time.Time{}
	}
	return Publish, s.again
}

// Next returns the next batch that the window allows; nil: there is none.
func (s *Sending) Next(now time.Time) (envelope []byte) {
	if s.sent >= min(len(s.flight), s.window) {
		return nil
	}
	if s.sent == 0 {
		s.again = now.Add(max(s.wait, timing.FirstWait))
	}
	return s.flight[s.sent].envelope
}

// Published notes that the batch of Next was published, and returns when all that was
// counts as lost.
func (s *Sending) Published() (lost time.Time) {
	s.sent++
	return s.again
}

// Anew has the flight published again: a new hello was said.
func (s *Sending) Anew() { s.sent = 0 }

// Packed is where the next batch comes from; nil while there is no room.
func (s *Sending) Packed() <-chan Batch {
	if s.packing == nil || s.gap != nil || len(s.flight) >= max(s.window, 1) {
		return nil
	}
	return s.packing.out
}

// Take takes a batch that was packed.
func (s *Sending) Take(b Batch) {
	s.packing.asked = false
	if b.gap {
		s.gap = &b
		return
	}
	s.flight = append(s.flight, b)
}

// SetWindow follows the registry's wish: how many batches, or none for a while.
func (s *Sending) SetWindow(k wire.Ack2, now time.Time) {
	s.window = min(int(k.Window), maxWindow)
	if s.window == 0 {
		s.window = 1
		s.paused = now.Add(max(time.Second, time.Duration(k.RetryAfter)*time.Second))
		s.again = s.paused.Add(timing.FirstWait)
	}
}

func PlaceOf(k wire.Ack2) journaled.Position {
	return journaled.Position{Epoch: k.Epoch, Sequence: k.Next}
}

// Confirmed moves the cursor over the batches that an ack confirms, if it does. The
// root must be the one that was computed here.
func (s *Sending) Confirmed(k wire.Ack2, now time.Time) (moved bool) {
	for i, b := range s.flight {
		if b.end == PlaceOf(k) && b.root == k.Root {
			s.drop(i + 1)
			s.sent = max(0, s.sent-i-1)
			s.wait, s.forkWait = 0, 0
			s.again = now.Add(timing.FirstWait)
			return true
		}
	}
	return false
}

// drop moves the cursor over n batches.
func (s *Sending) drop(n int) {
	s.cursor = s.flight[n-1].end
	s.flight = append(s.flight[:0], s.flight[n:]...)
}

// Resume goes on where both ends agree: behind some of the flight, or anew from
// there. It reports whether the cursor was moved, and whether over batches.
func (s *Sending) Resume(ctx context.Context, at journaled.Position, r tree.Range) (moved, over bool) {
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
	s.MoveTo(at)
	s.packing = startPacking(ctx, s.o, at, r)
	return true, false
}

// MoveTo forgets what was packed: another place is to be asked about first.
func (s *Sending) MoveTo(at journaled.Position) {
	s.Stop()
	s.cursor, s.flight, s.gap = at, nil, nil
}

// Stop stops the packing.
func (s *Sending) Stop() {
	if s.packing != nil {
		s.packing.end()
		s.packing = nil
	}
}

// InStep says whether the registry has all that is here.
func (s *Sending) InStep() bool { return s.o.Journal.Head().Position == s.cursor }

// LostEpoch says whether the registry has nothing of an epoch of which it had
// something: it lost its store, and may lack the epochs before as well. Those
// come first, so the oldest is asked about; what is there is not taken twice.
func (s *Sending) LostEpoch(at, oldest journaled.Position) bool {
	return at.Sequence == 0 && s.cursor.Sequence > 0 && oldest.Epoch != at.Epoch
}

// NewEpoch leaves the epoch of the journal: everything from a place on goes into a
// new one that cites what the registry has. It returns false where that can't be
// done, or was done too short a time ago.
func (s *Sending) NewEpoch(ctx context.Context, from journaled.Position, k wire.Ack2, now time.Time) (at journaled.Position, ok bool) {
	if now.Before(s.forkDue) {
		return at, false
	}
	s.forkWait = timing.Backoff(s.forkWait, forkFirst, forkMost)
	s.forkDue = now.Add(s.forkWait)
	s.Stop()
	_ = s.o.Journal.Ack(from) // so that a crash from here on repeats less; it may be there already, or farther
	cite := binary.BigEndian.AppendUint64(nil, k.Epoch)
	cite = append(binary.BigEndian.AppendUint64(cite, k.Next), k.Root[:]...)
	at, err := s.o.Journal.NewEpoch(ctx, from, cite)
	if errors.Is(err, journaled.ErrGone) {
		at, err = s.o.Journal.NewEpoch(ctx, s.o.Journal.Head().Oldest, cite)
	}
	if err != nil {
		s.o.Log.Error().Err(err).Msg("new epoch of the journal can't be made; it is tried again")
	}
	return at, err == nil
}
