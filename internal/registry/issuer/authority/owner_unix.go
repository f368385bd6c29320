//go:build unix

package authority

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ownedAsDirectory gives a file that root has written to the owner of its directory, whose process reads it.
func ownedAsDirectory(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("give %s to the owner of its directory: %w", path, err)
	}
	return nil
}
