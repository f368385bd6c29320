package durable

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWriteForOwner: what root writes beside a program's files is that program's.
func TestWriteForOwner(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chown(dir, 1234, 1235); err != nil {
		t.Skip("SKIP (needs root):", err)
	}
	path := filepath.Join(dir, "f")
	if err := WriteForOwner(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if of := info.Sys().(*syscall.Stat_t); of.Uid != 1234 || of.Gid != 1235 {
		t.Errorf("the file is %d's, group %d", of.Uid, of.Gid)
	}
}
