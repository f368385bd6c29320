package osdptest

import (
	"bytes"
	"time"
)

// offlineAfter is the silence of a panel after which it is gone.
const offlineAfter = 8 * time.Second

// link is the reader's end of the conversation with a panel: sequence numbers, the
// last answer in case it is asked for again, the secure channel.
type link struct {
	heard    time.Time // the last good command for this reader; zero: never
	started  bool      // a command with number 0 came
	sequence byte      // of the last command
	command  []byte    // that command, to know its repetition
	reply    []byte    // and its answer
	session  *session  // nil: none, nor a handshake under way
}

// reset forgets the session and the last answer.
func (l *link) reset() {
	l.session, l.command, l.reply = nil, l.command[:0], l.reply[:0]
}

// reboot forgets the panel.
func (l *link) reboot() {
	l.reset()
	l.heard, l.started = time.Time{}, false
}

// lost reports whether a panel was there and is gone.
func (l *link) lost(now time.Time) bool {
	return !l.heard.IsZero() && now.Sub(l.heard) > offlineAfter
}

// secure reports whether a session is up.
func (l *link) secure() bool { return l.session != nil && l.session.up }

// repeats reports whether a frame is the last command again.
func (l *link) repeats(p packet, frame []byte) bool {
	return p.sequence != 0 && l.started && p.sequence == l.sequence && bytes.Equal(frame, l.command) && len(l.reply) > 0
}

// follows reports whether a command has the number after the last one's.
func (l *link) follows(p packet) bool { return l.started && p.sequence == l.sequence%3+1 }

// begin takes a command as the last one.
func (l *link) begin(p packet, frame []byte) {
	l.sequence = p.sequence
	l.command = append(l.command[:0], frame...)
}
