package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/buffer"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// open takes the directory and continues its newest file, or begins an epoch.
func (w *writer) open(ctx context.Context) error {
	w.files.index.Lock()
	defer w.files.index.Unlock()
	return w.openIndexed(ctx)
}

// openIndexed is open for a caller that holds index.
func (w *writer) openIndexed(ctx context.Context) error {
	if err := w.takeLock(); err != nil {
		return err
	}
	if err := w.files.fault("open"); err != nil {
		return err
	}
	d, err := catalogue.Tidy(w.files.o.Dir, w.files.copying.Load())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			w.unlock() // it went with the directory; the next try makes both
		}
		return err
	}
	w.files.noteIndex(d)
	if err := w.readAhead(d); err != nil {
		return err
	}
	if w.broken != nil {
		if d.Knows(w.broken.Epoch) {
			return w.goOn()
		}
		w.cite = &ending{epoch: w.broken.Epoch, size: w.tree.Size(), root: w.tree.Root(), reason: wire.ReasonIO} // the directory is gone
		w.broken = nil
	}
	last, ok := d.Current()
	if ok && w.cite != nil && last.Epoch == w.begun {
		w.cite, w.begun = nil, 0 // the disk says that it has begun
		w.dropAhead()
	}
	if !ok || w.cite != nil {
		return w.begin(ctx, d)
	}
	err = w.resume(ctx, d, last)
	if errors.Is(err, durable.ErrDamaged) {
		w.files.o.Log.Error().Err(err).Msg("journal: newest file is damaged")
		w.cite = &ending{epoch: last.Epoch, size: segment.NoEnd, reason: wire.ReasonDamaged, damaged: last.Path}
		return w.begin(ctx, d)
	}
	return err
}

// takeLock holds the directory for this process, and sweeps it: later the keeper may be rewriting a file.
func (w *writer) takeLock() (err error) {
	if w.lock != nil {
		return nil
	}
	if err := durable.MakeDir(w.files.o.Dir, 0o700); err != nil {
		return fmt.Errorf("make journal directory: %w", err)
	}
	if w.lock, err = durable.TakeLock(w.files.path(lockName)); err != nil {
		return err
	}
	if err = buffer.KeepOut(w.files.o.Dir); err != nil {
		w.unlock()
		return err
	}
	catalogue.Sweep(w.files.o.Dir)
	return nil
}

// resume continues the newest file.
func (w *writer) resume(ctx context.Context, d catalogue.Directory, last catalogue.File) error {
	// Verification goes on although ctx ended, because the waiting entries need a file.
	err := w.files.o.Verify(context.WithoutCancel(ctx), last.Path)
	sure := !errors.Is(err, segment.ErrOneMeta)
	if err != nil && sure {
		return err
	}
	file, err := segment.OpenWriter(last.Path)
	if err != nil {
		return err
	}
	var s segment.Segment
	var filled tree.Range
	err = file.View(func(t segment.Tx) (err error) {
		if s, err = t.Segment(); err == nil {
			filled, err = w.files.tiles().TreeAt(t, s)
		}
		if last.Made = s.Made; err == nil && s.Made == 0 {
			last.Made = t.FirstTrusted(s)
		}
		return err
	})
	if err != nil {
		file.Close(err)
		return err
	}
	var lost error
	w.tree, lost = w.buffer.Join(last.Epoch, filled)
	if a := w.anchors.newest(); a.Epoch == last.Epoch && a.Sequence > w.tree.Size() || a.Epoch != 0 && !d.Knows(a.Epoch) {
		file.Close(nil)
		w.cite = w.anchors.rolledBack(a)
		return w.begin(ctx, d)
	}
	if lost != nil {
		file.Close(nil)
		w.cite = w.lostAhead(last.Epoch, lost)
		return w.begin(ctx, d)
	}
	if !sure {
		// The last commit may be gone, and somebody may have seen it, so its numbers are not used
		// again. What is there stays, and can be read.
		w.files.losses.tell(wire.ReasonDamaged, []byte(filepath.Base(last.Path)), "a file was damaged: its last entries may be missing")
		file.Close(nil)
		w.cite = &ending{epoch: last.Epoch, size: filled.Size(), root: filled.Root(), reason: wire.ReasonDamaged}
		return w.begin(ctx, d)
	}
	w.buffer.Joined()
	w.use(file, last, func(c *catalogue.Catalogue) { c.Adopt(d.Files[:len(d.Files)-1]) })
	poke(w.files.work)
	return w.fill()
}

// begin ends the open epoch, sets its damaged file aside, and begins a new
// epoch whose first entry cites the old.
func (w *writer) begin(ctx context.Context, d catalogue.Directory) error {
	if w.cite == nil {
		w.cite = w.anchors.lostEpoch(d)
	}
	s := segment.Segment{Epoch: random64(), Made: w.files.o.Clock().Made()}
	size, level := uint64(segment.NoEnd), zerolog.InfoLevel // the first of a new journal
	var first [][]byte
	var start tree.Range
	if w.cite != nil {
		if level = zerolog.WarnLevel; !w.cite.elsewhere {
			size = w.cite.size
		}
		entry := w.cite.first(w.files.in)
		first, start = append(first, entry.Stored), start.Add(entry.Leaf)
	}
	for _, stored := range w.again(ctx, d) {
		e, err := journaled.Decode(stored)
		if err != nil {
			return err
		}
		first, start = append(first, stored), start.Add(tlog.RecordHash(e.Leaf()))
	}
	f := catalogue.File{Epoch: s.Epoch, Made: s.Made, Path: w.files.path(segment.Name(s.Epoch, 0))}
	if err := segment.Create(f.Path+catalogue.NextSuffix, s, first); err != nil {
		return err
	}
	w.begun = s.Epoch
	if err := d.EndEpochs(size, f); err != nil {
		return err
	}
	w.setDamagedAside(&d)
	if err := durable.Rename(f.Path+catalogue.NextSuffix, f.Path); err != nil {
		return err
	}
	file, err := segment.OpenWriter(f.Path)
	if err != nil {
		return err
	}
	w.files.o.Log.WithLevel(level).Str("file", filepath.Base(f.Path)).Msg("journal: new epoch")
	w.cite, w.begun, w.tree = nil, 0, start
	w.dropAhead()
	w.use(file, f, func(c *catalogue.Catalogue) { c.Adopt(d.Files) })
	poke(w.files.work)
	return nil
}

// setDamagedAside renames the damaged file of the ended epoch. If the disk refuses, the epoch has
// ended all the same, and the file is checked again before anybody reads it.
func (w *writer) setDamagedAside(d *catalogue.Directory) {
	if w.cite == nil || w.cite.damaged == "" {
		return
	}
	d.Files = slices.DeleteFunc(slices.Clone(d.Files), func(f catalogue.File) bool {
		return f.Path == w.cite.damaged && w.files.setAside(f.Path)
	})
	w.cite.damaged = ""
}
