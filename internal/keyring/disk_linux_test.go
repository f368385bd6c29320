package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/sync/wire"
)

// smallDisk mounts a filesystem of 2 MiB for the test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mount") {
			t.Fatal(err)
		}
		t.Skip("SKIP (needs mount): root only: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// revokedWithoutDisk revokes a card on a disk that takes nothing: it is shut out
// at once, everybody else goes on, and nothing is set aside.
func revokedWithoutDisk(t *testing.T, k *Keyring, id wire.ID, n int) {
	t.Helper()
	e := edit(t, k)
	if err := e.SetState(id, wire.GrantRevoked); err != nil {
		t.Fatal(err)
	}
	if err := k.Apply(sign(t, e)); !errors.Is(err, ErrNotDurable) {
		t.Fatalf("got %v", err)
	}
	want(t, k, credential(n), wire.ReasonRevoked)
	want(t, k, credential(600), wire.ReasonGranted)
	if s := k.Status(); s.Files.Copies[0].Good || s.Files.Copies[1].Good || s.Files.Copies[0].Error == "" || len(s.Files.Aside) > 0 {
		t.Fatalf("status %+v", s)
	}
}

func TestDiskFullAndReadOnly(t *testing.T) {
	dir := smallDisk(t)
	k := open(t, dir)
	ids := bulk(t, k, 700)

	ballast := filepath.Join(dir, "ballast")
	var full error
	for chunk := make([]byte, 4096); full == nil; {
		f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, full = f.Write(chunk)
		f.Close()
	}
	if !errors.Is(full, syscall.ENOSPC) {
		t.Fatal(full)
	}
	for n := 0; k.Status().Files.Copies[0].Good || k.Status().Files.Copies[1].Good; n++ { // until free pages in the files are used up
		e := edit(t, k)
		add(t, e, credential(1000+n))
		if err := k.Apply(sign(t, e)); err != nil && !errors.Is(err, ErrNotDurable) {
			t.Fatal(err)
		}
	}
	revokedWithoutDisk(t, k, ids[1], 1)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	k.active.mu.Lock()
	err := k.active.store(k.active.state.List) // what Run does every minute
	k.active.mu.Unlock()
	if err != nil || !k.Status().Files.Copies[0].Good || !k.Status().Files.Copies[1].Good {
		t.Fatalf("space is back: %v, %+v", err, k.Status())
	}
	k = reopen(t, k)
	want(t, k, credential(1), wire.ReasonRevoked)

	k.Close()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	k = open(t, dir)
	want(t, k, credential(600), wire.ReasonGranted)
	revokedWithoutDisk(t, k, ids[2], 2)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	e := edit(t, k)
	add(t, e, credential(5000))
	apply(t, k, sign(t, e))
	k = reopen(t, k)
	want(t, k, credential(2), wire.ReasonRevoked)
	want(t, k, credential(5000), wire.ReasonGranted)
}
