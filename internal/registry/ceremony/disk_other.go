//go:build unix && !linux

package ceremony

import "syscall"

// What a stick that takes no file says.
var (
	errFull     error = syscall.ENOSPC
	errReadOnly error = syscall.EROFS
)

func forget(string) {}

const memory = ""
