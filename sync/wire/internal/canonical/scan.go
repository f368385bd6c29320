package canonical

import (
	"encoding/binary"
	"fmt"
	"math"
)

// What comes by the hundred thousand is written and read by hand, by what is
// in this file. The tests compare it with the CBOR library.

// CBOR major types (RFC 8949, section 3.1), as they stand in the first byte.
const (
	Uint   = 0 << 5
	Negint = 1 << 5
	Bytes  = 2 << 5
	Text   = 3 << 5
	Array  = 4 << 5
	Map    = 5 << 5
	Simple = 7 << 5
)

// AppendHead writes a first byte and its argument in the shortest form.
func AppendHead(b []byte, major byte, v uint64) []byte {
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v <= math.MaxUint8:
		return append(b, major|24, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, major|27), v)
}

// AppendBytes writes a byte string.
func AppendBytes(b, v []byte) []byte {
	return append(AppendHead(b, Bytes, uint64(len(v))), v...)
}

// AppendStrings writes an array of byte strings.
func AppendStrings(b []byte, list [][]byte) []byte {
	b = AppendHead(b, Array, uint64(len(list)))
	for _, v := range list {
		b = AppendBytes(b, v)
	}
	return b
}

// Fields is a map of integer keys below 24, fewer than 24 of them, which come in ascending order.
type Fields []byte

// NewFields begins a map, with room for so many bytes.
func NewFields(room int) Fields { return append(make(Fields, 0, room), Map) }

// Uint adds a field, as all that follow do.
func (m Fields) Uint(key byte, v uint64) Fields { return m.head(key, Uint, v) }

func (m Fields) head(key, major byte, v uint64) Fields {
	m[0]++
	return AppendHead(append(m, key), major, v)
}

// Int adds a number with a sign.
func (m Fields) Int(key byte, v int64) Fields {
	if v < 0 {
		return m.head(key, Negint, uint64(-1-v))
	}
	return m.Uint(key, uint64(v))
}

// Some adds a number that is left out where it is zero.
func (m Fields) Some(key byte, v uint64) Fields {
	if v == 0 {
		return m
	}
	return m.Uint(key, v)
}

// Text adds a text that is left out where it is empty.
func (m Fields) Text(key byte, v string) Fields {
	if v == "" {
		return m
	}
	return append(m.head(key, Text, uint64(len(v))), v...)
}

// Bytes adds a byte string that is left out where it is empty.
func (m Fields) Bytes(key byte, v []byte) Fields {
	if len(v) == 0 {
		return m
	}
	return append(m.head(key, Bytes, uint64(len(v))), v...)
}

// Pair adds an array of two numbers.
func (m Fields) Pair(key byte, a, b uint64) Fields {
	return AppendHead(AppendHead(m.head(key, Array, 2), Uint, a), Uint, b)
}

// Reader eats deterministic CBOR from the front of b. Once bad, it stays bad.
type Reader struct {
	B   []byte // what is left
	Bad bool
}

// Done returns an error unless all was read and was good.
func (r *Reader) Done(what string) error {
	if r.Bad || len(r.B) != 0 {
		return fmt.Errorf("%s: %w: not the deterministic encoding", what, ErrMalformed)
	}
	return nil
}

// Literal reads one byte, which must be that one.
func (r *Reader) Literal(want byte) {
	if r.Bad || len(r.B) == 0 || r.B[0] != want {
		r.Bad = true
		return
	}
	r.B = r.B[1:]
}

// Bytes reads a byte string of exactly the length of dst.
func (r *Reader) Bytes(dst []byte) {
	if v := r.Slice(); len(v) == len(dst) {
		copy(dst, v)
		return
	}
	r.Bad = true
}

// Slice reads a byte string. It shares the reader's bytes.
func (r *Reader) Slice() []byte {
	n := r.Head(Bytes, math.MaxUint32)
	if r.Bad || uint64(len(r.B)) < n {
		r.Bad = true
		return nil
	}
	v := r.B[:n:n]
	r.B = r.B[n:]
	return v
}

// Strings reads an array of byte strings, at most so many.
func (r *Reader) Strings(most int) [][]byte {
	n := r.Head(Array, uint64(most))
	if r.Bad || n > uint64(len(r.B)) { // each takes a byte and more
		r.Bad = true
		return nil
	}
	list := make([][]byte, n)
	for i := range list {
		list[i] = r.Slice()
	}
	return list
}

// Skip passes over any item.
func (r *Reader) Skip() {
	n := ItemSize(r.B, 0)
	if r.Bad || n == 0 {
		r.Bad = true
		return
	}
	r.B = r.B[n:]
}

// Head reads a first byte of the major type and its argument, which must be in
// the shortest form and at most limit.
func (r *Reader) Head(major byte, limit uint64) uint64 {
	if r.Bad || len(r.B) == 0 || r.B[0]&0xe0 != major {
		r.Bad = true
		return 0
	}
	if v := uint64(r.B[0] & 0x1f); v < 24 && v <= limit { // most are: not worth a call
		r.B = r.B[1:]
		return v
	}
	v, least, size := argument(r.B)
	if size == 0 || v < least || v > limit {
		r.Bad = true
		return 0
	}
	r.B = r.B[size:]
	return v
}

// argument reads the argument of the head that b begins with, the least that
// needs a head of that size, and that size: 0 where b has no whole head of
// definite length.
func argument(b []byte) (v, least uint64, size int) {
	info := b[0] & 0x1f
	switch {
	case info < 24:
		return uint64(info), 0, 1
	case info == 24 && len(b) >= 2:
		return uint64(b[1]), 24, 2
	case info == 25 && len(b) >= 3:
		return uint64(binary.BigEndian.Uint16(b[1:])), 1 << 8, 3
	case info == 26 && len(b) >= 5:
		return uint64(binary.BigEndian.Uint32(b[1:])), 1 << 16, 5
	case info == 27 && len(b) >= 9:
		return binary.BigEndian.Uint64(b[1:]), 1 << 32, 9
	}
	return 0, 0, 0
}

// maxNested is how deep arrays and maps may stand in each other.
const maxNested = 8

// ItemSize returns the size of the well-formed item that b begins with, of
// definite length and without tags; 0 where there is none. Depth is how many
// arrays and maps it stands in.
func ItemSize(b []byte, depth int) int {
	if len(b) == 0 {
		return 0
	}
	v, _, size := argument(b)
	if size == 0 {
		return 0
	}
	items := uint64(0)
	switch b[0] & 0xe0 {
	case Uint, Negint:
		return size
	case Bytes, Text:
		if v > uint64(len(b)-size) {
			return 0
		}
		return size + int(v)
	case Array:
		items = v
	case Map:
		items = 2 * v
	case Simple:
		if size == 2 && v < 32 {
			return 0
		}
		return size
	default: // a tag
		return 0
	}
	if v > uint64(len(b)) || depth >= maxNested {
		return 0
	}
	for ; items > 0; items-- {
		n := ItemSize(b[size:], depth+1)
		if n == 0 {
			return 0
		}
		size += n
	}
	return size
}
