// Package typed writes bytes as letters that a person may type, with a check: one wrong letter, and
// two neighbours that changed places, are always found out, and where.
package typed

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648's
	size     = 4                                  // of the check, in bytes
	// mostSearched is the most letters in which the wrong one is looked for, twice a long token:
	// each is tried as each of the alphabet.
	mostSearched = 1024
)

// Letters writes bytes as letters without a check.
var Letters = base32.StdEncoding.WithPadding(base32.NoPadding)

// Mistake is why letters are refused.
type Mistake struct {
	At int // the wrong character, from 1, or the first of two that changed places; 0: it is not one slip alone
}

func (m *Mistake) Error() string {
	if m.At == 0 {
		return "it is mistyped, or a part is missing"
	}
	return fmt.Sprintf("it is mistyped at character %d or the next, spaces not counted", m.At)
}

// Encode writes b and the check after a prefix. A CRC-32 finds every change within 32 neighbouring bits, which one
// letter and two neighbours are.
func Encode(prefix string, b []byte) string {
	return prefix + Letters.EncodeToString(binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.ChecksumIEEE(b)))
}

// Decode reads what Encode wrote after the prefix, which the text has. The error is a *Mistake.
func Decode(prefix, text string) ([]byte, error) {
	body := []byte(text[len(prefix):])
	b, ok := read(body)
	if ok {
		return b, nil
	}
	m := &Mistake{At: slip(body)}
	if m.At > 0 {
		m.At += len(prefix)
	}
	return nil, m
}

func read(text []byte) (b []byte, ok bool) {
	b = make([]byte, Letters.DecodedLen(len(text)))
	n, err := Letters.Decode(b, text)
	if err != nil || n < size {
		return nil, false
	}
	b = b[:n-size]
	return b, Encode("", b) == string(text)
}

// slip returns the place where one letter, or two that change places, make the text right.
func slip(text []byte) int {
	if len(text) > mostSearched {
		return 0
	}
	right := func() bool { _, ok := read(text); return ok }
	for i, was := range text {
		for _, letter := range []byte(alphabet) {
			if text[i] = letter; right() {
				return i + 1
			}
		}
		if text[i] = was; i == 0 {
			continue
		}
		text[i-1], text[i] = was, text[i-1]
		if right() {
			return i
		}
		text[i-1], text[i] = text[i], was
	}
	return 0
}
