package keyring

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatehouse/device"
	"gatehouse/device/wiegand"
)

// Facts behind this file: an EM4100 card holds 40 bits; a serial reader gives
// all of them, a W34 reader the low 32, a W26 reader the low 24, each between
// two parity bits. The numbers printed on such cards are these low bits.

// Derive returns the card and the forms in which other reader families give the
// same one, as far as that is certain: 40 bits of EM4100 make a W26 and a W34. A
// W34 makes nothing: it may be another chip, and a guess at its W26 form could
// be some other person's card.
func Derive(c device.Card) []device.Card {
	if c.Len() != 40 {
		return []device.Card{c}
	}
	return []device.Card{c, framed("H10301", c.Uint64(16, 24)), framed("H10306", c.Uint64(8, 32))}
}

// ParsePrinted returns the cards that a printed number stands for. Forms, each
// with all its digits, leading zeros too:
//
//	3+5D           "094,10637": facility and card number of W26
//	8D             "06171021": 24 bits, the W26 of the card
//	10D            "0006171021": 32 bits, the W34 and the W26 of an EM4100
//	10D-reversed   "3257818624": 32 bits, bytes reversed: the W34 of a card
//	               number that some readers send from its other end
//
// Errors never repeat the number.
func ParsePrinted(number, form string) ([]device.Card, error) {
	switch strings.ToUpper(form) {
	case "3+5D":
		return parseFacility(number)
	case "8D":
		v, err := digits(number, 8, 1<<24-1)
		if err != nil {
			return nil, err
		}
		return []device.Card{framed("H10301", v)}, nil
	case "10D":
		v, err := digits(number, 10, 1<<32-1)
		if err != nil {
			return nil, err
		}
		return []device.Card{framed("H10306", v), framed("H10301", v&(1<<24-1))}, nil
	case "10D-REVERSED":
		v, err := digits(number, 10, 1<<32-1)
		if err != nil {
			return nil, err
		}
		return []device.Card{framed("H10306", v>>24|v>>8&0xff00|v<<8&0xff0000|v<<24&0xff000000)}, nil
	}
	return nil, errors.New("printed number: unknown form: want 3+5D, 8D, 10D or 10D-reversed")
}

func parseFacility(number string) ([]device.Card, error) {
	left, right, ok := strings.Cut(number, ",")
	if !ok {
		return nil, errors.New("printed number 3+5D: want three digits, a comma, five digits")
	}
	facility, err := digits(left, 3, 1<<8-1)
	if err != nil {
		return nil, err
	}
	card, err := digits(right, 5, 1<<16-1)
	if err != nil {
		return nil, err
	}
	return []device.Card{framed("H10301", facility<<16|card)}, nil
}

// digits reads exactly n decimal digits.
func digits(s string, n int, limit uint64) (uint64, error) {
	if len(s) != n || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("printed number: want exactly %d digits, leading zeros too", n)
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v > limit {
		return 0, fmt.Errorf("printed number: %d digits are at most %d", n, limit)
	}
	return v, nil
}

// framed puts the number of a card between the parity bits of H10301 (24 bits)
// or H10306 (32 bits). Their facility is the part before the last 16 bits.
func framed(format string, v uint64) device.Card {
	f, ok := wiegand.Lookup(format)
	if !ok {
		panic("no format " + format) // the table is a constant
	}
	c, err := f.Encode(wiegand.Fields{Facility: v >> 16, Card: v & 0xffff, HasFacility: true})
	if err != nil {
		panic(err) // v is in range by its callers
	}
	return c
}
