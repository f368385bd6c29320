package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/buffer"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// newBuffer makes the write-ahead file's part of the writer.
func (a *archive) newBuffer() *buffer.Buffer {
	return buffer.New(buffer.Options{
		Path: a.path(ahead.Name), Size: a.ahead, SkipSync: a.noSync || a.lateSync,
		BootTime: func() uint64 { return a.o.Clock().BootTime },
		Before: func(point string) error {
			if wait := a.o.Sync; wait != nil && (point == "ahead" || point == "commit") {
				wait()
			}
			return a.fault(point)
		},
		Report: a.report,
	})
}

// fill brings into the entry file what only the write-ahead file has.
func (w *writer) fill() error {
	err := w.buffer.Fill(w.file, w.tree)
	w.files.cat.Change(func(c *catalogue.Catalogue) { c.Ahead = w.buffer.Tail() })
	return err
}

// readAhead reads what an earlier run left in the write-ahead file, once. What is of an epoch that has
// ended is in the next one's files; what is of one that nobody knows is another journal's.
func (w *writer) readAhead(d catalogue.Directory) error {
	anchored := w.anchors.newest().Epoch
	strange, err := w.buffer.Read(func(epoch uint64) buffer.Epoch {
		known := d.Knows(epoch)
		switch {
		case epoch == d.Newest(), d.Newest() == 0, d.Bad && known, epoch == anchored && !known:
			return buffer.Open
		case known:
			return buffer.Ended
		}
		return buffer.Strange
	})
	if strange {
		w.files.setAside(w.files.path(ahead.Name))
	}
	return err
}

// again returns the entries that the write-ahead file has, no entry file and, by the uplink's cursor,
// not the registry: they are appended again in the epoch that begins.
func (w *writer) again(ctx context.Context, d catalogue.Directory) [][]byte {
	acked := w.files.cat.Load().Acked
	return w.buffer.Unfilled(func(epoch uint64) uint64 {
		end := d.EndOf(epoch, func(path string) bool {
			err := w.files.o.Verify(context.WithoutCancel(ctx), path)
			return (err == nil || errors.Is(err, segment.ErrOneMeta)) && (w.cite == nil || path != w.cite.damaged)
		})
		if epoch == acked.Epoch {
			end = max(end, acked.Sequence)
		}
		return end
	})
}

// dropAhead forgets what the write-ahead file has, because the epoch that began has it. A damaged one
// is kept.
func (w *writer) dropAhead() {
	if w.buffer.Drop(w.tree) && w.files.setAside(w.files.path(ahead.Name)) {
		w.files.losses.writeDown("the write-ahead file was damaged: some of the last entries may be missing")
	}
	w.files.report("empty the write-ahead file", w.buffer.Empty())
}

// goOn makes the next file of the epoch after one that could not be gone on with. What is not in that
// for sure is the first in this.
func (w *writer) goOn() error {
	old, filled := *w.broken, w.buffer.Filled()
	if err := w.files.fault("create"); err != nil {
		return err
	}
	path := w.files.path(segment.Name(old.Epoch, filled.Size()))
	if old.Suspect || old.Path == path {
		if err := w.files.brokenAside(old.Path); err != nil {
			return err
		}
	}
	if err := durable.Remove(path); err != nil { // of an attempt that failed
		return err
	}
	file, f, err := w.files.create(old.Epoch, filled, "", w.buffer.Tail().Stored)
	if err != nil {
		return err
	}
	_, err = os.Stat(old.Path)
	gone := old.Path == path || errors.Is(err, fs.ErrNotExist)
	w.buffer.Begin(w.tree)
	w.use(file, f, func(c *catalogue.Catalogue) {
		if gone {
			c.Forget(old.Path)
		}
	})
	w.broken = nil
	w.files.report("empty the write-ahead file", w.buffer.Empty())
	w.anchors.soon()
	poke(w.files.work)
	return nil
}

// brokenAside sets the file aside that goOn follows, if it is still there. Readers have it until they
// have the next.
func (a *archive) brokenAside(path string) error {
	aside, err := durable.SetAside(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	a.o.Log.Error().Str("file", aside).Msg("journal: damaged file set aside")
	a.losses.note(wire.ReasonDamaged, []byte(filepath.Base(aside)))
	return nil
}

// lostAhead tells of entries that are lost between the entry file and the write-ahead file, or in this,
// and returns what the next epoch has to cite.
func (w *writer) lostAhead(epoch uint64, err error) *ending {
	w.files.o.Log.Error().Err(err).Msg("journal: entries of the write-ahead file are lost")
	filled := w.buffer.Filled()
	cite := &ending{epoch: epoch, size: filled.Size(), root: filled.Root(), reason: wire.ReasonDamaged}
	if errors.Is(err, buffer.ErrBehind) {
		cite.reason = wire.ReasonSetBack
		w.files.losses.tell(cite.reason, audit.Head(Position{Epoch: epoch, Sequence: filled.Size()}, filled.Root()), "an entry file was rolled back to an earlier copy: the last entries before it are missing")
	}
	return cite
}
