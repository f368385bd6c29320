package entries

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/tree"
	"gatehouse/sync/uplink/timing"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

const (
	startWindow = 4  // batches in flight until the registry says otherwise
	maxWindow   = 32 // keeps a link of 50 ms full, in 2 MiB
	// repeatAfter is when a batch that is not full is sent once more, unless it is confirmed:
	// sooner than where the registry stands is asked. One that takes its time is given twice what it took.
	repeatAfter = 1500 * time.Millisecond
	// mostKept is the longest timeout that outlasts an answer which came too late: a registry that was
	// away for long is not a slow one.
	mostKept = 4 * timing.FirstWait
	// forkFirst and forkMost bound the pause between new epochs, so that a registry that answers
	// nonsense can't fill the disk with them.
	forkFirst = time.Minute
	forkMost  = time.Hour
)

// Sending keeps batches until they are confirmed, and sends again from the last confirmed place
// when that takes too long.
type Sending struct {
	o Options

	cursor  journaled.Position // all before it is at the registry
	root    wire.Hash          // of the tree before the cursor, if batches were confirmed or agreed on up to there; else zero
	flight  []Batch            // in order from the cursor
	sent    int                // how many of flight were published since the last hello
	window  int
	paused  time.Time     // no batch is sent before this time
	again   time.Time     // when the sent batches count as lost
	repeat  time.Time     // when the only one is sent once more; zero: not at all
	wait    time.Duration // timeout of an answer; 0: the shortest
	took    time.Duration // what the registry takes to confirm a batch, as far as is known
	gap     *Batch        // the gap behind flight
	packing *packing      // nil: no position was agreed on yet
	seals   *seals

	forkDue  time.Time // no new epoch before this time
	forkWait time.Duration
}

// NewSending starts at the journal's acked position; it packs nothing until Resume.
func NewSending(o Options) Sending {
	if o.Batch <= 0 || o.Batch > wire.MaxBatch {
		o.Batch = BatchEntries
	}
	return Sending{o: o, cursor: o.Journal.Acked(), seals: &seals{o: o}}
}

// Cursor returns the position before which everything is at the registry.
func (s *Sending) Cursor() journaled.Position { return s.cursor }

// Begin sets a cursor that was lost, or never set, to the oldest entry.
func (s *Sending) Begin(oldest journaled.Position) {
	if s.cursor.Epoch == 0 {
		s.cursor = oldest // the registry's answer names what was delivered before the cursor was lost
	}
}

// Busy reports whether batches wait for their confirmation.
func (s *Sending) Busy() bool { return len(s.flight) > 0 }

// Gap returns where the entries continue behind the gap that follows flight.
func (s *Sending) Gap() (end journaled.Position, ok bool) {
	if s.gap == nil {
		return end, false
	}
	return s.gap.end, true
}

// Todo is a set of things that the sending of entries wants done.
type Todo uint8

const (
	Rest    Todo = iota
	Publish      // the batches of Next
	Repeat       // the batch of First
	Ask          // where the registry stands: what was sent counts as lost
	Leave        // the epoch, at the gap that has been reached
)

// Due returns what is to be done now while entries may be sent, and when to ask again.
func (s *Sending) Due(now time.Time) (do Todo, next time.Time) {
	switch {
	case now.Before(s.paused):
		return Rest, s.paused
	case s.sent > 0 && !now.Before(s.again):
		s.wait = timing.Backoff(s.wait, timing.FirstWait, timing.LongWait)
		return Ask, now
	case s.unread():
		return Ask, now
	case s.lone() && !s.repeat.IsZero() && !now.Before(s.repeat):
		s.repeat, s.took = time.Time{}, max(repeatAfter, 2*s.took)
		s.flight[0].twice = true
		return Repeat, s.again
	case len(s.flight) == 0 && s.gap != nil:
		return Leave, now
	case len(s.flight) == 0:
		s.packing.ask()
		return Rest, time.Time{}
	}
	return Publish, s.due()
}

// lone reports whether one batch is in flight, and none waits for it.
func (s *Sending) lone() bool { return len(s.flight) == 1 && s.sent == 1 }

// due returns when something is to be done if the batches are not confirmed.
func (s *Sending) due() time.Time {
	if !s.lone() {
		return s.again
	}
	return timing.Earlier(s.repeat, s.again)
}

// First returns the oldest batch that is not confirmed.
func (s *Sending) First() (envelope []byte) { return s.flight[0].envelope }

// Next returns the next batch that the window allows; nil: there is none.
func (s *Sending) Next(now time.Time) (envelope []byte) {
	if s.sent >= min(len(s.flight), s.window) {
		return nil
	}
	b := &s.flight[s.sent]
	if b.twice = !b.said.IsZero(); !b.twice {
		b.said = now
	}
	if s.sent == 0 {
		s.again, s.repeat = now.Add(s.timeout()), time.Time{}
		if s.wait == 0 && b.entries < s.o.Batch {
			s.repeat = now.Add(max(repeatAfter, 2*s.took))
		}
	}
	return b.envelope
}

// timeout is how long an answer may take.
func (s *Sending) timeout() time.Duration { return max(s.wait, timing.FirstWait) }

// learn takes how long the registry took to confirm a batch that was sent once. A slow one is given time: to
// send it everything twice, and to ask where it stands, would make it slower.
func (s *Sending) learn(took time.Duration) {
	s.took, s.wait = took, 0
	if 2*took > timing.FirstWait {
		s.wait = min(2*took, timing.LongWait)
	}
}

// Published notes that the batch of Next was published, and returns when something is to be done if
// it is not confirmed.
func (s *Sending) Published() (next time.Time) {
	s.sent++
	return s.due()
}

// Anew publishes the flight again after a new hello.
func (s *Sending) Anew() { s.sent = 0 }

// Packed returns the channel of packed batches; nil while the flight is full.
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

// SetWindow applies the registry's limit: how many batches may be in flight, or none for a while.
func (s *Sending) SetWindow(k wire.Ack2, now time.Time) {
	s.window = min(int(k.Window), maxWindow)
	if s.window == 0 {
		s.window = 1
		s.paused = now.Add(max(time.Second, time.Duration(k.RetryAfter)*time.Second))
		s.again = s.paused.Add(timing.FirstWait)
	}
}

// Hears takes what an ack says of contexts. One that was overtaken by another counts only as the
// answer to a hello.
func (s *Sending) Hears(k wire.Ack2, answer bool) {
	if answer || k.Epoch != s.cursor.Epoch || k.Next >= s.cursor.Sequence {
		s.seals.hear(k.Context)
	}
}

// unread reports whether the registry can't read a batch: it has lost the context of its seals.
func (s *Sending) unread() bool {
	return slices.ContainsFunc(s.flight, func(b Batch) bool { return s.seals.lacks(b.context) })
}

func PlaceOf(k wire.Ack2) journaled.Position {
	return journaled.Position{Epoch: k.Epoch, Sequence: k.Next}
}

// Confirmed moves the cursor over the batches that an ack confirms, and reports whether it moved.
// The root must be the one that was computed here.
func (s *Sending) Confirmed(k wire.Ack2, now time.Time) (moved bool) {
	for i, b := range s.flight {
		if b.end == PlaceOf(k) && b.root == k.Root {
			s.drop(i + 1)
			s.sent = max(0, s.sent-i-1)
			if s.forkWait = 0; !b.twice {
				s.learn(now.Sub(b.said))
			}
			s.again, s.repeat = now.Add(s.timeout()), time.Time{}
			return true
		}
	}
	return false
}

// Stands reports whether an ack is about what was confirmed already, and nothing else.
func (s *Sending) Stands(k wire.Ack2) bool {
	return PlaceOf(k) == s.cursor && k.Root == s.root && s.root != (wire.Hash{})
}

func (s *Sending) drop(n int) {
	s.cursor, s.root = s.flight[n-1].end, s.flight[n-1].root
	s.flight = append(s.flight[:0], s.flight[n:]...)
}

// Resume continues where both ends agree: behind some of the flight, or from another place; what the
// registry can't read is packed anew. moved: the cursor moved; over: it moved over batches.
func (s *Sending) Resume(ctx context.Context, at journaled.Position, r tree.Range) (moved, over bool) {
	s.sent = 0
	for i, b := range s.flight {
		if s.packing != nil && b.end == at && b.root == wire.Hash(r.Root()) {
			s.drop(i + 1)
			s.wait = min(s.wait, mostKept)
			moved, over = true, true
			break
		}
	}
	if s.packing == nil || at != s.cursor || s.unread() {
		moved = moved || s.packing == nil || at != s.cursor
		s.MoveTo(at)
		s.root = wire.Hash(r.Root())
		s.packing = startPacking(ctx, s.o, s.seals, at, r)
	}
	return moved, over
}

// MoveTo drops the flight and sets the cursor to another place, which the registry is to be asked
// about.
func (s *Sending) MoveTo(at journaled.Position) {
	s.Stop()
	s.cursor, s.root, s.flight, s.gap = at, wire.Hash{}, nil, nil
}

// End stops the packing for good, and forgets what opens the seals.
func (s *Sending) End() {
	s.Stop()
	s.seals.end()
}

// Stop stops the packing.
func (s *Sending) Stop() {
	if s.packing != nil {
		s.packing.end()
		s.packing = nil
	}
}

// InStep reports whether the registry has all entries of the journal.
func (s *Sending) InStep() bool { return s.o.Journal.Head().Position == s.cursor }

// LostEpoch reports whether the registry has nothing of an epoch that it once had: it lost its
// store, and may lack the epochs before as well. Those come first, so the oldest position is asked
// about; entries that it still has are not taken twice.
func (s *Sending) LostEpoch(at, oldest journaled.Position) bool {
	return at.Sequence == 0 && s.cursor.Sequence > 0 && oldest.Epoch != at.Epoch
}

// NewEpoch leaves the epoch of the journal: everything from a place on goes into a new one that
// cites the registry's head. It returns false where that fails, or where the last new epoch is too
// recent.
func (s *Sending) NewEpoch(ctx context.Context, from journaled.Position, k wire.Ack2, now time.Time) (at journaled.Position, ok bool) {
	if now.Before(s.forkDue) {
		return at, false
	}
	s.forkWait = timing.Backoff(s.forkWait, forkFirst, forkMost)
	s.forkDue = now.Add(s.forkWait)
	s.Stop()
	_ = s.o.Journal.Ack(from) // so that a crash from here on repeats less; the cursor may be there already, or farther
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
