// Package intake is the queue of entries that wait for the journal's writer: bounded, in the order
// of their counters, with the state of the disk.
//
// Append waits no longer than its context and never for a sick disk: the intake is degraded then,
// and entries wait in memory until a commit succeeds. When the queue is full, denials and faults
// are dropped first, and a gap entry counts what was dropped. Entries that follow a grant do not
// wake the writer: they ride with the next sync, at most 1.25 s later.
package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

var (
	// ErrQueued means that the context ended first: the entry is queued and will be written, but is
	// not durable yet.
	ErrQueued = errors.New("entry is queued, not durable yet")
	// ErrDegraded means that the journal can't make entries durable now and
	// that waiting is of no use. The entry is queued.
	ErrDegraded = errors.New("journal is degraded: entry is queued, not durable")
	// ErrDropped means that the queue was full, or space is short; a gap entry will
	// count it.
	ErrDropped = errors.New("entry dropped: the queue or the disk is full")
)

// Intake takes entries from any goroutine and gives them to one writer. All methods are safe for
// concurrent use; Take, Committed and GiveUp are the writer's.
type Intake struct {
	clock func() journaled.Stamp
	log   zerolog.Logger
	boot  uint64

	mu       sync.Mutex
	counter  uint64
	queue    queue
	held     held
	inflight []*Item // taken by the writer, not yet durable
	degraded bool
	reason   wire.Reason
	problem  string
	slow     slowness
	dropped  uint64
	tight    bool   // space is short: denials get at most half
	low, all uint64 // taken since space is short: denials, and all
}

// New makes the intake of a run with its boot number. It holds limit entries at most.
// clock is called for each entry, under a lock.
func New(boot uint64, limit int, clock func() journaled.Stamp, log zerolog.Logger) *Intake {
	return &Intake{boot: boot, clock: clock, log: log, queue: queue{limit: limit}, held: held{wake: make(chan struct{}, 1)}}
}

// State is the state of the intake at one moment.
type State struct {
	Boot     uint64      // number of this run
	Degraded bool        // entries can't be made durable
	Reason   wire.Reason // why
	Problem  string      // the reason in words, for a log
	// Passing is true while a slow disk is the reason for less than an hour. Who shows that tells when
	// somebody came in: hardly anything but a door waits for the disk.
	Passing bool
	Slow    bool   // on an earlier day since boot, within a week, the disk was slow
	Queued  int    // entries not yet durable
	Dropped uint64 // entries of this run that were dropped
}

// State returns the state.
func (in *Intake) State() State {
	in.mu.Lock()
	defer in.mu.Unlock()
	now := in.clock().BootTime
	return State{Boot: in.boot, Degraded: in.degraded, Reason: in.reason, Problem: in.problem, Queued: in.queue.len() + len(in.inflight), Dropped: in.dropped,
		Passing: in.passing(now), Slow: in.slow.known(now)}
}

// Wake returns the channel that receives when entries came, or after Poke.
func (in *Intake) Wake() <-chan struct{} { return in.held.wake }

// Poke wakes the writer.
func (in *Intake) Poke() {
	select {
	case in.held.wake <- struct{}{}:
	default:
	}
}

// Append takes one entry, fills in boot number, counter and times, and waits until it
// is durable. If ctx ends first the entry stays queued (ErrQueued), and if that was its
// deadline the intake is degraded until a commit succeeds: then Append returns at once
// with ErrDegraded. Other errors: a malformed entry, or ErrDropped; it has no Ref then.
func (in *Intake) Append(ctx context.Context, h wire.Header, who wire.Who) (*Item, error) {
	written := make(chan journaled.Written, 1)
	it, err := in.record(h, who, written)
	if err != nil {
		return it, err
	}
	select {
	case w := <-written:
		return it, w.Err
	case <-ctx.Done():
	}
	known := len(written) > 0 // both at once: its outcome counts
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		known = !in.Late(it.Ref)
	}
	if known {
		return it, (<-written).Err
	}
	return it, fmt.Errorf("%w: %w", ErrQueued, ctx.Err())
}

// Record takes one entry as Append does and waits for nothing: written gets the outcome, once, and
// must have room for it. An error says that there is nothing to wait for, and written gets nothing:
// ErrDegraded (the entry is queued), ErrDropped, or a malformed entry; without a Ref there is no entry.
func (in *Intake) Record(h wire.Header, who wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	it, err := in.record(h, who, written)
	return it.Ref, err
}

func (in *Intake) record(h wire.Header, who wire.Who, written chan<- journaled.Written) (*Item, error) {
	it, err := newItem(h, who)
	if err == nil {
		it.done = written
		err = in.put(it)
	}
	return it, err
}

// Late says that whoever waits for an entry waits no longer: it stays queued, and the intake is degraded
// until a commit succeeds. False: there is an outcome, and the channel has it.
func (in *Intake) Late(ref wire.Ref) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, list := range [][]*Item{in.inflight, in.queue.high, in.queue.low} {
		for _, it := range list {
			if it.Ref == ref && it.done != nil {
				it.done = nil
				in.degrade(wire.ReasonSlowDisk, context.DeadlineExceeded)
				return true
			}
		}
	}
	return false
}

// Queue takes one entry and waits for nothing. A malformed entry is logged
// and counts as nothing: its Ref is zero, as is that of a dropped one.
func (in *Intake) Queue(h wire.Header, who wire.Who) wire.Ref {
	it, err := newItem(h, who)
	if err == nil {
		err = in.put(it)
	}
	if err == nil || errors.Is(err, ErrDegraded) {
		return it.Ref
	}
	if !errors.Is(err, ErrDropped) {
		in.log.Error().Err(err).Str("kind", h.Kind.String()).Msg("journal: entry refused")
	}
	return wire.Ref{}
}

func (in *Intake) put(it *Item) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.overShare(it.low) {
		in.drop(&Item{}, wire.ReasonDiskFull)
		return ErrDropped
	}
	in.stamp(&it.Header)
	if err := it.seal(); err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	in.number(it)
	victim := in.queue.push(it)
	if victim == it {
		it.done = nil // it learns that at once
	}
	if victim != nil {
		in.drop(victim, wire.ReasonQueueFull)
	}
	in.arrived(it)
	switch {
	case victim == it:
		it.Ref = wire.Ref{}
		return ErrDropped
	case in.degraded:
		it.done = nil // nobody waits for it
		return ErrDegraded
	}
	return nil
}

// stamp sets boot number, counter and times. The caller holds mu.
func (in *Intake) stamp(h *wire.Header) {
	stamp := in.clock()
	h.Boot, h.Counter = in.boot, in.counter
	h.BootTime, h.Wall, h.Clock = stamp.BootTime, stamp.Wall, stamp.Quality
}

// number consumes the counter that stamp set. The caller holds mu.
func (in *Intake) number(it *Item) {
	it.Ref = wire.Ref{Boot: it.Header.Boot, Counter: it.Header.Counter}
	in.counter++
}

// own makes a numbered entry of the journal about itself. The caller holds mu.
func (in *Intake) own(h wire.Header) *Item {
	it := &Item{Header: h}
	in.stamp(&it.Header)
	in.number(it)
	return it
}

// Own makes an entry of the journal about itself that the writer puts into a file itself: it is
// numbered and never queued.
func (in *Intake) Own(h wire.Header) *Item {
	in.mu.Lock()
	defer in.mu.Unlock()
	it := in.own(h)
	it.mustSeal()
	return it
}

// Note queues an entry of the journal about itself.
func (in *Intake) Note(h wire.Header) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.note(h)
}

// note is Note for callers that hold mu.
func (in *Intake) note(h wire.Header) {
	it := in.own(h)
	if h.Kind == wire.KindGap {
		in.queue.gap = it
		in.queue.high = append(in.queue.high, it) // may exceed the limit, because there is only one
	} else if victim := in.queue.push(it); victim != nil {
		in.drop(victim, wire.ReasonQueueFull)
	}
	in.hurry()
}

// drop counts a dropped entry in the gap entry of this run of drops. The caller holds mu.
func (in *Intake) drop(victim *Item, reason wire.Reason) {
	n := uint64(1)
	if victim.Header.Kind == wire.KindGap {
		n = victim.Header.Count
		if in.queue.gap == victim {
			in.queue.gap = nil
		}
	} else {
		in.dropped++
	}
	if in.queue.gap == nil || in.queue.gap.Header.Reason != reason {
		in.note(wire.Header{Kind: wire.KindGap, Reason: reason})
	}
	in.queue.gap.Header.Count += n
	victim.finish(ErrDropped)
}

// Tight sets whether space is short: then denials and faults get at most half of what is written.
func (in *Intake) Tight(tight bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if tight && !in.tight {
		in.low, in.all = 0, 0
	}
	in.tight = tight
}

// overShare reports whether a denial or fault would take more than half of what
// is written while space is short. The caller holds mu.
func (in *Intake) overShare(low bool) bool {
	const head = 8 // the first few always pass
	if !in.tight {
		return false
	}
	if low && 2*(in.low+1) > in.all+1+head {
		return true
	}
	in.all++
	if low {
		in.low++
	}
	return false
}

// Degrade ends all waiting until a commit succeeds. A slow disk may turn out to be a sick one.
func (in *Intake) Degrade(reason wire.Reason, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.degrade(reason, err)
}

// degrade is Degrade for callers that hold mu.
func (in *Intake) degrade(reason wire.Reason, err error) {
	in.problem = err.Error()
	if in.degraded && (in.reason != wire.ReasonSlowDisk || reason == wire.ReasonSlowDisk) {
		return
	}
	now := in.clock().BootTime
	in.degraded, in.reason = true, reason
	if reason == wire.ReasonSlowDisk {
		in.slow.add(now)
	}
	in.log.WithLevel(in.level(zerolog.ErrorLevel)).Err(err).Str("reason", reason.String()).Msg("journal: degraded")
	for _, list := range [][]*Item{in.inflight, in.queue.low, in.queue.high} {
		finish(list, ErrDegraded)
	}
	in.note(wire.Header{Kind: wire.KindJournal, Outcome: wire.OutcomeActive, Reason: reason})
}

// Take gives the writer up to n entries, oldest first; they belong to it until Committed or GiveUp.
// None while all that are queued may wait; with all they may not.
func (in *Intake) Take(n int, all bool) []*Item {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.held.due && !all {
		return nil
	}
	in.inflight = in.queue.take(in.inflight, n)
	if in.queue.len() == 0 {
		in.emptied()
	}
	for _, it := range in.inflight {
		if it.Stored == nil {
			it.mustSeal()
		}
	}
	return in.inflight
}

// Committed reports that the taken entries are durable.
func (in *Intake) Committed() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.leave(nil)
	if !in.degraded {
		return
	}
	reason := in.reason
	in.log.WithLevel(in.level(zerolog.InfoLevel)).Msg("journal: entries are durable again")
	in.degraded, in.reason, in.problem = false, wire.ReasonNone, ""
	in.note(wire.Header{Kind: wire.KindJournal, Outcome: wire.OutcomeIdle, Reason: reason})
}

// GiveUp empties the queue and returns how many entries are lost.
func (in *Intake) GiveUp() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := len(in.inflight) + in.queue.len()
	in.inflight = in.queue.take(in.inflight, n)
	in.emptied()
	in.leave(ErrDegraded)
	return n
}

// leave reports the outcome of the taken entries, and keeps their memory for the next. The caller
// holds mu.
func (in *Intake) leave(err error) {
	finish(in.inflight, err)
	clear(in.inflight)
	in.inflight = in.inflight[:0]
}
