package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/sync/wire"
)

// NewEpoch begins an epoch and appends to it again, as they are and in their
// order, all entries from a position to the end of the journal, also those that come
// while it works: for an uplink whose registry is ahead of this journal or has another
// root, since the gateway was set back to an older image. Its first entry is of kind
// epoch and cites the registry's head, which detail is: epoch and size (8 bytes each,
// big-endian) and root (32).
//
// The epoch of from ends there, those after it end with nothing: Entries shows each
// entry once. The bytes of the old files stay until space needs them. The zero
// Position stands for the oldest entry. A cursor at or behind from moves to the start
// of the new epoch, which is returned; another stays where it is.
//
// The tail is copied in batches while the doors go on, into files that do not count
// yet. The writer adds what came in the meantime, at most some two thousand entries,
// and one rename makes all of it count: whatever ends the process, afterwards there is
// the journal as it was or the new epoch whole. With an error the journal is as it was,
// but for the epoch entry of the attempt; only where the disk failed at that rename the
// next start of the files tells, and Status.Epoch with it.
//
// ErrGone: from is not here any more; take Status.Oldest. ErrAhead: from is behind the
// end of its epoch. ErrQueued, ErrDegraded, ErrDropped: the epoch entry could not be
// made durable. ENOSPC: no space for the copy. It works only while Run does, one call
// at a time, and writes as many bytes as the tail has.
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
	now := j.cat.Load()
	from, err := now.Movable(from)
	if err != nil {
		return Position{}, err
	}
	if err := j.space.roomFor(now.Tail(from)); err != nil {
		return Position{}, err
	}
	reason := wire.ReasonAhead
	if now.Has(Position{Epoch: binary.BigEndian.Uint64(detail), Sequence: binary.BigEndian.Uint64(detail[8:])}) {
		reason = wire.ReasonOtherRoot
	}
	// It goes into the old epoch first, so that its number is not missing if
	// this fails, and is the first in the new one.
	first, err := j.in.Append(ctx, wire.Header{Kind: wire.KindEpoch, Reason: reason, Detail: detail}, wire.Who{})
	if err != nil {
		return Position{}, err
	}
	t := &tail{from: j.files, epoch: random64(), cut: from, at: from, head: first, done: make(chan error, 1)}
	j.files.copying.Store(t.epoch)
	defer j.files.copying.Store(0)
	if err = t.copy(ctx, batchMax); err == nil {
		err = j.hand(ctx, t)
	}
	if err != nil {
		t.discard(err)
		return Position{}, err
	}
	return Position{Epoch: t.epoch}, nil
}

// hand gives a copy to the writer and waits until it counts or is refused.
// If ctx ends while the writer is at it, the writer's answer counts.
func (j *Journal) hand(ctx context.Context, t *tail) error {
	j.tails <- t
	j.in.Poke()
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
	}
	select {
	case <-j.tails: // the writer has not seen it
		return ctx.Err()
	case err := <-t.done:
		return err
	}
}
