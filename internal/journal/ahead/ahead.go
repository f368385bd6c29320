// Package ahead is what the journal's write-ahead file has: entries that are durable and not yet in an
// entry file, each batch in a frame (package frames). docs/journal.md has the bytes.
package ahead

import (
	"encoding/binary"
	"fmt"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/frames"
)

// Name is that of the file in a journal's directory.
const Name = "ahead"

// Size is that of a journal's file, bytes: some 2,600 entries that come one by one.
const Size = 512 << 10

// Frame is entries of one epoch, in the order of their sequence numbers.
type Frame struct {
	Epoch, First uint64 // the sequence number of the first
	Stored       [][]byte
}

// End returns the sequence number after that of the last entry.
func (f Frame) End() uint64 { return f.First + uint64(len(f.Stored)) }

// Append appends the payload of the frame to b, numbers big-endian:
//
//	0  8  epoch
//	8  8  sequence number of the first entry
//	16    entries, each after its length (4)
func (f Frame) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, f.Epoch)
	b = binary.BigEndian.AppendUint64(b, f.First)
	for _, stored := range f.Stored {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(stored))), stored...)
	}
	return b
}

// decode reads a payload; ok only for exactly what Append makes of at least one entry.
func decode(b []byte) (f Frame, ok bool) {
	if len(b) < 20 {
		return f, false
	}
	f.Epoch, f.First = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	for b = b[16:]; len(b) >= 4; {
		n := uint64(binary.BigEndian.Uint32(b))
		if b = b[4:]; n > uint64(len(b)) {
			return f, false
		}
		f.Stored, b = append(f.Stored, b[:n:n]), b[n:]
	}
	return f, len(b) == 0
}

// Read returns the frames of the file at path, and changes nothing. An error that wraps durable.ErrDamaged says
// that one is missing between these. Beside a process that writes it may see an older state, or damage that is none.
func Read(path string) (list []Frame, err error) {
	_, all, err := frames.Read(path, frames.Lap{})
	for _, payload := range all {
		f, ok := decode(payload)
		if !ok {
			err = fmt.Errorf("read %s: %w: a frame of something else", path, durable.ErrDamaged)
			continue
		}
		list = append(list, f)
	}
	return list, err
}

// Torn reports whether the file at path has bytes behind its last good frame: those of a write that the power cut,
// which nobody was told of, or of a last frame that was changed since.
func Torn(path string) (bool, error) {
	l, _, err := frames.Read(path, frames.Lap{})
	return err == nil && l.Torn(), err
}
