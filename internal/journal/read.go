package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

const maxFiles = 100_000 // bounds the walk over empty and vanished files

// entries implements Journal.Entries.
func (a *archive) entries(ctx context.Context, from Position, n int) (list journaled.Copies, next Position, err error) {
	if next, err = a.read(ctx, from, n, &list); err != nil || len(list) == 0 {
		return nil, next, err
	}
	return list, next, nil
}

// read implements Journal.Read.
func (a *archive) read(ctx context.Context, from Position, n int, to journaled.Taker) (Position, error) {
	for range maxFiles {
		to.Begin(0)
		if err := ctx.Err(); err != nil {
			return from, err
		}
		at, err := a.cat.Load().Locate(from)
		from = at.From
		if err != nil {
			return from, fmt.Errorf("read journal: %w", err)
		}
		if at.File.Path == "" {
			return from, nil
		}
		if !at.Last && at.File.End <= from.Sequence {
			from = at.Next // none of it counts any more
			continue
		}
		next, err := a.readFile(ctx, at, n, to)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, berrors.ErrDatabaseNotOpen):
			a.isGone(at.File, at.Last)
			continue // closed, packed or deleted meanwhile: look again
		case errors.Is(err, durable.ErrDamaged):
			a.o.Log.Error().Err(err).Msg("journal: damaged file found while reading")
			if at.Last {
				a.isSuspect(at)
				return from, fmt.Errorf("read journal: %w", err)
			}
			a.isDamaged(at.File)
			continue
		case err != nil:
			return from, fmt.Errorf("read journal: %w", err)
		case next > from.Sequence:
			return Position{Epoch: at.File.Epoch, Sequence: next}, nil
		case at.Last:
			return from, nil
		}
		from = at.Next
	}
	return from, errors.New("read journal: its files keep changing")
}

// each calls do with all entries of a log, those of the open file included. What they have is valid until it returns.
func each(ctx context.Context, a *archive, do func(Entry) error) error {
	const some = 500 // that the writer is held up for
	var batch journaled.Batch
	for at := (Position{}); ; {
		next, err := a.read(ctx, at, some, &batch)
		if err != nil || len(batch.List) == 0 {
			return err
		}
		for _, e := range batch.List {
			if err := do(e); err != nil {
				return err
			}
		}
		at = next
	}
}

// readFile reads up to n entries of one file, those that are not in it yet from memory. The place was
// taken before the file is read: what has come into the file since is in both, and nothing in neither.
func (a *archive) readFile(ctx context.Context, at catalogue.Place, n int, to journaled.Taker) (next uint64, err error) {
	next, end := at.From.Sequence, at.File.End
	to.Begin(int(min(uint64(n), end-next)))
	add := func(seq uint64, stored []byte) error { // the file was verified or written in this run
		if err := to.Take(Position{Epoch: at.File.Epoch, Sequence: seq}, stored); err != nil {
			return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
		}
		next = seq + 1
		return nil
	}
	ahead := at.Ahead
	if len(ahead.Stored) > 0 {
		end = ahead.First
	}
	if next < end {
		err = a.view(ctx, at.File, func(t segment.Tx) error { return t.Each(next, end, n, add) })
	}
	for most := at.From.Sequence + uint64(n); err == nil && next >= end && next < min(ahead.End(), most); {
		err = add(next, ahead.Stored[next-ahead.First])
	}
	return next, err
}

// treeOf implements Journal.Range.
func (a *archive) treeOf(ctx context.Context, p Position) (tree.Range, error) {
	r, err := a.growTo(ctx, p)
	if err != nil {
		return tree.Range{}, fmt.Errorf("tree of %s in epoch %016x: %w", amount.Of(p.Sequence, "entry"), p.Epoch, err)
	}
	return r, nil
}

func (a *archive) growTo(ctx context.Context, p Position) (tree.Range, error) {
	r, done, err := a.treeBefore(ctx, p)
	if done || err != nil {
		return r, err
	}
	if r, err = a.tiles().Grow(p.Epoch, r, p.Sequence); err != nil {
		return r, err
	}
	for r.Size() < p.Sequence {
		leaves, err := a.leaves(ctx, Position{Epoch: p.Epoch, Sequence: r.Size()}, int(min(p.Sequence-r.Size(), segment.TileLeaves)))
		if err != nil {
			return r, err
		}
		if len(leaves) == 0 {
			return r, fmt.Errorf("%w: entry %d is not here", ErrGone, r.Size())
		}
		r = r.AddAll(leaves)
	}
	return r, nil
}

// treeBefore returns the tree before the file that has p; with done it is that of p itself. For a
// file that can't be used it is empty.
func (a *archive) treeBefore(ctx context.Context, p Position) (r tree.Range, done bool, err error) {
	r, f, done, err := a.cat.Load().TreeBefore(p)
	if done || err != nil {
		return r, done, err
	}
	if f.Path == "" {
		return tree.Range{}, false, nil
	}
	err = a.view(ctx, f, func(t segment.Tx) error {
		s, err := t.Segment()
		r = s.Start
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, berrors.ErrDatabaseNotOpen) || errors.Is(err, durable.ErrDamaged) {
		return tree.Range{}, false, nil // deleted, closed or damaged, as entries finds out
	}
	return r, false, err
}

// leaves hashes up to n consecutive entries of one epoch; none where the first is not here.
func (a *archive) leaves(ctx context.Context, from Position, n int) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for len(leaves) < n {
		list, _, err := a.entries(ctx, from, min(n-len(leaves), segment.TileLeaves))
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Position != from {
				return leaves, nil // a gap, or the next epoch
			}
			leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
			from.Sequence++
		}
		if len(list) == 0 {
			break
		}
	}
	return leaves, nil
}
