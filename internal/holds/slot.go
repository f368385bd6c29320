package holds

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// slot is one hold. Whose order it is of can be tested by who knows the order or the officer's key, and read
// by nobody; of a decoy the tags are random.
type slot struct {
	Nonce          [16]byte
	Order, Officer [16]byte
	Door           [32]byte // zeros behind the name; no name: every door
	From, Until    uint32   // unix s
	Life           time.Duration
	Ran            time.Duration // while the daemon ran, by CLOCK_BOOTTIME
	Latest         int64         // it was made no later, unix s; 0: nobody knew
}

// slots are all that a file has room for: it has one size.
type slots [64]slot

func newSlot(door string, from, until uint32, life time.Duration, now trueclock.Interval) (s slot) {
	rand.Read(s.Nonce[:]) // never fails: it ends the program instead
	rand.Read(s.Order[:])
	rand.Read(s.Officer[:])
	copy(s.Door[:], door)
	s.From, s.Until, s.Life = from, until, life
	if now.Hi != trueclock.Unknown {
		s.Latest = now.Hi
	}
	return s
}

// tag is what stands for something that nobody guesses.
func tag(nonce [16]byte, of []byte) [16]byte {
	sum := sha256.Sum256(append(nonce[:], of...))
	return [16]byte(sum[:])
}

func (s *slot) door() string { return string(bytes.TrimRight(s.Door[:], "\x00")) }

// mostSeconds are no more than a Duration holds.
const mostSeconds = 1 << 32

// left is how long a slot still holds, at least. No clock that is set makes it shorter: what counts is how long
// the daemon ran, or that the hold's time has certainly come and gone.
func (s *slot) left(now Moment) time.Duration {
	left := s.Life - s.Ran
	if gone := now.Interval.Sure - s.Latest; s.Latest != 0 && gone > 0 {
		left = min(left, s.Life-time.Duration(min(gone, mostSeconds))*time.Second)
	}
	return max(left, 0)
}

func (s *slot) over(now Moment) bool { return s.left(now) == 0 }

// holds reports whether a slot keeps an entry, while it is not over.
func (s *slot) holds(h wire.Header) bool {
	if s.Door != [32]byte{} && s.door() != h.Door {
		return false
	}
	at := h.Wall / 1000
	return h.Clock < wire.ClockRTC || int64(s.From) <= at && at < int64(s.Until)
}

// orderedBy returns which officer of a mandate has ordered a hold.
func (s *slot) orderedBy(m mandates.Mandate) (wire.KeyID, bool) {
	for _, o := range m.Approval.Officers {
		if s.Officer == tag(s.Nonce, o.Key[:]) {
			return o.Key, true
		}
	}
	return wire.KeyID{}, false
}

// within reports whether a mandate asks for what a slot holds; the slot's whole hours may go over it.
func (s *slot) within(r mandates.Request, doors []string) bool {
	return slices.Contains(doors, s.door()) && int64(r.From) < int64(s.From)+hour && int64(r.Until) > int64(s.Until)-hour
}

// The file: a name of the format, the slots in network byte order, SHA-256 of both.
const format = "gatehouse holds 1\n"

func (all *slots) encode() []byte {
	b := bytes.NewBufferString(format)
	_ = binary.Write(b, binary.BigEndian, all) // fixed sizes: it can't fail
	sum := sha256.Sum256(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

// read reads what encode makes; a missing file is one without holds.
func read(path string) (all slots, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("read holds: %w", err)
	}
	body, sum := b[:max(len(b)-sha256.Size, 0)], b[max(len(b)-sha256.Size, 0):]
	rest, known := bytes.CutPrefix(body, []byte(format))
	if want := sha256.Sum256(body); !known || !bytes.Equal(sum, want[:]) || len(rest) != binary.Size(all) {
		return all, fmt.Errorf("%s: %w", path, durable.ErrDamaged)
	}
	_, err = binary.Decode(rest, binary.BigEndian, &all)
	return all, err
}
