package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// Entry is one durable entry as a reader gets it. Its bytes are a copy.
type Entry struct {
	Position
	wire.Stored
}

// Entries returns up to n durable entries from a position on, and the position
// after them; none, when there are no more yet (see Changed) or Run has not
// opened the files. It goes on over the ends of files and epochs, so that the
// first entry may stand later than from where something was deleted or set
// aside. From within what NewEpoch appended again it goes on at the start of
// the new epoch. A closed file that nobody has read in this run is verified first; one
// that turns out damaged is set aside and skipped. ErrGone: from is in an epoch
// that is not here. It does not hold up the writer; ask for a few hundred at a
// time.
func (j *Journal) Entries(ctx context.Context, from Position, n int) ([]Entry, Position, error) {
	for range maxFiles {
		if err := ctx.Err(); err != nil {
			return nil, from, err
		}
		f, next, last, err := j.locate(&from)
		if err != nil {
			return nil, from, fmt.Errorf("read journal: %w", err)
		}
		if f.path == "" {
			return nil, from, nil
		}
		if !last && f.end <= from.Sequence {
			from = next // nothing of it counts any more
			continue
		}
		list, err := j.readFile(ctx, f, from, n)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, berrors.ErrDatabaseNotOpen):
			j.isGone(f, last)
			continue // closed, packed or deleted meanwhile: look again
		case errors.Is(err, durable.ErrDamaged):
			j.o.Log.Error().Err(err).Msg("journal: damaged file found while reading")
			j.isDamaged(f, last)
			if last {
				return nil, from, fmt.Errorf("read journal: %w", err)
			}
			continue
		case err != nil:
			return nil, from, fmt.Errorf("read journal: %w", err)
		case len(list) > 0:
			p := list[len(list)-1].Position
			p.Sequence++
			return list, p, nil
		case last:
			return nil, from, nil
		}
		from = next
	}
	return nil, from, errors.New("read journal: its files keep changing")
}

// maxFiles bounds the walk over empty and vanished files.
const maxFiles = 100_000

// locate returns the file that has from, the first position of the file after
// it, and whether it is the last. It moves from to the file's first entry
// where that is later.
func (j *Journal) locate(from *Position) (f file, next Position, last bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.files) == 0 {
		return f, next, true, nil // not open yet
	}
	at := -1
	for i, f := range j.files {
		switch {
		case from.Epoch == 0 && at < 0, f.epoch == from.Epoch && (at < 0 || f.first <= from.Sequence):
			at = i
		}
	}
	if at < 0 {
		return f, next, false, ErrGone
	}
	f = j.files[at]
	if from.Epoch == 0 || from.Sequence < f.first {
		*from = Position{f.epoch, f.first}
	}
	if at+1 < len(j.files) {
		next = Position{j.files[at+1].epoch, j.files[at+1].first}
		return f, next, false, nil
	}
	if j.cur != nil {
		f.end = j.next // bbolt shows a commit before it is durable
	}
	return f, next, true, nil
}

// maxPrepared bounds the room that is made for entries before they are read.
const maxPrepared = 2048

// readFile reads up to n entries of one file.
func (j *Journal) readFile(ctx context.Context, f file, from Position, n int) (list []Entry, err error) {
	list = make([]Entry, 0, min(uint64(n), f.end-from.Sequence, maxPrepared))
	err = j.viewFile(ctx, f, func(tx *bolt.Tx) error {
		return eachEntry(tx, from.Sequence, f.end, n, func(seq uint64, stored []byte) error {
			s, err := wire.SplitStored(bytes.Clone(stored)) // the file was verified or written in this run
			if err != nil {
				return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
			}
			list = append(list, Entry{Position{f.epoch, seq}, s})
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// viewFile runs read on a file in a read transaction: on the open current one,
// or on a closed one that is verified first.
func (j *Journal) viewFile(ctx context.Context, f file, read func(*bolt.Tx) error) error {
	j.mu.Lock()
	cur := j.cur
	if cur != nil && j.files[len(j.files)-1].path != f.path {
		cur = nil
	}
	j.mu.Unlock()
	if cur != nil {
		return guardedView(f.path, cur, read)
	}
	if err := j.check(ctx, f); err != nil {
		return err
	}
	return view(f.path, read)
}

// check verifies a closed file once in a run.
func (j *Journal) check(ctx context.Context, f file) error {
	if f.checked {
		return nil
	}
	err := j.o.Verify(ctx, f.path)
	if errors.Is(err, ErrOneMeta) {
		if err = fmt.Errorf("%w: %w", durable.ErrDamaged, err); j.isEnough(f) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.files {
		if j.files[i].path == f.path {
			j.files[i].checked = true
		}
	}
	return nil
}

// isEnough reports whether a closed file of which one meta page is damaged has all
// its entries. It is told of, and rewritten.
func (j *Journal) isEnough(f file) bool {
	var s segment
	err := view(f.path, func(tx *bolt.Tx) (err error) { s, err = readSegment(tx); return err })
	if err != nil || f.end != noEnd && s.size < f.end {
		return false
	}
	j.mu.Lock()
	for i := range j.files {
		if j.files[i].path == f.path {
			j.files[i].packed, j.files[i].spoilt = false, true
		}
	}
	j.mu.Unlock()
	j.tellLoss(wire.ReasonDamaged, []byte(filepath.Base(f.path)), "a file was damaged; its entries are all there")
	poke(j.work)
	return true
}

// isGone takes a closed file out that somebody deleted; the keeper tells of it.
func (j *Journal) isGone(f file, last bool) {
	if _, err := os.Stat(f.path); last || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	j.upkeep.Lock() // not while it is rewritten
	defer j.upkeep.Unlock()
	if _, err := os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		j.mu.Lock()
		j.forget(f.path)
		j.mu.Unlock()
		poke(j.work)
	}
}

// isDamaged has a damaged file set aside: a closed one here, the current one
// by the writer.
func (j *Journal) isDamaged(f file, last bool) {
	if !last {
		j.upkeep.Lock()
		defer j.upkeep.Unlock()
		j.setAside(f.path)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.files); n > 0 && j.files[n-1].path == f.path { // else the writer went on without it
		j.suspect = true
		poke(j.wake)
	}
}

// setAside renames a damaged file that nobody writes to, and says so in the
// journal.
func (j *Journal) setAside(path string) bool {
	aside, err := durable.SetAside(path)
	if err != nil {
		j.o.Log.Error().Err(err).Msg("journal: can't set a damaged file aside")
		return false
	}
	j.o.Log.Error().Str("file", aside).Msg("journal: damaged file set aside")
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(path)
	name := []byte(filepath.Base(aside))
	j.note(wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonDamaged, Detail: name[:min(len(name), 64)]})
	return true
}
