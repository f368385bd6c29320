// Package pn532 reads the numbers (UIDs) of ISO 14443 type A cards (MIFARE, NTAG, DESFire) with an
// NXP PN532 on a serial port (HSU).
//
// A UID is no secret: any telephone reads it, and cards with a free choice of UID cost less than a
// meal. Such a reader keeps honest people out; the Reader logs a warning about that when it starts.
// The package refuses UIDs that a card makes up at each tap, UIDs of a length that no card has,
// answers with a wrong checksum, and anything that the module sends unasked. It reads no card's
// memory and has no keys.
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
	"gatehouse/internal/backoff"
)

const (
	pollEvery   = 100 * time.Millisecond
	defaultHold = time.Second
	maxFailures = 3 // consecutive, each with a restart of the module
)

// Config is the configuration of a Reader.
type Config struct {
	Source string        // the reader's name in its events
	Hold   time.Duration // a card is one event until it was absent this long; 0: 1 s
	Log    zerolog.Logger
}

// Reader sends an Event for each card that is presented to one module: a Card of 32, 56 or 80 bits,
// the UID's bytes in the order of the card's answer. Event.At is 0.
type Reader struct {
	cfg     Config
	session device.Session
	seen    device.Presence
	limits  limits
	warned  bool
}

// New returns a Reader that opens its port with open (115,200 baud is the module's factory
// setting), and again whenever the port is missing or unplugged. Run starts it.
func New(c Config, open func() (device.Port, error), events chan<- device.Event) *Reader {
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	r := &Reader{cfg: c, seen: device.Presence{Hold: c.Hold}, limits: usual}
	r.session = device.Session{Door: device.Reporter{Source: c.Source, Events: events}, Open: open, Use: r.use, Log: c.Log}
	return r
}

// Run reads until ctx ends and returns ctx.Err(); for an invalid Config it returns an error at
// once. It sends CameOnline when the module answers, and WentOffline once when the port is missing
// or unplugged or the module silent; it tries again after 250 ms, then after ever longer times up
// to 10 s. It waits while events is full. It must be called once.
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

// use polls for cards until the port or the module fails. A module whose power was interrupted has
// lost its settings and is set up again.
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
		if !backoff.Sleep(ctx, pollEvery-time.Since(before)) {
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

// silent reports whether the module failed, not the port.
func silent(err error) bool {
	return errors.Is(err, device.ErrNoAnswer) || errors.Is(err, errRefused) || errors.Is(err, errGarbled)
}

// unusable returns the session's error for a failed module; the session then opens the port again.
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

// take handles the module's list of the cards in its field.
func (r *Reader) take(ctx context.Context, listed []byte) {
	e := device.Event{Kind: device.CardRead}
	if e.Card, e.Fault = parse(listed); e.Fault != fault.None {
		e.Kind = device.FaultSeen // a telephone that stays there is reported once, as a card is
	} else if e.Card.Len() == 0 {
		return
	}
	if begins, _ := r.seen.See(e, time.Now()); begins {
		r.session.Door.Send(ctx, e)
	}
}

// parse parses the answer to InListPassiveTarget: the number of cards, then for each: its number in
// the list, ATQA (2 bytes), SAK, length of the UID, UID.
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
	// ISO 14443-3: 08 begins a UID that is random at each tap; 88 means that more of
	// the UID follows, which the module then left out.
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
