// Package durable has what must hold for a file to survive a power cut or a
// dying card: created complete or not at all, opened without taking the
// process down, moved aside and never repaired in place.
//
// bbolt keeps a file safe from its second commit on. Before the first commit a
// cut can leave a file that bbolt can't open, so Create makes files under
// another name. A damaged or shortened file makes bbolt panic, or makes the
// memory map fault; Open and Guard turn both into ErrDamaged. One thing they
// can't catch: Tx.Check works in a goroutine of its own, and a fault there ends
// the process. Check a file that is not known to be good in another process.
//
// The package refuses to repair, to overwrite a file with Create, and to make
// a missing file with Open. All functions are safe for concurrent use on
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
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged means a file whose content can't be what was once written to it.
// Call SetAside on the path and open another file.
var ErrDamaged = errors.New("file is damaged")

// ErrFault is the ErrDamaged of a panic or memory fault in Guard. Leave the
// bolt.DB alone after it: its locks may be taken, so that Close would wait for
// ever.
var ErrFault = fmt.Errorf("fault while it was used: %w", ErrDamaged)

const (
	lockTimeout = 2 * time.Second // how long Open waits for another process
	allocSize   = 128 << 10       // bytes by which a file grows at a time, instead of bbolt's 16 MiB
	newSuffix   = ".new"          // of a file that is not complete yet
)

// Create makes the bbolt file at path with the content that init puts into its
// first transaction. It works under path + ".new" (a leftover of that name is
// removed), syncs the file, renames it and syncs the directory: after a crash
// there is the whole file or none. An existing file is left alone and is an
// error that wraps fs.ErrExist.
func Create(path string, init func(*bolt.Tx) error) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("create %s: %w", path, fs.ErrExist)
	}
	temp := path + newSuffix
	if err := Remove(temp); err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	if err := fill(temp, init); err != nil {
		os.Remove(temp) // best effort: the next Create tries again
		return fmt.Errorf("create %s: %w", path, err)
	}
	return Rename(temp, path)
}

func fill(temp string, init func(*bolt.Tx) error) error {
	db, err := bolt.Open(temp, 0o600, options(nil))
	if err != nil {
		return err
	}
	db.AllocSize = allocSize
	if err := db.Update(init); err != nil {
		db.Close()
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	return syncFile(temp)
}

// Open opens an existing bbolt file. Options are completed, not changed: a
// lock timeout of 2 s and the hash map free list where they name none. A file
// that can't be right (empty, garbage, cut short, a fault while reading it) is
// ErrDamaged; one that another process holds wraps bbolt's ErrTimeout; what
// the system refuses is passed on (fs.ErrNotExist, syscall.EROFS and so on).
// The free list stays in the file, whatever it costs: without it bbolt reads
// all pages at opening, in a goroutine whose faults nobody can catch.
func Open(path string, o *bolt.Options) (*bolt.DB, error) {
	opts := options(o)
	opts.NoFreelistSync = false
	var file *os.File
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		f, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
		file = f
		return f, err
	}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	} else if info.Size() == 0 {
		return nil, fmt.Errorf("open %s: %w: it is empty", path, ErrDamaged)
	}
	var db *bolt.DB
	err := Guard("open "+path, func() (err error) {
		db, err = bolt.Open(path, 0o600, opts)
		return err
	})
	switch {
	case errors.Is(err, ErrDamaged):
		if file != nil {
			abandon(file)
		}
		return nil, err
	case err != nil:
		return nil, openError(path, err)
	}
	db.AllocSize = allocSize
	if err := whole(db, file); err != nil {
		abandon(file) // db.Close could wait for a lock that a fault left taken
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func options(o *bolt.Options) *bolt.Options {
	opts := bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType}
	if o != nil {
		opts = *o
	}
	if opts.Timeout == 0 {
		opts.Timeout = lockTimeout
	}
	if opts.FreelistType == "" {
		opts.FreelistType = bolt.FreelistMapType
	}
	return &opts
}

func openError(path string, err error) error {
	var system *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("open %s: another process holds it: %w", path, err)
	case errors.As(err, &system), isErrno(err):
		return fmt.Errorf("open %s: %w", path, err)
	}
	return fmt.Errorf("open %s: %w: %w", path, ErrDamaged, err)
}

// abandon frees the lock of a file whose memory map is lost to us: the map keeps
// the open file, and with it the lock, alive.
func abandon(file *os.File) { (&Lock{file}).Free() }

// whole finds files that were cut short: the map reaches over the end of the
// file without a word, and only a read there would fault.
func whole(db *bolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return Guard("read its size", func() error {
		return db.View(func(tx *bolt.Tx) error {
			if tx.Size() > info.Size() {
				return fmt.Errorf("%w: %d of %d bytes are there", ErrDamaged, info.Size(), tx.Size())
			}
			return nil
		})
	})
}

// Guard runs f, which uses an open bbolt file, and turns a panic or a memory
// fault in it into ErrDamaged. It guards the calling goroutine only. what
// stands in the error.
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

// WriteFile replaces the content of path: after a crash there is the old
// content or the new. It works under path + ".new". One writer a path.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	temp := path + newSuffix
	if err := writeSynced(temp, data, mode); err != nil {
		os.Remove(temp) // best effort: the next WriteFile truncates it
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Rename(temp, path)
}

func writeSynced(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
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

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func isErrno(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno)
}

// Remove deletes a file; that there is none is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
