package buffer

import (
	"os"
	"path/filepath"

	"gatehouse/internal/durable"
)

// OldLock is the name of the file that the version before locks.
const OldLock = "lock"

// KeepOut makes a directory of the name that the version before locks, in the directory of a journal.
// That version knows no write-ahead file and would give its sequence numbers again: so it can't open
// the journal, and touches nothing. durable.ErrLocked: it runs.
func KeepOut(dir string) error {
	path := filepath.Join(dir, OldLock)
	switch info, err := os.Lstat(path); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		old, err := durable.TakeLock(path)
		if err != nil {
			return err
		}
		defer old.Free()
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return durable.MakeDir(path, 0o700)
}

// LetIn lets the version before go on, because the write-ahead file is empty.
func LetIn(dir string) error { return durable.Remove(filepath.Join(dir, OldLock)) }
