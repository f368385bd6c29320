//go:build unix && !linux

package ceremony

import (
	"fmt"
	"syscall"
)

// What a stick that takes no file says.
var (
	errFull     error = syscall.ENOSPC
	errReadOnly error = syscall.EROFS
)

// diskOf names the file system that a path lies on.
func diskOf(path string) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	return fmt.Sprint(st.Dev), nil
}

func forget(string) {}

const memory = ""
