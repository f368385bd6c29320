package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
)

// ErrAhead means a place behind the end of its epoch.
var ErrAhead = errors.New("behind the end of the epoch")

// Root returns the root of the tree over the first p.Sequence entries of an
// epoch. RFC 6962. The same as the root of Range.
func (j *Journal) Root(ctx context.Context, p Position) (tlog.Hash, error) {
	r, err := j.Range(ctx, p)
	return r.Root(), err
}

// Range returns the compact range over the first p.Sequence entries of an
// epoch. It starts from the tree that the entry file of that place begins
// with, and goes on with the leaf tiles and, where those end, the entries: some
// milliseconds, however long the journal is; up to 0.1 s more where tree.db was
// lost, and the time of one verification where nobody has read the file in this
// run. Of entries that were deleted it knows as much as there are tiles, and
// then takes 0.1 s for each million. ErrGone: the epoch or the leaves are not
// here. ErrAhead: the epoch ends before.
func (j *Journal) Range(ctx context.Context, p Position) (tree.Range, error) {
	r, err := j.rangeOf(ctx, p)
	if err != nil {
		return tree.Range{}, fmt.Errorf("tree of %s in epoch %016x: %w", amount.Of(p.Sequence, "entry"), p.Epoch, err)
	}
	return r, nil
}

func (j *Journal) rangeOf(ctx context.Context, p Position) (tree.Range, error) {
	r, done, err := j.rangeStart(ctx, p)
	if done || err != nil {
		return r, err
	}
	if r, err = addTiled(j.path(treeName), p.Epoch, r, p.Sequence); err != nil {
		return r, err
	}
	for r.Size() < p.Sequence {
		at := Position{p.Epoch, r.Size()}
		list, _, err := j.Entries(ctx, at, int(min(p.Sequence-r.Size(), tileLeaves)))
		if err != nil {
			return r, err
		}
		if len(list) == 0 || list[0].Position != at {
			return r, fmt.Errorf("%w: entry %d is not here", ErrGone, r.Size())
		}
		for _, e := range list {
			if e.Epoch != p.Epoch {
				break
			}
			r = r.Add(tree.LeafHash(e.Header, e.WhoHash[:]))
		}
	}
	return r, nil
}

// rangeStart returns the tree before the file that has p; with done it is that
// of p itself. A file that can't be used gives an empty one.
func (j *Journal) rangeStart(ctx context.Context, p Position) (r tree.Range, done bool, err error) {
	j.mu.Lock()
	var f file
	known, open := false, len(j.files) > 0
	for i, g := range j.files {
		if g.epoch != p.Epoch {
			continue
		}
		if i == len(j.files)-1 && j.cur != nil {
			g.end = j.next
			r, done = j.tree, j.next == p.Sequence
		}
		if g.first <= p.Sequence {
			f = g
		}
		known, err = true, nil
		if g.end < p.Sequence {
			err = fmt.Errorf("%w at %d", ErrAhead, g.end)
		}
	}
	j.mu.Unlock()
	switch {
	case !open:
		return r, false, errors.New("the journal is not open yet")
	case !known:
		return tree.Range{}, false, ErrGone
	case done || err != nil:
		return r, done, err
	case f.path == "":
		return tree.Range{}, false, nil
	}
	err = j.viewFile(ctx, f, func(tx *bolt.Tx) error {
		s, err := readSegment(tx)
		r = s.start
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, berrors.ErrDatabaseNotOpen) || errors.Is(err, durable.ErrDamaged) {
		return tree.Range{}, false, nil // deleted, closed or rotten: Entries finds out
	}
	return r, false, err
}
