package device

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"
)

// MaxPIN is the most digits that a PIN has.
const MaxPIN = 10

// PIN is what somebody typed at a keypad. It is comparable and never prints its
// digits.
type PIN struct {
	n      uint8
	digits [MaxPIN]byte
}

// NewPIN makes a PIN of digits; false for none, more than MaxPIN, or anything
// that is no digit.
func NewPIN(digits string) (PIN, bool) {
	p := PIN{}
	for i := range len(digits) {
		if !p.add(digits[i]) {
			return PIN{}, false
		}
	}
	return p, p.n > 0
}

func (p *PIN) add(digit byte) bool {
	if digit < '0' || digit > '9' || p.n == MaxPIN {
		return false
	}
	p.digits[p.n] = digit
	p.n++
	return true
}

// Digits returns what was typed: check it, never log or keep it.
func (p PIN) Digits() string { return string(p.digits[:p.n]) }

// Len returns the number of digits; 0 is no PIN.
func (p PIN) Len() int { return int(p.n) }

// String tells that there is a PIN, and not even its length.
func (p PIN) String() string { return "PIN" }

// Format keeps every verb of fmt from printing the digits.
func (p PIN) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(p.String())) }

// MarshalJSON keeps encoders from writing the digits.
func (p PIN) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// Keypad puts single keys together to PINs: # sends, * clears, and a pause
// clears too, so that a lone old digit can't spoil the next PIN. The zero value
// is ready. For one goroutine.
type Keypad struct {
	Pause  time.Duration // longest between two keys; 0: KeyPause
	Length int           // a PIN of so many digits needs no #; 0: every PIN does

	typed PIN
	last  time.Duration
	spoil bool // too many digits, or a garbled key: wait for # or * or a pause
}

// KeyPause is when keypads clear themselves (Rosslare); 2.5 to 10 s are in use.
const KeyPause = 5 * time.Second

// Press takes a key, '0' to '9', '*' or '#', at a time of any steady clock. It
// returns a PIN and true when the key completed one. Any other key spoils the
// PIN at hand.
func (k *Keypad) Press(key byte, at time.Duration) (PIN, bool) {
	if at-k.last > cmp.Or(k.Pause, KeyPause) || at < k.last {
		k.Clear()
	}
	k.last = at
	switch {
	case key == '*':
		k.Clear()
	case key == '#':
		return k.send()
	case !k.typed.add(key):
		k.Spoil(at)
	case k.Length > 0 && k.typed.Len() >= k.Length:
		return k.send()
	}
	return PIN{}, false
}

// Spoil drops the PIN at hand up to the next # or *, or a pause: a key was lost
// or garbled, and a PIN without it is a wrong one.
func (k *Keypad) Spoil(at time.Duration) { k.typed, k.spoil, k.last = PIN{}, true, at }

// Clear forgets all keys.
func (k *Keypad) Clear() { k.typed, k.spoil = PIN{}, false }

func (k *Keypad) send() (PIN, bool) {
	p, ok := k.typed, !k.spoil && k.typed.n > 0
	k.Clear()
	if !ok {
		return PIN{}, false
	}
	return p, true
}
