package cardnumber

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gatehouse/device"
)

// Errors of ParsePrinted and TwoPrints, most of them a spreadsheet's work.
var (
	// ErrZeros means that digits are missing at the front, probably zeros, which Fill
	// restores.
	ErrZeros = errors.New("printed number: leading zeros are missing")
	// ErrLost means that the number was rounded, and its digits are lost.
	ErrLost = errors.New("printed number: it is written like 1.23E+09, so digits are lost")
	// ErrTwo means that there are two numbers, and not of the same card.
	ErrTwo = errors.New("printed number: it has two numbers that are not of one card")
	// ErrForm means an unknown name of a form.
	ErrForm = errors.New("printed number: unknown form: want " + strings.Join(PrintedForms(), ", "))
)

// printedForm is a form of printed numbers: parts with a fixed number of digits.
type printedForm struct {
	name    string
	digits  []int
	bits    []int // of each part
	base    int
	reverse bool // whether the bytes are reversed
	fixed   bool // no reader is known to send fewer of its bits
	uid     bool // a whole UID, in uidDigits hex digits
}

// printedForms returns all forms: the low bits of an EM4100, or all of them, and UIDs.
func printedForms() []printedForm {
	return []printedForm{
		{name: "3+5D", digits: []int{3, 5}, bits: []int{8, 16}, base: 10},
		{name: "5+5D", digits: []int{5, 5}, bits: []int{16, 16}, base: 10},
		{name: "8D", digits: []int{8}, bits: []int{24}, base: 10},
		{name: "10D", digits: []int{10}, bits: []int{32}, base: 10},
		{name: "10D-reversed", digits: []int{10}, bits: []int{32}, base: 10, reverse: true, fixed: true},
		{name: "12D", digits: []int{12}, bits: []int{40}, base: 10},
		{name: "13D", digits: []int{13}, bits: []int{40}, base: 10},
		{name: "14D", digits: []int{14}, bits: []int{40}, base: 10},
		{name: "6H", digits: []int{6}, bits: []int{24}, base: 16},
		{name: "8H", digits: []int{8}, bits: []int{32}, base: 16},
		{name: "10H", digits: []int{10}, bits: []int{40}, base: 16},
		{name: "uid", uid: true},
		{name: "uid-reversed", uid: true, reverse: true},
	}
}

// formOf returns the form of a name.
func formOf(name string) (f printedForm, ok bool) {
	for _, f := range printedForms() {
		if strings.EqualFold(f.name, name) {
			return f, true
		}
	}
	return f, false
}

// uidDigits are the numbers of hex digits of ISO/IEC 14443 UIDs.
var uidDigits = []int{8, 14, 20}

// PrintedForms returns the names of the forms that ParsePrinted accepts.
func PrintedForms() []string {
	var names []string
	for _, f := range printedForms() {
		names = append(names, f.name)
	}
	return names
}

// ParsePrinted returns the number that is printed on a card. Forms, each with all its
// digits, leading zeros too:
//
//	3+5D           "094,10637": facility and card number of W26; any mark between, or none
//	5+5D           "00094,10637": 32 bits, in two halves
//	8D, 6H         "06171021", "5E298D": 24 bits, the W26 of the card
//	10D, 8H        "0006171021", "005E298D": 32 bits, the W34 and the W26 of an EM4100
//	10D-reversed   "2368298496": 32 bits, bytes reversed: the W34 of a card
//	               number that some readers send from its other end
//	12D, 13D, 14D  "0042954749443": all 40 bits of an EM4100, in decimal
//	10H            "0A004D7603": the same in hex; hex may begin with 0x, and have ":" or
//	               "-" between its bytes
//	uid            "04:A1:B2:C3": a UID of 4, 7 or 10 bytes in the order in which the
//	               readers give it; ":", "-" or nothing between
//	uid-reversed   the same from its other end
//
// Errors never repeat the number.
func ParsePrinted(number, form string) (Number, error) {
	number = strings.ToUpper(number)
	if i := strings.IndexFunc(number, func(r rune) bool { return !unicode.IsGraphic(r) }); i >= 0 {
		return Number{}, errors.New("printed number: it has a character that can't be seen: type it anew")
	}
	if strings.Contains(number, "E+") {
		return Number{}, ErrLost
	}
	switch f, ok := formOf(form); {
	case !ok:
		return Number{}, ErrForm
	case f.uid:
		return parseUID(number, f.reverse)
	default:
		return f.parse(number)
	}
}

// Fill restores the leading zeros of a number, or of its parts, that a spreadsheet dropped.
func Fill(number, form string) string {
	f, ok := formOf(form)
	switch {
	case f.uid && slices.Contains(uidDigits, len(number)+1):
		return "0" + number
	case f.uid || !ok:
		return number
	}
	parts := f.cut(number)
	for i := range parts {
		parts[i] = strings.Repeat("0", max(0, f.digits[i]-len(parts[i]))) + parts[i]
	}
	return strings.Join(parts, ",")
}

// TwoPrints parses two printed numbers of one card, such as "0006171021 094,10637", which some
// cards have and lists repeat in one cell; one of them has the form. It returns the longer one,
// with its form. The error is ErrTwo for numbers of different cards, ErrForm if there are not two
// numbers.
func TwoPrints(text, form string) (number, itsForm string, err error) {
	err = ErrForm
	for i, r := range text {
		if !isBetween(r) {
			continue
		}
		one, other := bare(text[:i]), bare(text[i:])
		for _, p := range [][2]string{{one, other}, {other, one}} {
			n, wrong := ParsePrinted(p[0], form)
			if wrong != nil {
				continue
			}
			m, itsForm, ok := n.again(p[1])
			switch {
			case ok && m.bits.Len() > n.bits.Len():
				return p[1], itsForm, nil
			case ok:
				return p[0], form, nil
			case itsForm != "":
				err = ErrTwo
			}
		}
	}
	return "", "", err
}

// bare removes separators around a number, and spaces within.
func bare(text string) string {
	return strings.Join(strings.Fields(strings.TrimFunc(text, isBetween)), "")
}

// isBetween reports whether a character may separate two numbers in a cell.
func isBetween(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune("()[]/,;|=、，；（）", r)
}

// again parses a text as the same card's number in another form. form is the first form that parses
// it, also if the number is another.
func (n Number) again(text string) (m Number, form string, ok bool) {
	for _, f := range PrintedForms() {
		m, err := ParsePrinted(text, f)
		if err != nil {
			continue
		}
		if form = f; n.agrees(m) {
			return m, f, true
		}
	}
	return Number{}, form, false
}

// agrees reports whether two numbers may be of one card: whether their common bits are equal.
func (n Number) agrees(m Number) bool {
	if !n.low || !m.low {
		return n.bits == m.bits
	}
	both := min(n.bits.Len(), m.bits.Len())
	return n.bits.Uint64(n.bits.Len()-both, both) == m.bits.Uint64(m.bits.Len()-both, both)
}

// bareHex removes the marks of a hex number.
func bareHex(number string) string {
	return strings.NewReplacer(":", "", "-", "").Replace(strings.TrimPrefix(number, "0X"))
}

// cut returns the parts of a number, one for each part of the form.
func (f printedForm) cut(number string) []string {
	if len(f.digits) == 1 {
		if f.base == 16 {
			number = bareHex(strings.ToUpper(number))
		}
		return []string{number}
	}
	if i := strings.IndexAny(number, ",.:;/-_"); i >= 0 {
		return []string{number[:i], number[i+1:]}
	}
	i := max(0, len(number)-f.digits[1])
	return []string{number[:i], number[i:]}
}

func (f printedForm) parse(number string) (Number, error) {
	if number == "" {
		return Number{}, errors.New("printed number: there is none")
	}
	var v uint64
	n := 0
	for i, part := range f.cut(number) {
		size := f.bits[i]
		x, err := digits(part, f.digits[i], f.base, 1<<size-1)
		if err != nil {
			return Number{}, err
		}
		v, n = v<<size|x, n+size
	}
	if f.reverse {
		v = uint64(bits.ReverseBytes32(uint32(v)))
	}
	return Number{bits: device.CardOf(v, n), low: !f.fixed}, nil
}

// digits parses exactly n digits.
func digits(s string, n, base int, limit uint64) (uint64, error) {
	v, err := strconv.ParseUint(s, base, 64)
	switch {
	case strings.Trim(s, "0123456789ABCDEF"[:base]) != "" || len(s) > n:
		return 0, fmt.Errorf("printed number: want exactly %d digits, leading zeros too", n)
	case len(s) < n:
		return 0, ErrZeros
	case err != nil || v > limit:
		return 0, fmt.Errorf("printed number: %d digits are at most %d", n, limit)
	}
	return v, nil
}

func parseUID(number string, reverse bool) (Number, error) {
	digits := bareHex(number)
	if slices.Contains(uidDigits, len(digits)+1) && strings.Trim(digits, "0123456789") == "" {
		return Number{}, ErrZeros
	}
	b, err := hex.DecodeString(digits)
	if err != nil || !slices.Contains(uidDigits, len(digits)) {
		return Number{}, errors.New("printed number: a UID has 8, 14 or 20 hex digits")
	}
	if reverse {
		slices.Reverse(b)
	}
	c, err := device.NewCard(b, 8*len(b))
	return Number{bits: c, uid: true}, err
}
