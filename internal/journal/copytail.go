package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
)

// tail is an epoch that is being made out of the tail of others.
type tail struct {
	from *archive
	head *intake.Item // the first entry of the epoch; it stands in the tail, too

	epoch uint64
	cut   Position // where the tail begins
	at    Position // the next to be copied
	files []catalogue.File
	file  *segment.Writer // the last
	tree  tree.Range
	done  chan error // the writer's answer
	doubt bool       // nobody knows whether the epochs file names it
}

// copy copies until at most rest entries are left.
func (t *tail) copy(ctx context.Context, rest uint64) error {
	if t.file == nil {
		if err := t.put([][]byte{t.head.Stored}, []tlog.Hash{t.head.Leaf}); err != nil {
			return err
		}
	}
	for t.left() > rest {
		list, next, err := t.from.entries(ctx, t.at, batchMax)
		if err == nil && len(list) == 0 {
			err = errors.New("its files can't be read now")
		}
		if err != nil {
			return err
		}
		stored, leaves := make([][]byte, 0, len(list)), make([]tlog.Hash, 0, len(list))
		for _, e := range list {
			b := e.Encode()
			if bytes.Equal(b, t.head.Stored) {
				continue
			}
			stored, leaves = append(stored, b), append(leaves, tlog.RecordHash(e.Leaf()))
		}
		if err := t.put(stored, leaves); err != nil {
			return err
		}
		t.at = next
	}
	return nil
}

// left returns how many entries are to be copied; more than any limit while it
// stands in an epoch before the last.
func (t *tail) left() uint64 {
	next := t.from.cat.Load().Next()
	if t.at.Epoch != next.Epoch {
		return segment.NoEnd
	}
	return next.Sequence - t.at.Sequence
}

// put writes entries into the last file, or a new one if that is full.
func (t *tail) put(stored [][]byte, leaves []tlog.Hash) error {
	if len(stored) == 0 {
		return nil
	}
	if err := t.from.fault("copy"); err != nil {
		return err
	}
	end := t.tree.AddAll(leaves)
	var err error
	if last := len(t.files) - 1; last < 0 || t.tree.Size()-t.files[last].First >= t.from.o.MaxEntries {
		err = t.begin(stored)
	} else {
		err = t.file.Append(t.tree.Size(), stored, end)
	}
	if err == nil {
		t.tree = end
	}
	return err
}

// begin makes the next file, with its first entries.
func (t *tail) begin(stored [][]byte) error {
	file, f, err := t.from.create(t.epoch, t.tree, catalogue.NextSuffix, stored)
	if err != nil {
		return err
	}
	f.Packed = true
	if t.file != nil {
		t.files[len(t.files)-1].End = f.First
		t.file.Close(nil)
	}
	if t.from.noSync {
		file.SkipSync()
	}
	t.file, t.files = file, append(t.files, f)
	return nil
}

// stillThere looks for what somebody may have removed or set aside meanwhile.
func (t *tail) stillThere(d catalogue.Directory) error {
	if !d.Knows(t.cut.Epoch) {
		return ErrGone
	}
	for _, f := range t.files {
		if _, err := os.Stat(f.Path + catalogue.NextSuffix); err != nil {
			return err
		}
	}
	return nil
}

// rename puts the files under their names. What a crash leaves undone catalogue.Tidy
// does.
func (t *tail) rename() error {
	if err := t.from.fault("moved"); err != nil {
		return err
	}
	last := len(t.files) - 1
	for _, f := range t.files[:last] {
		if err := os.Rename(f.Path+catalogue.NextSuffix, f.Path); err != nil {
			return err
		}
	}
	path := t.files[last].Path
	if err := durable.Rename(path+catalogue.NextSuffix, path); err != nil { // syncs all of them
		return err
	}
	t.file.Renamed(path)
	return nil
}

// discard removes a copy that came to nothing.
func (t *tail) discard(err error) {
	if t.file != nil {
		t.file.Close(err)
	}
	if t.doubt {
		return // the next start of the files knows
	}
	for _, f := range t.files {
		os.Remove(f.Path + catalogue.NextSuffix) // best effort: so does the next start
	}
}

// takeOver makes a copied tail count. Before the epochs file is replaced nothing
// has changed; afterwards catalogue.Tidy would finish what is left to do.
func (w *writer) takeOver(ctx context.Context, t *tail) error {
	w.files.index.Lock()
	defer w.files.index.Unlock()
	if w.file == nil {
		if err := w.openIndexed(ctx); err != nil {
			return err
		}
	}
	if err := t.copy(ctx, 0); err != nil {
		return err
	}
	d, err := catalogue.Tidy(w.files.o.Dir, t.epoch)
	if err != nil {
		return err
	}
	if err := t.stillThere(d); err != nil {
		return err
	}
	if err := w.files.fault("move"); err != nil {
		return err
	}
	if err := d.CutEpochs(t.cut, t.files); err != nil {
		return w.inDoubt(ctx, t, err)
	}
	if err := t.rename(); err != nil {
		return w.inDoubt(ctx, t, err)
	}
	w.useTail(d, t)
	return nil
}

// useTail makes the last of the copied files the current one.
func (w *writer) useTail(d catalogue.Directory, t *tail) {
	last := len(t.files) - 1
	old := w.file
	w.tree = t.tree
	w.use(t.file, t.files[last], func(c *catalogue.Catalogue) {
		c.SetEnds(d.Files)
		c.Files = append(c.Files, t.files[:last]...)
	})
	old.Close(nil) // waits for readers, who are quick
	w.anchors.soon()
	w.files.o.Log.Warn().Uint64("entries", t.tree.Size()-1).Str("reason", t.head.Header.Reason.String()).
		Msg("journal: new epoch, these entries were appended again")
	w.files.cat.Grow(func(*catalogue.Catalogue) {})
	poke(w.files.work)
}

// inDoubt closes everything and opens what the disk says that counts.
func (w *writer) inDoubt(ctx context.Context, t *tail, err error) error {
	t.doubt = true
	t.file.Close(nil)
	t.file = nil
	w.closeFile(nil)
	if err := w.openIndexed(ctx); err != nil {
		return fmt.Errorf("nobody knows yet if it began: %w", err)
	}
	if w.f.Epoch != t.epoch {
		t.doubt = false
		return err
	}
	return nil
}
