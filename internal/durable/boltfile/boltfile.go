// Package boltfile makes and opens bbolt files that survive a power cut or a dying card.
//
// bbolt keeps a file safe from its second commit on. Before the first commit a cut can leave a file that bbolt
// can't open, so Create makes files under another name. A damaged or shortened file makes bbolt panic, or makes
// the memory map fault; Open turns both into durable.ErrDamaged, as durable.Guard does for what is done with an
// open file. One thing they can't catch: Tx.Check works in a goroutine of its own, and a fault there ends the
// process. Check a file that is not known to be good in another process.
//
// The package refuses to repair, to overwrite a file with Create, and to make a missing file with Open. All
// functions are safe for concurrent use on different paths.
package boltfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"gatehouse/internal/durable"
)

const (
	lockTimeout = 2 * time.Second // how long Open waits for another process
	allocSize   = 128 << 10       // bytes by which a file grows at a time, instead of bbolt's 16 MiB
)

// Create makes the bbolt file at path with the content that init puts into its first transaction, whole or not
// at all, as durable.Create does.
func Create(path string, init func(*bolt.Tx) error) error {
	return durable.Create(path, func(temp string) error {
		db, err := bolt.Open(temp, 0o600, options(nil))
		if err != nil {
			return err
		}
		db.AllocSize = allocSize
		return errors.Join(db.Update(init), db.Close())
	})
}

// Open opens an existing bbolt file. Options are completed, not changed: a
// lock timeout of 2 s and the hash map free list where they name none. A file
// that can't be right (empty, garbage, cut short, a fault while reading it) is
// durable.ErrDamaged; one that another process holds wraps bbolt's ErrTimeout; what
// the system refuses is passed on (fs.ErrNotExist, syscall.EROFS and so on).
// The free list stays in the file, whatever it costs: without it bbolt reads
// all pages at opening, in a goroutine whose faults nobody can catch.
func Open(path string, o *bolt.Options) (*bolt.DB, error) {
	opts := options(o)
	opts.NoFreelistSync = false
	var file *os.File
	opts.OpenFile = func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
		f, err = OpenQuietly(name, flag&^os.O_CREATE, mode)
		file = f
		return f, err
	}
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	} else if info.Size() == 0 {
		return nil, fmt.Errorf("open %s: %w: it is empty", path, durable.ErrDamaged)
	}
	var db *bolt.DB
	err := durable.Guard("open "+path, func() (err error) {
		db, err = bolt.Open(path, 0o600, opts)
		return err
	})
	switch {
	case errors.Is(err, durable.ErrDamaged):
		if file != nil {
			durable.Unlock(file) // the map keeps it open
		}
		return nil, err
	case err != nil:
		return nil, openError(path, err)
	}
	db.AllocSize = allocSize
	if err := whole(db, file); err != nil {
		durable.Unlock(file) // db.Close could wait for a lock that a fault left taken
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func options(o *bolt.Options) *bolt.Options {
	var opts bolt.Options
	if o != nil {
		opts = *o
	}
	opts.Timeout = cmp.Or(opts.Timeout, lockTimeout)
	opts.FreelistType = cmp.Or(opts.FreelistType, bolt.FreelistMapType)
	return &opts
}

func openError(path string, err error) error {
	if errors.Is(err, berrors.ErrTimeout) {
		return fmt.Errorf("open %s: another process holds it: %w", path, err)
	}
	_, system := errors.AsType[*fs.PathError](err)
	if _, errno := errors.AsType[syscall.Errno](err); system || errno {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return fmt.Errorf("open %s: %w: %w", path, durable.ErrDamaged, err)
}

// whole finds files that were cut short: the map reaches over the end of the
// file without a word, and only a read there would fault.
func whole(db *bolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return durable.Guard("read its size", func() error {
		return db.View(func(tx *bolt.Tx) error {
			if tx.Size() > info.Size() {
				return fmt.Errorf("%w: %d of %d bytes are there", durable.ErrDamaged, info.Size(), tx.Size())
			}
			return nil
		})
	})
}
