package uart_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
)

// link is a port and its far end.
type link struct {
	port   device.Port
	send   func([]byte)
	unplug func()
	sent   func(n int) []byte // the first n bytes that were written to the port
}

// TestPortContract holds every Port that we have to the words of device.Port:
// what a reader learns on the one in memory is true of the real one.
func TestPortContract(t *testing.T) {
	makers := map[string]func(*testing.T) link{"pty": ptyLink, "memory": memoryLink}
	laws := map[string]func(*testing.T, link){
		"reads what is sent":          readsWhatIsSent,
		"writes":                      writes,
		"timeout":                     timesOut,
		"timeout 0 polls":             polls,
		"timeout can be taken back":   timeoutTakenBack,
		"unplugged":                   unplugged,
		"unplugged in a blocked read": unpluggedInRead,
		"close":                       closes,
		"close frees a blocked read":  closeFreesRead,
		"empty read":                  emptyRead,
	}
	for maker, dial := range makers {
		t.Run(maker, func(t *testing.T) {
			for law, check := range laws {
				t.Run(law, func(t *testing.T) {
					l := dial(t)
					defer l.port.Close()
					check(t, l)
				})
			}
		})
	}
}

func memoryLink(*testing.T) link {
	p := devicetest.NewPort()
	return link{port: p, send: p.Send, unplug: p.Unplug, sent: func(n int) []byte { return p.Sent()[:n] }}
}

func ptyLink(t *testing.T) link {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatalf("open a pty: %v", err)
	}
	if _, err := term.MakeRaw(int(slave.Fd())); err != nil {
		t.Fatal(err)
	}
	if _, err := master.Write([]byte("from before")); err != nil {
		t.Fatal(err)
	}
	arrives(t, slave)
	p, err := uart.Open(device.PortConfig{Path: slave.Name(), Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	slave.Close()
	t.Cleanup(func() { master.Close() })
	return link{
		port: p,
		send: func(b []byte) {
			if _, err := master.Write(b); err != nil {
				t.Error(err)
			}
		},
		unplug: func() { master.Close() },
		sent: func(n int) []byte {
			b := make([]byte, n)
			if _, err := io.ReadFull(master, b); err != nil {
				t.Error(err)
			}
			return b
		},
	}
}

// arrives waits until there is something to read: the kernel carries it over in its
// own time, and what is still under way no flush drops.
func arrives(t *testing.T, f *os.File) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for end := time.Now().Add(hang); fds[0].Revents&unix.POLLIN == 0; {
		if _, err := unix.Poll(fds, int(time.Until(end).Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatal("nothing arrives")
		}
	}
}

func readsWhatIsSent(t *testing.T, l link) {
	want := []byte("\x02\x03\x00\x11\x13\r\n\x7f\xff\x04\x1a") // all that a terminal would take for itself
	l.send(want)
	limit(t, l.port, hang)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(l.port, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %q, %v", got, err)
	}
}

func writes(t *testing.T, l link) {
	want := []byte("\x00\x04\n\xff")
	if n, err := l.port.Write(want); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	if got := l.sent(len(want)); !bytes.Equal(got, want) {
		t.Errorf("the far end got %q", got)
	}
}

func timesOut(t *testing.T, l link) {
	limit(t, l.port, 30*time.Millisecond)
	for range 3 {
		before := time.Now()
		if n, err := l.port.Read(make([]byte, 8)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if waited := time.Since(before); waited < 29*time.Millisecond {
			t.Errorf("gave up after %v", waited)
		}
	}
	limit(t, l.port, hang)
	l.send([]byte("x"))
	if n, err := l.port.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("after timeouts: %d bytes, %v", n, err)
	}
}

func polls(t *testing.T, l link) {
	limit(t, l.port, 0)
	if _, err := l.port.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func timeoutTakenBack(t *testing.T, l link) {
	limit(t, l.port, time.Millisecond)
	limit(t, l.port, -time.Hour)
	time.AfterFunc(50*time.Millisecond, func() { l.send([]byte("x")) })
	if n, err := l.port.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func unplugged(t *testing.T, l link) {
	l.unplug()
	limit(t, l.port, hang)
	for range 3 {
		if n, err := l.port.Read(make([]byte, 8)); n != 0 || !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("read: %d bytes, %v", n, err)
		}
	}
	if _, err := l.port.Write([]byte("x")); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("write: %v", err)
	}
	if err := l.port.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := l.port.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
}

func unpluggedInRead(t *testing.T, l link) {
	time.AfterFunc(50*time.Millisecond, l.unplug)
	if _, err := l.port.Read(make([]byte, 8)); !errors.Is(err, device.ErrUnplugged) {
		t.Error(err)
	}
}

func closes(t *testing.T, l link) {
	for range 2 {
		if err := l.port.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := l.port.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if _, err := l.port.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if err := l.port.SetReadTimeout(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("set read timeout: %v", err)
	}
}

func closeFreesRead(t *testing.T, l link) {
	time.AfterFunc(50*time.Millisecond, func() { l.port.Close() })
	if _, err := l.port.Read(make([]byte, 8)); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func emptyRead(t *testing.T, l link) {
	l.send([]byte("x"))
	if n, err := l.port.Read(nil); n != 0 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err := l.port.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("then: %d bytes, %v", n, err)
	}
}

func limit(t *testing.T, p device.Port, d time.Duration) {
	t.Helper()
	if err := p.SetReadTimeout(d); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	dangling := filepath.Join(dir, "reader")
	if err := os.Symlink(filepath.Join(dir, "gone"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "none"), dangling} {
		if _, err := uart.Open(device.PortConfig{Path: path, Baud: 9600}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v does not wrap os.ErrNotExist", err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, dir} {
		if p, err := uart.Open(device.PortConfig{Path: path, Baud: 9600}); err == nil || p != nil {
			t.Errorf("opened %s", path)
		}
	}
}
