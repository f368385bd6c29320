package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/disk"
)

// TestBackup: a copy goes to a stick that is in. Where none is, nothing is written, and a copy on the
// gateway's own disk is called one.
func TestBackup(t *testing.T) {
	b := newBench(t)
	b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("issuer.key"))
	b.serve()
	b.ok("", "recovery", "new")
	stick, file := b.path("stick"), b.path("gate.backup")
	b.fails("", []string{"there is no directory " + stick, "plug the stick in"}, "backup", stick)
	if _, err := os.Lstat(stick); err == nil {
		t.Error("a stick that is not in was made")
	}
	b.fails("", []string{"there is no directory", "ends in .backup"}, "backup", b.path("site.toml"))
	must(t, os.Mkdir(stick, 0o700))
	for to, want := range map[string]string{stick: filepath.Join(stick, "gatehouse-lane-7-gw1.backup"), file: file} {
		if said := b.ok("", "backup", to); !strings.Contains(said, want+" is written") || !strings.Contains(said, "WARNING: it lies on the gateway's own disk") {
			t.Error(said)
		}
	}
	other, err := os.MkdirTemp("/dev/shm", "gatehouse-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(other) })
	if shared, err := disk.Shared(other, b.dir); err == nil && shared == "" {
		if said := b.ok("", "backup", other); strings.Contains(said, "WARNING") {
			t.Error(said)
		}
	}
	if err := syscall.Mount("tmpfs", stick, "tmpfs", 0, "size=4k"); err != nil {
		t.Skip("SKIP (needs mount): root only: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(stick, syscall.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(stick, "film"), make([]byte, 4096), 0o600))
	b.fails("", []string{"no space left", "make room on it"}, "backup", stick)
}
