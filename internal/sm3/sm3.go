// Package sm3 computes SM3, the hash function of GB/T 32905-2016, as Chinese courts and
// authorities ask for it beside SHA-256.
//
// It is only for sums of files that SHA-256 covers as well: nothing in this program is believed
// because of it.
package sm3

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// Size of a sum, and BlockSize of what is taken at a time, in bytes.
const (
	Size      = 32
	BlockSize = 64
)

// state is the running hash: chaining value, bytes that fill no block yet, and how many came.
type state struct {
	v      [8]uint32
	rest   [BlockSize]byte
	length uint64
}

// New returns a hash.Hash of SM3. It is not safe for concurrent use.
func New() hash.Hash {
	s := new(state)
	s.Reset()
	return s
}

// Sum returns the SM3 of b.
func Sum(b []byte) (sum [Size]byte) {
	s := New()
	_, _ = s.Write(b) // a hash takes everything
	return [Size]byte(s.Sum(nil))
}

// Size implements hash.Hash.
func (s *state) Size() int { return Size }

// BlockSize implements hash.Hash.
func (s *state) BlockSize() int { return BlockSize }

// Reset implements hash.Hash.
func (s *state) Reset() {
	*s = state{v: [8]uint32{0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e}}
}

// Write implements hash.Hash and never fails.
func (s *state) Write(b []byte) (int, error) {
	n := len(b)
	if used := int(s.length % BlockSize); used > 0 {
		taken := copy(s.rest[used:], b)
		s.length += uint64(taken)
		if b = b[taken:]; used+taken < BlockSize {
			return n, nil
		}
		s.compress(s.rest[:])
	}
	s.length += uint64(len(b))
	for ; len(b) >= BlockSize; b = b[BlockSize:] {
		s.compress(b[:BlockSize])
	}
	copy(s.rest[:], b)
	return n, nil
}

// Sum implements hash.Hash.
func (s *state) Sum(b []byte) []byte {
	end := *s
	padding := append(make([]byte, 0, 2*BlockSize), 0x80)
	padding = append(padding, make([]byte, (BlockSize+BlockSize-9-int(s.length%BlockSize))%BlockSize)...)
	_, _ = end.Write(binary.BigEndian.AppendUint64(padding, 8*s.length))
	for _, word := range end.v {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return b
}

// compress takes one block, as section 5.3 of the standard has it; the names are its.
func (s *state) compress(block []byte) {
	var w [68]uint32
	for i := range 16 {
		w[i] = binary.BigEndian.Uint32(block[4*i:])
	}
	for i := 16; i < 68; i++ {
		x := w[i-16] ^ w[i-9] ^ bits.RotateLeft32(w[i-3], 15)
		w[i] = x ^ bits.RotateLeft32(x, 15) ^ bits.RotateLeft32(x, 23) ^ bits.RotateLeft32(w[i-13], 7) ^ w[i-6]
	}
	a, b, c, d, e, f, g, h := s.v[0], s.v[1], s.v[2], s.v[3], s.v[4], s.v[5], s.v[6], s.v[7]
	for i := range 16 {
		a12 := bits.RotateLeft32(a, 12)
		ss1 := bits.RotateLeft32(a12+e+bits.RotateLeft32(0x79cc4519, i), 7)
		tt1 := (a ^ b ^ c) + d + (ss1 ^ a12) + (w[i] ^ w[i+4])
		tt2 := (e ^ f ^ g) + h + ss1 + w[i]
		a, b, c, d = tt1, a, bits.RotateLeft32(b, 9), c
		e, f, g, h = tt2^bits.RotateLeft32(tt2, 9)^bits.RotateLeft32(tt2, 17), e, bits.RotateLeft32(f, 19), g
	}
	for i := 16; i < 64; i++ {
		a12 := bits.RotateLeft32(a, 12)
		ss1 := bits.RotateLeft32(a12+e+bits.RotateLeft32(0x7a879d8a, i), 7)
		tt1 := (a&(b|c) | b&c) + d + (ss1 ^ a12) + (w[i] ^ w[i+4])
		tt2 := (g ^ e&(f^g)) + h + ss1 + w[i]
		a, b, c, d = tt1, a, bits.RotateLeft32(b, 9), c
		e, f, g, h = tt2^bits.RotateLeft32(tt2, 9)^bits.RotateLeft32(tt2, 17), e, bits.RotateLeft32(f, 19), g
	}
	for i, word := range [8]uint32{a, b, c, d, e, f, g, h} {
		s.v[i] ^= word
	}
}
