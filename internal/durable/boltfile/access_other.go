//go:build !linux

package boltfile

import "os"

// OpenQuietly is os.OpenFile: gateways run on Linux.
func OpenQuietly(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}
