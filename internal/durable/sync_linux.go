package durable

import (
	"errors"
	"os"
	"syscall"
)

// SyncData makes the bytes of a file durable, and its size; not the times of its last change, which
// cost a write of their own where a file is written in place.
func SyncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
