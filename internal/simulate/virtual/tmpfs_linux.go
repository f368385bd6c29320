package virtual

import (
	"fmt"
	"syscall"
)

// mountTmpfs mounts a file system in memory on a directory, so that it can be full.
func mountTmpfs(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1g") }

// limitTmpfs leaves a file system so many bytes.
func limitTmpfs(dir string, bytes uint64) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", bytes))
}

// usedTmpfs is what it holds, in bytes.
func usedTmpfs(dir string) (uint64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return (s.Blocks - s.Bfree) * uint64(s.Bsize), err
}

func unmountTmpfs(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
