package ahead

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"gatehouse/internal/durable"
)

// Frame is what one Append wrote: entries of one epoch, in the order of their sequence numbers.
type Frame struct {
	Epoch, First uint64 // the sequence number of the first
	Stored       [][]byte
}

// End returns the sequence number after that of the last entry.
func (f Frame) End() uint64 { return f.First + uint64(len(f.Stored)) }

// A frame on the disk, numbers big-endian:
//
//	 0  4  magic
//	 4  4  length of the entries with their lengths
//	 8  8  lap
//	16  8  epoch
//	24  8  sequence number of the first entry
//	32  4  number of entries
//	36 16  sum of the frame before; zeros for the first of a lap
//	52     entries, each after its length (4); then up to 7 zeros
//	   16  sum: the first bytes of SHA-256 over all of the frame before it
//
// Its length is a multiple of align, and so frames begin at multiples of it.
const (
	magic   = "GHWA"
	header  = 52
	sumSize = 16
	align   = 8
)

type sum [sumSize]byte

func sumOf(b []byte) sum {
	all := sha256.Sum256(b)
	return sum(all[:])
}

func frameSize(stored [][]byte) int {
	n := header + sumSize
	for _, b := range stored {
		n += 4 + len(b)
	}
	return aligned(n)
}

func aligned(n int) int { return (n + align - 1) / align * align }

func appendFrame(b []byte, lap uint64, before sum, f Frame) []byte {
	from, size := len(b), frameSize(f.Stored)
	b = append(b, magic...)
	length := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, lap)
	b = binary.BigEndian.AppendUint64(b, f.Epoch)
	b = binary.BigEndian.AppendUint64(b, f.First)
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Stored)))
	b = append(b, before[:]...)
	for _, stored := range f.Stored {
		b = binary.BigEndian.AppendUint32(b, uint32(len(stored)))
		b = append(b, stored...)
	}
	binary.BigEndian.PutUint32(b[length:], uint32(len(b)-from-header))
	for len(b)-from < size-sumSize {
		b = append(b, 0)
	}
	s := sumOf(b[from:])
	return append(b, s[:]...)
}

// place is a frame with what binds it to its place in the file.
type place struct {
	Frame
	lap          uint64
	before, self sum
	size         int
}

// decode reads the frame at the start of b; ok only for exactly what appendFrame makes.
func decode(b []byte) (p place, ok bool) {
	if len(b) < header+sumSize || string(b[:len(magic)]) != magic {
		return p, false
	}
	length, count := number(b[4:]), number(b[32:])
	if length > len(b)-header-sumSize || count == 0 || count > length/4 {
		return p, false
	}
	p = place{lap: binary.BigEndian.Uint64(b[8:]), before: sum(b[36:]), size: aligned(header + length + sumSize)}
	if p.size > len(b) {
		return p, false
	}
	if p.self = sum(b[p.size-sumSize : p.size]); p.self != sumOf(b[:p.size-sumSize]) {
		return p, false
	}
	p.Frame = Frame{Epoch: binary.BigEndian.Uint64(b[16:]), First: binary.BigEndian.Uint64(b[24:])}
	p.Stored, ok = split(b[header:header+length], count)
	return p, ok && used(b[header+length:p.size-sumSize]) == 0
}

// number reads a length or a count. One that no file can have stays too big where an int has 32 bits.
func number(b []byte) int { return int(min(binary.BigEndian.Uint32(b), maxSize+1)) }

// split returns the entries, each of which follows its length.
func split(b []byte, count int) (stored [][]byte, ok bool) {
	stored = make([][]byte, 0, count)
	for len(b) >= 4 {
		n := number(b)
		if b = b[4:]; n > len(b) {
			return nil, false
		}
		stored, b = append(stored, b[:n:n]), b[n:]
	}
	return stored, len(b) == 0 && len(stored) == count
}

// parse returns the good frames. Those that follow each other from the start are whole: what comes
// after them was never acknowledged, unless a good frame of the same lap stands behind it. Then a
// frame was lost that had been synced, and that is damage. Where the first is bad the lap is not
// known, and any frame tells of damage.
func parse(b []byte) (frames []Frame, err error) {
	var last place
	at := 0
	for {
		p, ok := decode(b[at:])
		if !ok || p.before != last.self || at > 0 && p.lap != last.lap {
			break
		}
		last = p
		frames, at = append(frames, p.Frame), at+p.size
	}
	for from, known := at, at > 0; from < len(b); {
		p, ok := decode(b[from:])
		if !ok || known && p.lap != last.lap {
			from += align
			continue
		}
		if err == nil {
			err = fmt.Errorf("%w: no good frame at %d, and one at %d", durable.ErrDamaged, at, from)
		}
		frames, from = append(frames, p.Frame), from+p.size
	}
	return frames, err
}
