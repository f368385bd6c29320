// Package durable has what must hold for a file to survive a power cut or a
// dying card: created complete or not at all, used without taking the process
// down, moved aside and never repaired in place. Below it, boltfile is the same
// for databases.
//
// The package refuses to repair, and to overwrite a file with Create. All functions are safe for concurrent use on
// different paths.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
)

// ErrDamaged means a file whose content can't be what was once written to it.
// Call SetAside on the path and open another file.
var ErrDamaged = errors.New("file is damaged")

// ErrFault is the ErrDamaged of a panic or memory fault in Guard. Leave the
// database alone after it: its locks may be taken, so that Close would wait for
// ever.
var ErrFault = fmt.Errorf("fault while it was used: %w", ErrDamaged)

const newSuffix = ".new" // of a file that is not complete yet

// Create makes the file at path, which fill writes to a path beside it: path + ".new"; a leftover of that name
// is removed. It syncs the file, renames it and syncs the directory: after a crash there is the whole file or
// none. An existing file is left alone and is an error that wraps fs.ErrExist.
func Create(path string, fill func(temp string) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("create %s: %w", path, fs.ErrExist)
	}
	temp := path + newSuffix
	err := Remove(temp)
	if err == nil {
		err = fill(temp)
	}
	if err == nil {
		err = syncFile(temp)
	}
	if err != nil {
		os.Remove(temp) // best effort: the next Create tries again
		return fmt.Errorf("create %s: %w", path, err)
	}
	return Rename(temp, path)
}

// errTried ends the trial of CanCreate.
var errTried = errors.New("it can be created")

// CanCreate tells before something is done whose result goes into a new file whether Create can make it. The error wraps
// fs.ErrExist where the file is there, and else says why it can't be made, without a path. Nothing is left behind.
func CanCreate(path string) error {
	err := Create(path, func(temp string) error {
		if err := os.WriteFile(temp, nil, 0o600); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err // the path is one that nobody named
	}
	return err
}

// Guard runs f, which uses a file that is mapped into memory, and turns a panic or a memory fault
// in it into ErrDamaged. It guards the calling goroutine only. The error names what.
func Guard(what string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %w: %v", what, ErrFault, p)
		}
	}()
	return f()
}

// SetAside renames the file to path + ".bad-N" with the first free N from 1,
// so that nothing opens it again and nothing of it is lost, and returns the
// new name.
func SetAside(path string) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.bad-%d", path, n)
		if _, err := os.Lstat(aside); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set aside %s: %w", path, err)
		}
		if err := Rename(path, aside); err != nil {
			return "", fmt.Errorf("set aside: %w", err)
		}
		return aside, nil
	}
}

// KeepAside writes the content of a damaged file to path + ".bad-N", so that the file itself can be
// repaired at once; a power cut in between leaves it as it was.
func KeepAside(path string, data []byte) error {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.bad-%d", path, n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return WriteFile(aside, data, 0o600)
		} else if err != nil {
			return fmt.Errorf("keep aside: %w", err)
		}
	}
}

// WriteFile replaces the content of path: after a crash there is the old
// content or the new. It works under path + ".new". One writer a path.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return replace(path, data, mode, Rename)
}

// WriteOneOf is WriteFile for one of many files of a directory, which the caller makes durable together, by SyncDir or by
// WriteFile in that directory: until then a crash leaves the old content or the new, or takes the name of a new file back.
func WriteOneOf(path string, data []byte, mode os.FileMode) error {
	return replace(path, data, mode, os.Rename)
}

func replace(path string, data []byte, mode os.FileMode, rename func(from, to string) error) error {
	temp := path + newSuffix
	err := writeSynced(temp, data, mode)
	if err == nil {
		err = rename(temp, path)
	}
	if err != nil {
		os.Remove(temp) // it may be secret; best effort: the next WriteFile truncates it
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeSynced(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// MakeDir makes a directory and those above it that are missing, and syncs each
// directory that got a new one, so that what is put there can't vanish with it.
func MakeDir(path string, mode os.FileMode) error {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MakeDir(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncFile(parent); err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, err)
	}
	return nil
}

// Rename moves a file within its directory, over whatever is there, and syncs
// the directory. The file's own content must have been synced before.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := syncFile(filepath.Dir(to)); err != nil {
		return fmt.Errorf("sync directory of %s: %w", to, err)
	}
	return nil
}

// SyncDir makes the names in a directory durable.
func SyncDir(path string) error { return syncFile(path) }

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// SyncFiles makes files of a directory durable that were written there without a sync. One that is not there any
// more is no error.
func SyncFiles(dir string, names []string) error {
	for _, name := range names {
		if err := syncFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := syncFile(dir); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// Remove deletes a file; that there is none is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Erase removes a file durably: it is not back after a power cut. That there is none is no error.
func Erase(path string) error {
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, err)
	}
	return nil
}

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("another process holds it")

// Lock keeps other processes from what its file stands for. It ends with the
// process, however that ends. For one goroutine.
type Lock struct{ file *os.File }

// TakeLock locks the file at path, which it makes if it is missing (mode 0600).
// It doesn't wait: a lock that is held is ErrLocked.
func TakeLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{f}, nil
}

// Free releases the lock at once.
func (l *Lock) Free() { Unlock(l.file) }

// Unlock frees the lock of an open file and closes it. To close it is not enough: a program that is just being
// started has each open file of ours until it runs, and with it the lock.
func Unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	f.Close()
}
