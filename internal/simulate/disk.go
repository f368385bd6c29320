package simulate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is the disk of one machine: a folder, which a power cut, a restore or an
// old image replaces by another one.
type disk struct {
	root string // of all generations
	n    int
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
	d.n++
	return copyTree(from, d.dir())
}

// hasImage reports whether an image of this name was made.
func (d *disk) hasImage(name string) bool {
	_, err := os.Stat(filepath.Join(d.root, "image-"+name))
	return err == nil
}

// drop removes the generation before the present one: nobody uses it any more.
func (d *disk) drop() { _ = os.RemoveAll(filepath.Join(d.root, fmt.Sprint(d.n-1))) }

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
