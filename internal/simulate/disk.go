package simulate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// disk is the disk of one machine: a folder, which a power cut, a restore or an
// old image replaces by another one.
type disk struct {
	root string // of all generations
	n    int
	own  bool         // each generation is a file system of its own
	full bool         // which takes nothing more
	slow atomic.Int64 // ns that each sync takes
}

// separate makes the disk a file system of its own, where this process may; it
// is empty then.
func (d *disk) separate() {
	d.own = os.MkdirAll(d.dir(), 0o700) == nil && mountRoom(d.dir()) == nil
}

// fill leaves the disk no room for more.
func (d *disk) fill() error {
	used, err := usedRoom(d.dir())
	if err != nil {
		return err
	}
	d.full = true
	return limitRoom(d.dir(), used)
}

// widen gives it room.
func (d *disk) widen() error {
	d.full = false
	return limitRoom(d.dir(), 1<<30)
}

// wait is what a sync takes.
func (d *disk) wait() {
	if by := d.slow.Load(); by > 0 {
		time.Sleep(time.Duration(by))
	}
}

func (d *disk) dir() string { return filepath.Join(d.root, fmt.Sprint(d.n)) }

func (d *disk) path(elem ...string) string {
	return filepath.Join(append([]string{d.dir()}, elem...)...)
}

// image copies the disk as it is now to a place of its own.
func (d *disk) image(name string) error {
	to := filepath.Join(d.root, "image-"+name)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return copyTree(d.dir(), to)
}

// next makes a new generation, a copy of the present one or of an image.
func (d *disk) next(image string) error {
	from := d.dir()
	if image != "" {
		from = filepath.Join(d.root, "image-"+image)
	}
	if err := d.fresh(); err != nil {
		return err
	}
	if err := copyTree(from, d.dir()); err != nil || !d.full {
		return err
	}
	return d.fill()
}

// fresh makes a new generation with nothing in it.
func (d *disk) fresh() error {
	d.n++
	if !d.own {
		return nil
	}
	if err := os.MkdirAll(d.dir(), 0o700); err != nil {
		return err
	}
	return mountRoom(d.dir())
}

// release ends the present generation.
func (d *disk) release() {
	if d.own {
		_ = unmountRoom(d.dir())
	}
}

// hasImage reports whether an image of this name was made.
func (d *disk) hasImage(name string) bool {
	_, err := os.Stat(filepath.Join(d.root, "image-"+name))
	return err == nil
}

// drop removes the generation before the present one: nobody uses it any more.
func (d *disk) drop() {
	old := filepath.Join(d.root, fmt.Sprint(d.n-1))
	if d.own {
		_ = unmountRoom(old)
	}
	_ = os.RemoveAll(old)
}

func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file that is gone again
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, b, 0o600)
	})
}
