package idcard

import (
	"errors"
	"fmt"
)

// Command is what the module can be asked for: CMD in the high byte, Para in the
// low one (GA 450, SAM_V serial protocol).
type Command uint16

// The commands of a module. A Module never sends the last two: a desk has no use
// for fingers and addresses, and what is not asked for does not leave the card.
const (
	Reset      Command = 0x10FF
	State      Command = 0x11FF // is the module ready?
	SAMID      Command = 0x12FF // the number under which the module is known
	Find       Command = 0x2001 // is there a card?
	Select     Command = 0x2002 // take the card that was found
	ReadText   Command = 0x3001 // text and photo
	ReadFinger Command = 0x3010 // text, photo and fingers
	ReadMore   Command = 0x3003 // a new address that was added later
)

// The frame: preamble, length of all that follows (big-endian), command or
// status words, data, XOR of everything from the length on.
const (
	preamble  = "\xAA\xAA\xAA\x96\x69"
	head      = len(preamble) + 2
	minLength = 4    // three status bytes and the check byte
	maxLength = 2400 // the longest reply known, with fingers, has 2,314
)

// errDamaged is a reply that can't be trusted; asking again may help.
var errDamaged = errors.New("damaged reply")

// AppendTo appends the frame of the command to dst.
func (c Command) AppendTo(dst []byte) []byte {
	const length = 3
	cmd, para := byte(c>>8), byte(c)
	dst = append(dst, preamble...)
	return append(dst, 0, length, cmd, para, length^cmd^para)
}

// Reply is what the module answers. Data stands in the bytes that were parsed.
type Reply struct {
	Status Status
	Data   []byte
}

// ParseReply takes one whole frame from a module, with nothing before or after
// it. It refuses a wrong checksum, a length that is not the frame's or is above
// 2,400, and status words other than 00 00 before SW3.
func ParseReply(frame []byte) (Reply, error) {
	if len(frame) < head || string(frame[:len(preamble)]) != preamble {
		return Reply{}, fmt.Errorf("%w: no frame in %d bytes", errDamaged, len(frame))
	}
	length, err := lengthIn(frame)
	if err != nil {
		return Reply{}, err
	}
	if len(frame) != head+length {
		return Reply{}, fmt.Errorf("%w: %d bytes where its length says %d", errDamaged, len(frame), head+length)
	}
	body, sum := frame[head:head+length-1], byte(0)
	for _, b := range frame[len(preamble) : head+length-1] {
		sum ^= b
	}
	switch {
	case sum != frame[len(frame)-1]:
		return Reply{}, fmt.Errorf("%w: wrong checksum", errDamaged)
	case body[0] != 0 || body[1] != 0:
		return Reply{}, fmt.Errorf("%w: unknown status words", errDamaged)
	}
	return Reply{Status(body[2]), body[3:]}, nil
}

// lengthIn reads the length of a frame and holds it against the limits.
func lengthIn(frame []byte) (int, error) {
	length := int(frame[len(preamble)])<<8 | int(frame[len(preamble)+1])
	if length < minLength || length > maxLength {
		return 0, fmt.Errorf("%w: a length of %d, which no reply has", errDamaged, length)
	}
	return length, nil
}

// framer finds one reply in what comes down the line. It stops at the first
// frame, good or bad: after a bad one nothing that follows can be told from its
// inside, so the line is drained and the question put again.
type framer struct {
	buf [head + maxLength]byte
	n   int // bytes of the frame seen
}

// push takes the next bytes. It reports true when a frame is whole, and an error
// when there can be none.
func (f *framer) push(in []byte) (bool, error) {
	for _, b := range in {
		if f.n < len(preamble) {
			f.match(b)
			continue
		}
		f.buf[f.n] = b
		f.n++
		if f.n < head {
			continue
		}
		length, err := lengthIn(f.buf[:])
		if err != nil {
			return false, err
		}
		if f.n == head+length {
			return true, nil
		}
	}
	return false, nil
}

// match takes a byte before or in the preamble, whose beginning may be the end
// of the noise before it.
func (f *framer) match(b byte) {
	const same = 3 // the preamble begins with so many alike
	switch {
	case b == preamble[f.n]:
		f.buf[f.n] = b
		f.n++
	case b == preamble[0] && f.n == same: // one more of them: still three
	case b == preamble[0]:
		f.n = 1
	default:
		f.n = 0
	}
}

// frame is the frame that is whole.
func (f *framer) frame() []byte { return f.buf[:f.n] }

// wipe forgets what was received: it may be somebody's life.
func (f *framer) wipe() {
	clear(f.buf[:])
	f.n = 0
}
