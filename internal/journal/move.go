package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// headDetail is the size of what NewEpoch cites: epoch and size (8 bytes each,
// big-endian) and root (32).
const headDetail = 8 + headSize

// NewEpoch begins an epoch and appends to it again, as they are and in their
// order, all entries from a position to the end of the journal, also those
// that come while it works. It is for an uplink whose registry is ahead of this
// journal or has another root: the gateway was set back to an older image.
//
// The first entry of the new epoch is of kind epoch and cites the registry's
// head: epoch and size (8 bytes each, big-endian) and root (32). The epoch of
// from ends there, those after it end with nothing: Entries shows each entry
// once. The bytes of the old files stay ("gatehoused verify" reads them) until
// space needs them. from is where the uplink has to go on; the zero Position
// stands for the oldest entry. A cursor at or behind from moves to the start of
// the new epoch, which is returned; one before from stays where it is, and so
// does the zero one.
//
// The tail is copied in batches while the doors go on, into files that do not
// count yet. The writer then adds what came in the meantime, at most some two
// thousand entries, and one rename makes all of it count: whatever ends the
// process, afterwards there is the journal as it was or the new epoch whole. An
// attempt that failed leaves its epoch entry among the others. With an error
// the journal is as it was; only where the disk failed at that rename the next
// start of the files tells, and Status.Epoch with it.
//
// ErrGone: from is not here any more; take Status.Oldest. ErrAhead: from is
// behind the end of its epoch. ErrQueued,
// ErrDegraded, ErrDropped: the epoch entry could not be made durable. ENOSPC:
// no room for the copy. It works only while Run does, one call at a time, and
// writes as many bytes as the tail has: an uplink that calls it again and again
// wears the card out.
func (j *Journal) NewEpoch(ctx context.Context, from Position, detail []byte) (Position, error) {
	if !j.moving.TryLock() {
		return Position{}, errors.New("begin a new epoch: one is being made already")
	}
	defer j.moving.Unlock()
	p, err := j.newEpoch(ctx, from, detail)
	if err != nil {
		return Position{}, fmt.Errorf("begin a new epoch from %d in epoch %016x: %w", from.Sequence, from.Epoch, err)
	}
	return p, nil
}

func (j *Journal) newEpoch(ctx context.Context, from Position, detail []byte) (Position, error) {
	if len(detail) != headDetail {
		return Position{}, fmt.Errorf("detail of %d bytes, want %d", len(detail), headDetail)
	}
	from, reason, err := j.movable(from, detail)
	if err != nil {
		return Position{}, err
	}
	if err := j.roomFor(from); err != nil {
		return Position{}, err
	}
	// It goes into the old epoch first, so that its number is not missing if
	// this fails, and is the first in the new one.
	head := &item{header: wire.Header{Kind: wire.KindEpoch, Reason: reason, Detail: detail}}
	if err := j.append(ctx, head, wire.Who{}); err != nil {
		return Position{}, err
	}
	m := &move{j: j, epoch: random64(), from: from, at: from, head: head, done: make(chan error, 1)}
	j.setCopying(m.epoch)
	defer j.setCopying(0)
	if err = m.copyTail(ctx, batchMax); err == nil {
		err = m.hand(ctx)
	}
	if err != nil {
		m.discard(err)
		return Position{}, err
	}
	return Position{m.epoch, 0}, nil
}

// movable returns where a tail can begin, and why it has to.
func (j *Journal) movable(from Position, detail []byte) (Position, wire.Reason, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.files) == 0 {
		return from, 0, errors.New("the journal is not open yet")
	}
	has := func(p Position) bool {
		last := j.files[len(j.files)-1].epoch
		return p.Epoch == last && p.Sequence <= j.next || p.Epoch != last && p.Sequence <= j.endOf(p.Epoch)
	}
	reason := wire.ReasonAhead
	if has(Position{binary.BigEndian.Uint64(detail), binary.BigEndian.Uint64(detail[8:])}) {
		reason = wire.ReasonOtherRoot
	}
	if from == (Position{}) {
		return j.oldest(), reason, nil
	}
	from = j.settle(from)
	for _, f := range j.files {
		if f.epoch == from.Epoch && f.first <= from.Sequence {
			if !has(from) {
				return from, 0, ErrAhead
			}
			return from, reason, nil
		}
	}
	return from, 0, ErrGone
}

// roomFor refuses a copy that could take the space that the doors need.
func (j *Journal) roomFor(from Position) error {
	j.mu.Lock()
	var bytes int64
	found := false
	for _, f := range j.files {
		if found = found || f.epoch == from.Epoch && f.end > from.Sequence; found {
			bytes += fileBytes(f.path)
		}
	}
	j.mu.Unlock()
	free, _, err := j.room(j.o.Dir)
	if need := bytes + spareTimes*max(j.o.Ballast, 0); err == nil && free < need {
		return fmt.Errorf("%d bytes free, %d needed: %w", free, need, syscall.ENOSPC)
	}
	return err
}

func (j *Journal) copyingNow() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.copying
}

func (j *Journal) setCopying(epoch uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.copying = epoch
}

// move is an epoch that is being made out of the tail of others.
type move struct {
	j     *Journal
	epoch uint64
	from  Position
	at    Position // the next to be copied
	head  *item    // the first entry of the epoch; it stands in the tail, too
	files []file   // made so far, under the names that they will have
	made  int64    // of the last
	db    *bolt.DB // of the last
	tree  tree.Range
	done  chan error // the writer's answer
	doubt bool       // nobody knows whether the epochs file names it
}

// copyTail copies until at most rest entries are left.
func (m *move) copyTail(ctx context.Context, rest uint64) error {
	if m.db == nil {
		if err := m.put([][]byte{m.head.stored}, []tlog.Hash{m.head.leaf}); err != nil {
			return err
		}
	}
	for m.left() > rest {
		list, next, err := m.j.Entries(ctx, m.at, batchMax)
		if err == nil && len(list) == 0 {
			err = errors.New("its files can't be read now")
		}
		if err != nil {
			return err
		}
		stored, leaves := make([][]byte, 0, len(list)), make([]tlog.Hash, 0, len(list))
		for _, e := range list {
			b := e.Encode()
			if bytes.Equal(b, m.head.stored) {
				continue
			}
			stored, leaves = append(stored, b), append(leaves, tlog.RecordHash(e.Leaf()))
		}
		if err := m.put(stored, leaves); err != nil {
			return err
		}
		m.at = next
	}
	return nil
}

// left returns how many entries are to be copied; more than any limit while it
// stands in an epoch before the last.
func (m *move) left() uint64 {
	m.j.mu.Lock()
	defer m.j.mu.Unlock()
	if last := len(m.j.files) - 1; last < 0 || m.at.Epoch != m.j.files[last].epoch {
		return noEnd
	}
	return m.j.next - m.at.Sequence
}

// put writes entries into the last file, or a new one if that is full.
func (m *move) put(stored [][]byte, leaves []tlog.Hash) error {
	if len(stored) == 0 {
		return nil
	}
	if err := m.j.injected("copy"); err != nil {
		return err
	}
	last := len(m.files) - 1
	if last < 0 || m.tree.Size()-m.files[last].first >= m.j.o.MaxEntries {
		if err := m.begin(stored); err != nil {
			return err
		}
		m.tree = m.tree.AddAll(leaves)
		return nil
	}
	end := m.tree.AddAll(leaves)
	err := durable.Guard("write "+m.files[last].path+nextSuffix, func() error {
		return m.db.Update(func(tx *bolt.Tx) error {
			if err := putEntries(tx, m.tree.Size(), stored); err != nil {
				return err
			}
			return putHead(tx, end)
		})
	})
	if err == nil {
		m.tree = end
	}
	return err
}

// begin makes the next file, with its first entries.
func (m *move) begin(stored [][]byte) error {
	stamp := m.j.o.Clock()
	s := segment{epoch: m.epoch, start: m.tree}
	if stamp.Trusted {
		s.made = stamp.Wall
	}
	f := file{epoch: s.epoch, first: s.start.Size(), end: noEnd, path: m.j.path(fileName(s.epoch, s.start.Size())), checked: true, packed: true}
	if err := createSegment(f.path+nextSuffix, s, stored); err != nil {
		return err
	}
	db, err := openSegment(f.path+nextSuffix, false)
	if err != nil {
		return err
	}
	if m.db != nil {
		m.files[len(m.files)-1].end = f.first
		m.db.Close()
	}
	db.NoSync = m.j.noSync
	m.db, m.made, m.files = db, s.made, append(m.files, f)
	return nil
}
