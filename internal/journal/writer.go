package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

const (
	batchMax  = 1000 // entries of one commit
	pokeEvery = 256  // entries after which the keeper is poked
	laterBy   = 1000 // entries after which a refused rotation is tried again
)

// writer is the one goroutine that commits.
type writer struct {
	files   *archive
	anchors *anchors
	space   *space
	tails   <-chan *tail     // copied tails
	retry   *backoff.Backoff // on a sick disk

	lock  *durable.Lock   // of the directory
	file  *segment.Writer // nil while none is open
	f     catalogue.File  // its entry in the catalogue
	tree  tree.Range      // as committed; its size is the next sequence
	later uint64          // sequence before which no rotation is tried
	cite  *ending         // set when the open epoch was given up
	begun uint64          // epoch that may have begun; 0: none
}

// loop commits until ctx ends and nothing is left to write.
func (w *writer) loop(ctx context.Context) {
	for {
		batch := w.take(ctx)
		if len(batch) == 0 {
			return
		}
		if !w.persist(ctx, batch) {
			w.files.o.Log.Error().Int("entries", w.files.in.GiveUp()).Msg("journal: stopped before these entries could be written")
			return
		}
	}
}

// take waits for entries; none: ctx ended, and nothing is left to write.
func (w *writer) take(ctx context.Context) []*intake.Item {
	for {
		stopping := ctx.Err() != nil
		batch := w.files.in.Take(batchMax, stopping)
		if w.file != nil && w.files.cat.Load().Last().Suspect {
			w.giveUpFile(fmt.Errorf("read %s: %w", w.f.Path, durable.ErrFault))
			if err := w.open(ctx); err != nil {
				w.files.o.Log.Error().Err(err).Msg("journal: no new epoch yet")
			}
		}
		select {
		case t := <-w.tails:
			t.done <- w.takeOver(ctx, t)
		default:
		}
		if len(batch) > 0 || stopping {
			return batch
		}
		w.rotateOld()
		select {
		case <-w.files.in.Wake():
		case <-ctx.Done():
		}
	}
}

// persist writes a batch, however often it takes. After the first failure it tries again at once,
// in a new file, before the failure is reported. It returns false when ctx ended first.
func (w *writer) persist(ctx context.Context, batch []*intake.Item) bool {
	w.retry.Reset()
	for again := false; ; again = true { // the second attempt comes at once
		err := w.write(ctx, batch)
		if err == nil {
			return true
		}
		reason := w.fail(err)
		if again {
			w.files.in.Degrade(reason, err)
			if ctx.Err() != nil {
				return false
			}
			w.retry.Wait(ctx)
		}
	}
}

// write makes a batch durable and reports it.
func (w *writer) write(ctx context.Context, batch []*intake.Item) error {
	if w.file != nil && w.file.Removed() {
		w.giveUpFile(fmt.Errorf("%s was removed: %w", w.f.Path, fs.ErrNotExist))
		w.unlock() // the lock may have gone with the directory
	}
	if w.file == nil {
		if err := w.open(ctx); err != nil {
			return err
		}
	}
	if w.due() {
		w.tryRotate(laterBy)
	}
	end, err := w.commit(batch)
	if err != nil {
		return err
	}
	before := w.tree.Size()
	w.tree = end
	w.files.cat.Grow(func(c *catalogue.Catalogue) { c.Tree = end })
	w.files.in.Committed()
	if before/pokeEvery != end.Size()/pokeEvery {
		poke(w.files.work)
	}
	return nil
}

// commit writes a batch in one transaction. After an error it may be there or not.
func (w *writer) commit(batch []*intake.Item) (tree.Range, error) {
	stored, leaves := make([][]byte, len(batch)), make([]tlog.Hash, len(batch))
	for i, it := range batch {
		stored[i], leaves[i] = it.Stored, it.Leaf
	}
	end := w.tree.AddAll(leaves)
	if w.files.o.Sync != nil {
		w.files.o.Sync()
	}
	if err := w.files.fault("commit"); err != nil {
		return end, err
	}
	err := w.file.Append(w.tree.Size(), stored, end)
	if err == nil {
		err = w.files.fault("committed")
	}
	return end, err
}

// due reports whether the current file is full or old enough.
func (w *writer) due() bool {
	first, next := w.f.First, w.tree.Size()
	if next == first || next < w.later {
		return false
	}
	stamp := w.files.o.Clock()
	if stamp.Trusted && (w.f.Made == 0 || stamp.Wall < w.f.Made) { // it was not trusted, or ahead
		w.f.Made = stamp.Wall
	}
	old := stamp.Trusted && time.Duration(stamp.Wall-w.f.Made)*time.Millisecond >= w.files.o.MaxAge
	return next-first >= w.files.o.MaxEntries || old
}

// rotateOld closes a file that is old enough although nothing is written, because its who parts
// must be erased in time.
func (w *writer) rotateOld() {
	if w.file != nil && !w.file.Removed() && w.due() {
		w.tryRotate(1) // or with the next entry
	}
}

// tryRotate begins the next file, or tries it again after as many entries as later says.
func (w *writer) tryRotate(later uint64) {
	err := w.rotate()
	if err != nil {
		w.later = w.tree.Size() + later
	}
	w.files.report("begin a new file, going on with the old one", err)
}

// rotate begins the next file of the epoch.
func (w *writer) rotate() error {
	w.files.index.Lock()
	defer w.files.index.Unlock()
	if err := w.files.fault("create"); err != nil {
		return err
	}
	file, f, err := w.files.create(w.f.Epoch, w.tree, "", nil)
	if err != nil {
		return err
	}
	old, path := w.file, w.f.Path
	w.use(file, f, func(c *catalogue.Catalogue) { c.Mark(path, func(old *catalogue.File) { old.End = f.First }) })
	old.Close(nil) // waits for readers, who are quick
	w.anchors.soon()
	poke(w.files.work) // names the file in the epochs file, too
	return nil
}

// use makes file the current one; closed updates the files before it in the catalogue.
func (w *writer) use(file *segment.Writer, f catalogue.File, closed func(*catalogue.Catalogue)) {
	f.End, f.Checked = segment.NoEnd, true
	w.file, w.f, w.later = file, f, 0
	if w.files.noSync {
		file.SkipSync()
	}
	w.files.cat.Change(func(c *catalogue.Catalogue) {
		closed(c)
		c.Files = append(slices.Clip(c.Files), f)
		c.Open, c.Tree = file, w.tree
		c.Acked = c.Settle(c.Acked)
	})
}

// fail closes and gives up whatever err leaves in doubt, and returns the reason. A failed commit
// that can be read is in doubt: the file can't be continued.
func (w *writer) fail(err error) wire.Reason {
	full := errors.Is(err, syscall.ENOSPC)
	if w.file != nil && (!full || w.file.Has(w.tree.Size())) {
		w.giveUpFile(err)
	}
	switch {
	case full:
		w.space.dropBallast()
		return wire.ReasonDiskFull
	case errors.Is(err, durable.ErrDamaged):
		return wire.ReasonDamaged
	}
	return wire.ReasonIO
}

// giveUpFile ends the epoch at what was acknowledged: the next try opens a new one, which cites it.
// A damaged file is set aside then; another stays, to be verified before anybody reads it.
func (w *writer) giveUpFile(err error) {
	w.cite = &ending{epoch: w.f.Epoch, size: w.tree.Size(), root: w.tree.Root(), reason: wire.ReasonIO}
	if errors.Is(err, durable.ErrDamaged) {
		w.cite.reason, w.cite.damaged = wire.ReasonDamaged, w.f.Path
	}
	w.files.cat.Change(func(c *catalogue.Catalogue) {
		c.Open = nil
		if w.cite.damaged != "" {
			c.Forget(w.f.Path)
			return
		}
		c.Mark(w.f.Path, func(f *catalogue.File) { f.End, f.Checked, f.Packed = w.tree.Size(), false, false })
	})
	w.closeFile(err)
}

// closeFile closes the current file; err is the last error of its use.
func (w *writer) closeFile(err error) {
	w.files.cat.Change(func(c *catalogue.Catalogue) { c.Open = nil })
	if w.file != nil {
		w.file.Close(err)
	}
	w.file = nil
}

func (w *writer) close() {
	w.closeFile(nil)
	if w.lock != nil {
		w.unlock()
	}
}

// unlock releases the directory.
func (w *writer) unlock() {
	w.lock.Free()
	w.lock = nil
}
