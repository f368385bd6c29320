package gpio

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/wiegand"
)

// newKeyReader is a reader of H10301 with a keypad.
func newKeyReader(t testing.TB, chip string, keypad wiegand.Keypad) *reader {
	t.Helper()
	f, ok := wiegand.Lookup("H10301")
	if !ok {
		t.Fatal("no format H10301")
	}
	return run(t, wires(chip), wiegand.Config{Formats: []wiegand.Format{f}, Keypad: keypad})
}

// press types on a keypad of kind key8: the value, and its inverse before it.
func (c *chip) press(keys string) {
	c.t.Helper()
	for _, key := range keys {
		v := uint64(strings.IndexRune("0123456789*#", key))
		c.frame(device.CardOf((15-v)<<4|v, 8), d0, d1, 2*ms)
		nap(150 * ms)
	}
}

func (r *reader) pin(want string) {
	r.t.Helper()
	if e := r.next(device.PINEntered, fault.None); e.PIN.Digits() != want {
		r.t.Errorf("a PIN of %d digits, want %s", e.PIN.Len(), want)
	}
}

func TestKeypad(t *testing.T) {
	c := newChip(t, "front")
	r := newKeyReader(t, "front", wiegand.Keypad{Kind: "key8"})
	r.next(device.CameOnline, fault.None)
	c.press("4711#")
	r.pin("4711")
	want := card(t, "H10301", 123, 4567)
	c.frame(want, d0, d1, 2*ms)
	r.card(want)
	nap(150 * ms)
	c.press("47")
	c.frame(device.CardOf(0b1_1110_0001, 9), d0, d1, 2*ms) // a key and a bit of noise
	r.next(device.FaultSeen, fault.KeyBurst)
	c.press("11#0815#")
	r.pin("0815")
}

func TestWholePIN(t *testing.T) {
	c := newChip(t, "front")
	r := newKeyReader(t, "front", wiegand.Keypad{Kind: "pin26", Facility: 123, Length: 5})
	r.next(device.CameOnline, fault.None)
	c.frame(card(t, "H10301", 123, 4711), d0, d1, 2*ms)
	r.pin("04711")
	nap(150 * ms)
	c.frame(card(t, "H10301", 123, 65535), d0, d1, 2*ms)
	r.next(device.FaultSeen, fault.KeyBurst)
	nap(150 * ms)
	want := card(t, "H10301", 124, 4711)
	c.frame(want, d0, d1, 2*ms)
	r.card(want)
}

// The chip goes in the middle of a frame, and the rest comes when it is back.
func TestUnpluggedInFrame(t *testing.T) {
	for _, cut := range []int{1, 13, 25} {
		t.Run(strconv.Itoa(cut), func(t *testing.T) {
			sent := card(t, "H10301", 123, 4567)
			c := newChip(t, "front")
			r := newReader(t, wires("front"), "H10301")
			r.next(device.CameOnline, fault.None)
			c.bits(sent, 0, cut)
			c.unplug()
			if e := <-r.events; e.Kind == device.FaultSeen { // half a frame, then silence
				r.next(device.WentOffline, fault.Unplugged)
			}
			c = newChip(t, "front")
			r.next(device.CameOnline, fault.None)
			c.bits(sent, cut, sent.Len())
			r.next(device.FaultSeen, fault.Length)
			nap(150 * ms)
			c.frame(sent, d0, d1, 2*ms)
			r.card(sent)
		})
	}
}

// bits sends some bits of a card.
func (c *chip) bits(card device.Card, from, to int) {
	c.t.Helper()
	for i := from; i < to; i++ {
		c.pulse([]int{d0, d1}[card.Bit(i)], 2*ms)
	}
}

// Spikes as fast as this machine can make them, for a second: no card, few
// events, and the next card is read.
func TestNoiseOnLines(t *testing.T) {
	c := newChip(t, "front")
	r := newKeyReader(t, "front", wiegand.Keypad{Kind: "key8"})
	r.next(device.CameOnline, fault.None)
	told := make(chan int)
	go func() {
		n := 0
		for _, wait := range []time.Duration{20 * time.Second, 3 * time.Second} { // the first at once, others a second later
			select {
			case e := <-r.events:
				if e.Kind != device.FaultSeen {
					t.Errorf("noise made an event of kind %d", e.Kind)
				}
				n++
			case <-time.After(wait):
			}
		}
		told <- n
	}()
	for start, i := time.Now(), 0; time.Since(start) < time.Second; i++ {
		line := []int{d0, d1}[i%2]
		c.set(line, false)
		c.set(line, true)
		c.set(line, false)
		c.set(line, true)
		nap(100 * us)
	}
	if n := <-told; n == 0 {
		t.Error("noise was not told")
	}
	for drained := false; !drained; {
		select {
		case <-r.events:
		case <-time.After(7 * time.Second):
			drained = true
		}
	}
	want := card(t, "H10301", 123, 4567)
	c.frame(want, d0, d1, 2*ms)
	r.card(want)
}

// A reader whose lines idle low, as behind an optocoupler: the setting decides.
func TestPolarity(t *testing.T) {
	c := newChip(t, "opto")
	c.set(d0, false)
	c.set(d1, false)
	cfg := wires("opto")
	cfg.ActiveLow, cfg.Bias = false, device.BiasPullDown
	r := newReader(t, cfg, "H10301")
	r.next(device.CameOnline, fault.None)
	want := card(t, "H10301", 123, 4567)
	for i := range want.Len() {
		c.bit([]int{d0, d1}[want.Bit(i)], true, 2*ms)
	}
	r.card(want)
}
