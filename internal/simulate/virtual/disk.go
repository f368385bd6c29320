package virtual

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Disk is the disk of one machine: a directory, which a power cut, a restore or an
// old image replaces by another one. Only a sync is safe for concurrent use.
type Disk struct {
	Root string // of all generations
	n    int
	Own  bool         // each generation is a file system of its own
	Full bool         // which takes nothing more
	Slow atomic.Int64 // ns that each sync takes
}

// Separate makes the disk a file system of its own, where this process may; it
// is empty then.
func (d *Disk) Separate() {
	d.Own = os.MkdirAll(d.Dir(), 0o700) == nil && mountTmpfs(d.Dir()) == nil
}

// Fill leaves the disk no room for more.
func (d *Disk) Fill() error {
	used, err := usedTmpfs(d.Dir())
	if err != nil {
		return err
	}
	d.Full = true
	return limitTmpfs(d.Dir(), used)
}

// Widen gives it room.
func (d *Disk) Widen() error {
	d.Full = false
	return limitTmpfs(d.Dir(), 1<<30)
}

// Wait takes as long as a sync.
func (d *Disk) Wait() {
	if by := d.Slow.Load(); by > 0 {
		time.Sleep(time.Duration(by))
	}
}

// Dir is the directory of the present generation.
func (d *Disk) Dir() string { return filepath.Join(d.Root, fmt.Sprint(d.n)) }

// Path is that of a file in it.
func (d *Disk) Path(elem ...string) string {
	return filepath.Join(append([]string{d.Dir()}, elem...)...)
}

// ImageDir is where an image of this name lies.
func (d *Disk) ImageDir(name string) string { return filepath.Join(d.Root, "image-"+name) }

// Image copies the disk as it is now to a place of its own.
func (d *Disk) Image(name string) error {
	to := d.ImageDir(name)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return CopyTree(d.Dir(), to)
}

// Keep puts a file into an image, and ends what it comes from.
func (d *Disk) Keep(image, name string, from io.ReadCloser) error {
	b, err := io.ReadAll(from)
	if err := errors.Join(err, from.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(d.ImageDir(image), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.ImageDir(image), name), b, 0o600)
}

// Next makes a new generation, a copy of the present one or of an image.
func (d *Disk) Next(image string) error {
	from := d.Dir()
	if image != "" {
		from = d.ImageDir(image)
	}
	if err := d.Fresh(); err != nil {
		return err
	}
	if err := CopyTree(from, d.Dir()); err != nil || !d.Full {
		return err
	}
	return d.Fill()
}

// Fresh makes a new generation with nothing in it.
func (d *Disk) Fresh() error {
	d.n++
	if !d.Own {
		return nil
	}
	if err := os.MkdirAll(d.Dir(), 0o700); err != nil {
		return err
	}
	return mountTmpfs(d.Dir())
}

// Release ends the present generation.
func (d *Disk) Release() {
	if d.Own {
		_ = unmountTmpfs(d.Dir())
	}
}

// HasImage reports whether an image of this name was made.
func (d *Disk) HasImage(name string) bool {
	_, err := os.Stat(d.ImageDir(name))
	return err == nil
}

// Drop removes the generation before the present one: nobody uses it any more.
func (d *Disk) Drop() {
	old := filepath.Join(d.Root, fmt.Sprint(d.n-1))
	if d.Own {
		_ = unmountTmpfs(old)
	}
	_ = os.RemoveAll(old)
}

// CopyTree copies the files of a directory, of which some may go meanwhile.
func CopyTree(from, to string) error {
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
