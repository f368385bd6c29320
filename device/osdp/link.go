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

// restart makes the next command one with number 0, which ends a reader's session and its memory of
// replies. The pending command is given up.
func (l *link) restart() { l.next, l.pending.n = 0, 0 }

// waiting reports whether a command is pending: it must be repeated, not replaced.
func (l *link) waiting() bool { return l.pending.n > 0 }

// put makes a new command the pending one: in a session if s is not nil, whose encryption uses
// scratch.
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

// answered ends the pending command and returns its code; its number is used up.
func (l *link) answered() (code byte) {
	l.pending.n = 0
	l.next = l.next%3 + 1
	return l.pending.code
}

// reach is how a reader is addressed: its address, and the check characters. For one goroutine.
type reach struct {
	address byte
	other   byte // the reader's other possible address, after a COMSET without answer
	crc     bool // false: the reader seems to know checksums only
	guessed bool // crc is a guess: false because the reader was silent to a CRC; true because PDCAP claims CRCs and none was answered yet
	refused int  // NAK 1 in a row
}

func newReach(address byte) reach { return reach{address: address, other: address, crc: true} }

// answered handles a reply from this address; true: the reader might have been at another.
func (r *reach) answered() (found bool) {
	found = r.other != r.address
	r.other = r.address
	return found
}

// understood notes that the reader accepted the check characters: an answered CRC is no guess any
// more.
func (r *reach) understood() { r.refused, r.guessed = 0, r.guessed && !r.crc }

// misheard counts NAK 1; true: the reader may know only the other check, which is used from now on.
func (r *reach) misheard() bool {
	if r.refused++; r.refused < 3 {
		return false
	}
	r.refused, r.crc, r.guessed = 0, !r.crc, false
	return true
}

// claims takes what PDCAP says of CRCs. The reader may have been silent for another reason: see
// rotate.
func (r *reach) claims(crc bool) { r.crc = r.crc || r.guessed && crc }

// claimed reports whether a CRC is used on the word of PDCAP alone.
func (r *reach) claimed() bool { return r.crc && r.guessed }

// rotate tries the next way that a silent reader may understand: its other address, and a checksum,
// since some readers ignore a CRC, and some of those claim the contrary in PDCAP. Somebody on the
// line can cause that: a secured reader loses nothing, because its messages have their MAC either
// way.
func (r *reach) rotate(known bool, missed int) {
	r.address, r.other = r.other, r.address
	switch {
	case r.claimed():
		r.crc, r.guessed = false, false // while the reader is there: its claim was tried
	case !known && (r.address == r.other || missed%6 == 0):
		r.crc, r.guessed = !r.crc, r.crc
	}
}

// forget resets the check of a reader that is gone: another may come in its place.
func (r *reach) forget() { r.crc, r.guessed = true, false }

// moved sets the address that a reader took.
func (r *reach) moved(address byte) { r.address, r.other = address, address }
