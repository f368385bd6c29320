package ceremony

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a stick that takes no file says.
var (
	errFull     error = syscall.ENOSPC
	errReadOnly error = syscall.EROFS
)

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
