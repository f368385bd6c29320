package uart

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.bug.st/serial"

	"gatehouse/device"
)

// hung is a library's port whose write waits until the device is unplugged: its
// driver drops nothing.
type hung struct {
	serial.Port
	unplugged chan struct{}
}

func (h hung) Write([]byte) (int, error)  { <-h.unplugged; return 0, os.ErrInvalid }
func (h hung) ResetInputBuffer() error    { return nil }
func (h hung) ResetOutputBuffer() error   { return errors.ErrUnsupported }
func (h hung) SetMode(*serial.Mode) error { return errors.ErrUnsupported }
func (h hung) Close() error               { return nil }

// TestOneHangAPath: where a driver drops nothing, no second write hangs beside the
// first, and the path is free again once that one is over.
func TestOneHangAPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unplugged := make(chan struct{})
		var ports Ports
		ports.dial = func(string, *serial.Mode) (system, error) { return hung{unplugged: unplugged}, nil }
		p := dial(t, &ports, "/dev/a")
		for range 3 {
			if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		for range 3 {
			if _, err := ports.Open(device.PortConfig{Path: "/dev/a", Baud: 9600}); err == nil || !strings.Contains(err.Error(), "unplug") {
				t.Errorf("opened beside a write that hangs: %v", err)
			}
		}
		_ = dial(t, &ports, "/dev/b").Close()
		close(unplugged)
		synctest.Wait()
		_ = dial(t, &ports, "/dev/a").Close()
	})
}

// TestPortsAtOnce: bus and readers open their paths from many goroutines.
func TestPortsAtOnce(t *testing.T) {
	var ports Ports
	ports.dial = func(string, *serial.Mode) (system, error) { return hung{}, nil }
	var all sync.WaitGroup
	for _, path := range []string{"/dev/a", "/dev/b", "/dev/a", "/dev/c"} {
		all.Go(func() {
			for range 100 {
				_ = dial(t, &ports, path).Close()
			}
		})
	}
	all.Wait()
}

func dial(t *testing.T, ports *Ports, path string) device.Port {
	t.Helper()
	p, err := ports.Open(device.PortConfig{Path: path, Baud: 9600})
	if err != nil {
		t.Error(err)
		t.FailNow()
	}
	return p
}

// slow is a library's port whose write ends a while after the flush that lets it
// go, as it does on a busy machine.
type slow struct {
	hung
	takes time.Duration
	did   chan string
}

func newSlow(takes time.Duration) slow { return slow{takes: takes, did: make(chan string, 8)} }

func (s slow) Write(b []byte) (int, error) {
	time.Sleep(s.takes)
	s.did <- "written"
	return len(b), nil
}

func (s slow) ResetOutputBuffer() error { s.did <- "flushed"; return nil }
func (s slow) Close() error             { s.did <- "closed"; return nil }

// wants compares what was done to it.
func (s slow) wants(t *testing.T, want ...string) {
	t.Helper()
	var did []string
	for len(s.did) > 0 {
		did = append(did, <-s.did)
	}
	if !slices.Equal(did, want) {
		t.Errorf("did %v, want %v", did, want)
	}
}

// TestLateEndIsDropped: what a write that was given up, by its time or by Close,
// brings into the kernel at last does not stay there.
func TestLateEndIsDropped(t *testing.T) {
	for _, c := range []struct{ takes, closed time.Duration }{
		{writeTime + 2*freeTime, time.Minute},
		{2 * endTime, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			lib := newSlow(c.takes)
			p := newPort("/dev/a", lib, serial.Mode{})
			var writing sync.WaitGroup
			writing.Go(func() {
				if _, err := p.Write([]byte("x")); err == nil {
					t.Errorf("a write of %v", c.takes)
				}
			})
			synctest.Wait()
			time.Sleep(c.closed)
			_ = p.Close()
			writing.Wait()
			lib.wants(t, "flushed", "written", "flushed", "closed")
		})
	}
}

// TestNoTurnIsNoHang: where the writer's goroutine had no turn yet, no write hangs
// beside which a path may not be opened, and Close drops nothing.
func TestNoTurnIsNoHang(t *testing.T) {
	lib := newSlow(0)
	p := &port{lib: lib, quit: make(chan struct{}), writer: &writer{ended: make(chan struct{})}}
	p.writer.flush = p.flush
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if p.stuck() {
		t.Error("a port that wrote nothing hangs")
	}
	lib.wants(t, "closed")
}
