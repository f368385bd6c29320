package fleet

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// journal is the log of a light gateway, in memory: of what the registry has, only the tree is kept.
// It is safe for concurrent use.
type journal struct {
	acks  *latencies // of entries: from Queue until the registry has signed for it
	epoch uint64

	mu       sync.Mutex
	counter  uint64
	acked    tree.Range // over the entries that the registry has
	whole    tree.Range
	waiting  []waiting     // the entries behind acked
	changed  chan struct{} // closed with the next entry
	cosigned string
}

type waiting struct {
	journaled.Entry
	at time.Time
}

func newJournal(acks *latencies) *journal {
	var epoch [8]byte
	_, _ = rand.Read(epoch[:]) // never fails
	return &journal{acks: acks, epoch: binary.BigEndian.Uint64(epoch[:]) | 1, changed: make(chan struct{})}
}

// boot is the number of a gateway's one run.
const boot = 1

// Queue appends an entry, which is durable as far as this journal is.
func (j *journal) Queue(h wire.Header, who wire.Who) wire.Ref {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := stamp()
	h.Boot, h.Counter = boot, j.counter
	h.BootTime, h.Wall, h.Clock = now.BootTime, now.Wall, now.Quality
	ref := wire.Ref{Boot: boot, Counter: j.counter}
	header, err := h.Encode()
	var named []byte
	if err == nil && who != (wire.Who{}) {
		named, err = who.Encode()
	}
	if err != nil {
		panic(err) // an entry of this program's own making
	}
	var salt [16]byte
	_, _ = rand.Read(salt[:])
	e := journaled.Entry{Position: journaled.Position{Epoch: j.epoch, Sequence: j.whole.Size()}, Stored: journaled.New(header, salt, named)}
	j.counter++
	j.whole = j.whole.Add(leafOf(e))
	j.waiting = append(j.waiting, waiting{e, time.Now()})
	close(j.changed)
	j.changed = make(chan struct{})
	return ref
}

func leafOf(e journaled.Entry) tlog.Hash { return tree.LeafHash(e.Header, e.WhoHash[:]) }

// made returns how many entries there are, and how many of them the registry has not signed for.
func (j *journal) made() (all uint64, unacked int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.whole.Size(), len(j.waiting)
}

// Head returns where the journal stands.
func (j *journal) Head() journaled.Head {
	j.mu.Lock()
	defer j.mu.Unlock()
	return journaled.Head{Position: journaled.Position{Epoch: j.epoch, Sequence: j.whole.Size()}, Root: wire.Hash(j.whole.Root()),
		Oldest: journaled.Position{Epoch: j.epoch, Sequence: j.acked.Size()}, Boot: boot}
}

// Entries returns entries from a position on that the registry does not have.
func (j *journal) Entries(_ context.Context, from journaled.Position, n int) (list []journaled.Entry, next journaled.Position, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := j.acked.Size()
	if from == (journaled.Position{}) {
		from = journaled.Position{Epoch: j.epoch, Sequence: first}
	}
	if err := j.has(from); err != nil {
		return nil, from, err
	}
	from.Sequence = max(from.Sequence, first)
	for _, w := range j.waiting[from.Sequence-first:][:min(n, len(j.waiting)-int(from.Sequence-first))] {
		list = append(list, w.Entry)
	}
	return list, journaled.Position{Epoch: j.epoch, Sequence: from.Sequence + uint64(len(list))}, nil
}

// has returns the error for a position that is not in the journal. j.mu is held.
func (j *journal) has(at journaled.Position) error {
	switch {
	case at.Epoch != j.epoch:
		return journaled.ErrGone
	case at.Sequence > j.whole.Size():
		return journaled.ErrAhead
	}
	return nil
}

// Changed returns a channel that is closed with the next entry.
func (j *journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Root returns the root of the tree before a position.
func (j *journal) Root(ctx context.Context, at journaled.Position) (tlog.Hash, error) {
	r, err := j.Range(ctx, at)
	return r.Root(), err
}

// Range returns the tree before a position, from the entries that the registry has on.
func (j *journal) Range(_ context.Context, at journaled.Position) (tree.Range, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.before(at)
}

// before is Range; j.mu is held.
func (j *journal) before(at journaled.Position) (r tree.Range, err error) {
	if err := j.has(at); err != nil {
		return r, err
	}
	r = j.acked
	if at.Sequence < r.Size() {
		return r, journaled.ErrGone
	}
	for _, w := range j.waiting[:at.Sequence-r.Size()] {
		r = r.Add(leafOf(w.Entry))
	}
	return r, nil
}

// Acked returns the position before which the registry has everything.
func (j *journal) Acked() journaled.Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return journaled.Position{Epoch: j.epoch, Sequence: j.acked.Size()}
}

// Ack forgets what the registry has signed for.
func (j *journal) Ack(at journaled.Position) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, err := j.before(at)
	if err != nil {
		return err
	}
	n := r.Size() - j.acked.Size()
	for _, w := range j.waiting[:n] {
		j.acks.add(time.Since(w.at))
	}
	j.acked, j.waiting = r, append([]waiting(nil), j.waiting[n:]...)
	return nil
}

// Safe does nothing: there is no disk to prune.
func (j *journal) Safe(journaled.Position) {}

// Cosigned returns the newest checkpoint that a witness cosigned.
func (j *journal) Cosigned() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cosigned
}

// SetCosigned keeps it.
// Before: it never leaves its epoch.
func (j *journal) Before(uint64) (end journaled.Position, ok bool) { return end, false }

func (j *journal) SetCosigned(note string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cosigned = note
}

// NewEpoch fails: nobody sets a light gateway back, so that a registry that says so is wrong.
func (j *journal) NewEpoch(context.Context, journaled.Position, []byte) (journaled.Position, error) {
	return journaled.Position{}, errors.New("the registry knows this journal otherwise, which was never rolled back")
}

// stamp is the time of an entry.
func stamp() journaled.Stamp {
	now := time.Now()
	return journaled.Stamp{BootTime: uint64(now.UnixNano()), Wall: now.UnixMilli(), Quality: wire.ClockNTP, Trusted: true}
}
