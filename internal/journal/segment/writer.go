package segment

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// Writer is an entry file that is open for appending. One goroutine appends; View is safe beside
// it.
type Writer struct {
	path string
	db   *bolt.DB
	info os.FileInfo // of the file when it was opened or renamed; nil: it counts as removed
}

// OpenWriter opens the file at path.
func OpenWriter(path string) (*Writer, error) {
	db, err := open(path, false)
	if err != nil {
		return nil, err
	}
	w := &Writer{db: db}
	w.Renamed(path)
	return w, nil
}

// SkipSync ends the syncing of each Append, for a file that does not count yet and for tests that must lose entries.
func (w *Writer) SkipSync() { w.db.NoSync = true }

// Renamed notes that the file has another path now.
func (w *Writer) Renamed(path string) {
	w.path = path
	w.info, _ = os.Stat(path)
}

// Append adds stored entries, the first with the sequence number seq, and the tree at their end, in
// one transaction. nil: they are on the disk; after an error they may be there or not.
func (w *Writer) Append(seq uint64, stored [][]byte, end tree.Range) error {
	return durable.Guard("write "+w.path, func() error {
		return w.db.Update(func(tx *bolt.Tx) error {
			if err := putEntries(tx, seq, stored); err != nil {
				return err
			}
			return putHead(tx, end)
		})
	})
}

// View runs read on the file in a read transaction. It shows commits that may not be
// on the disk yet.
func (w *Writer) View(read func(Tx) error) error { return view(w.path, w.db, read) }

// Removed reports whether the file was moved or deleted: what is written to it then is lost with
// this process.
func (w *Writer) Removed() bool {
	info, err := os.Stat(w.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, w.info)
}

// Has reports whether the file has the entry seq, or can't be read. After a failed commit it is
// unknown whether what can be read lasts.
func (w *Writer) Has(seq uint64) bool {
	has := true
	err := w.View(func(t Tx) error {
		k, _ := t.tx.Bucket(bucketEntries).Cursor().Last()
		has = len(k) == 8 && binary.BigEndian.Uint64(k) >= seq
		return nil
	})
	return err != nil || has
}

// sync makes durable what was appended after SkipSync.
func (w *Writer) sync() error { return durable.Guard("sync "+w.path, w.db.Sync) }

// Close closes the file when all its readers are done. err is the last error of its use: after a
// fault it stays open, since its locks may be held for ever.
func (w *Writer) Close(err error) { closeUnlessFaulted(w.db, err) }

// Walk calls each with the entries of a closed file. What they have is valid until each returns.
func Walk(path string, each func(seq uint64, s journaled.Stored)) error {
	return View(path, func(t Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		return t.split(s.Start.Size(), s.Size, func(seq uint64, _ []byte, e journaled.Stored, _ tlog.Hash) error {
			each(seq, e)
			return nil
		})
	})
}
