//go:build unix

package disk

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// Space returns the free bytes and the percentage in use as df counts it: space reserved for
// others is neither free nor in use.
func Space(dir string) (free int64, percent int, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("space of %s: %w", dir, err)
	}
	if s.Blocks == 0 {
		return math.MaxInt64, 0, nil // a file system without figures
	}
	left, used := uint64(s.Bavail), uint64(s.Blocks)-uint64(s.Bfree)
	if left == 0 {
		return 0, 100, nil
	}
	return int64(left) * int64(s.Bsize), int((used*100 + left + used - 1) / (left + used)), nil
}

// Bytes returns what a file takes: it counts whole blocks of 512 bytes, as the disk does. 0: there is none.
func Bytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
