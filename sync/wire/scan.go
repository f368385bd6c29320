package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// What comes by the hundred thousand is written and read by hand, by what is
// in this file. The tests compare it with the CBOR library.

// CBOR major types (RFC 8949, section 3.1), as they stand in the first byte.
const (
	majorUint   = 0 << 5
	majorNegint = 1 << 5
	majorBytes  = 2 << 5
	majorText   = 3 << 5
	majorArray  = 4 << 5
	majorMap    = 5 << 5
	majorSimple = 7 << 5
)

// appendHead writes a first byte and its argument in the shortest form.
func appendHead(b []byte, major byte, v uint64) []byte {
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

func appendBytes(b, v []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(v))), v...)
}

func appendStrings(b []byte, list [][]byte) []byte {
	b = appendHead(b, majorArray, uint64(len(list)))
	for _, v := range list {
		b = appendBytes(b, v)
	}
	return b
}

// reader eats deterministic CBOR from the front of b. Once bad, it stays bad.
type reader struct {
	b   []byte
	bad bool
}

// done returns an error unless all was read and was good.
func (r *reader) done(what string) error {
	if r.bad || len(r.b) != 0 {
		return fmt.Errorf("%s: %w: not the deterministic encoding", what, ErrMalformed)
	}
	return nil
}

func (r *reader) literal(want byte) {
	if r.bad || len(r.b) == 0 || r.b[0] != want {
		r.bad = true
		return
	}
	r.b = r.b[1:]
}

// bytes reads a byte string of exactly the length of dst.
func (r *reader) bytes(dst []byte) {
	if v := r.slice(); len(v) == len(dst) {
		copy(dst, v)
		return
	}
	r.bad = true
}

// slice reads a byte string. It shares the reader's bytes.
func (r *reader) slice() []byte {
	n := r.head(majorBytes, math.MaxUint32)
	if r.bad || uint64(len(r.b)) < n {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// strings reads an array of byte strings, at most so many.
func (r *reader) strings(most int) [][]byte {
	n := r.head(majorArray, uint64(most))
	if r.bad || n > uint64(len(r.b)) { // each takes a byte and more
		r.bad = true
		return nil
	}
	list := make([][]byte, n)
	for i := range list {
		list[i] = r.slice()
	}
	return list
}

// skip passes over any item.
func (r *reader) skip() {
	n := itemSize(r.b, 0)
	if r.bad || n == 0 {
		r.bad = true
		return
	}
	r.b = r.b[n:]
}

// head reads a first byte of the major type and its argument, which must be in
// the shortest form and at most limit.
func (r *reader) head(major byte, limit uint64) uint64 {
	if r.bad || len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.bad = true
		return 0
	}
	v, least, size := argument(r.b)
	if size == 0 || v < least || v > limit {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
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

// itemSize returns the size of the well-formed item that b begins with, of
// definite length and without tags; 0 where there is none. Depth is how many
// arrays and maps it stands in.
func itemSize(b []byte, depth int) int {
	if len(b) == 0 {
		return 0
	}
	v, _, size := argument(b)
	if size == 0 {
		return 0
	}
	items := uint64(0)
	switch b[0] & 0xe0 {
	case majorUint, majorNegint:
		return size
	case majorBytes, majorText:
		if v > uint64(len(b)-size) {
			return 0
		}
		return size + int(v)
	case majorArray:
		items = v
	case majorMap:
		items = 2 * v
	case majorSimple:
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
		n := itemSize(b[size:], depth+1)
		if n == 0 {
			return 0
		}
		size += n
	}
	return size
}
