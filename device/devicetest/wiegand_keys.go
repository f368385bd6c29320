package devicetest

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"gatehouse/device"
)

// WiegandKeypad is the keypad of a WiegandSource. Kind is one of
//
//	key4 key6 key6-rosslare key8 key8-swapped key10 key10-inverse key10-swapped
//	pin26 bcd5 bcd6 pin30
//
// the first eight a burst for each key, the others one frame for a whole PIN.
type WiegandKeypad struct {
	Kind     string
	Facility byte          // of pin26
	Digits   int           // a whole PIN is sent at its Digits-th key; 0: by #
	Pause    time.Duration // from the end of one burst to the next; 0: 150 ms, a fast typist
}

const keyPause = 150 * time.Millisecond

// The bursts of 0 to 9, * and # as the makers print them: Rosslare AYC-Q60
// (options 1 to 3 and 9), HID PINpad.
var bursts = map[string][12]string{
	"key4": {"0000", "0001", "0010", "0011", "0100", "0101", "0110", "0111", "1000", "1001", "1010", "1011"},
	"key6": {"000001", "000010", "000100", "000111", "101001", "101010", "101100", "101111",
		"110001", "110010", "110100", "110111"},
	"key6-rosslare": {"110100", "000010", "000100", "000111", "101001", "101010", "101100", "101111",
		"110001", "110010", "110111", "011001"},
	"key8": {"11110000", "11100001", "11010010", "11000011", "10110100", "10100101", "10010110", "10000111",
		"01111000", "01101001", "01011010", "01001011"},
}

// Press types keys 0 to 9, * and #, as the Keypad sends them: each one in a
// burst, or a whole PIN when it is complete, * clearing it.
func (w *WiegandSource) Press(keys string) error {
	pause := w.Keypad.Pause
	if pause == 0 {
		pause = keyPause
	}
	for _, key := range []byte(keys) {
		card, ok, err := w.key(key)
		if err != nil {
			return err
		}
		if !ok {
			time.Sleep(pause)
			continue
		}
		if err := w.send(card, Spoil{}, pause); err != nil {
			return err
		}
	}
	return nil
}

// key returns what the keypad sends at a key, if anything.
func (w *WiegandSource) key(key byte) (card device.Card, ok bool, err error) {
	n := strings.IndexByte("0123456789*#", key)
	if n < 0 {
		return card, false, fmt.Errorf("keypad has no key %q", key)
	}
	v := uint64(n)
	switch kind := w.Keypad.Kind; kind {
	case "key4", "key6", "key6-rosslare", "key8":
		v, err = strconv.ParseUint(bursts[kind][n], 2, 8)
		return device.CardOf(v, len(bursts[kind][n])), true, err
	case "key8-swapped":
		return device.CardOf(v<<4|15-v, 8), true, nil
	case "key10":
		return withParity(v, 8), true, nil
	case "key10-inverse":
		return withParity((15-v)<<4|v, 8), true, nil
	case "key10-swapped":
		return withParity(v<<4|15-v, 8), true, nil
	case "pin26", "bcd5", "bcd6", "pin30":
		return w.collect(key)
	default:
		return card, false, fmt.Errorf("no keypad of kind %q", kind)
	}
}

// collect keeps the keys of a whole PIN up to its last one.
func (w *WiegandSource) collect(key byte) (card device.Card, ok bool, err error) {
	full := w.Keypad.Digits
	if w.Keypad.Kind == "bcd6" {
		full = 6
	}
	switch key {
	case '*':
		w.typed = ""
		return card, false, nil
	case '#':
	default:
		w.typed += string(key)
		if len(w.typed) != full {
			return card, false, nil
		}
	}
	typed := w.typed
	w.typed = ""
	card, ok = w.whole(typed)
	return card, ok, nil
}

// whole makes the frame of a PIN; false where the keypad only beeps. HID sends
// sixteen ones for a PIN that is none.
func (w *WiegandSource) whole(typed string) (device.Card, bool) {
	number, err := strconv.ParseUint("0"+typed, 10, 64)
	if err != nil {
		return device.Card{}, false
	}
	bcd, err := strconv.ParseUint("0"+typed, 16, 64)
	if err != nil {
		return device.Card{}, false
	}
	switch w.Keypad.Kind {
	case "pin26":
		if number == 0 || number > 65534 {
			number = 65535
		}
		return withParity(uint64(w.Keypad.Facility)<<16|number, 24), true
	case "bcd5":
		return withParity(bcd, 24), len(typed) > 0 && len(typed) <= 5
	case "bcd6":
		return withParity(bcd, 24), len(typed) == 6
	default:
		return withParity(number, 28), number > 0 && number < 1<<24
	}
}

// withParity puts n bits between an even bit for their first half and an odd
// one for their second.
func withParity(v uint64, n int) device.Card {
	first, second := v>>(n/2), v&(1<<(n/2)-1)
	even, odd := uint64(bits.OnesCount64(first)%2), uint64(1-bits.OnesCount64(second)%2)
	return device.CardOf(even<<(n+1)|v<<1|odd, n+2)
}
