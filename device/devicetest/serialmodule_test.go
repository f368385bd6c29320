package devicetest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
)

// TestSerialFrames: frames from the modules' manuals where these have one, else
// worked out by hand.
func TestSerialFrames(t *testing.T) {
	for _, c := range []struct{ layout, number, want string }{
		{"rdm6300", "\x01\x23\x45\x67\x89", "\x02012345678989\x03"},
		{"seeed", "\x07\x00\x95\x2F\x22", "\x020700952F229F\x03"},
		{"id12", "\x01\x23\x45\x67\x89", "\x02012345678989\r\n\x03"},
		{"em18", "\x30\x7E\x4D\xE5\xC2", "307E4DE5C224"},
		{"7941d", "\x2E\x00\xB6\xD7\xB5", "\x02\x0A\x02\x2E\x00\xB6\xD7\xB5\xF2\x03"},
		{"7941d", "\x6B\x3D\x12\xD6", "\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03"},
		{"7941w", "\x6B\x3D\x12\xD6", "\xCD\xDC\x00\x81\x04\x6B\x3D\x12\xD6\x17"},
		{"idteck", "\x00\x5E\x29\x8D", "\x020006171021\x03\x03"},
		{"idteck", "\x5E\x29\x8D", "\x0206171021\x03\x03"},
		{"codatex", "\x01\x23\x45\x67\x89", "\x02R0123456789\x04"},
		{"sp-d300", "\x1A\x2B", "\x021A2B"},
		{"mf7", "\x6B\x3D\x12\xD6", "D6123D6B\r\n"},
		{"line", "\x00\x5E\x29\x8D", "0006171021\r\n"},
		{"code", "GHP1.abc", "GHP1.abc\r\n"},
	} {
		got, err := devicetest.SerialFrame(c.layout, []byte(c.number))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v; want %q", c.layout, got, err, c.want)
		}
		if _, err := devicetest.SerialFrame(c.layout, make([]byte, 6)); err == nil && c.layout != "code" && c.layout != "7941w" {
			t.Errorf("%s: a frame for a number of six bytes", c.layout)
		}
	}
	if _, err := devicetest.SerialFrame("nonsense", nil); err == nil || !strings.Contains(err.Error(), "7941d, 7941w, codatex, code,") {
		t.Errorf("a frame of no layout: %v", err)
	}
	if _, err := devicetest.NewSerialModule("nonsense"); err == nil {
		t.Error("a module of no layout")
	}
}

// arrived returns what is in a port.
func arrived(t *testing.T, p device.Port) string {
	t.Helper()
	if err := p.SetReadTimeout(0); err != nil {
		t.Fatal(err)
	}
	var out []byte
	for {
		b := make([]byte, 64)
		n, err := p.Read(b)
		out = append(out, b[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return string(out)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSerialModule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := devicetest.NewSerialModule("mf7")
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		number, frame := []byte("\x6B\x3D\x12\xD6"), "D6123D6B\r\n"
		start := time.Now()
		if err := m.Present(t.Context(), number, 120*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got := arrived(t, p); got != frame+frame+frame || time.Since(start) != 100*time.Millisecond {
			t.Errorf("%q in %v", got, time.Since(start))
		}
		m.Repeat(time.Second)
		m.Misbehave(devicetest.SerialMishap{Noise: []byte("#"), Split: 10 * time.Millisecond, Cut: 2})
		start = time.Now()
		if err := m.Present(t.Context(), number, 120*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got := arrived(t, p); got != "#D6123D6B" || time.Since(start) != 90*time.Millisecond {
			t.Errorf("%q in %v", got, time.Since(start))
		}
		m.Misbehave(devicetest.SerialMishap{})
		if err := errors.Join(m.Unplug(), m.Close()); err != nil {
			t.Fatal(err)
		}
		if err := m.Present(t.Context(), number, 0); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("present while unplugged: %v", err)
		}
		if _, err := p.Read(make([]byte, 1)); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("read of an unplugged port: %v", err)
		}
		if _, err := m.Open(); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("open while unplugged: %v", err)
		}
		if err := m.Replug(); err != nil {
			t.Fatal(err)
		}
		if p, err = m.Open(); err != nil {
			t.Fatal(err)
		}
		if err := m.Scan(t.Context(), "\x6B\x3D\x12\xD6"); err != nil || arrived(t, p) != frame {
			t.Errorf("again: %v", err)
		}
	})
}

func TestSerialModuleWrongCheck(t *testing.T) {
	for _, layout := range []string{"rdm6300", "id12", "em18", "7941d", "idteck"} {
		synctest.Test(t, func(t *testing.T) {
			m, err := devicetest.NewSerialModule(layout)
			if err != nil {
				t.Fatal(err)
			}
			p, err := m.Open()
			if err != nil {
				t.Fatal(err)
			}
			number := []byte{0x10, 0x32, 0x54, 0x76, 0xAA}
			if layout == "idteck" {
				number = number[1:]
			}
			frame, err := devicetest.SerialFrame(layout, number)
			if err != nil {
				t.Fatal(err)
			}
			m.Misbehave(devicetest.SerialMishap{WrongCheck: true})
			if err := m.Present(t.Context(), number, 0); err != nil {
				t.Fatal(err)
			}
			got, differ := arrived(t, p), 0
			for i := range frame {
				if got[i] != frame[i] {
					differ++
				}
			}
			if len(got) != len(frame) || differ != 1 {
				t.Errorf("%s: sent %q, right is %q", layout, got, frame)
			}
		})
	}
}

// TestSerialModuleAsked: a 7941W says nothing by itself.
func TestSerialModuleAsked(t *testing.T) {
	const uid, em = "\xAB\xBA\x00\x10\x00\x10", "\xAB\xBA\x00\x15\x00\x15"
	const none = "\xCD\xDC\x00\x80\x00\x80"
	synctest.Test(t, func(t *testing.T) {
		m, err := devicetest.NewSerialModule("7941w")
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		ask := func(what string) string {
			if _, err := p.Write([]byte(what)); err != nil {
				t.Fatal(err)
			}
			return arrived(t, p)
		}
		if got := ask("\xAB" + uid[:3]); got != "" {
			t.Errorf("half a question: %q", got)
		}
		if got := ask(uid[3:] + em); got != none+none {
			t.Errorf("no card: %q", got)
		}
		go func() { _ = m.Present(t.Context(), []byte("\x6B\x3D\x12\xD6"), time.Second) }()
		synctest.Wait()
		if got := ask(uid + em); got != "\xCD\xDC\x00\x81\x04\x6B\x3D\x12\xD6\x17"+none {
			t.Errorf("a UID: %q", got)
		}
		if got := ask("\xAB\xBA\x00\x10\x00\x11"); got != "" {
			t.Errorf("a wrong question: %q", got)
		}
		time.Sleep(2 * time.Second)
		if got := ask(uid); got != none {
			t.Errorf("taken away: %q", got)
		}
	})
}

// TestSerialTerminal: the same behind a pseudo-terminal, where another process
// can open it.
func TestSerialTerminal(t *testing.T) {
	m, err := devicetest.NewSerialTerminal(filepath.Join(t.TempDir(), "front"), "7941w")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open(); err == nil {
		t.Error("opened in memory too")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- m.Run(ctx) }()
	for range 2 {
		p := openPort(t, m.Path())
		if _, err := p.Write([]byte("\xAB\xBA\x00\x10\x00\x10")); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, p, "\xCD\xDC\x00\x80\x00\x80")
		if err := m.Unplug(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p, make([]byte, 1)); !errors.Is(err, device.ErrUnplugged) {
			t.Errorf("unplugged: %v", err)
		}
		p.Close()
		if err := m.Replug(); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := errors.Join(m.Free(), m.Close()); err != nil {
		t.Error(err)
	}
}

// TestSerialModuleOnTerminal: an RDM6300, byte for byte as a daemon reads it.
func TestSerialModuleOnTerminal(t *testing.T) {
	m, err := devicetest.NewSerialTerminal(filepath.Join(t.TempDir(), "front"), "rdm6300")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	p := openPort(t, m.Path())
	const frame = "\x02012345678989\x03" // check digits worked out by hand
	start := time.Now()
	if err := m.Present(t.Context(), devicetest.EM4100(0x0123456789), 120*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 100*time.Millisecond {
		t.Errorf("three frames 50 ms apart in %v", took)
	}
	wantBytes(t, p, frame+frame+frame)
	if err := m.Present(t.Context(), devicetest.EM4100(0xFF00000000000001), 0); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, p, "\x02000000000101\x03")
	if err := m.Ghost(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, p, "\x024FFB388FFFFC\x03") // as it was reported
	noise := "\x00\x03\x04\x11\x13\x7f\xff\r\n"
	if err := m.Send([]byte(noise)); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, p, noise)
}
