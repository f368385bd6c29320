package osdp

import "fmt"

// maxCommand is the longest command that is sent, without the mark: every reader
// takes 128 bytes (SIA OSDP).
const maxCommand = 128

// link is the panel's half of the sequence numbers of one reader: 0, then 1 2 3
// 1 2 3. One command at a time is under way; until it is answered it is repeated
// byte by byte, so that a reader can tell a repetition from a new command and
// does not act twice. For one goroutine.
type link struct {
	sequence byte // of the next new command
	code     byte // of the command under way
	n        int  // its length with the mark; 0: none
	tx       [1 + maxCommand]byte
}

// restart makes the next command one with number 0, which ends a reader's session
// and its memory of replies. What was under way is given up.
func (l *link) restart() { l.sequence, l.n = 0, 0 }

// waiting says that a command is under way: it must be repeated, not replaced.
func (l *link) waiting() bool { return l.n > 0 }

// command is what is to be sent.
func (l *link) command() []byte { return l.tx[:l.n] }

// put takes a new command, written by write with the number it must have.
func (l *link) put(code byte, write func(dst []byte, sequence byte) ([]byte, error)) error {
	frame, err := write(append(l.tx[:0], mark), l.sequence)
	if err != nil {
		return err
	}
	if len(frame) > len(l.tx) {
		return fmt.Errorf("%w: command %02X of %d bytes, readers take %d", ErrLength, code, len(frame)-1, maxCommand)
	}
	l.code, l.n = code, len(frame)
	return nil
}

// answered ends the command under way: its number is used up.
func (l *link) answered() {
	l.n = 0
	l.sequence = l.sequence%3 + 1
}
