package journal

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/sync/wire"
)

// Status is a view of the journal at one moment.
type Status struct {
	Position             // of the next entry; its sequence is the size of the tree
	Root     tlog.Hash   // of the tree at that size
	Oldest   Position    // of the oldest entry that is still there
	Acked    Position    // everything before it is at the registry
	Boot     uint64      // number of this run
	Degraded bool        // entries can't be made durable
	Reason   wire.Reason // why
	Problem  string      // the same for a log
	Queued   int         // entries not yet durable
	Dropped  uint64      // entries of this run that found no room
	Bytes    int64       // of the folder, without the ballast
	Percent  int         // of Options.MaxBytes
	Disk     int         // percent of the file system in use
	Spent    bool        // the ballast was given up, and there is no room to make it again
}

// Status returns the state of the journal.
func (j *Journal) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Status{
		Root: j.tree.Root(), Acked: j.acked, Boot: j.boot, Degraded: j.degraded, Reason: j.reason,
		Problem: j.problem, Queued: j.queue.len() + len(j.inflight), Dropped: j.dropped,
		Bytes: j.bytes, Percent: j.percent, Disk: j.disk, Spent: j.spent,
	}
	if len(j.files) > 0 {
		s.Position = Position{j.files[len(j.files)-1].epoch, j.next}
		s.Oldest = j.oldest()
	}
	return s
}

// oldest returns the first position that counts. The caller holds mu, and there
// are files.
func (j *Journal) oldest() Position {
	for _, f := range j.files {
		if f.first < f.end {
			return Position{f.epoch, f.first}
		}
	}
	return Position{j.files[len(j.files)-1].epoch, j.next}
}

// settle moves a position at or behind the end of its epoch to the start of the
// next one that has entries: all before it is the same. The caller holds mu.
func (j *Journal) settle(p Position) Position {
	last := -1
	for i, f := range j.files {
		if f.epoch == p.Epoch {
			last = i
		}
	}
	if last < 0 || last == len(j.files)-1 || p.Sequence < j.files[last].end {
		return p
	}
	for _, f := range j.files[last+1:] {
		if f.first < f.end {
			return Position{f.epoch, f.first}
		}
	}
	return p
}

// Changed returns a channel that is closed when the next entries are durable.
// Take it before reading, so that nothing falls between.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Acked returns the cursor of the uplink: all entries before it are at the
// registry. Zero before the first Ack. The end of an epoch and the start of the
// next are the same place; it is given as the latter once the files are open.
func (j *Journal) Acked() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.acked
}

// Ack moves the cursor of the uplink and returns when that is durable. It only
// moves forward: a place in an earlier epoch, or earlier in the same, is an
// error. ErrAhead: this journal has not written so far, or has appended it again
// since (see NewEpoch). ErrGone: the epoch is not here.
func (j *Journal) Ack(p Position) error {
	j.upkeep.Lock()
	defer j.upkeep.Unlock()
	j.mu.Lock()
	err := j.ackable(p)
	j.mu.Unlock()
	if err != nil {
		return fmt.Errorf("move cursor of the uplink to %d in epoch %016x: %w", p.Sequence, p.Epoch, err)
	}
	if err := writePosition(j.path(ackedName), p); err != nil {
		return fmt.Errorf("move cursor of the uplink: %w", err)
	}
	j.mu.Lock()
	j.acked = j.settle(p)
	j.mu.Unlock()
	return nil
}

// endOf returns where an earlier epoch ended; noEnd if nobody knows, 0 if it is
// not here. The caller holds mu.
func (j *Journal) endOf(epoch uint64) (end uint64) {
	for _, f := range j.files {
		if f.epoch == epoch {
			end = f.end
		}
	}
	return end
}

func (j *Journal) ackable(p Position) error {
	place := func(epoch uint64) int {
		for i, f := range j.files {
			if f.epoch == epoch {
				return i
			}
		}
		return -1
	}
	last := len(j.files) - 1
	switch at := place(p.Epoch); {
	case at < 0:
		return ErrGone
	case p.Epoch == j.files[last].epoch && p.Sequence > j.next, p.Epoch != j.files[last].epoch && p.Sequence > j.endOf(p.Epoch):
		return ErrAhead
	case p.Epoch == j.acked.Epoch && p.Sequence < j.acked.Sequence, at < place(j.acked.Epoch):
		return errors.New("it would go back")
	}
	return nil
}
