package boltfile

import (
	"errors"
	"os"
	"syscall"
)

// OpenQuietly opens a file whose time of access stays: it would tell whoever looks at the disk when an old
// log was read, and that is when somebody queried it. Only the file's owner may ask for that.
func OpenQuietly(name string, flag int, mode os.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NOATIME, mode)
	if errors.Is(err, syscall.EPERM) {
		return os.OpenFile(name, flag, mode)
	}
	return f, err
}
