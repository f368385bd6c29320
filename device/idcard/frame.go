package idcard

import (
	"errors"
	"fmt"
)

// Command is a command of the module: CMD in the high byte, Para in the low one (GA 450, SAM_V
// serial protocol).
type Command uint16

// The commands of a module. A Module never sends the last two: a desk has no use for fingers and
// addresses, and what is not read does not leave the card.
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

// Reply is an answer of the module. Data points into the parsed bytes.
type Reply struct {
	Status Status
	Data   []byte
}

// ParseReply parses one whole frame from a module, with nothing before or after it. It refuses a
// wrong checksum, a length that is not the frame's or is above 2,400, and status words other than
// 00 00 before SW3.
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

// lengthIn reads the length of a frame and checks it against the limits.
func lengthIn(frame []byte) (int, error) {
	length := int(frame[len(preamble)])<<8 | int(frame[len(preamble)+1])
	if length < minLength || length > maxLength {
		return 0, fmt.Errorf("%w: a length of %d, which no reply has", errDamaged, length)
	}
	return length, nil
}

// framer finds one reply in the bytes of the line. It stops at the first frame, good or bad: after
// a bad one the rest can't be told from its content, so the line is drained and the command
// repeated.
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

// match handles a byte before or in the preamble, whose beginning may be the end of the noise
// before it.
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

// frame returns the complete frame.
func (f *framer) frame() []byte { return f.buf[:f.n] }

// wipe clears the received bytes, which are personal data.
func (f *framer) wipe() {
	clear(f.buf[:])
	f.n = 0
}

// Status is SW3 of a reply. As an error it is the module's refusal.
type Status byte

// The statuses that mean success.
const (
	StatusOK    Status = 0x90
	StatusFound Status = 0x9F // a card was found
)

const (
	statusNoCard     Status = 0x80
	statusNotTaken   Status = 0x81
	statusUnreadable Status = 0x41
)

// statuses are the statuses on which the modules' manuals agree (Synjones, HX, libsamv). Those with
// again are worth another try while the card is there.
var statuses = map[Status]struct {
	name, hint string
	again      bool
}{
	StatusOK:         {name: "done"},
	StatusFound:      {name: "card found"},
	statusNoCard:     {"no card found", "lay the card flat on the reader; if it lies there, take it off and lay it on again", true},
	statusNotTaken:   {"the card could not be selected", "only one card may lie on the reader, and none may move", true},
	0x91:             {"the card has nothing of that kind", "", true},
	0x10:             {"the module got a wrong checksum", "check cable and ground, and that the baud rate is the module's", true},
	0x11:             {"the module got a wrong length", "check cable and ground, and that the baud rate is the module's", true},
	0x21:             {"the module does not know the command", "this is not a module of the SAM_V kind, or it is defective", false},
	0x23:             {"the module does not allow it", "ask whoever sold the module whether it is authorised", false},
	0x24:             {"the module can't tell what is wrong", "switch the module off and on", true},
	0x31:             {"the card does not accept the module", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x32:             {"the module does not accept the card", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x33:             {"what the card holds could not be verified", "try again; if other cards are read, type what the document says and look at it closely", false},
	0x37:             {"the fingers on the card could not be verified", "", false},
	0x3F:             {"what the card holds has a wrong length", "try again; a new kind of card may need a new module", true},
	0x40:             {"this is no identity card that the module knows", "passports and travel permits are typed", false},
	statusUnreadable: {"the card could not be read", "leave it on the reader until it is read, away from other cards", true},
	0x47:             {"the card gave no random number", "leave it on the reader until it is read, away from other cards", true},
	0x60:             {"the module's self-test failed", "switch it off and on; if that does not help, it is defective", false},
	0x66:             {"the module is not authorised", "ask whoever sold the module: its security module is missing or blocked", false},
}

// String describes the status in words.
func (s Status) String() string {
	if known, ok := statuses[s]; ok {
		return known.name
	}
	return "a status that no manual has"
}

// Error is String with the number that the maker's support asks for.
func (s Status) Error() string { return fmt.Sprintf("%s (SW3 %02X)", s.String(), byte(s)) }

// Hint says what to do; empty where nothing is known to help.
func (s Status) Hint() string { return statuses[s].hint }
