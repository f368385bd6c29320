package devicetest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lacks skips a test for want of a part, or fails it where the part is required.
func lacks(t *testing.T, part string, err error) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("GATEHOUSE_REQUIRE"), ","), part) {
		t.Fatalf("%s is required: %v", part, err)
	}
	t.Skipf("SKIP (needs %s): %v", part, err)
}

// TestTerminalFree: a process that dies leaves the terminal marked for its
// own use, since the fake holds the other end; Free takes the mark away.
func TestTerminalFree(t *testing.T) {
	s := plugIn(t)
	exclusive := func() int {
		t.Helper()
		f, err := os.OpenFile(s.Path(), os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			lacks(t, "root", err) // only root may look at a terminal in exclusive use
		}
		defer f.Close()
		v, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGEXCL)
		if err != nil {
			lacks(t, "tiocgexcl", err)
		}
		return v
	}
	f, err := os.OpenFile(s.Path(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TIOCEXCL, 0); err != nil {
		t.Fatal(err)
	}
	f.Close() // as the kernel does for the dead
	if exclusive() == 0 {
		t.Fatal("the mark went with its process: Free is not needed on this kernel")
	}
	if err := s.Free(); err != nil {
		t.Fatal(err)
	}
	if exclusive() != 0 {
		t.Error("still marked")
	}
	if err := s.Unplug(); err != nil {
		t.Fatal(err)
	}
	if err := s.Free(); err != nil {
		t.Errorf("free while unplugged: %v", err)
	}
}
