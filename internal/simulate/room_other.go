//go:build !linux

package simulate

import (
	"errors"
	"syscall"
)

func mountRoom(string) error          { return errors.ErrUnsupported }
func limitRoom(string, uint64) error  { return errors.ErrUnsupported }
func usedRoom(string) (uint64, error) { return 0, errors.ErrUnsupported }
func unmountRoom(string) error        { return errors.ErrUnsupported }

func ownMounts() *syscall.SysProcAttr { return nil }
