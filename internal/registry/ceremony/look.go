package ceremony

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/disk"
	"gatehouse/internal/registry/api"
)

// lookAtSticks sees that each stick takes what is written, and that what is lost together is not
// called two: no stick lies on another's disk, or on one of the machine with that directory.
func lookAtSticks(dir string, sticks []string, trial bool, tell func(format string, args ...any)) error {
	disks := map[string]string{}
	if !trial {
		if err := ownDisks(dir, disks); err != nil {
			return err
		}
	}
	for n, path := range sticks {
		if slices.Contains(sticks[:n], path) {
			return api.Hinted("name another one", "%s is named twice", path)
		}
		s := stick(path)
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			err = errors.New("it is no directory")
		}
		if err != nil {
			return api.Hinted("mount the stick there first", "stick %d: %v", n+1, err)
		}
		if !trial {
			on, err := disk.Of(path)
			if err != nil {
				return err
			}
			if other, taken := disks[on]; taken {
				return api.Hinted("mount another stick there; with --trial directories of one disk will do, for practice", "stick %d at %s lies on the same disk as %s: both would be lost together", n+1, path, other)
			}
			disks[on] = path
		}
		if err := s.explain(s.takes()); err != nil {
			return err
		}
		tell("stick %d   %s takes what is written", n+1, path)
	}
	return nil
}

// ownDisks adds those of the machine.
func ownDisks(dir string, disks map[string]string) error {
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	for _, path := range []string{"/", os.TempDir(), dir} {
		on, err := disk.Of(path)
		if err != nil {
			return err
		}
		disks[on] = path
	}
	return nil
}
