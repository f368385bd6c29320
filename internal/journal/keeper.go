package journal

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

const flushTiles = 4 // tiles that are written in one go

// keeper is the one goroutine that does what may wait: it finds missing files, writes leaf tiles,
// rewrites closed files and watches the space.
type keeper struct {
	files   *archive
	anchors *anchors
	hints   *hints.File
	space   *space
	eraser  *erasing.Eraser
}

// run works when the writer pokes it, and checks the space once a minute; it writes nothing where
// there is nothing to do.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(k.files.o.KeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			k.files.report("keep how long files have been closed", k.eraser.Stop())
			return
		case <-k.files.work:
		case <-tick.C:
			k.files.in.Poke() // the writer checks the age of its file
		}
		k.files.report("look for missing files", k.survey(ctx))
		k.files.report("keep an anchor", k.anchors.keep(ctx))
		k.files.report("save hints", k.hints.Keep())
		k.files.report("write leaf tiles", k.writeTiles(ctx))
		k.files.report("rewrite closed files", k.packFiles(ctx))
		k.files.report("erase who parts", k.eraser.Round(ctx))
		k.files.report("look after space", k.space.round(ctx))
	}
}

// survey finds missing files, reports each once, and makes the epochs file name the existing ones.
func (k *keeper) survey(ctx context.Context) error {
	if k.files.cat.Load().Open == nil {
		return nil // the writer looks when it opens the files
	}
	d, err := k.files.scan()
	if err != nil {
		return err
	}
	if d.Bad {
		k.files.noteIndex(d)
		return k.files.rebuildIndex()
	}
	lost := d.Missing()
	if slices.Contains(lost, filepath.Base(k.files.cat.Load().Last().Path)) {
		k.files.in.Poke() // the writer goes on in another file, and has this done again
		return nil
	}
	for _, name := range lost {
		k.files.forget(k.files.path(name))
		k.files.o.Log.Error().Str("file", name).Msg("journal: a file is missing")
		k.files.losses.writeDown("files with entries are missing: they were deleted, or the disk lost them")
		// The loss counts as reported when its entry is durable.
		if _, err := k.files.in.Append(ctx, wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonMissing, Detail: []byte(name)}, wire.Who{}); err != nil {
			return err
		}
	}
	return k.files.storeNames("", lost)
}

// writeTiles writes the full tiles of the newest epoch that tree.db lacks, and those of older
// epochs whose entries are here.
func (k *keeper) writeTiles(ctx context.Context) error {
	now := k.files.cat.Load()
	for i, f := range now.Files {
		last := i == len(now.Files)-1
		if !last && now.Files[i+1].Epoch == f.Epoch {
			continue
		}
		size := f.End
		if last && now.Open != nil {
			size = now.Tree.Size()
		}
		if err := k.tileEpoch(ctx, f.Epoch, size, !last); err != nil {
			return err
		}
	}
	return nil
}

// tileEpoch writes the missing tiles of one epoch, some at a time: of a closed
// epoch all full ones, of the open one when a few have come together. size may
// be segment.NoEnd.
func (k *keeper) tileEpoch(ctx context.Context, epoch, size uint64, closed bool) error {
	const some = flushTiles * segment.TileLeaves
	tiles, want := k.files.tiles(), uint64(some)
	if closed {
		want = segment.TileLeaves
	}
	done, err := tiles.Frontier(epoch)
	for err == nil && (size == segment.NoEnd || size >= done.Size()+want) {
		leaves, err := k.files.leaves(ctx, Position{Epoch: epoch, Sequence: done.Size()}, some)
		if err != nil || len(leaves) < segment.TileLeaves {
			return err
		}
		if done, err = tiles.Add(epoch, done, leaves); err != nil {
			return err
		}
	}
	return err
}

// packFiles rewrites closed files that still have slack.
func (k *keeper) packFiles(ctx context.Context) error {
	for _, f := range k.files.cat.Load().Closed() {
		if f.Packed || ctx.Err() != nil {
			continue
		}
		if err := k.packFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) packFile(ctx context.Context, f catalogue.File) error {
	if err := k.files.checkClosed(ctx, f); err != nil {
		return err
	}
	k.files.upkeep.Lock()
	defer k.files.upkeep.Unlock()
	s, err := segment.Read(f.Path)
	if err == nil && (!s.Packed || f.Spoilt) {
		err = k.files.rewrite(ctx, f, nil)
	}
	if err == nil {
		k.files.mark(f, func(f *catalogue.File) { f.Packed, f.Spoilt = true, false })
	}
	return err
}
