package idcardtest

import (
	"slices"
	"unicode/utf16"
)

// Kinds of identity cards, as the letter in their text.
const (
	Citizen      = ' '
	Residence    = 'J' // Hong Kong, Macao, Taiwan
	OldForeigner = 'I'
	Foreigner    = 'Y'
)

// Card is a made-up identity card. What a field has no room for is cut off, as
// on a chip.
type Card struct {
	Kind    byte   // 0: a citizen's of the first years, which has no letter
	Name    string // Chinese
	English string // of foreigners
	Number  string
	From    string // YYYYMMDD
	Until   string // YYYYMMDD or 长期
	Fingers int    // bytes of fingerprints, up to 1,024
}

// text is the 256 bytes of a card, as UTF-16 units.
type text [128]uint16

// put fills a field and returns what it had no room for.
func (t *text) put(at, size int, words string) (rest []uint16) {
	return t.units(at, size, utf16.Encode([]rune(words)))
}

func (t *text) units(at, size int, units []uint16) (rest []uint16) {
	field := t[at/2 : (at+size)/2]
	for i := range field {
		field[i] = ' '
	}
	return units[copy(field, units):]
}

// Text returns the 256 bytes as they are on the chip.
func (c Card) Text() []byte {
	var t text
	t.put(0, len(t)*2, "")
	switch c.Kind {
	case OldForeigner:
		c.oldForeigner(&t)
	case Foreigner:
		c.foreigner(&t)
	default:
		c.citizen(&t)
	}
	t.put(204, 16, c.Until)
	if t[124] = uint16(c.Kind); c.Kind == Residence {
		t.put(220, 18, "H00000000") // the holder's permit
		t.put(238, 4, "01")
	}
	var out []byte
	for _, unit := range t {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

func (c Card) born() string {
	if len(c.Number) < 14 {
		return "19900307"
	}
	return c.Number[6:14]
}

func (c Card) citizen(t *text) {
	t.put(0, 30, c.Name)
	t.put(30, 2, "1")
	t.put(32, 4, "01")
	t.put(36, 16, c.born())
	t.put(52, 70, "测试省测试市测试路零号")
	t.put(122, 36, c.Number)
	t.put(158, 30, "测试市公安局")
	t.put(188, 16, c.From)
}

func (c Card) oldForeigner(t *text) {
	t.put(0, 120, c.English)
	t.put(120, 2, "2")
	t.put(122, 30, c.Number)
	t.put(152, 6, "ZZZ")
	t.put(158, 30, c.Name)
	t.put(188, 16, c.From)
	t.put(220, 16, "19900307")
	t.put(236, 4, "01")
	t.put(240, 8, "0000")
}

func (c Card) foreigner(t *text) {
	t.put(0, 30, c.Name)
	t.put(30, 2, "2")
	t.put(32, 4, "00")
	t.put(36, 16, c.born())
	rest := t.put(52, 70, c.English)
	t.put(122, 36, c.Number)
	t.put(188, 16, c.From)
	t.units(220, 22, rest)
	t.put(242, 6, "ZZZ")
}

// parts is the text with photo, and fingers if asked for, behind their lengths.
// The photo is no picture: nothing here can decode one.
func (c Card) parts(fingers bool) []byte {
	photo := slices.Repeat([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0, 4, 0}, 128) // full of beginnings of frames
	text := c.Text()
	out := []byte{byte(len(text) >> 8), byte(len(text)), byte(len(photo) >> 8), byte(len(photo))}
	if fingers {
		out = append(out, byte(c.Fingers>>8), byte(c.Fingers))
	}
	out = append(append(out, text...), photo...)
	if fingers {
		out = append(out, slices.Repeat([]byte{0x43}, c.Fingers)...)
	}
	return out
}

// encode encodes a reply. It is written apart from the decoder under test.
func encode(sw3 byte, data []byte) []byte {
	n := len(data) + 4
	frame := append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, byte(n >> 8), byte(n), 0, 0, sw3}, data...)
	return append(frame, xor(frame[5:]))
}

func xor(b []byte) (sum byte) {
	for _, v := range b {
		sum ^= v
	}
	return sum
}
