package main

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user and a group without rights.
const nobody = 65534

// startPlain starts it as who tries it: not root, and with no network but its own
// loopback, where this test may make one.
func (d *demo) startPlain(t *testing.T) error {
	if os.Getuid() != 0 {
		return d.startAlone(t)
	}
	if err := os.Chown(d.tmp, nobody, nobody); err != nil {
		return err
	}
	d.Dir = d.tmp
	d.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return d.startAlone(t)
}

func (d *demo) startAlone(t *testing.T) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread and its network go with this goroutine
		if err := newNetwork(); err != nil {
			t.Logf("the demo has this machine's network: %v", err)
		}
		started <- d.Start()
	}()
	return <-started
}

// TestNoLoopback: where the machine does not answer at its own address, that is told at once, with what to do.
// A demo that went on would start this test program as its processes, which start others: its time is over
// before it begins.
func TestNoLoopback(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for _, cmd := range []string{"demo", "page"} {
		var out, said bytes.Buffer
		status, away := 0, make(chan error)
		go func() {
			runtime.LockOSThread() // for good
			err := unix.Unshare(unix.CLONE_NEWNET)
			if err == nil {
				status = run(over, []string{cmd}, &out, &said)
			}
			away <- err
		}()
		if err := <-away; err != nil {
			t.Skip("SKIP (needs a network of its own): root only: ", err)
		}
		if status != 1 || out.Len() > 0 || !strings.Contains(said.String(), "127.0.0.1") || !strings.Contains(said.String(), "hint: bring its loopback up, as root: ip link set lo up") {
			t.Errorf("%s: status %d, %s%s", cmd, status, &out, &said)
		}
	}
}

// newNetwork gives this thread a network with a loopback alone.
func newNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return os.NewSyscallError("ioctl", unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo))
}
