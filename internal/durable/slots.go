package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Slots is a small file that is replaced in place: two slots, each with a number and a checksum,
// which are written in turn. A write is one pwrite and one fdatasync, where WriteFile makes a file,
// renames it and syncs it and its directory. A write that is cut short leaves what the other slot
// has, the one before. For one goroutine; make it with OpenSlots.
//
// A slot is its number (8 bytes, big-endian), the length of its data (4), the data, zeros, and the
// first 16 bytes of the SHA-256 of slotMagic and all that. Number n is in slot n modulo 2, and the
// higher one counts.
type Slots struct {
	path   string
	number uint64 // of the newest write
	anew   bool   // the file is not as it should be: the next write makes it anew
}

const (
	slotMagic = "gatehouse slot 1"
	// slotBytes is the block of the usual file systems, so that no write touches the other slot.
	slotBytes = 4096
	slotHead  = 8 + 4
	slotSum   = 16
	// SlotMax is how many bytes a slot takes.
	SlotMax = slotBytes - slotHead - slotSum
)

// OpenSlots returns a file of slots with the data that was written last; nil where there is no file.
// With an error the data is lost, and the slots can be used all the same: ErrDamaged, no slot is
// good; others, the file can't be read.
func OpenSlots(path string) (*Slots, []byte, error) {
	s := &Slots{path: path, anew: true}
	data, err := s.read()
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil, nil
	}
	if err != nil {
		return s, nil, fmt.Errorf("read %s: %w", path, err)
	}
	return s, data, nil
}

func (s *Slots) read() ([]byte, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 2*slotBytes+1))
	if err != nil {
		return nil, err
	}
	number, data := newestSlot(b)
	if number == 0 {
		return nil, ErrDamaged
	}
	s.number, s.anew = number, len(b) != 2*slotBytes
	return data, nil
}

// newestSlot returns the good slot with the highest number; 0: there is none.
func newestSlot(b []byte) (newest uint64, data []byte) {
	for i := range min(len(b)/slotBytes, 2) {
		number, in, ok := decodeSlot(b[i*slotBytes : (i+1)*slotBytes])
		if ok && number%2 == uint64(i) && number > newest {
			newest, data = number, in
		}
	}
	return newest, data
}

// HasTornSlot reports whether a slot of the file at path is neither good nor unused: a write to it was cut
// short, or it was changed since, and what is read is what the other one has. A file that can't be read has none.
func HasTornSlot(path string) bool {
	b, err := os.ReadFile(path)
	for ; err == nil && len(b) >= slotBytes; b = b[slotBytes:] {
		if _, _, ok := decodeSlot(b[:slotBytes]); !ok && len(bytes.Trim(b[:slotBytes], "\x00")) > 0 {
			return true
		}
	}
	return err == nil && len(b) > 0
}

// Write replaces the data, durably. More than SlotMax bytes are an error. After an error the data is
// this or the one before.
func (s *Slots) Write(data []byte) error {
	if len(data) > SlotMax {
		return fmt.Errorf("write %s: %d bytes, %d are the most", s.path, len(data), SlotMax)
	}
	slot := encodeSlot(s.number+1, data)
	at := int64((s.number+1)%2) * slotBytes
	err := fs.ErrNotExist
	if !s.anew {
		err = writeInPlace(s.path, slot, at)
	}
	if errors.Is(err, fs.ErrNotExist) { // removed, too
		whole := make([]byte, 2*slotBytes)
		copy(whole[at:], slot)
		err = WriteFile(s.path, whole, 0o600)
	}
	if s.anew = err != nil; err != nil { // nobody knows what is there
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	s.number++
	return nil
}

func writeInPlace(path string, b []byte, at int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, at); err == nil {
		err = SyncData(f)
	}
	return errors.Join(err, f.Close())
}

func encodeSlot(number uint64, data []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, slotBytes), number)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)[:slotBytes]
	copy(b[slotBytes-slotSum:], slotChecksum(b))
	return b
}

// decodeSlot reads what encodeSlot makes, and nothing else.
func decodeSlot(b []byte) (number uint64, data []byte, ok bool) {
	number, length := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])
	if number == 0 || length > SlotMax || !bytes.Equal(slotChecksum(b), b[slotBytes-slotSum:]) {
		return 0, nil, false
	}
	return number, b[slotHead : slotHead+length : slotHead+length], true
}

func slotChecksum(slot []byte) []byte {
	sum := sha256.Sum256(append([]byte(slotMagic), slot[:slotBytes-slotSum]...))
	return sum[:slotSum]
}
