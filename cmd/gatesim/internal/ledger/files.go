package ledger

import (
	"os"
	"path/filepath"
	"time"

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
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last
}

// Verify checks copies of the journal's files and returns the report of the
// last one.
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
	}
	return last, nil
}
