package ceremony

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mount gives the test a file system of its own at a path, as large as it says.
func mount(t *testing.T, path, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		if strings.Contains(os.Getenv("GATEHOUSE_REQUIRE"), "mount") {
			t.Fatal(err)
		}
		t.Skip("SKIP (needs mount): root only: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
}

// TestFullStick: one that has no room is said before a key is made, one that fills up later ends the ceremony.
func TestFullStick(t *testing.T) {
	p := newTable(t)
	mount(t, p.stick(2), "64k")
	p.refused("the stick at " + p.stick(2) + " is full")
	if p.heard("are on stick 1") {
		t.Error("keys were made")
	}

	p = newTable(t)
	mount(t, p.stick(2), "300k")
	p.at = func(what string) {
		if strings.HasPrefix(what, "keys ") {
			fill(t, p.stick(2))
		}
	}
	p.refused("the stick at " + p.stick(2) + " is full")
	must(t, os.Remove(filepath.Join(p.stick(2), "films")))
	p.at = nil
	p.hold()
	p.whole()
}

func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "films"))
	must(t, err)
	defer f.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
}

// TestReadOnlyStick: one whose switch is on is said at the look, and one that turns read-only at the end leaves no stick with a name.
func TestReadOnlyStick(t *testing.T) {
	for _, step := range []string{"STEP 2", "STEP 5"} {
		p := newTable(t)
		mount(t, p.stick(1), "1m")
		p.at = func(what string) {
			if strings.HasPrefix(what, step) {
				must(t, syscall.Mount("", p.stick(1), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
			}
		}
		_, err := p.ceremony().Run()
		if err == nil || !strings.Contains(err.Error(), "can't be written") {
			t.Fatal(err)
		}
		if stick(p.stick(1)).whole() || stick(p.stick(2)).whole() || exists(filepath.Join(p.machine(), "issuer")) {
			t.Error("something has its name")
		}
		must(t, syscall.Mount("", p.stick(1), "", syscall.MS_REMOUNT, ""))
		p.at = nil
		p.hold()
		p.whole()
	}
}

// TestSticksInAndOut plays two real file systems that are taken out and put in, without --trial.
func TestSticksInAndOut(t *testing.T) {
	p := newTable(t)
	media := []string{t.TempDir(), t.TempDir()}
	for n, m := range media {
		mount(t, m, "1m")
		must(t, syscall.Mount(m, p.stick(n+1), "", syscall.MS_BIND, ""))
		t.Cleanup(func() { _ = syscall.Unmount(p.stick(n+1), syscall.MNT_DETACH) })
	}
	first := true
	p.at = func(what string) {
		switch {
		case strings.HasPrefix(what, "STEP 3") && first: // stick 2 is forgotten in the machine
			first = false
		case strings.HasPrefix(what, "STEP 3"):
			must(t, syscall.Unmount(p.stick(2), 0))
		case strings.HasPrefix(what, "STEP 4"):
			must(t, syscall.Unmount(p.stick(1), 0))
			must(t, syscall.Mount(media[1], p.stick(2), "", syscall.MS_BIND, ""))
		case strings.HasPrefix(what, "STEP 5"):
			must(t, syscall.Mount(media[0], p.stick(1), "", syscall.MS_BIND, ""))
		}
	}
	c := p.ceremony()
	c.Trial = false
	if _, err := c.Run(); err != nil {
		t.Fatal(err, p.said)
	}
	if !p.heard("there is still a stick at " + p.stick(2)) {
		t.Error(p.said)
	}
	p.whole()
	record, err := os.ReadFile(filepath.Join(p.machine(), FileRecord))
	must(t, err)
	if strings.Contains(string(record), "TRIAL") {
		t.Error("it was no trial")
	}
}
