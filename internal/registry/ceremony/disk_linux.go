package ceremony

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a stick that takes no file says.
var (
	errFull     error = syscall.ENOSPC
	errReadOnly error = syscall.EROFS
)

// diskOf names the disk that a path lies on: two partitions of one disk are lost
// together. Where the kernel knows no disk (a file system in memory, or one of the
// network) it is the file system.
func diskOf(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	number := fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	at, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return number, nil
	}
	if _, err := os.Stat(filepath.Join(at, "partition")); err == nil {
		at = filepath.Dir(at)
	}
	return filepath.Base(at), nil
}

// forget lets the system drop what it remembers of a file, so that it is read from the disk.
func forget(path string) {
	f, err := os.Open(path)
	if err != nil {
		return // whoever reads it says so
	}
	defer f.Close()
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// memory is a directory whose files are on no disk.
const memory = "/dev/shm"
