// Package pn532 reads the numbers of ISO 14443 type A cards (MIFARE, NTAG,
// DESFire) by an NXP PN532 on a serial port (HSU).
//
// A number (UID) is no secret: any telephone reads it, and cards that take any
// number cost less than a meal. Such a reader keeps honest people out; the
// Reader says so in the log when it starts. The package refuses numbers that a
// card makes up anew at each tap, numbers of a length that no card has, answers
// with a wrong checksum, and anything that the module sends unasked. It reads no
// card's memory and keeps no keys.
package pn532

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
)

const (
	pollEvery   = 100 * time.Millisecond
	defaultHold = time.Second
	maxFailures = 3 // of looks for a card in a row, each with a new start of the module
)

// Config is what a Reader needs to know.
type Config struct {
	Source string        // the reader's name in its events
	Hold   time.Duration // a card is one event until it was away this long; 0: 1 s
	Log    zerolog.Logger
}

// Reader sends an Event for each card held up to one module: a Card of 32, 56 or
// 80 bits, the UID's bytes in the order of the card's answer. Event.At is 0.
type Reader struct {
	cfg     Config
	session device.Session
	seen    device.Presence
	limits  limits
	warned  bool
}

// New makes a Reader that opens its port with open (115,200 baud as modules are
// delivered), and again whenever the port is missing or pulled out. It starts
// nothing.
func New(c Config, open func() (device.Port, error), events chan<- device.Event) *Reader {
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	r := &Reader{cfg: c, seen: device.Presence{Hold: c.Hold}, limits: usual}
	r.session = device.Session{Door: device.Reporter{Source: c.Source, Events: events}, Open: open, Use: r.use, Log: c.Log}
	return r
}

// Run reads until ctx ends and returns ctx.Err(); for a wrong Config it returns
// an error at once. It sends CameOnline when the module answers, WentOffline
// once when the port is missing, pulled out or the module silent, and tries
// again after 250 ms, then ever longer up to 10 s. It waits for room in events.
// For one goroutine, once.
func (r *Reader) Run(ctx context.Context) error {
	if r.cfg.Hold < 0 {
		return fmt.Errorf("reader %s: hold of %v", r.cfg.Source, r.cfg.Hold)
	}
	if !r.warned {
		r.warned = true
		r.cfg.Log.Warn().Str("reader", r.cfg.Source).
			Msg("this reader reads a card's number only, which is no secret: who has been near the card can copy it; use OSDP secure channel where that matters")
	}
	return r.session.Run(ctx)
}

// use looks for cards until the port or the module fails. A module that lost
// its power for a moment has forgotten its settings: it is set up anew.
func (r *Reader) use(ctx context.Context, port device.Port) error {
	c := &chip{port: port, limits: r.limits, disturbed: func(err error) bool { return r.session.Disturbed(ctx, err) }}
	defer c.dec.forget()
	if err := r.start(ctx, c); err != nil {
		return err
	}
	for failures := 0; ; {
		before := time.Now()
		got, err := c.list()
		switch {
		case err == nil:
			failures = 0
			r.take(ctx, got)
		case !silent(err):
			return err
		default:
			r.session.Door.Fault(ctx, faultOf(err), 0)
			if failures++; failures >= maxFailures {
				return unusable(err)
			}
			if err := r.start(ctx, c); err != nil {
				return err
			}
		}
		r.seen.Fade(time.Now())
		select {
		case <-time.After(pollEvery - time.Since(before)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *Reader) start(ctx context.Context, c *chip) error {
	v, err := c.setUp()
	if err != nil {
		return unusable(err)
	}
	r.cfg.Log.Info().Str("reader", r.cfg.Source).Stringer("module", v).Msg("module answers")
	r.session.Online(ctx)
	return nil
}

// silent reports whether the port is well and only the module is not.
func silent(err error) bool {
	return errors.Is(err, device.ErrNoAnswer) || errors.Is(err, errRefused) || errors.Is(err, errGarbled)
}

// unusable turns the failure of a module into one of the session, which opens
// the port anew.
func unusable(err error) error {
	if !silent(err) || errors.Is(err, device.ErrNoAnswer) {
		return err
	}
	return fmt.Errorf("%w that can be used: %w", device.ErrNoAnswer, err)
}

func faultOf(err error) fault.Code {
	switch {
	case errors.Is(err, errRefused):
		return fault.Refused
	case errors.Is(err, errGarbled):
		return fault.Checksum
	}
	return fault.NoAnswer
}

// take acts on what the module says of its field.
func (r *Reader) take(ctx context.Context, listed []byte) {
	e := device.Event{Kind: device.CardRead}
	if e.Card, e.Fault = parse(listed); e.Fault != fault.None {
		e.Kind = device.FaultSeen // a telephone that lies there is told once, like a card
	} else if e.Card.Len() == 0 {
		return
	}
	if begins, _ := r.seen.See(e, time.Now()); begins {
		r.session.Door.Send(ctx, e)
	}
}

// parse reads the answer of InListPassiveTarget: the number of cards, then of
// each: its number in the list, ATQA (2 bytes), SAK, length of the UID, UID.
func parse(listed []byte) (device.Card, fault.Code) {
	if len(listed) == 1 && listed[0] == 0 {
		return device.Card{}, fault.None
	}
	if len(listed) < 6 || listed[0] != 1 {
		return device.Card{}, fault.Noise
	}
	n, uid := int(listed[5]), listed[6:]
	if len(uid) < n {
		return device.Card{}, fault.Noise
	}
	uid = uid[:n]
	if n != 4 && n != 7 && n != 10 {
		return device.Card{}, fault.Length
	}
	// ISO 14443-3: 08 begins a number that is another at each tap, 88 says that
	// more of the number follows, which the module has not told then.
	switch {
	case n == 4 && uid[0] == 0x08:
		return device.Card{}, fault.RandomUID
	case n == 4 && uid[0] == 0x88:
		return device.Card{}, fault.Length
	case len(bytes.Trim(uid, "\x00")) == 0:
		return device.Card{}, fault.Ghost
	}
	card, err := device.NewCard(uid, 8*n)
	if err != nil {
		return device.Card{}, fault.Length
	}
	return card, fault.None
}
