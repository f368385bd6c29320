package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// NewEpoch begins an epoch and appends to it again, as they are and in their
// order, all entries from a position to the end of the journal, also those that come
// while it works: for an uplink whose registry is ahead of this journal or has another
// root, since the gateway was rolled back to an older image. Its first entry is of kind
// epoch and cites the registry's head, which detail is: epoch and size (8 bytes each,
// big-endian) and root (32).
//
// The epoch of from ends there, those after it end with nothing: Entries shows each
// entry once. The bytes of the old files stay until space needs them. The zero
// Position stands for the oldest entry. A cursor at or behind from moves to the start
// of the new epoch, which is returned; another stays where it is.
//
// The tail is copied in batches while the doors go on, into files that do not count
// yet. The writer adds what came in the meantime, at most some two thousand entries,
// and one rename makes all of it count: whatever ends the process, afterwards there is
// the journal as it was or the new epoch whole. With an error the journal is as it was,
// but for the epoch entry of the attempt; only where the disk failed at that rename the
// next start of the files tells, and Status.Epoch with it.
//
// ErrGone: from is not here any more; take Status.Oldest. ErrAhead: from is behind the
// end of its epoch. ErrQueued, ErrDegraded, ErrDropped: the epoch entry could not be
// made durable. ENOSPC: no space for the copy. It works only while Run does, one call
// at a time, and writes as many bytes as the tail has.
func (j *Journal) NewEpoch(ctx context.Context, from Position, detail []byte) (Position, error) {
	if !j.moving.TryLock() {
		return Position{}, errors.New("begin a new epoch: one is being made already")
	}
	defer j.moving.Unlock()
	p, err := j.newEpoch(ctx, from, detail)
	if err != nil {
		return Position{}, fmt.Errorf("begin a new epoch from %d in epoch %016x: %w", from.Sequence, from.Epoch, err)
	}
	return p, nil
}

func (j *Journal) newEpoch(ctx context.Context, from Position, detail []byte) (Position, error) {
	if len(detail) != audit.HeadSize {
		return Position{}, fmt.Errorf("detail of %d bytes, want %d", len(detail), audit.HeadSize)
	}
	now := j.cat.Load()
	from, err := now.Movable(from)
	if err != nil {
		return Position{}, err
	}
	if err := j.space.roomFor(now.Tail(from)); err != nil {
		return Position{}, err
	}
	reason := wire.ReasonAhead
	if now.Has(Position{Epoch: binary.BigEndian.Uint64(detail), Sequence: binary.BigEndian.Uint64(detail[8:])}) {
		reason = wire.ReasonOtherRoot
	}
	// It goes into the old epoch first, so that its number is not missing if
	// this fails, and is the first in the new one.
	first, err := j.in.Append(ctx, wire.Header{Kind: wire.KindEpoch, Reason: reason, Detail: detail}, wire.Who{})
	if err != nil {
		return Position{}, err
	}
	t := &tail{from: j.files, was: now, epoch: random64(), cut: from, at: from, head: first, done: make(chan error, 1)}
	j.files.copying.Store(t.epoch)
	defer j.files.copying.Store(0)
	if err = t.copy(ctx, batchMax); err == nil {
		err = j.hints.Save() // a cursor that falls behind the cut would ask for this epoch again
	}
	if err == nil {
		err = j.hand(ctx, t)
	}
	if err != nil {
		t.discard(err)
		return Position{}, err
	}
	return Position{Epoch: t.epoch}, nil
}

// hand gives a copy to the writer and waits until it counts or is refused. If ctx ends while the
// writer is at work on it, the writer's answer counts.
func (j *Journal) hand(ctx context.Context, t *tail) error {
	j.tails <- t
	j.in.Poke()
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
	}
	select {
	case <-j.tails: // the writer has not seen it
		return ctx.Err()
	case err := <-t.done:
		return err
	}
}

// tail is an epoch that is being made from the tail of others.
type tail struct {
	from *archive
	was  *catalogue.Catalogue // as it began
	head *intake.Item         // the first entry of the epoch; it is in the tail, too

	epoch uint64
	cut   Position // where the tail begins
	at    Position // the next to be copied
	files []catalogue.File
	file  *segment.Writer // the last
	tree  tree.Range
	done  chan error // the writer's answer
	doubt bool       // it is unknown whether the epochs file names it
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
		if err == nil && t.skips(list[0].Position) {
			err = fmt.Errorf("%w: the file of entry %d was set aside meanwhile", ErrGone, t.at.Sequence)
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

// skips reports whether entries are missing, if the next is at p, that were there when the copy began: their file
// has turned out damaged. What was missing before then is missing in the copy, too.
func (t *tail) skips(p Position) bool {
	if p == t.from.cat.Load().Settle(t.at) {
		return false
	}
	at, err := t.was.Locate(t.at)
	return err == nil && at.From == t.at
}

// left returns how many entries are to be copied; more than any limit while the copy is in an epoch
// before the last.
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

// stillThere refuses a copy of entries that were removed or set aside meanwhile.
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

// rename renames the files to their final names. catalogue.Tidy completes what a crash leaves
// undone.
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

// discard removes an unused copy.
func (t *tail) discard(err error) {
	if t.file != nil {
		t.file.Close(err)
	}
	if t.doubt {
		return // the next start of the files resolves it
	}
	for _, f := range t.files {
		os.Remove(f.Path + catalogue.NextSuffix) // best effort: the next start does it too
	}
}

// takeOver makes a copied tail count. Before the epochs file is replaced nothing has changed;
// afterwards catalogue.Tidy would complete the rest.
func (w *writer) takeOver(ctx context.Context, t *tail) error {
	w.files.index.Lock()
	defer w.files.index.Unlock()
	if w.file == nil {
		if err := w.openIndexed(ctx); err != nil {
			return err
		}
	}
	if err := w.fill(); err != nil { // nothing of it may be of an epoch that has ended
		w.fail(err)
		return err
	}
	if err := w.buffer.Empty(); err != nil {
		return err
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
	w.buffer.Begin(w.tree)
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

// inDoubt closes everything and opens the files that count by the disk.
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
