package osdp

import (
	"fmt"

	"gatehouse/device/osdp/protocol"
)

// maxCommand is the longest command that is sent, without the mark: every reader
// takes 128 bytes (SIA OSDP).
const maxCommand = 128

// link is the panel's half of the sequence numbers of one reader: 0, then 1 2 3
// 1 2 3. One command at a time is pending; until it is answered it is repeated
// byte by byte, so that a reader can tell a repetition from a new command and
// does not act twice. For one goroutine.
type link struct {
	next    byte // sequence number of the next new command
	pending pending
}

// pending is the command that has no answer yet.
type pending struct {
	address, sequence, code byte
	n                       int // its length with the mark; 0: none
	tx                      [1 + maxCommand]byte
}

// restart makes the next command one with number 0, which ends a reader's session
// and its memory of replies. The pending command is given up.
func (l *link) restart() { l.next, l.pending.n = 0, 0 }

// waiting says that a command is pending: it must be repeated, not replaced.
func (l *link) waiting() bool { return l.pending.n > 0 }

// put makes a new command the pending one: in a session if s is not nil, whose
// encryption uses scratch.
func (l *link) put(f protocol.Frame, s *protocol.Session, scratch []byte) (err error) {
	p := &l.pending
	f.Sequence = l.next
	frame := append(p.tx[:0], protocol.Mark)
	if s != nil {
		frame, err = s.Seal(frame, f, scratch)
	} else {
		frame, err = f.Append(frame)
	}
	if err != nil {
		return err
	}
	if len(frame) > len(p.tx) {
		return fmt.Errorf("%w: command %02X of %d bytes, readers take %d", protocol.ErrLength, f.Code, len(frame)-1, maxCommand)
	}
	p.address, p.sequence, p.code, p.n = f.Address, f.Sequence, f.Code, len(frame)
	return nil
}

// answered ends the pending command and returns its code: its number is used up.
func (l *link) answered() (code byte) {
	l.pending.n = 0
	l.next = l.next%3 + 1
	return l.pending.code
}

// reach is how a reader is spoken to: at which address, and with which check
// characters. For one goroutine.
type reach struct {
	address byte
	other   byte // where the reader may be too, after a COMSET without answer
	crc     bool // false: the reader is taken to know checksums only
	guessed bool // because it said nothing to a CRC; with crc: PDCAP claims them, and none was answered yet
	refused int  // NAK 1 in a row
}

func newReach(address byte) reach { return reach{address: address, other: address, crc: true} }

// answered says that a reply came from this address; true if the reader might have
// been at another.
func (r *reach) answered() (found bool) {
	found = r.other != r.address
	r.other = r.address
	return found
}

// understood says that the check characters were right for the reader: a CRC that
// was answered is no guess any more.
func (r *reach) understood() { r.refused, r.guessed = 0, r.guessed && !r.crc }

// misheard counts NAK 1; true when the reader may know the other check only, which
// is used from now on.
func (r *reach) misheard() bool {
	if r.refused++; r.refused < 3 {
		return false
	}
	r.refused, r.crc, r.guessed = 0, !r.crc, false
	return true
}

// claims takes what PDCAP says of CRCs. Perhaps the reader was silent for another
// reason: see rotate.
func (r *reach) claims(crc bool) { r.crc = r.crc || r.guessed && crc }

// claimed says that a CRC is used on the word of PDCAP alone.
func (r *reach) claimed() bool { return r.crc && r.guessed }

// rotate goes on to the next way that a silent reader may understand: its other
// address, and a checksum, since some ignore what has a CRC, and some of those
// claim the contrary in PDCAP. Somebody on the line can bring that about: it takes
// nothing from a secured reader, whose messages have their MAC either way.
func (r *reach) rotate(known bool, missed int) {
	r.address, r.other = r.other, r.address
	switch {
	case r.claimed():
		r.crc, r.guessed = false, false // for as long as it is there: what it claims was tried
	case !known && (r.address == r.other || missed%6 == 0):
		r.crc, r.guessed = !r.crc, r.crc
	}
}

// forget is for a reader that is gone: another may come in its place.
func (r *reach) forget() { r.crc, r.guessed = true, false }

// moved is for a reader that took another address.
func (r *reach) moved(address byte) { r.address, r.other = address, address }
