package journal

import (
	"context"
	"fmt"

	"gatehouse/internal/journal/catalogue"
)

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
