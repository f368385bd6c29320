package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/buffer"
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

	lock   *durable.Lock   // of the directory
	file   *segment.Writer // nil while none is open
	f      catalogue.File  // its entry in the catalogue
	tree   tree.Range      // of all that is durable; its size is the next sequence
	buffer *buffer.Buffer  // what of that is not in the file yet
	later  uint64          // sequence before which no rotation is tried
	broken *catalogue.File // set when the file was given up, and the epoch goes on in the next
	cite   *ending         // set when the open epoch was given up
	begun  uint64          // epoch that may have begun; 0: none
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
	for woken := false; ; woken = true {
		stopping := ctx.Err() != nil
		batch := w.files.in.Take(batchMax, stopping)
		var bad error
		switch {
		case w.file == nil:
		case w.files.cat.Load().Last().Suspect:
			bad = durable.ErrFault
		case len(batch) == 0 && w.file.Removed(): // nobody waits; what comes is as durable as the write-ahead file
			bad = buffer.ErrRemoved
		}
		if bad != nil {
			w.giveUpFile(fmt.Errorf("use %s: %w", w.f.Path, bad))
			w.files.report("begin a new file", w.open(ctx))
		}
		select {
		case t := <-w.tails:
			t.done <- w.takeOver(ctx, t)
		default:
		}
		if len(batch) > 0 || stopping {
			return batch
		}
		if woken { // and not right after a batch: the next is often near
			w.idle(ctx)
		}
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
	if w.file == nil {
		if err := w.open(ctx); err != nil {
			return err
		}
	}
	if w.due() {
		if err := w.turn(laterBy); err != nil {
			return err
		}
	}
	stored, leaves := make([][]byte, len(batch)), make([]tlog.Hash, len(batch))
	for i, it := range batch {
		stored[i], leaves[i] = it.Stored, it.Leaf
	}
	end := w.tree.AddAll(leaves)
	if err := w.buffer.Store(w.file, w.f.Epoch, stored, w.tree, end); err != nil {
		return err
	}
	before := w.tree.Size()
	w.tree = end
	w.files.cat.Grow(func(c *catalogue.Catalogue) { c.Tree, c.Ahead = end, w.buffer.Tail() })
	w.files.in.Committed()
	if before/pokeEvery != end.Size()/pokeEvery {
		poke(w.files.work)
	}
	return nil
}

// due reports whether the current file is full, old enough, or to be closed for what it has.
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
	return next-first >= w.files.o.MaxEntries || old || w.files.turn.Load()
}

// idle does what is due although nothing is written: who parts must be erased in time.
func (w *writer) idle(ctx context.Context) {
	if w.file == nil {
		return
	}
	var err error
	switch {
	case w.due():
		err = w.turn(1) // or with the next entry
	case w.buffer.Ripe():
		if err = w.fill(); err == nil {
			w.files.report("empty the write-ahead file", w.buffer.Empty())
		}
	}
	if err != nil {
		w.fail(err)
		if w.file == nil {
			err = w.open(ctx)
		}
		w.files.report("bring all into the entry file, which waits", err)
	}
}

// turn begins the next file, or tries it again after as many entries as later says. The full one has
// all of its entries first, and the write-ahead file none of them. An error: that failed.
func (w *writer) turn(later uint64) error {
	if err := w.fill(); err != nil {
		return err
	}
	err := w.buffer.Empty()
	if err == nil {
		err = w.rotate()
	}
	if err != nil {
		w.later = w.tree.Size() + later
	}
	w.files.report("begin a new file, going on with the old one", err)
	return nil
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
	w.buffer.Begin(w.tree)
	w.use(file, f, func(c *catalogue.Catalogue) { c.Mark(path, func(old *catalogue.File) { old.End = f.First }) })
	old.Close(nil) // waits for readers, who are quick
	w.anchors.soon()
	poke(w.files.work) // names the file in the epochs file, too
	return nil
}

// use makes file the current one; closed updates the files before it in the catalogue.
func (w *writer) use(file *segment.Writer, f catalogue.File, closed func(*catalogue.Catalogue)) {
	f.End, f.Checked = segment.NoEnd, true
	w.files.turn.Store(false)
	w.file, w.f, w.later = file, f, 0
	if w.files.noSync {
		file.SkipSync()
	}
	w.files.cat.Change(func(c *catalogue.Catalogue) {
		closed(c)
		c.Files = append(slices.Clip(c.Files), f)
		c.Open, c.Tree, c.Ahead = file, w.tree, w.buffer.Tail()
		c.Acked = c.Settle(c.Acked)
	})
}

// fail closes and gives up whatever err leaves in doubt, and returns the reason. A failed commit
// that can be read is in doubt: the file can't be continued. Where what it was to write is in the
// write-ahead file the epoch goes on in the next; else it ends at what was acknowledged.
func (w *writer) fail(err error) wire.Reason {
	full := errors.Is(err, syscall.ENOSPC)
	switch doubt := len(w.buffer.Tail().Stored) == 0; {
	case w.file == nil:
	case errors.Is(err, buffer.ErrRemoved):
		w.giveUpFile(err)
	case full && !w.file.Has(w.buffer.Filled().Size()):
	case doubt:
		w.endEpoch(err)
	default:
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

// giveUpFile closes the file, and the next try makes another of the same epoch: what has been
// acknowledged, and under which sequence numbers, is known. A damaged file is set aside then; another
// stays, to be verified before anybody reads it, and counts as far as it was filled. The lock may have
// gone with a removed one.
func (w *writer) giveUpFile(err error) {
	w.f.Suspect = errors.Is(err, durable.ErrDamaged)
	broken, end := w.f, w.buffer.Filled().Size()
	w.broken = &broken
	w.files.cat.Change(func(c *catalogue.Catalogue) {
		c.Open = nil
		c.Mark(broken.Path, func(f *catalogue.File) { f.End, f.Checked, f.Packed = end, false, false })
	})
	w.closeFile(err)
	if errors.Is(err, buffer.ErrRemoved) {
		w.unlock()
	}
}

// endEpoch ends the epoch at what was acknowledged: the next try opens a new one, which cites it.
// A damaged file is set aside then; another stays, to be verified before anybody reads it.
func (w *writer) endEpoch(err error) {
	w.cite = &ending{epoch: w.f.Epoch, size: w.tree.Size(), root: w.tree.Root(), reason: wire.ReasonIO}
	if errors.Is(err, durable.ErrDamaged) {
		w.cite.reason, w.cite.damaged = wire.ReasonDamaged, w.f.Path
	}
	w.files.cat.Change(func(c *catalogue.Catalogue) {
		c.Open, c.Ahead = nil, w.buffer.Tail()
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
	if w.file != nil {
		err := w.fill()
		if err == nil {
			err = w.buffer.Empty()
		}
		if err == nil {
			err = buffer.LetIn(w.files.o.Dir)
		}
		w.files.report("bring all into the entry file; the next start does it", err)
	}
	w.buffer.Close()
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
