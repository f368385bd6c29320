package virtual

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Search looks for byte strings in every file of the disk, and returns the name of one that has one; empty: none
// does. A damaged file that was set aside is for a person to look at and to delete (docs/retention.md). Each string has at least two bytes.
func (d *Disk) Search(all [][]byte) (file string, err error) {
	byStart := map[[2]byte][][]byte{}
	var starts [1 << 16]bool
	for _, s := range all {
		start := [2]byte(s)
		byStart[start] = append(byStart[start], s)
		starts[int(start[0])<<8|int(start[1])] = true
	}
	err = filepath.WalkDir(d.Dir(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.Contains(e.Name(), ".bad-") {
			return err
		}
		b, err := os.ReadFile(path)
		for i := 0; err == nil && i+1 < len(b); i++ {
			if !starts[int(b[i])<<8|int(b[i+1])] {
				continue
			}
			for _, s := range byStart[[2]byte(b[i:])] {
				if bytes.HasPrefix(b[i:], s) {
					file = e.Name()
					return fs.SkipAll
				}
			}
		}
		return err
	})
	return file, err
}
