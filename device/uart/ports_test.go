package uart

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

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
		ports.dial = func(string, *serial.Mode) (serial.Port, error) { return hung{unplugged: unplugged}, nil }
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
	ports.dial = func(string, *serial.Mode) (serial.Port, error) { return hung{}, nil }
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
