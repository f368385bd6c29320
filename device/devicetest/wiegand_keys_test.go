package devicetest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
)

// keyReader is the real reader on a board's lines, and what it tells.
type keyReader struct {
	*devicetest.WiegandSource
	t      *testing.T
	events chan device.Event
}

func keyed(t *testing.T, cfg wiegand.Config, f func(*keyReader)) {
	t.Helper()
	gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
		cfg.Source = "front"
		k := &keyReader{&devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1"}, t, make(chan device.Event, 1000)}
		k.Keypad = devicetest.WiegandKeypad{Kind: cfg.Keypad.Kind, Facility: byte(cfg.Keypad.Facility)}
		reader := wiegand.New(cfg, func() (device.Lines, error) { return r.Lines(readers(false)) }, k.events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- reader.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if e := <-k.events; e.Kind != device.CameOnline {
			t.Fatal(e.Kind, e.Fault)
		}
		f(k)
	})
}

// heard waits for what is under way and returns it: PINs, "card" or faults.
func (k *keyReader) heard() string {
	time.Sleep(2 * time.Second)
	var list []string
	for len(k.events) > 0 {
		switch e := <-k.events; e.Kind {
		case device.PINEntered:
			list = append(list, e.PIN.Digits())
		case device.CardRead:
			list = append(list, "card")
		default:
			list = append(list, e.Fault.String())
		}
	}
	return strings.Join(list, " ")
}

func (k *keyReader) press(keys, want string) {
	k.t.Helper()
	if err := k.Press(keys); err != nil {
		k.t.Fatal(err)
	}
	if got := k.heard(); got != want {
		k.t.Errorf("%s: typed %s: heard %q, want %q", k.Keypad.Kind, keys, got, want)
	}
}

func h10301(t *testing.T) []wiegand.Format {
	t.Helper()
	f, ok := wiegand.Lookup("H10301")
	if !ok {
		t.Fatal("no format H10301")
	}
	return []wiegand.Format{f}
}

// Every kind of keypad, typed here and read by the real reader, which has its own tables.
func TestWiegandKeypads(t *testing.T) {
	for _, kind := range wiegand.KeypadKinds() {
		cfg := wiegand.Config{Keypad: wiegand.Keypad{Kind: kind}}
		switch kind {
		case "pin26":
			cfg.Keypad.Facility = 77
		case "bcd6":
			cfg.Keypad.Length = 6
		}
		if kind != "bcd6" {
			cfg.Formats = h10301(t)
		}
		keyed(t, cfg, func(k *keyReader) {
			switch kind {
			case "bcd6":
				k.press("047116", "047116")
				k.press("99*000000", "000000")
			case "pin26", "bcd5", "pin30":
				k.press("4711#", "4711")
				k.press("04711#", "4711") // as a number it has lost its zero
				k.press("99*60815#", "60815")
			default:
				k.press("4711#", "4711")
				k.press("04711#0987654321#", "04711 0987654321")
				k.press("99*60815#", "60815")
				k.press("##", "")
			}
			if cfg.Formats != nil {
				if err := k.Send(device.CardOf(0x2F623AE, 26)); err != nil {
					t.Fatal(err)
				}
				if got := k.heard(); got != "card" {
					t.Errorf("%s: heard %q, want a card", kind, got)
				}
			}
		})
	}
}

func TestWiegandKeypadErrors(t *testing.T) {
	pad := wiegand.Keypad{Kind: "pin26", Facility: 77, Length: 4}
	keyed(t, wiegand.Config{Formats: h10301(t), Keypad: pad}, func(k *keyReader) {
		k.Keypad.Digits = 4
		k.press("0023", "0023")
		k.press("#", "wrong_keys") // HID: sixteen ones
		k.press("0000", "wrong_keys")
		if err := k.Press("A"); err == nil {
			t.Error("a key A")
		}
		k.Keypad.Kind = "key3"
		if err := k.Press("1"); err == nil {
			t.Error("a kind key3")
		}
	})
}

// Whatever happens to the pulses, only the card itself is read, and the next one is.
func TestWiegandTroubles(t *testing.T) {
	card := device.CardOf(0x2F623AE, 26)
	tests := map[string]struct {
		spoil devicetest.Spoil
		want  string
	}{
		"swapped":             {devicetest.Spoil{Swapped: true}, "wrong_parity"},
		"a glitch":            {devicetest.Spoil{Glitch: []int{7}}, "wrong_length"},
		"a glitch and a loss": {devicetest.Spoil{Glitch: []int{2}, Missing: []int{6}}, "noise"}, // its parity is right
		"an echo":             {devicetest.Spoil{Echo: []int{7}}, "wrong_length"},
		"a bounce":            {devicetest.Spoil{Bounce: []int{7}}, "noise"},
		"a bounce at its end": {devicetest.Spoil{Bounce: []int{25}}, "card noise"},
		"crosstalk":           {devicetest.Spoil{Crosstalk: []int{7}}, "noise"},
		"both lines":          {devicetest.Spoil{Doubled: []int{7}}, "noise"},
		"not seen":            {devicetest.Spoil{Merged: []int{7, 8}}, "wrong_length"},
		"lost":                {devicetest.Spoil{Lost: []int{7}}, "lost_edges"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			keyed(t, wiegand.Config{Formats: h10301(t)}, func(k *keyReader) {
				if err := k.SendSpoiled(card, tt.spoil); err != nil {
					t.Fatal(err)
				}
				if got := k.heard(); got != tt.want {
					t.Errorf("heard %q, want %q", got, tt.want)
				}
				if err := k.Send(card); err != nil {
					t.Fatal(err)
				}
				if got := k.heard(); got != "card" {
					t.Errorf("then heard %q, want a card", got)
				}
			})
		})
	}
}

// Noise on a keypad's lines is neither card nor PIN, spoils what was typed, and
// what comes after it is read.
func TestWiegandNoise(t *testing.T) {
	keyed(t, wiegand.Config{Formats: h10301(t), Keypad: wiegand.Keypad{Kind: "key4"}}, func(k *keyReader) {
		if err := k.Press("47"); err != nil {
			t.Fatal(err)
		}
		if err := k.Noise(10000, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		faults := strings.Fields(k.heard())
		if len(faults) == 0 || len(faults) > 33 {
			t.Errorf("10 s of noise made %d events", len(faults))
		}
		for _, f := range faults {
			if f != "noise" && f != "lost_edges" && f != "wrong_length" && f != "cable" {
				t.Errorf("10 s of noise made %s", f)
			}
		}
		k.press("11#", "")
		k.press("4711#", "4711")
		if err := k.Send(device.CardOf(0x2F623AE, 26)); err != nil {
			t.Fatal(err)
		}
		if got := k.heard(); got != "card" {
			t.Errorf("after the noise heard %q, want a card", got)
		}
	})
}

// A board that names edges late shows a pulse in a request of both edges as
// two changes to idle, or one.
func TestWiegandMerged(t *testing.T) {
	gate(t, func(t *testing.T, b *devicetest.Board, r *devicetest.Remote) {
		l := open(t, r, readers(true))
		w := devicetest.WiegandSource{Board: b, D0: "d0", D1: "d1"}
		if err := w.SendSpoiled(device.CardOf(0b101, 3), devicetest.Spoil{Merged: []int{1}}); err != nil {
			t.Fatal(err)
		}
		edges := read(t, l, 5)
		if e := edges[2]; e.Line != 0 || e.Active || e.Seq != edges[1].Seq+1 {
			t.Errorf("the merged pulse is %+v", e)
		}
	})
}
