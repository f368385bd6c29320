package durable

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrLocked means that another process holds the lock.
var ErrLocked = errors.New("another process holds it")

// Lock keeps other processes from what its file stands for. It ends with the
// process, however that ends. For one goroutine.
type Lock struct{ file *os.File }

// TakeLock locks the file at path, which it makes if it is missing (mode 0600).
// It doesn't wait: a lock that is held is ErrLocked.
func TakeLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{f}, nil
}

// Free lets go at once.
func (l *Lock) Free() { Unlock(l.file) }

// Unlock frees the lock of an open file and closes it. To close it is not enough: a program that is just being
// started has each open file of ours until it runs, and with it the lock.
func Unlock(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	f.Close()
}
