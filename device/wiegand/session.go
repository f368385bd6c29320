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
)

const (
	settleTime = 100 * time.Millisecond // bits in it after opening are never a card
	levelCheck = time.Second            // how often idle lines are looked at
	heldLimit  = 10 * time.Millisecond  // longest that a line may stay active
	noisePause = 5 * time.Millisecond   // between reads of noise: the kernel keeps 1024 edges
)

// session is one opening of the lines.
type session struct {
	ctx    context.Context
	door   *device.Reporter
	lines  device.Lines
	framer *Framer
	cable  cable
	keypad device.Keypad
	missed time.Time // until then a PIN may have begun while the lines were away
	edges  [64]device.Edge

	settle   time.Time // when bits begin to count; zero once they do
	check    time.Time // next look at the levels
	lastRead time.Time // of edges
	stirred  bool      // edges came since the last silence
}

func newSession(ctx context.Context, cfg Config, door *device.Reporter, lines device.Lines) *session {
	now := time.Now()
	s := &session{ctx: ctx, door: door, lines: lines, settle: now.Add(settleTime), check: now.Add(settleTime)}
	s.framer = NewFramer(cfg, s.frame)
	s.keypad = device.Keypad{Pause: cfg.Keypad.Pause, Length: cfg.Keypad.Length}
	if door.Offline() {
		s.missed = now.Add(cmp.Or(cfg.Keypad.Pause, device.KeyPause))
	}
	return s
}

// run feeds edges, silences and levels to framer and cable until the lines
// fail, or are closed because ctx ended.
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
			if s.framer.state == broken { // a fault already: the rest may be looked at later
				s.noise(n < len(s.edges))
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			// No edge was there when due came; since then some may have come.
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

// wake is when something is due though no edge comes.
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

// quiet is called when the kernel held no edge at now. The levels come before the
// frame's end: a card is none while a line is held.
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

// frame hands on what the framer found.
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

// noise goes on: it may have hidden keys. Once all that the kernel holds is
// read, the next read can wait until there is more.
func (s *session) noise(drained bool) {
	s.keypad.Spoil(s.framer.last)
	if drained {
		select {
		case <-time.After(noisePause):
		case <-s.ctx.Done():
		}
	}
}

// key puts single keys together.
func (s *session) key(f Frame) {
	if time.Now().Before(s.missed) {
		s.missed = time.Time{}
		s.keypad.Spoil(f.At)
	}
	if pin, ok := s.keypad.Press(f.Key, f.At); ok {
		s.door.Send(s.ctx, device.Event{Kind: device.PINEntered, PIN: pin, At: f.At})
	}
}

// cable watches for a line that is held active: a short, or a reader without
// power. Pulses are far shorter than the limit.
type cable struct {
	active [2]bool
	since  [2]time.Time // when the line was first seen active; zero while it is not
	held   bool         // a fault, until both lines are seen idle
}

// moved takes edges: a line that had one was idle just before.
func (c *cable) moved(edges []device.Edge, now time.Time) {
	for _, e := range edges {
		if e.Active && int(e.Line) < len(c.since) {
			c.since[e.Line] = now
		}
	}
}

// levels judges what is now in active, and asks to look again soon.
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
