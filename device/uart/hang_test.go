package uart_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"gatehouse/device"
	"gatehouse/device/uart"
)

// deaf is a terminal whose far end reads nothing.
type deaf struct {
	master, slave *os.File
	raw           int // the slave, which never waits
}

func newDeaf(t *testing.T) deaf {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	raw, err := syscall.Open(slave.Name(), syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(raw) })
	return deaf{master, slave, raw}
}

func (d deaf) config() device.PortConfig {
	return device.PortConfig{Path: d.slave.Name(), Baud: 9600}
}

// hang is the longest that anything here may take on a busy machine.
const hang = 30 * time.Second

// lost is longer than what room the kernel makes behind fill when it carries what
// was written over to the far end, 4 kB at whatever time, and shorter than what a
// flush makes.
var lost = append(make([]byte, 6000), "lost"...)

// fill leaves no room for lost.
func (d deaf) fill(t *testing.T) {
	t.Helper()
	for {
		_, err := syscall.Write(d.raw, make([]byte, 1024))
		if errors.Is(err, syscall.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestWriteToNobody: a device that takes nothing is an error after a while and
// not a hang; what it did not take is dropped, so that it does not arrive later;
// Close returns, and Write after it.
func TestWriteToNobody(t *testing.T) {
	d := newDeaf(t)
	p, err := uart.Open(d.config())
	if err != nil {
		t.Fatal(err)
	}
	d.fill(t)
	if _, err := p.Write(lost); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a device that takes nothing: %v", err)
	}
	if _, err := p.Write([]byte("next")); err != nil {
		t.Errorf("after it: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	d.arrives(t, "next")
}

// arrives holds what comes to the far end, behind the zeros of fill, against want.
func (d deaf) arrives(t *testing.T, want string) {
	t.Helper()
	if err := d.slave.Close(); err != nil {
		t.Fatal(err)
	}
	syscall.Close(d.raw)
	late, _ := io.ReadAll(d.master) // ends by the error of a terminal that nobody holds
	if got := string(bytes.TrimLeft(late, "\x00")); got != want {
		t.Errorf("%q arrived, want %q", got, want)
	}
}

// TestClosedWriteIsDropped: a write that Close ends does not arrive later either.
func TestClosedWriteIsDropped(t *testing.T) {
	d := newDeaf(t)
	p, err := uart.Open(d.config())
	if err != nil {
		t.Fatal(err)
	}
	d.fill(t)
	failed := make(chan error)
	go func() { _, err := p.Write(lost); failed <- err }()
	time.Sleep(10 * time.Millisecond) // as a rule it waits for room now; if not, Close refuses it
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, os.ErrClosed) {
		t.Fatal(err)
	}
	d.arrives(t, "")
}

// TestHangsCostNoThreads: a device that hangs is opened again and again, for
// months, and each write waits in a thread of the system's.
func TestHangsCostNoThreads(t *testing.T) {
	d := newDeaf(t)
	var ports uart.Ports
	var before int
	for round := range 21 {
		p, err := ports.Open(d.config())
		if err != nil {
			t.Fatal(err)
		}
		d.fill(t)
		failed := make(chan error)
		go func() { _, err := p.Write(lost); failed <- err }()
		time.Sleep(10 * time.Millisecond) // as a rule it waits in the kernel now; if not, Close holds all the same
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; !errors.Is(err, os.ErrClosed) {
			t.Fatal(err)
		}
		if round == 0 {
			before = threads(t)
		}
	}
	if n := threads(t) - before; n > 10 { // the runtime may want one or the other
		t.Errorf("20 rounds cost %d threads", n)
	}
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil && runtime.GOOS != "linux" {
		t.Skipf("SKIP (needs Linux): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}
