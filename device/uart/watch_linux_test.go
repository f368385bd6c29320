package uart

import (
	"os/exec"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// TestAMomentIsNobody: who has the port open at one look alone may be a program that is
// just being started, with the files of whoever starts it, and is told to nobody.
func TestAMomentIsNobody(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	w := watch{}
	if err := unix.Fstat(int(slave.Fd()), &w.about); err != nil {
		t.Fatal(err)
	}
	start := func() (end func()) {
		c := exec.Command("sleep", "600")
		c.Stdin = slave
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return func() { _ = c.Process.Kill(); _ = c.Wait() }
	}
	now := time.Now()
	end := start()
	if names := w.stayed(now); len(names) > 0 {
		t.Errorf("at the first look: %v", names)
	}
	end()
	end = start()
	defer end()
	if names := w.stayed(now.Add(time.Second)); len(names) > 0 {
		t.Errorf("another one at the second look: %v", names)
	}
	if names := w.stayed(now.Add(2 * time.Second)); len(names) != 1 {
		t.Errorf("the same at two looks: %v", names)
	}
}
