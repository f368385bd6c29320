// Package journaltest reads the journal of another process, for simulators and tests.
package journaltest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// ReadCopies calls each with the entries of a journal that another process may be
// writing to, by epoch and sequence: those that are on disk, in the entry files or in the
// write-ahead file, which has the name "ahead". It reads copies, which it makes in the
// directory scratch and removes again.
func ReadCopies(dir, scratch string, each func(journaled.Entry) error) error {
	// First: what leaves it meanwhile is in an entry file then. A hole is where it is being emptied.
	frames, err := ahead.Read(filepath.Join(dir, ahead.Name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, durable.ErrDamaged) {
		return fmt.Errorf("read copies of %s: %w", dir, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*-*.db"))
	if err != nil {
		return fmt.Errorf("read copies of %s: %w", dir, err)
	}
	tmp, err := os.MkdirTemp(scratch, "journal-")
	if err != nil {
		return fmt.Errorf("read copies of %s: %w", dir, err)
	}
	defer os.RemoveAll(tmp)
	slices.Sort(files)
	for i, f := range files {
		epoch, _, ok := segment.ParseName(filepath.Base(f))
		if !ok {
			continue
		}
		copied := filepath.Join(tmp, filepath.Base(f))
		if err := copyStill(f, copied); err != nil {
			return fmt.Errorf("read copy of %s: %w", f, err)
		}
		next, err := eachOf(copied, each)
		if err != nil {
			return fmt.Errorf("read copy of %s: %w", f, err)
		}
		if i+1 < len(files) && strings.HasPrefix(filepath.Base(files[i+1]), filepath.Base(f)[:len("0123456789abcdef-")]) {
			continue
		}
		if err := eachBehind(frames, journaled.Position{Epoch: epoch, Sequence: next}, each); err != nil {
			return fmt.Errorf("read the write-ahead file of %s: %w", dir, err)
		}
	}
	return nil
}

// Behind calls each with the entries that follow a position in the write-ahead file of a journal to
// which nobody writes.
func Behind(dir string, at journaled.Position, each func(journaled.Entry) error) error {
	frames, err := ahead.Read(filepath.Join(dir, ahead.Name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return eachBehind(frames, at, each)
}

// eachBehind calls each with the entries of frames that follow a position.
func eachBehind(frames []ahead.Frame, at journaled.Position, each func(journaled.Entry) error) error {
	for _, f := range frames {
		for f.Epoch == at.Epoch && at.Sequence >= f.First && at.Sequence < f.End() {
			e, err := journaled.Split(f.Stored[at.Sequence-f.First])
			if err != nil {
				return err
			}
			if err := each(journaled.Entry{Position: at, Stored: e}); err != nil {
				return err
			}
			at.Sequence++
		}
	}
	return nil
}

// copyStill copies a file of which two reads agree: a commit writes in between
// nothing that the head before it needs.
func copyStill(from, to string) error {
	const tries = 100
	before, err := readUsed(from)
	for range tries {
		if err != nil {
			return err
		}
		var again []byte
		if again, err = readUsed(from); err == nil && bytes.Equal(before, again) {
			return os.WriteFile(to, again, 0o600)
		}
		before = again
	}
	return errors.Join(err, errors.New("it never stands still"))
}

// readUsed reads the pages of a bbolt file that are in use: it grows by far more
// than it needs. Its two first pages say how many there are.
func readUsed(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const sizeAt, pagesAt, meta = 24, 56, 80 // in a meta page: page size, number of pages
	head := make([]byte, meta)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("%w: no meta page", durable.ErrDamaged)
	}
	page := int64(binary.NativeEndian.Uint32(head[sizeAt:]))
	second := make([]byte, meta)
	if _, err := f.ReadAt(second, page); page < meta || page > 1<<20 || err != nil {
		return nil, fmt.Errorf("%w: no second meta page", durable.ErrDamaged)
	}
	pages := int64(max(binary.NativeEndian.Uint64(head[pagesAt:]), binary.NativeEndian.Uint64(second[pagesAt:])))
	if pages < 2 || pages > 1<<32 {
		return nil, fmt.Errorf("%w: %d pages", durable.ErrDamaged, pages)
	}
	return io.ReadAll(io.NewSectionReader(f, 0, page*pages))
}

// eachOf returns the first sequence after the entries of a file.
func eachOf(path string, each func(journaled.Entry) error) (next uint64, err error) {
	err = segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		next = s.Size
		return t.Each(s.Start.Size(), s.Size, int(s.Size-s.Start.Size()), func(seq uint64, stored []byte) error {
			e, err := journaled.Split(bytes.Clone(stored))
			if err != nil {
				return err
			}
			return each(journaled.Entry{Position: journaled.Position{Epoch: s.Epoch, Sequence: seq}, Stored: e})
		})
	})
	return next, err
}
