// Package serialcard reads proximity cards from modules that send each card as
// a short text frame over a serial line: RDM6300 and its clones, ID-12.
//
// What a module sends is a Layout, which is data; one Decoder and one Reader
// serve them all. The package refuses numbers whose checksum is wrong, numbers
// that clones of the modules make up by themselves, lower-case digits, and any
// guess at half a frame: noise on the line is a fault, never a card.
package serialcard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/device"
)

// Layout is one frame on the wire: Start, the number in upper-case hex, its
// check digits, End. Lower-case digits are noise: no known module sends them,
// and one bit tells 'A' from 'a', so that taking both would let a flipped bit
// through.
type Layout struct {
	Name    string
	Baud    int           // as modules of this kind are delivered; 8 data bits, no parity, one stop bit
	Start   string        // its first byte stands nowhere else in a frame
	Digits  int           // hex digits of the number, 4 bits each, 2 to 16, even
	Check   Check         // what follows the number
	End     string        // may be empty
	Confirm time.Duration // a new number counts when it comes a second time within this; 0: at once
}

// Check is the kind of check digits in a Layout.
type Check uint8

// The kinds of check digits.
const (
	CheckNone Check = iota
	CheckXOR        // two hex digits: the XOR of the number's bytes
)

// maxFrame is more than any frame in the field: the longest known has 16 bytes.
const maxFrame = 64

const hexDigits = "0123456789ABCDEF"

// layouts are those tried here; 9600 baud, from the modules' data sheets. The
// RDM6300 repeats its frame about every 50 ms while the card is there, so a
// number can be asked for twice; the ID-12 sends it once.
var layouts = []Layout{
	{Name: "rdm6300", Baud: 9600, Start: "\x02", Digits: 10, Check: CheckXOR, End: "\x03", Confirm: 200 * time.Millisecond},
	{Name: "id12", Baud: 9600, Start: "\x02", Digits: 10, Check: CheckXOR, End: "\r\n\x03"},
}

// Lookup returns the layout of that name. The copy may be changed, to switch
// Confirm off for one reader.
func Lookup(name string) (Layout, bool) {
	i := slices.IndexFunc(layouts, func(l Layout) bool { return l.Name == name })
	if i < 0 {
		return Layout{}, false
	}
	return layouts[i], true
}

// Names returns the names that Lookup knows.
func Names() []string {
	names := make([]string, len(layouts))
	for i, l := range layouts {
		names[i] = l.Name
	}
	return names
}

// Bits returns the length of the layout's cards.
func (l Layout) Bits() int { return 4 * l.Digits }

// Encode returns the frame that a module would send for the card. The error
// names the card's length only.
func (l Layout) Encode(card device.Card) ([]byte, error) {
	if err := l.valid(); err != nil {
		return nil, err
	}
	if card.Len() != l.Bits() {
		return nil, fmt.Errorf("encode %v as %s: want %d bits", card, l.Name, l.Bits())
	}
	frame := make([]byte, 0, l.size())
	frame = append(frame, l.Start...)
	var sum byte
	for i := range l.Digits {
		digit := byte(card.Uint64(4*i, 4))
		frame = append(frame, hexDigits[digit])
		sum ^= digit << (4 * ((i + 1) % 2))
	}
	if l.Check == CheckXOR {
		frame = append(frame, hexDigits[sum>>4], hexDigits[sum&15])
	}
	return append(frame, l.End...), nil
}

// valid refuses a layout that the decoder can't keep apart from its own parts.
func (l Layout) valid() error {
	switch {
	case l.Start == "":
		return fmt.Errorf("layout %s has no start byte", l.Name)
	case strings.Contains(hexDigits, l.Start[:1]), strings.Contains(l.Start[1:]+l.End, l.Start[:1]):
		return fmt.Errorf("layout %s: the start byte stands inside the frame too", l.Name)
	case l.Digits < 2 || l.Digits > 16 || l.Digits%2 != 0:
		return fmt.Errorf("layout %s has %d digits: want 2 to 16, even", l.Name, l.Digits)
	case l.Check > CheckXOR:
		return fmt.Errorf("layout %s: unknown check %d", l.Name, l.Check)
	case l.size() > maxFrame:
		return fmt.Errorf("layout %s has %d bytes: at most %d", l.Name, l.size(), maxFrame)
	case l.Confirm < 0:
		return errors.New("layout " + l.Name + ": negative time to confirm")
	}
	return nil
}

func (l Layout) checkDigits() int {
	if l.Check == CheckXOR {
		return 2
	}
	return 0
}

func (l Layout) size() int { return len(l.Start) + l.Digits + l.checkDigits() + len(l.End) }
