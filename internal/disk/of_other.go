//go:build unix && !linux

package disk

import (
	"fmt"
	"syscall"
)

// Of names the file system that a path lies on.
func Of(path string) (string, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	return fmt.Sprint(st.Dev), nil
}
