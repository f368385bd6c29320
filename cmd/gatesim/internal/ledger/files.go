package ledger

import (
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/journaltest"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// Files are the files of a gateway's log, read while its daemon writes others. Copies are made in the
// building's directory, which holds the state directory.
type Files struct{ Dir string }

// Entries calls each with the entries that are on disk, also while the daemon
// writes others.
func (f Files) Entries(each func(Entry) error) error {
	return journaltest.ReadCopies(f.journal(), f.Dir, func(e journaled.Entry) error {
		out, err := entryOf(e)
		if err != nil {
			return err
		}
		return each(out)
	})
}

func (f Files) journal() string { return filepath.Join(f.Dir, "state", "journal") }

// Changed is when the newest of the journal's files was written.
func (f Files) Changed() (last time.Time) {
	files, _ := filepath.Glob(filepath.Join(f.journal(), "*-*.db")) // the pattern is right
	for _, file := range append(files, filepath.Join(f.journal(), ahead.Name)) {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// Verify checks copies of the journal's files and returns the report of the
// last one, with the entries that are only in the write-ahead file yet.
func (f Files) Verify() (last segment.Report, err error) {
	files, err := filepath.Glob(filepath.Join(f.journal(), "*-*.db"))
	if err != nil {
		return last, err
	}
	tmp, err := os.MkdirTemp(f.Dir, "audit-")
	if err != nil {
		return last, err
	}
	defer os.RemoveAll(tmp)
	for _, file := range files { // in the order of their first entries
		content, err := os.ReadFile(file)
		if err != nil {
			return last, err
		}
		copied := filepath.Join(tmp, filepath.Base(file))
		if err := os.WriteFile(copied, content, 0o600); err != nil {
			return last, err
		}
		if last, err = segment.Verify(copied); err != nil {
			return last, err
		}
		if err := f.goOn(copied, &last); err != nil {
			return last, err
		}
	}
	return last, nil
}

// goOn adds the entries of the write-ahead file that follow those of an entry file.
func (f Files) goOn(file string, r *segment.Report) error {
	var leaves []tlog.Hash
	err := journaltest.Behind(f.journal(), journaled.Position{Epoch: r.Epoch, Sequence: r.Next}, func(e journaled.Entry) error {
		leaves = append(leaves, tlog.RecordHash(e.Leaf()))
		return nil
	})
	if err != nil || len(leaves) == 0 {
		return err
	}
	return segment.View(file, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		end, err := t.Tree(s.Start, s.Size)
		end = end.AddAll(leaves)
		r.Next, r.Root = end.Size(), end.Root()
		return err
	})
}
