package main

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user and a group without rights.
const nobody = 65534

// TestDemoOfAPlainUser: who tries it is not root, and may have no network.
func TestDemoOfAPlainUser(t *testing.T) {
	t.Parallel()
	d := newDemo(t, program(t))
	if os.Getuid() == 0 {
		if err := os.Chown(d.tmp, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		d.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	d.Env = append(d.Env, "HOME=/nonexistent")
	d.Dir = d.tmp
	if err := d.startAlone(t); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, &d.out, &d.err)
	}
	for _, want := range []string{"lost 0, unexplained 0, of ", "the registry's copy: lost 0, doubled 0, different 0, of "} {
		if !strings.Contains(d.out.String(), want) {
			t.Errorf("no summary %q:\n%s", want, &d.out)
		}
	}
	d.empty(t)
}

// startAlone starts it with no network but its own loopback, where this test may
// make one.
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
