package wiegand

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	settleTime = 100 * time.Millisecond // after opening, in which bits are never a card
	levelCheck = time.Second            // how often the levels of idle lines are read
	heldLimit  = 10 * time.Millisecond  // longest that a line may stay active
	noisePause = 5 * time.Millisecond   // between reads during noise: the kernel keeps 1024 edges
)

// session is the time from one opening of the lines to their failure.
type session struct {
	ctx    context.Context
	door   *device.Reporter
	lines  device.Lines
	framer *Framer
	cable  cable
	keypad device.Keypad
	missed time.Time // until then, the first key may continue a PIN that began while the lines were closed
	edges  [64]device.Edge

	settle   time.Time // when bits begin to count; zero once they do
	check    time.Time // when the levels are read next
	lastRead time.Time // of edges
	stirred  bool      // edges came since the last silence
}

func newSession(ctx context.Context, cfg Config, door *device.Reporter, lines device.Lines, opened time.Time) *session {
	now := time.Now()
	s := &session{ctx: ctx, door: door, lines: lines, settle: opened.Add(settleTime), check: opened.Add(settleTime)}
	s.framer = NewFramer(cfg, s.frame)
	s.keypad = device.Keypad{Pause: cfg.Keypad.Pause, Length: cfg.Keypad.Length}
	if door.Offline() {
		s.missed = now.Add(cmp.Or(cfg.Keypad.Pause, device.KeyPause))
	}
	return s
}

// run passes edges, silences and levels to framer and cable until the lines fail, or are closed
// because ctx ended.
func (s *session) run() error {
	for s.ctx.Err() == nil {
		start, due := time.Now(), s.wake()
		if due.Before(start) {
			due = start
		}
		n, err := s.lines.ReadEdges(s.edges[:], due.Sub(start))
		now := time.Now()
		switch {
		case err == nil && n > 0:
			s.framer.Edges(s.edges[:n])
			s.cable.moved(s.edges[:n], now)
			s.lastRead, s.stirred = now, true
			if s.framer.state == broken { // a fault already: the rest can be read later
				s.noise(n < len(s.edges))
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			// No edge was there when the timeout began to expire; some may have come since.
			err = s.quiet(due)
		default:
			return fmt.Errorf("read edges: %w", err)
		}
		if err == nil && !now.Before(s.check) {
			err = s.look(now)
		}
		if err != nil {
			return err
		}
	}
	return s.ctx.Err()
}

// wake returns when something is due even if no edge comes.
func (s *session) wake() time.Time {
	at := s.check
	if end := s.lastRead.Add(s.framer.Gap()); s.stirred && end.Before(at) {
		at = end
	}
	if !s.settle.IsZero() && s.settle.Before(at) {
		at = s.settle
	}
	return at
}

// quiet is called when the kernel held no edge at now. It reads the levels before it ends the
// frame: a frame is no card while a line is held.
func (s *session) quiet(now time.Time) error {
	if s.stirred && now.Sub(s.lastRead) >= s.framer.Gap() {
		s.stirred = false
		if err := s.look(now); err != nil {
			return err
		}
		s.framer.Idle()
	}
	if !s.settle.IsZero() && !now.Before(s.settle) {
		s.settle = time.Time{}
		s.framer.Settle()
		s.door.Change(s.ctx, device.Event{Kind: device.CameOnline})
	}
	return nil
}

func (s *session) look(now time.Time) error {
	if err := s.lines.Levels(s.cable.active[:]); err != nil {
		return fmt.Errorf("read levels: %w", err)
	}
	s.check = now.Add(levelCheck)
	was := s.cable.held
	if s.cable.levels(now) {
		s.check = now.Add(heldLimit + time.Millisecond)
	}
	if s.cable.held && !was {
		s.door.Fault(s.ctx, fault.Cable, 0)
	}
	return nil
}

// frame reports what the framer emitted.
func (s *session) frame(f Frame) {
	switch {
	case f.Fault != fault.None:
		s.door.Fault(s.ctx, f.Fault, f.At)
		s.keypad.Spoil(f.At) // it may have been a key
	case s.cable.held:
		s.keypad.Spoil(f.At)
	case f.Key != 0:
		s.key(f)
	case f.PIN.Len() > 0:
		s.door.Send(s.ctx, device.Event{Kind: device.PINEntered, PIN: f.PIN, At: f.At})
	default:
		s.keypad.Clear() // somebody begins anew
		s.door.Send(s.ctx, device.Event{Kind: device.CardRead, Card: f.Card, At: f.At})
	}
}

// noise spoils the PIN that is typed, since noise may have hidden keys. If all edges of the kernel
// were read, it pauses until there are more.
func (s *session) noise(drained bool) {
	s.keypad.Spoil(s.framer.last)
	if drained {
		backoff.Sleep(s.ctx, noisePause)
	}
}

// key adds a key to the PIN that is typed.
func (s *session) key(f Frame) {
	if time.Now().Before(s.missed) {
		s.missed = time.Time{}
		s.keypad.Spoil(f.At)
	}
	if pin, ok := s.keypad.Press(f.Key, f.At); ok {
		s.door.Send(s.ctx, device.Event{Kind: device.PINEntered, PIN: pin, At: f.At})
	}
}

// cable detects a line that is held active: a short, or a reader without power. Pulses are far
// shorter than heldLimit.
type cable struct {
	active [2]bool
	since  [2]time.Time // when the line was first seen active; zero while it is not
	held   bool         // a fault, until both lines are seen idle
}

// moved records edges: a line with an edge was idle just before it.
func (c *cable) moved(edges []device.Edge, now time.Time) {
	for _, e := range edges {
		if e.Active && int(e.Line) < len(c.since) {
			c.since[e.Line] = now
		}
	}
}

// levels judges the levels in active, and reports whether they must be read again soon.
func (c *cable) levels(now time.Time) (again bool) {
	held := c.active[0] && c.active[1]
	for i, active := range c.active {
		switch {
		case !active:
			c.since[i] = time.Time{}
		case c.since[i].IsZero():
			c.since[i] = now
		case now.Sub(c.since[i]) > heldLimit:
			held = true
		}
	}
	c.held = held || c.held && (c.active[0] || c.active[1])
	return !c.held && (c.active[0] || c.active[1])
}
