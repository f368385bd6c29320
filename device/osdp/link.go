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
