package idcard

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is the kind of an identity card.
type Kind uint8

// The kinds of card that modules read.
const (
	Citizen      Kind = iota + 1 // resident identity card
	Residence                    // residence permit of Hong Kong, Macao and Taiwan residents
	Foreigner                    // foreigner's permanent residence card, issued since December 2023
	OldForeigner                 // the same, issued before
)

var kindNames = map[Kind]string{
	Citizen: "resident identity card", Residence: "residence permit of Hong Kong, Macao and Taiwan",
	Foreigner: "foreigner's permanent residence card", OldForeigner: "foreigner's permanent residence card, old kind",
}

// String returns a name for people.
func (k Kind) String() string { return cmp.Or(kindNames[k], "no card") }

// Record is the part of a card that a check-in needs: kind, number, name, last day. Everything else
// (sex, nation, address, issuer, photo, fingers; the date of birth is in the number) is dropped
// when it is made. It never prints its content: no verb of fmt and no encoder shows it, not as a
// field of others either. The zero Record is of no card. Safe for concurrent use.
type Record struct{ of func() person } // a func, because fmt looks into unexported fields and through pointers

type person struct {
	kind                  Kind
	name, english, number string
	cut                   bool
	until                 time.Time // zero: no end
}

// Kind returns the kind of the card; 0 of the zero Record.
func (r Record) Kind() Kind { return r.person().kind }

// Number returns the number of the card: 18 digits, the last may be X, or three
// letters and twelve digits of an old foreigner's card. Its check digit has not
// been looked at.
func (r Record) Number() string { return r.person().number }

// Name returns the Chinese name, which foreigners may lack.
func (r Record) Name() string { return r.person().name }

// English returns a foreigner's name in Latin letters; empty of other cards.
func (r Record) English() string { return r.person().english }

// Cut reports that a name fills its field to the last place: the chip may lack
// the rest of what is printed.
func (r Record) Cut() bool { return r.person().cut }

// Until returns the last day on which the card is valid, at midnight UTC; false
// for a card without an end (长期).
func (r Record) Until() (time.Time, bool) { return r.person().until, !r.person().until.IsZero() }

func (r Record) person() person {
	if r.of == nil {
		return person{}
	}
	return r.of()
}

// String tells the kind only.
func (r Record) String() string { return r.Kind().String() }

// Format keeps every verb of fmt from printing the rest.
func (r Record) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(r.String())) }

// MarshalJSON keeps encoders from writing the rest.
func (r Record) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// Errors of a card that was read well and can't be interpreted.
var (
	ErrUnknownCard = errors.New("this kind of card is not known")
	ErrRecord      = errors.New("the card's text is not as it should be")
)

// Sizes in a reply to ReadText or ReadFinger, in bytes.
const (
	textSize = 256
	mostPart = 1024 // photo, fingers
)

// Record extracts the person from a reply to ReadText or ReadFinger; photo and fingers are skipped.
// It wraps ErrUnknownCard or ErrRecord, and its errors never contain a part of the text.
func (r Reply) Record() (Record, error) {
	if r.Status != StatusOK {
		return Record{}, r.Status
	}
	d := r.Data
	if len(d) < 4+textSize {
		return Record{}, fmt.Errorf("%w: %d bytes hold no record", errDamaged, len(d))
	}
	text, photo := int(binary.BigEndian.Uint16(d)), int(binary.BigEndian.Uint16(d[2:]))
	finger, at := 0, 4
	if len(d) != at+text+photo { // with fingers there is a third length
		finger, at = int(binary.BigEndian.Uint16(d[4:])), 6
	}
	if text != textSize || photo > mostPart || finger > mostPart || len(d) != at+text+photo+finger {
		return Record{}, fmt.Errorf("%w: the lengths of its parts do not add up", errDamaged)
	}
	return decode(d[at : at+textSize])
}

// span is the place of a field in the text, in bytes.
type span struct{ at, size int }

// Fields at the same place in all four layouts.
var (
	spanUntil = span{204, 16}
	spanType  = span{248, 2}
)

// layout is the places of the fields of a kind (GA 450 and its supplements); the English name of
// the new foreigner's card has two parts.
type layout struct {
	kind          Kind
	name, number  span
	english, rest span
}

var layouts = map[rune]layout{
	' ': {kind: Citizen, name: span{0, 30}, number: span{122, 36}},
	'J': {kind: Residence, name: span{0, 30}, number: span{122, 36}},
	'I': {kind: OldForeigner, english: span{0, 120}, number: span{122, 30}, name: span{158, 30}},
	'Y': {kind: Foreigner, name: span{0, 30}, english: span{52, 70}, number: span{122, 36}, rest: span{220, 22}},
}

// decode parses the 256 bytes of text, UTF-16LE.
func decode(text []byte) (Record, error) {
	letter := rune(binary.LittleEndian.Uint16(text[spanType.at:]))
	if letter == 0 {
		letter = ' ' // older cards have nothing there
	}
	l, ok := layouts[letter]
	if !ok {
		return Record{}, ErrUnknownCard
	}
	p := person{kind: l.kind}
	var err error
	if p.name, err = l.name.words(text, span{}); err != nil {
		return Record{}, fmt.Errorf("%w: name: %w", ErrRecord, err)
	}
	if p.english, err = l.english.words(text, l.rest); err != nil {
		return Record{}, fmt.Errorf("%w: English name: %w", ErrRecord, err)
	}
	if p.name == "" && p.english == "" {
		return Record{}, fmt.Errorf("%w: it has no name", ErrRecord)
	}
	p.cut = l.name.full(text) || l.rest.full(text) || l.rest == span{} && l.english.full(text)
	if p.number, err = l.number.words(text, span{}); err != nil || !shaped(l.kind, p.number) {
		return Record{}, fmt.Errorf("%w: its number is none of a %s", ErrRecord, l.kind)
	}
	if p.until, err = lastDay(text); err != nil {
		return Record{}, err
	}
	return Record{func() person { return p }}, nil
}

// shaped reports whether a number has the form of its kind.
func shaped(k Kind, number string) bool {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if k == OldForeigner {
		return len(number) == 15 && strings.Trim(number[:3], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && digits(number[3:])
	}
	return len(number) == 18 && digits(number[:17]) && digits(strings.TrimSuffix(number[17:], "X"))
}

// lastDay parses the last day; the zero time for a card without an end.
func lastDay(text []byte) (time.Time, error) {
	s, err := spanUntil.words(text, span{})
	if err == nil && s == "长期" {
		return time.Time{}, nil
	}
	day, bad := time.Parse("20060102", s)
	if err != nil || bad != nil || day.Year() < 1900 {
		return time.Time{}, fmt.Errorf("%w: its last day is neither a date nor 长期", ErrRecord)
	}
	return day, nil
}

// padding is the padding of fields: spaces, on some cards zeros.
const padding = " \x00"

// words returns the text in a span and its continuation, without padding at its end. It refuses
// half characters and those that are no text; private-use ones are in rare names and stay.
func (s span) words(text []byte, more span) (string, error) {
	out := make([]byte, 0, 3*60)
	high := rune(0) // first half of a character
	for _, part := range [2]span{s, more} {
		for i := part.at; i < part.at+part.size; i += 2 {
			r := rune(binary.LittleEndian.Uint16(text[i:]))
			switch {
			case high != 0:
				r, high = utf16.DecodeRune(high, r), 0
			case utf16.IsSurrogate(r):
				high = r
				continue
			}
			if !printable(r) {
				return "", errors.New("half a character, or one that is no text")
			}
			out = utf8.AppendRune(out, r)
		}
	}
	if high != 0 {
		return "", errors.New("half a character at its end")
	}
	name := strings.TrimRight(string(out), padding)
	clear(out)
	if strings.ContainsRune(name, 0) {
		return "", errors.New("a gap inside")
	}
	return name, nil
}

// printable accepts zeros, which may be padding. DecodeRune gives U+FFFD for an invalid pair.
func printable(r rune) bool {
	const nonCharacters = 0xFDD0
	switch {
	case r == utf8.RuneError, r&0xFFFE == 0xFFFE, r >= nonCharacters && r < nonCharacters+32:
		return false
	}
	return r == 0 || !unicode.IsControl(r)
}

// full reports that the last place of a span is taken.
func (s span) full(text []byte) bool {
	if s.size == 0 {
		return false
	}
	last := binary.LittleEndian.Uint16(text[s.at+s.size-2:])
	return last != ' ' && last != 0
}
