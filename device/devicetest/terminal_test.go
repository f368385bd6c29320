package devicetest_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
)

func plugIn(t *testing.T) *devicetest.Terminal {
	t.Helper()
	s, err := devicetest.NewTerminal(filepath.Join(t.TempDir(), "front"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	return s
}

func openPort(t *testing.T, path string) device.Port {
	t.Helper()
	p, err := uart.Open(device.PortConfig{Path: path, Baud: 9600})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := p.SetReadTimeout(time.Minute); err != nil {
		t.Fatal(err)
	}
	return p
}

func wantBytes(t *testing.T, p device.Port, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func TestTerminalPlug(t *testing.T) {
	s := plugIn(t)
	before, err := os.Readlink(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	p := openPort(t, s.Path())
	for range 2 {
		if err := s.Unplug(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Read(make([]byte, 8)); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("read of an unplugged terminal: %v", err)
	}
	if err := s.Send([]byte("away")); !errors.Is(err, device.ErrUnplugged) {
		t.Errorf("send: %v", err)
	}
	if _, err := os.Lstat(s.Path()); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	if _, err := uart.Open(device.PortConfig{Path: s.Path(), Baud: 9600}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link still leads somewhere: %v", err)
	}
	p.Close() // its number is free again
	for range 2 {
		if err := s.Replug(); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.Readlink(s.Path())
	if err != nil || after == before {
		t.Errorf("the link leads to %s, before %s: %v", after, before, err)
	}
	p = openPort(t, s.Path())
	if err := s.Send([]byte("back")); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, p, "back")
}

// TestTerminalUnread: a module sends whether anybody listens or not, and
// who opens the port later sees nothing of that.
func TestTerminalUnread(t *testing.T) {
	s := plugIn(t)
	junk := bytes.Repeat([]byte("U"), 4096)
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		if err := s.Send(junk); err != nil {
			t.Fatal(err)
		}
	}
	p := openPort(t, s.Path())
	if err := s.Send([]byte("now")); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, p, "now")
}
