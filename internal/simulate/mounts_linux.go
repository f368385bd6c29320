package simulate

import "syscall"

// ownMounts starts a process that nobody else sees the file systems of.
func ownMounts() *syscall.SysProcAttr { return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} }
