package journal

import (
	"context"
	"fmt"
	"os"

	"gatehouse/internal/durable"
)

// hand gives the copy to the writer and waits until it is in force or refused.
// If ctx ends while the writer is at it, the writer's answer counts.
func (m *move) hand(ctx context.Context) error {
	m.j.mu.Lock()
	m.j.move = m
	m.j.mu.Unlock()
	poke(m.j.wake)
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
	}
	m.j.mu.Lock()
	waits := m.j.move == m
	if waits {
		m.j.move = nil
	}
	m.j.mu.Unlock()
	if waits {
		return ctx.Err()
	}
	return <-m.done
}

// discard removes a copy that came to nothing.
func (m *move) discard(err error) {
	if m.db != nil {
		closeUnlessFaulted(m.db, err)
	}
	if m.doubt {
		return // the next start of the files knows
	}
	for _, f := range m.files {
		os.Remove(f.path + nextSuffix) // best effort: so does the next start
	}
}

// move puts a copied tail in force. Before the epochs file is replaced nothing
// has changed; afterwards readFolder would finish what is left to do.
func (w *writer) move(ctx context.Context, m *move) error {
	w.j.index.Lock()
	defer w.j.index.Unlock()
	if w.db == nil {
		if err := w.openIndexed(ctx); err != nil {
			return err
		}
	}
	if err := m.copyTail(ctx, 0); err != nil {
		return err
	}
	fo, err := readFolder(w.j.o.Dir, m.epoch)
	if err != nil {
		return err
	}
	if err := m.stillThere(fo); err != nil {
		return err
	}
	if err := w.j.injected("move"); err != nil {
		return err
	}
	if err := fo.cutEpochs(w.j.o.Dir, m.from, m.files); err != nil {
		return w.inDoubt(ctx, m, err)
	}
	if err := m.rename(); err != nil {
		return w.inDoubt(ctx, m, err)
	}
	w.takeOver(fo, m)
	return nil
}

// stillThere looks for what somebody may have removed or set aside meanwhile.
func (m *move) stillThere(fo folder) error {
	if !fo.knows(m.from.Epoch) {
		return ErrGone
	}
	for _, f := range m.files {
		if _, err := os.Stat(f.path + nextSuffix); err != nil {
			return err
		}
	}
	return nil
}

// rename puts the files under their names. What a crash leaves undone readFolder
// does.
func (m *move) rename() error {
	if err := m.j.injected("moved"); err != nil {
		return err
	}
	last := len(m.files) - 1
	for _, f := range m.files[:last] {
		if err := os.Rename(f.path+nextSuffix, f.path); err != nil {
			return err
		}
	}
	return durable.Rename(m.files[last].path+nextSuffix, m.files[last].path) // syncs all of them
}

// takeOver makes the last of the copied files the current one.
func (w *writer) takeOver(fo folder, m *move) {
	ends := map[string]uint64{}
	for _, f := range fo.files {
		ends[f.path] = f.end
	}
	closed := func(files []file) []file {
		for i, f := range files {
			if end, ok := ends[f.path]; ok {
				files[i].end = end
			}
		}
		return append(files, m.files[:len(m.files)-1]...)
	}
	old := w.db
	w.tree = m.tree
	w.use(closed, m.db, m.files[len(m.files)-1], m.made)
	old.Close() // waits for readers, who are quick
	w.j.anchors.soon()
	j := w.j
	j.o.Log.Warn().Uint64("entries", m.tree.Size()-1).Str("reason", m.head.header.Reason.String()).
		Msg("journal: new epoch, these entries were appended again")
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
	poke(j.work)
}

// inDoubt closes everything and opens what the disk says is in force.
func (w *writer) inDoubt(ctx context.Context, m *move, err error) error {
	m.doubt = true
	m.db.Close()
	m.db = nil
	w.j.mu.Lock()
	w.j.cur = nil
	w.j.mu.Unlock()
	w.db.Close()
	w.db = nil
	if err := w.openIndexed(ctx); err != nil {
		return fmt.Errorf("nobody knows yet if it began: %w", err)
	}
	if w.f.epoch != m.epoch {
		m.doubt = false
		return err
	}
	return nil
}
