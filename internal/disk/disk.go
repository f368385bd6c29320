// Package disk tells whether files are lost together, which disk a path lies on, and how much space there is.
package disk

import (
	"os"
	"path/filepath"
)

// Shared returns the first of the other paths that lies on the disk of path, or "" where each lies
// on another one. Of a path that is not there, or may not be looked at, the directory above counts.
func Shared(path string, others ...string) (string, error) {
	own, err := Of(path)
	if err != nil {
		return "", err
	}
	for _, other := range others {
		seen := filepath.Clean(other)
		for _, err := os.Stat(seen); err != nil && seen != filepath.Dir(seen); _, err = os.Stat(seen) {
			seen = filepath.Dir(seen)
		}
		theirs, err := Of(seen)
		if err != nil {
			return "", err
		}
		if theirs == own {
			return other, nil
		}
	}
	return "", nil
}
