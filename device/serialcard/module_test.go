package serialcard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/serialcard"
)

// rig is a Reader and a module of its layout, in a synctest bubble.
type rig struct {
	*devicetest.SerialModule
	t      *testing.T
	events chan device.Event
	log    *bytes.Buffer
}

// play starts a reader at a module of that layout and calls f.
func play(t *testing.T, name string, s serialcard.Settings, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m, err := devicetest.NewSerialModule(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "em18" || name == "sp-d300" { // only 50 ms of silence end a frame
			m.Repeat(110 * ms)
		}
		l, err := layout(t, name).With(s)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{SerialModule: m, t: t, events: make(chan device.Event, 100), log: &bytes.Buffer{}}
		reader := serialcard.New(serialcard.Config{Source: "front", Layout: l, Log: zerolog.New(r.log)}, m.Open, r.events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- reader.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
		}()
		f(r)
	})
}

// seen waits and takes the events so far.
func (r *rig) seen(d time.Duration) (out []string) {
	time.Sleep(d)
	synctest.Wait()
	for len(r.events) > 0 {
		e := <-r.events
		switch e.Kind {
		case device.CardRead:
			out = append(out, fmt.Sprintf("card %X", e.Card.Bytes()))
		case device.CodeRead:
			out = append(out, "code "+e.Code.Text())
		default:
			out = append(out, name(e))
		}
	}
	return out
}

func (r *rig) want(what string, d time.Duration, want ...string) {
	r.t.Helper()
	if got := r.seen(d); !slices.Equal(got, want) {
		r.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// present holds a card up for d.
func (r *rig) present(number []byte, d time.Duration) {
	r.t.Helper()
	if err := r.Present(r.t.Context(), number, d); err != nil {
		r.t.Fatal(err)
	}
}

// numbers are made-up cards of each layout.
var numbers = map[string][]byte{
	"rdm6300": {1, 2, 3, 4, 5}, "seeed": {1, 2, 3, 4, 5}, "id12": {1, 2, 3, 4, 5}, "em18": {1, 2, 3, 4, 5},
	"7941d": {1, 2, 3, 4, 5}, "7941w": {1, 2, 3, 4}, "idteck": {1, 2, 3, 4}, "codatex": {1, 2, 3, 4, 5},
	"sp-d300": {1, 2}, "mf7": {1, 2, 3, 4}, "line": {1, 2, 3, 4}, "code": []byte("GHP1.abc"),
}

// said is the event of numbers[layout].
func said(layout string) string {
	if layout == "code" {
		return "code GHP1.abc"
	}
	return fmt.Sprintf("card %X", numbers[layout])
}

// TestEveryModule: each layout against a module that was written apart from it:
// one event for each presentation, whatever the module does, and no number in
// the log.
func TestEveryModule(t *testing.T) {
	for _, name := range serialcard.Names() {
		play(t, name, serialcard.Settings{}, func(r *rig) {
			number := numbers[name]
			r.want(name+", start", time.Second, "online")
			r.present(number, 10*time.Second)
			r.want(name+", held", 200*ms, said(name))
			r.present(number, 300*ms)
			r.want(name+", away for less than a second", 200*ms)
			time.Sleep(1500 * ms)
			r.Misbehave(devicetest.SerialMishap{Split: 5 * ms})
			r.present(number, 300*ms)
			r.want(name+", byte by byte", 200*ms, said(name))
			time.Sleep(1500 * ms)
			r.Misbehave(devicetest.SerialMishap{Cut: 3})
			r.present(number, 300*ms)
			if got := r.seen(200 * ms); slices.ContainsFunc(got, read) {
				t.Errorf("%s, cut: %q", name, got)
			}
			time.Sleep(1500 * ms)
			r.Misbehave(devicetest.SerialMishap{WrongCheck: true})
			r.present(number, 300*ms)
			sum := !slices.Contains([]string{"codatex", "sp-d300", "mf7", "line", "code"}, name)
			got := r.seen(200 * ms)
			if slices.ContainsFunc(got, read) == sum || sum && !slices.Contains(got, "wrong_checksum") {
				t.Errorf("%s, wrong checksum: %q", name, got)
			}
			for _, raw := range []string{"01020304", "0102", "16909060", "4328719365", "GHP1"} {
				if strings.Contains(r.log.String(), raw) {
					t.Errorf("%s: %s is in the log: %s", name, raw, r.log)
				}
			}
		})
	}
}

// read reports whether an event is a card or a code.
func read(e string) bool { return strings.HasPrefix(e, "card") || strings.HasPrefix(e, "code") }

// TestNoise: any bytes before a frame cost that frame at most.
func TestNoise(t *testing.T) {
	for _, name := range serialcard.Names() {
		for _, noise := range []string{"\x00\xFF", "U", "\x02", "\x02\x0A", "\x03\x03", "7", "\x02R", "\xCD\xDC\x00\x81\x07"} {
			play(t, name, serialcard.Settings{}, func(r *rig) {
				r.want(name+", start", time.Second, "online")
				r.Repeat(110 * ms)
				r.Misbehave(devicetest.SerialMishap{Noise: []byte(noise)})
				r.present(numbers[name], 300*ms)
				for _, e := range r.seen(200 * ms) {
					if read(e) && !strings.HasSuffix(e, said(name)) && name != "code" {
						t.Errorf("%s after %q: %s", name, noise, e)
					}
				}
				r.Misbehave(devicetest.SerialMishap{})
				time.Sleep(1500 * ms)
				r.present(numbers[name], 300*ms)
				r.want(name+" after that", 200*ms, said(name))
			})
		}
	}
}

func TestCodesHeld(t *testing.T) {
	play(t, "code", serialcard.Settings{AIM: true}, func(r *rig) {
		r.want("start", time.Second, "online")
		r.Repeat(300 * ms)
		r.present([]byte("]Q1one"), 20*time.Second)
		r.want("a scanner that repeats", 0, "code one")
		if err := r.Scan(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
		if err := r.Scan(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		r.want("another, and the first again", 0, "code two")
		time.Sleep(2 * time.Second)
		if err := r.Scan(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		r.want("later", 0, "code one")
		if strings.Contains(r.log.String(), "two") {
			t.Errorf("the log: %s", r.log)
		}
	})
}

// TestAsked: a module that is asked is online when it answers, and offline when
// it does not.
func TestAsked(t *testing.T) {
	play(t, "7941w", serialcard.Settings{}, func(r *rig) {
		r.want("answers", 150*ms, "online")
		r.present([]byte{1, 2, 3, 4, 5}, 500*ms)
		r.want("an EM4100", 0, "card 0102030405")
		r.present([]byte{0x6B, 0x3D, 0x12, 0xD6}, 500*ms)
		r.want("a UID", 0, "card 6B3D12D6")
		r.Misbehave(devicetest.SerialMishap{Cut: 100})
		r.want("silent", 10*time.Second, "offline no_answer")
		r.want("told once", time.Minute)
		r.Misbehave(devicetest.SerialMishap{})
		r.want("answers again", 11*time.Second, "online")
	})
}

// TestUnplugAtAnyByte pulls the plug after each byte of a frame: the beginning
// is no card, and after it is in again the next frame is one.
func TestUnplugAtAnyByte(t *testing.T) {
	for _, name := range serialcard.Names() {
		whole, err := devicetest.SerialFrame(name, numbers[name])
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(whole) - 2 { // what follows may be more than enough: CR LF
			play(t, name, serialcard.Settings{Once: true}, func(r *rig) {
				r.want(name+", start", 150*ms, "online")
				if err := r.Send(whole[:n]); err != nil {
					t.Fatal(err)
				}
				if err := r.Unplug(); err != nil {
					t.Fatal(err)
				}
				r.want(fmt.Sprintf("%s, unplugged after %d bytes", name, n), time.Second, "offline unplugged")
				if err := r.Replug(); err != nil {
					t.Fatal(err)
				}
				r.want(name+", plugged in", 15*time.Second, "online")
				r.present(numbers[name], 300*ms)
				r.want(name+", then", 200*ms, said(name))
			})
		}
	}
}
