package journal

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
)

const (
	keepEvery  = time.Minute // where the options say nothing
	flushTiles = 4           // tiles that are written in one go
)

// keep does what may wait: leaf tiles, rewriting closed files, space. It works
// when the writer pokes it and looks at the space once a minute; where there is
// nothing to do it writes nothing.
func (j *Journal) keep(ctx context.Context) {
	tick := time.NewTicker(j.o.KeepEvery)
	defer tick.Stop()
	k := keeper{Journal: j}
	for {
		select {
		case <-ctx.Done():
			if k.aging.read && k.aging.boot > k.aging.saved {
				k.log("keep how long files have been closed", k.aging.save(k.o.Dir, true))
			}
			return
		case <-j.work:
		case <-tick.C:
			poke(j.wake) // the writer looks at the age of its file
		}
		k.log("look for missing files", k.survey(ctx))
		k.log("keep an anchor", k.keepAnchor(ctx))
		k.log("write leaf tiles", k.writeTiles(ctx))
		k.log("rewrite closed files", k.packFiles(ctx))
		k.log("erase who parts", k.eraseOld(ctx))
		k.log("look after space", k.space(ctx))
	}
}

type keeper struct {
	*Journal
	aging aging
	level int // highest threshold that was reported
}

func (k *keeper) log(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		k.o.Log.Error().Err(err).Msg("journal: can't " + what)
	}
}

// writeTiles writes the full tiles of the newest epoch that tree.db lacks, and
// those of older epochs whose entries are here.
func (k *keeper) writeTiles(ctx context.Context) error {
	k.mu.Lock()
	files, next := slices.Clone(k.files), k.next
	open := k.cur != nil
	k.mu.Unlock()
	for i, f := range files {
		last := i == len(files)-1
		if !last && files[i+1].epoch == f.epoch {
			continue
		}
		size := f.end
		if last && open {
			size = next
		}
		if err := k.tileEpoch(ctx, f.epoch, size, !last); err != nil {
			return err
		}
	}
	return nil
}

// tileEpoch writes the missing tiles of one epoch, some at a time: of a closed
// epoch all full ones, of the open one when a few have come together. size may
// be noEnd.
func (k *keeper) tileEpoch(ctx context.Context, epoch, size uint64, closed bool) error {
	path := k.path(treeName)
	done, err := tiledSize(path, epoch)
	if err != nil {
		return err
	}
	for {
		want := uint64(flushTiles * tileLeaves)
		if closed {
			want = tileLeaves
		}
		if size != noEnd && size < done.Size()+want {
			return nil
		}
		leaves, err := k.leaves(ctx, Position{epoch, done.Size()}, flushTiles*tileLeaves)
		if err != nil || len(leaves) < tileLeaves {
			return err
		}
		t, err := openTiles(path, false)
		if err != nil {
			return err
		}
		if done, err = t.add(epoch, done, leaves); err != nil {
			t.close(err)
			return err
		}
		t.close(nil)
	}
}

// tiledSize returns the tree of an epoch as tree.db has it.
func tiledSize(path string, epoch uint64) (f tree.Range, err error) {
	t, err := openTiles(path, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrDamaged) {
		return tree.Range{}, nil
	}
	if err != nil {
		return tree.Range{}, err
	}
	f, err = t.frontier(epoch)
	t.close(err)
	if errors.Is(err, durable.ErrDamaged) {
		_, aside := durable.SetAside(path)
		return tree.Range{}, aside
	}
	return f, err
}

// leaves hashes up to n entries of one epoch that follow each other.
func (k *keeper) leaves(ctx context.Context, from Position, n int) ([]tlog.Hash, error) {
	var leaves []tlog.Hash
	for len(leaves) < n {
		list, _, err := k.Entries(ctx, from, min(n-len(leaves), tileLeaves))
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

// packFiles rewrites closed files that still have slack.
func (k *keeper) packFiles(ctx context.Context) error {
	k.mu.Lock()
	files, open := slices.Clone(k.files), k.cur != nil
	k.mu.Unlock()
	if open {
		files = files[:len(files)-1]
	}
	for _, f := range files {
		if f.packed || ctx.Err() != nil {
			continue
		}
		if err := k.packFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) packFile(ctx context.Context, f file) error {
	if err := k.check(ctx, f); err != nil {
		if errors.Is(err, durable.ErrDamaged) {
			k.isDamaged(f, false)
		}
		return err
	}
	k.upkeep.Lock()
	defer k.upkeep.Unlock()
	done, err := isPacked(f)
	if err == nil && (!done || f.spoilt) {
		err = rewrite(f, false, func(path string) error { return k.o.Verify(ctx, path) })
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.files {
		if k.files[i].path == f.path {
			k.files[i].packed, k.files[i].spoilt = true, false
		}
	}
	return nil
}

func isPacked(f file) (done bool, err error) {
	err = view(f.path, func(tx *bolt.Tx) error {
		s, err := readSegment(tx)
		done = s.packed
		return err
	})
	return done, err
}
