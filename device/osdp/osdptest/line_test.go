package osdptest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/uart"
)

var testKey = [16]byte{0xC0, 0x1D, 0x5E, 0x77, 0x02, 0x9A, 0x44, 0x13, 0x88, 0xF1, 0x36, 0xAB, 0x60, 0x2C, 0xD9, 0x05}

// onLine runs a line in memory and a panel at it, in virtual time and with the
// wire's.
func onLine(t *testing.T, play func(*testing.T, *Line, *panel), readers ...*Reader) {
	t.Helper()
	onLineOf(t, true, play, readers...)
}

func onLineOf(t *testing.T, wireTime bool, play func(*testing.T, *Line, *panel), readers ...*Reader) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := NewLine(readers...)
		l.WireTime = wireTime
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := l.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("run: %v", err)
			}
		})
		defer running.Wait()
		defer cancel()
		port, err := l.Open(9600)
		if err != nil {
			t.Fatal(err)
		}
		play(t, l, &panel{t: t, port: port, address: readers[0].cfg.Address})
	})
}

func (p *panel) want(what string, wantCode byte, wantData []byte) func(byte, []byte) {
	return func(code byte, data []byte) {
		p.t.Helper()
		if code != wantCode || !bytes.Equal(data, wantData) {
			p.t.Errorf("%s: reply %02X % x, want %02X % x", what, code, data, wantCode, wantData)
		}
	}
}

func TestSession(t *testing.T) {
	r := NewReader(Config{Address: 5, Key: &testKey, Enforce: true, Serial: 7, Outputs: 2})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.want("poll in the clear", 0x41, []byte{6})(p.ask(0x60))
		if code, data := p.ask(0x61, 0); code != 0x45 || len(data) != 12 || data[5] != 7 {
			t.Errorf("ID in the clear: %02X % x", code, data)
		}
		if p.connect(defaultKey(), 0) {
			t.Error("took the default key")
		}
		if p.connect([16]byte{1}, 1) {
			t.Error("took a wrong key")
		}
		if !p.connect(testKey, 1) {
			t.Fatal("refused its key")
		}
		if !r.Present(device.CardOf(0x2A1B3C5, 26)) || !r.Press("12*#") {
			t.Error("dropped what people did")
		}
		card := device.CardOf(0x2A1B3C5, 26).Bytes()
		p.want("card", 0x50, append([]byte{0, 1, 26, 0}, card...))(p.ask(0x60))
		if f := p.repeat(); f.code != 0x50 || !bytes.Equal(f.data[4:], card) {
			t.Errorf("repeated: %02X", f.code)
		}
		p.want("keys", 0x53, []byte{0, 4, '1', '2', 0x7F, 0x0D})(p.ask(0x60))
		p.want("nothing", 0x40, nil)(p.ask(0x60))
		r.SetTamper(true)
		p.want("tamper", 0x48, []byte{1, 0})(p.ask(0x60))
		r.SetPowerFailure(true)
		p.want("power", 0x48, []byte{1, 1})(p.ask(0x64))
		p.want("unknown", 0x41, []byte{3})(p.ask(0x99))
		p.want("nothing again", 0x40, nil)(p.ask(0x60))

		time.Sleep(9 * time.Second)
		p.want("after 9 s", 0x41, []byte{6})(p.ask(0x60))
		if r.Present(device.CardOf(1, 26)); !p.connect(testKey, 1) {
			t.Fatal("no second session")
		}
		p.mac2 = p.mac1
		p.want("wrong MAC", 0x41, []byte{6})(p.ask(0x60))
		p.want("and the session is over", 0x41, []byte{6})(p.ask(0x60))
		if !p.connect(testKey, 1) {
			t.Fatal("no third session")
		}
		p.up = false
		p.want("clear text inside", 0x41, []byte{6})(p.ask(0x60))
		if r.State().Secure {
			t.Error("clear text left the session up")
		}
	}, r)
}

func TestKeySet(t *testing.T) {
	r := NewReader(Config{Address: 1, Install: true})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		keySet := append([]byte{1, 16}, testKey[:]...)
		p.want("in the clear", 0x41, []byte{6})(p.ask(0x75, keySet...))
		if !p.connect(defaultKey(), 0) || !r.State().Default {
			t.Fatal("refused the default key")
		}
		p.want("15 bytes", 0x41, []byte{9})(p.ask(0x75, keySet[:17]...))
		r.Misbehave(Mishap{Fault: Drop, Times: 1, Command: 0x75})
		p.want("answer lost", 0, nil)(p.ask(0x75, keySet...))
		if f := p.repeat(); f.code != 0x40 {
			t.Errorf("repeated: %02X", f.code)
		}
		if s := r.State(); s.Install || s.Key == nil || *s.Key != testKey || s.Commands[0x75] != 3 || s.Repeats != 1 {
			t.Errorf("after KEYSET: %+v", s)
		}
		if p.connect(defaultKey(), 0) || !p.connect(testKey, 1) {
			t.Error("takes the default key still, or not the new one")
		}
	}, r)
}

// TestNumbers: the rules of the sequence numbers.
func TestNumbers(t *testing.T) {
	r := NewReader(Config{Address: 2})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.number = 2
		p.want("starts with 2", 0x41, []byte{4})(p.ask(0x60))
		p.number = 0
		p.want("starts with 0", 0x40, nil)(p.ask(0x60))
		r.Present(device.CardOf(1, 26))
		r.Present(device.CardOf(2, 26))
		first := append([]byte{0, 1, 26, 0}, device.CardOf(1, 26).Bytes()...)
		p.want("card", 0x50, first)(p.ask(0x60))
		for range 3 {
			if f := p.repeat(); !bytes.Equal(f.data, first) || f.sequence != 1 {
				t.Errorf("repeated: number %d, % x", f.sequence, f.data)
			}
		}
		p.number = 3
		p.want("skips a number", 0x41, []byte{4})(p.ask(0x60))
		p.number = 2
		p.want("the next card", 0x50, append([]byte{0, 1, 26, 0}, device.CardOf(2, 26).Bytes()...))(p.ask(0x60))
		p.sum = true
		p.want("checksum", 0x40, nil)(p.ask(0x60))
		for range 5 {
			p.want("and on", 0x40, nil)(p.ask(0x60))
		}
		if s := r.State(); s.Repeats != 3 || s.Restarts != 1 || s.Commands[0x60] != 9 {
			t.Errorf("%+v", s)
		}
	}, r)
}

// TestWireTime: a poll takes what its bits take, to the microsecond, at
// each of several readers.
func TestWireTime(t *testing.T) {
	a := NewReader(Config{Address: 0, Turnaround: -1})
	b := NewReader(Config{Address: 1, Turnaround: 2 * time.Millisecond})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		for address, wait := range []time.Duration{0, 2 * time.Millisecond} {
			p.address, p.number = byte(address), 0
			start := time.Now()
			p.want("poll", 0x40, nil)(p.ask(0x60))
			if took, want := time.Since(start), wireTime(8, 9600)*2+wait; took != want {
				t.Errorf("reader %d took %v, want %v", address, took, want)
			}
		}
		start := time.Now()
		p.address, p.number = 3, 0
		p.want("nobody", 0, nil)(p.ask(0x60))
		if took := time.Since(start); took != 200*time.Millisecond {
			t.Errorf("waited %v", took)
		}
		// Who talks into an answer spoils it.
		p.address, p.number = 1, 0
		b.Misbehave(Mishap{Fault: Late, Times: 1, Delay: 250 * time.Millisecond})
		p.want("late", 0, nil)(p.ask(0x60))
		time.Sleep(55 * time.Millisecond)
		p.want("clash", 0, nil)(p.ask(0x60))
		if f := p.repeat(); f.code != 0x40 || f.sequence != 1 {
			t.Errorf("after the clash: %02X with number %d", f.code, f.sequence)
		}
	}, a, b)
}

// TestBaud: after COMSET the reader hears only at its new rate and address.
func TestBaud(t *testing.T) {
	r := NewReader(Config{Address: 0})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		p.want("nonsense", 0x54, []byte{0, 0x80, 0x25, 0, 0})(p.ask(0x6E, 0x7F, 1, 2, 3, 4))
		p.want("nothing changed", 0x40, nil)(p.ask(0x60))
		p.want("COMSET", 0x54, []byte{9, 0, 0xC2, 1, 0})(p.ask(0x6E, 9, 0, 0xC2, 1, 0))
		p.address, p.number = 9, 0
		p.want("old rate", 0, nil)(p.ask(0x60))
		if _, err := l.Open(115200); err == nil {
			t.Error("opened twice")
		}
		p.port.Close()
		port, err := l.Open(115200)
		if err != nil {
			t.Fatal(err)
		}
		p.port, p.number = port, 0
		p.want("new rate", 0x40, nil)(p.ask(0x60))
		p.address, p.number = broadcast, 0
		p.want("configuration address", 0x40, nil)(p.ask(0x60))
	}, r)
}

// TestPlug: the adapter goes away after any byte, and comes back.
func TestPlug(t *testing.T) {
	r := NewReader(Config{Address: 0})
	onLine(t, func(t *testing.T, l *Line, p *panel) {
		poll := appendCheck((&packet{crc: true, code: 0x60}).begin(nil), true)
		for n := 1; n <= 16; n++ {
			l.CutAfter(n)
			if _, err := p.port.Write(poll); err != nil {
				t.Fatalf("cut after %d: %v", n, err)
			}
			time.Sleep(time.Second)
			got := make([]byte, 64)
			k, err := 0, error(nil)
			for err == nil {
				var m int
				m, err = p.port.Read(got[k:])
				k += m
			}
			if !errors.Is(err, device.ErrUnplugged) || k != max(0, n-8) {
				t.Errorf("cut after %d: read %d bytes, %v", n, k, err)
			}
			if _, err := l.Open(9600); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("open while unplugged: %v", err)
			}
			p.port.Close()
			if err := l.Replug(); err != nil {
				t.Fatal(err)
			}
			if p.port, err = l.Open(9600); err != nil {
				t.Fatal(err)
			}
			p.number, p.scan = 0, scanner{}
			p.want("plugged in again", 0x40, nil)(p.ask(0x60))
		}
	}, r)
}

// TestTerminal: the same behind a pseudo-terminal, in real time.
func TestTerminal(t *testing.T) {
	r := NewReader(Config{Address: 0, Key: &testKey})
	l, err := NewTerminal(filepath.Join(t.TempDir(), "bus"), r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = l.Run(ctx) })
	defer func() {
		cancel()
		running.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		port, err := uart.Open(device.PortConfig{Path: l.Path(), Baud: 9600})
		if err != nil {
			t.Fatal(err)
		}
		p := &panel{t: t, port: port, patient: time.Minute}
		if !p.connect(testKey, 1) {
			t.Fatal("no session")
		}
		r.Present(device.CardOf(3, 26))
		p.want("card", 0x50, append([]byte{0, 1, 26, 0}, device.CardOf(3, 26).Bytes()...))(p.ask(0x60))
		if err := l.Unplug(); err != nil {
			t.Fatal(err)
		}
		port.Close()
		if err := l.Replug(); err != nil {
			t.Fatal(err)
		}
	}
}
