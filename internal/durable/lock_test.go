package durable

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := TakeLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TakeLock(path); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second lock: %v, want %v", err, ErrLocked)
	}
	// A program that is started at this moment has all open files of ours.
	theirs, err := syscall.Dup(int(lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(theirs)
	lock.Free()
	again, err := TakeLock(path)
	if err != nil {
		t.Fatalf("after Free: %v", err)
	}
	again.Free()
	if _, err := TakeLock(filepath.Join(path, "below a file")); err == nil || errors.Is(err, ErrLocked) {
		t.Errorf("a lock below a file: %v", err)
	}
	if _, err := TakeLock(filepath.Join(t.TempDir(), "none", "lock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lock in a missing directory: %v", err)
	}
}
