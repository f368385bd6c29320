package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// daemonUser is the owner of a gateway's state directory, where the package made it.
const daemonUser = "gatehouse"

// HandOver gives a gateway's state directory, and path with all that is below it, to the
// daemon's user, where root made them and there is such a user. Otherwise it does nothing.
func HandOver(state, path string) error {
	daemon, err := user.Lookup(daemonUser)
	if os.Getuid() != 0 || err != nil {
		return nil
	}
	uid, err1 := strconv.Atoi(daemon.Uid)
	gid, err2 := strconv.Atoi(daemon.Gid)
	if err := errors.Join(err1, err2, os.Chown(state, uid, gid)); err != nil {
		return fmt.Errorf("give %s to the daemon: %w", state, err)
	}
	return filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, uid, gid)
	})
}

// WriteForOwner is WriteFile for a directory that belongs to the user of another program: a file that
// root writes there is given to that user, or the program could no longer read it.
func WriteForOwner(path string, data []byte, perm fs.FileMode) error {
	if err := WriteFile(path, data, perm); err != nil || os.Getuid() != 0 {
		return err
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if owner, known := info.Sys().(*syscall.Stat_t); known {
		return os.Chown(path, int(owner.Uid), int(owner.Gid))
	}
	return nil
}
