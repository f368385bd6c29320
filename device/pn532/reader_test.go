package pn532_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/pn532"
	"gatehouse/device/pn532/pn532test"
	"gatehouse/device/uart"
)

const ms = time.Millisecond

// Made-up numbers of the three lengths that there are, and of a telephone.
var (
	short     = []byte{0x6B, 0x3D, 0x12, 0xD6}
	middle    = []byte{0x04, 1, 2, 3, 4, 5, 6}
	long      = []byte{0x04, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	telephone = []byte{0x08, 1, 2, 3}
)

// bench is a Reader at a chip in memory, in a synctest bubble.
type bench struct {
	*pn532test.Chip
	t      *testing.T
	events chan device.Event
	log    *bytes.Buffer
}

func run(t *testing.T, f func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Chip: pn532test.NewChip(), t: t, events: make(chan device.Event, 100), log: &bytes.Buffer{}}
		r := pn532.New(pn532.Config{Source: "front", Log: zerolog.New(b.log)}, b.Open, b.events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
		}()
		f(b)
	})
}

// want waits for d and compares the events so far.
func (b *bench) want(what string, d time.Duration, want ...string) {
	b.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []string
	for len(b.events) > 0 {
		e := <-b.events
		if e.Source != "front" || e.At != 0 {
			b.t.Errorf("an event of %q at %v", e.Source, e.At)
		}
		got = append(got, name(e))
	}
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func name(e device.Event) string {
	switch e.Kind {
	case device.CardRead:
		return fmt.Sprintf("card %X", e.Card.Bytes())
	case device.CameOnline:
		return "online"
	case device.WentOffline:
		return "offline " + e.Fault.String()
	}
	return e.Fault.String()
}

func TestReader(t *testing.T) {
	run(t, func(b *bench) {
		b.want("start", 300*ms, "online")
		b.Present(short)
		b.want("4 bytes", 300*ms, "card 6B3D12D6")
		b.want("held for a minute", time.Minute)
		b.Present()
		b.want("away", 700*ms)
		b.Present(short)
		b.want("away for less than a second", 300*ms)
		b.Present()
		time.Sleep(1500 * ms)
		b.Present(short)
		b.want("again", 300*ms, "card 6B3D12D6")
		b.Present(middle)
		b.want("7 bytes", 300*ms, "card 04010203040506")
		b.Present(long)
		b.want("10 bytes", 300*ms, "card 04010203040506070809")
		b.Present(telephone)
		b.want("a telephone", 300*ms, "random_number")
		b.want("it lies there", time.Minute)
		b.Present([]byte{0x88, 1, 2, 3})
		b.want("half a number", 300*ms, "wrong_length")
		b.Present(make([]byte, 7))
		b.want("nobody's", 300*ms, "ghost_frame")
		b.Present()
		time.Sleep(1500 * ms)
		b.Present([]byte{1, 2, 3, 4, 5})
		b.want("five bytes", 1500*ms, "wrong_length")
	})
}

// TestWarning: an installer reads once at start that such a card can be copied,
// and never a number.
func TestWarning(t *testing.T) {
	run(t, func(b *bench) {
		b.Present(short)
		b.want("start", time.Second, "online", "card 6B3D12D6")
		if err := b.Unplug(); err != nil {
			t.Fatal(err)
		}
		b.want("unplugged", time.Second, "offline unplugged")
		if err := b.Replug(); err != nil {
			t.Fatal(err)
		}
		b.want("plugged in", 20*time.Second, "online", "card 6B3D12D6")
		log := strings.ToLower(b.log.String())
		if strings.Count(log, "can copy it") != 1 || !strings.Contains(log, "pn532 firmware 1.6") {
			t.Errorf("the log: %s", log)
		}
		for _, raw := range []string{"6b3d12d6", "6b 3d", "1799164630", "107 61"} {
			if strings.Contains(log, raw) {
				t.Errorf("the number is in the log: %s", log)
			}
		}
	})
}

// TestMishaps: after one of each the next card is read, and soon; what is told is
// never more than a fault.
func TestMishaps(t *testing.T) {
	for fault, told := range map[pn532test.Fault][]string{
		pn532test.Deaf:     nil,
		pn532test.Nack:     nil,
		pn532test.Silent:   {"no_answer"},
		pn532test.Corrupt:  nil,
		pn532test.Garbled:  {"wrong_checksum"},
		pn532test.Refuse:   {"refused"},
		pn532test.Garbage:  nil,
		pn532test.Extended: nil,
		pn532test.Stale:    nil,
		pn532test.Truncate: {"no_answer"},
		pn532test.Length:   {"noise"},
		pn532test.Dribble:  nil,
		pn532test.Brownout: {"no_answer"},
	} {
		t.Run(fmt.Sprint(fault), func(t *testing.T) {
			run(t, func(b *bench) {
				b.want("start", 300*ms, "online")
				b.Present(short)
				b.Misbehave(fault)
				b.want("once", 2*time.Second, append(told, "card 6B3D12D6")...)
				b.Present()
				time.Sleep(2 * time.Second)
				b.Present(middle)
				b.want("after", 300*ms, "card 04010203040506")
			})
			run(t, func(b *bench) { // at the start too
				b.Misbehave(fault)
				b.Present(short)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				var last string
				for len(b.events) > 0 {
					last = name(<-b.events)
				}
				if last != "card 6B3D12D6" {
					t.Errorf("the last event is %s", last)
				}
			})
		})
	}
}

// TestResetWhileWaiting: a chip that forgot how often to try waits for a card
// for ever; the reader notices and sets it up again.
func TestResetWhileWaiting(t *testing.T) {
	run(t, func(b *bench) {
		b.want("start", 300*ms, "online")
		before := len(b.Commands())
		b.Reset()
		b.want("reset", 2*time.Second, "no_answer")
		if n := bytes.Count(b.Commands()[before:], []byte{0x32}); n != 1 {
			t.Errorf("the retries were set %d times after it", n)
		}
		b.Present(short)
		b.want("then", 300*ms, "card 6B3D12D6")
	})
}

func TestSilentModule(t *testing.T) {
	run(t, func(b *bench) {
		b.want("start", 300*ms, "online")
		dead := slices.Repeat([]pn532test.Fault{pn532test.Deaf}, 100)
		b.Misbehave(dead...)
		b.want("dead", 10*time.Second, "no_answer", "offline no_answer")
		b.want("told once", 10*time.Minute, "online") // the faults ran out
	})
}

// TestFlood: a module that never stops sending is one that does not answer, and
// is back when it does.
func TestFlood(t *testing.T) {
	for name, junk := range map[string]string{
		"noise": strings.Repeat("\x00\xFF\x05\xFB\xD5", 13), "ACK": strings.Repeat("\x00\x00\xFF\x00\xFF\x00", 10),
		"answers": strings.Repeat("\x00\x00\xFF\x02\xFE\xD5\x15\x16\x00", 7), "zeros": strings.Repeat("\x00", 64),
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(b *bench) {
				b.want("start", 300*ms, "online")
				for range 10_000 {
					if err := b.Send([]byte(junk)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(ms)
				}
				b.Present(short)
				time.Sleep(15 * time.Second)
				synctest.Wait()
				n := len(b.events)
				var last string
				for len(b.events) > 0 {
					last = name1(t, <-b.events)
				}
				if last != "card 6B3D12D6" || n > 20 {
					t.Errorf("%d events, the last is %q", n, last)
				}
			})
		})
	}
}

// name1 is name, and refuses a card that nobody held up.
func name1(t *testing.T, e device.Event) string {
	t.Helper()
	if got := name(e); e.Kind != device.CardRead || got == "card 6B3D12D6" {
		return got
	}
	t.Error("a card that nobody held up")
	return ""
}

// TestUnplugAnywhere pulls the plug at each of the first 200 ms, in which the module is set up and a card is read.
func TestUnplugAnywhere(t *testing.T) {
	for at := range 200 {
		run(t, func(b *bench) {
			b.Present(short)
			time.Sleep(time.Duration(at) * ms)
			if err := b.Unplug(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if err := b.Replug(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(15 * time.Second)
			synctest.Wait()
			var got []string
			for len(b.events) > 0 {
				got = append(got, name(<-b.events))
			}
			if n := len(got); n < 3 || !strings.HasPrefix(got[n-3], "offline ") || got[n-2] != "online" || got[n-1] != "card 6B3D12D6" {
				t.Errorf("pulled after %d ms: %q", at, got)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan device.Event, 10)
		r := pn532.New(pn532.Config{Source: "front"}, func() (device.Port, error) {
			return nil, fmt.Errorf("open: %w", os.ErrNotExist)
		}, events)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := r.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if len(events) != 1 || name(<-events) != "offline missing" {
			t.Error("want offline missing, once")
		}
		r = pn532.New(pn532.Config{Hold: -1}, nil, events)
		if err := r.Run(t.Context()); err == nil {
			t.Error("ran with a negative hold")
		}
	})
}

// TestOnTerminal runs the reader against a chip behind a real pseudo-terminal.
func TestOnTerminal(t *testing.T) {
	chip, err := pn532test.NewTerminal(filepath.Join(t.TempDir(), "front"))
	if err != nil {
		t.Fatal(err)
	}
	defer chip.Close()
	ctx, cancel := context.WithCancel(t.Context())
	events, done := make(chan device.Event, 100), make(chan error, 2)
	// However late this machine lets us look again, the card was not away.
	r := pn532.New(pn532.Config{Source: "front", Hold: time.Hour}, func() (device.Port, error) {
		return uart.Open(device.PortConfig{Path: chip.Path(), Baud: 115200})
	}, events).Patient()
	go func() { done <- chip.Run(ctx) }()
	go func() { done <- r.Run(ctx) }()
	expect := func(want string) {
		t.Helper()
		select {
		case e := <-events:
			if got := name(e); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no %s", want)
		}
	}
	expect("online")
	chip.Present(short)
	expect("card 6B3D12D6")
	if err := chip.Unplug(); err != nil {
		t.Fatal(err)
	}
	expect("offline unplugged")
	chip.Present(middle)
	if err := chip.Replug(); err != nil {
		t.Fatal(err)
	}
	expect("online")
	expect("card 04010203040506")
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// TestShared: what another program does to the port is told, and the module is used.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Chip: pn532test.NewChip(), t: t, events: make(chan device.Event, 100), log: &bytes.Buffer{}}
		errs := []error{device.ErrPortShared}
		r := pn532.New(pn532.Config{Source: "front", Log: zerolog.New(b.log)}, func() (device.Port, error) {
			p, err := b.Open()
			return &devicetest.Disturbed{Port: p, Errs: errs}, err
		}, b.events)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		b.want("start", 300*ms, "port_shared", "online")
		b.Present(short)
		b.want("a card", 300*ms, "card 6B3D12D6")
	})
}
