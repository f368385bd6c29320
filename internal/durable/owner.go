package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
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
