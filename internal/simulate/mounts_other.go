//go:build !linux

package simulate

import "syscall"

func ownMounts() *syscall.SysProcAttr { return nil }
