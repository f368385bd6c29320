package virtual

import (
	"fmt"
	"syscall"
)

// mountRoom mounts a file system in memory on a directory, so that it can be full.
func mountRoom(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1g") }

// limitRoom leaves a file system so many bytes.
func limitRoom(dir string, bytes uint64) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes))
}

// usedRoom is what it holds, in bytes.
func usedRoom(dir string) (uint64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return (s.Blocks - s.Bfree) * uint64(s.Bsize), err
}

func unmountRoom(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
