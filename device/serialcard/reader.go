package serialcard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
)

const (
	frameTimeout = 50 * time.Millisecond // silence that ends a frame: its 16 bytes take 17 ms at 9600 baud
	defaultHold  = time.Second
	faultEvery   = time.Second // each kind of fault is told at most this often
	minBackoff   = 250 * time.Millisecond
	maxBackoff   = 10 * time.Second
	staleAfter   = time.Second // bytes that waited longer for us are dropped
	settled      = time.Second // a port that stays open this long is not a flapping one
)

// Config is what a Reader needs to know.
type Config struct {
	Source string        // the reader's name in its events
	Layout Layout        // from Lookup
	Hold   time.Duration // a card is one event until it was away this long; 0: 1 s
	Log    zerolog.Logger
}

// Validate tells what is wrong with the configuration.
func (c Config) Validate() error {
	if err := c.Layout.valid(); err != nil {
		return fmt.Errorf("reader %s: %w", c.Source, err)
	}
	if c.Hold < 0 {
		return fmt.Errorf("reader %s: hold of %v", c.Source, c.Hold)
	}
	return nil
}

// Reader sends an Event for each card held up to one serial module. Event.At
// is 0: a serial port has no time stamp of its own.
type Reader struct {
	cfg    Config
	open   func() (device.Port, error)
	events chan<- device.Event

	buf    [256]byte
	dec    *Decoder
	cards  presence
	told   map[device.Fault]time.Time
	opened time.Time        // the port, or after a drain: the first bytes may be the rest of a frame
	read   time.Time        // when the last Read returned
	status device.EventKind // the last of CameOnline and WentOffline that was sent
}

// New makes a Reader that opens its port with open, and again whenever the
// port is missing or pulled out. It starts nothing.
func New(c Config, open func() (device.Port, error), events chan<- device.Event) *Reader {
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	return &Reader{
		cfg: c, open: open, events: events,
		dec:   &Decoder{layout: c.Layout},
		cards: presence{confirm: c.Layout.Confirm, hold: c.Hold},
		told:  map[device.Fault]time.Time{},
	}
}

// Run reads until ctx ends and returns ctx.Err(); for a wrong Config it
// returns an error at once. A port that can't be opened is tried again after
// 250 ms, then ever longer up to 10 s; WentOffline is sent once, CameOnline
// when the port is open, the first time too. It waits for room in events: the
// kernel's buffer holds what comes meanwhile. For one goroutine, once.
func (r *Reader) Run(ctx context.Context) error {
	if err := r.cfg.Validate(); err != nil {
		return err
	}
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.status == device.CameOnline && time.Since(r.opened) >= settled {
			backoff = minBackoff
		}
		r.wentOffline(ctx, err)
		pause(ctx, backoff)
	}
}

// session opens the port and reads it until it fails or ctx ends.
func (r *Reader) session(ctx context.Context) error {
	port, err := r.open()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = port.Close() // frees the blocked Read
	})
	defer func() {
		if stop() {
			_ = port.Close()
			return
		}
		<-closed
	}()
	r.cameOnline(ctx)
	for {
		if err := r.step(ctx, port); err != nil {
			return err
		}
	}
}

// step waits for bytes once and takes them. Silence is only believed when a
// Read met it: bytes that waited while we were busy are no silence.
func (r *Reader) step(ctx context.Context, port device.Port) error {
	timeout := time.Duration(-1)
	if time.Since(r.read) > staleAfter {
		return r.drain(port)
	}
	switch {
	case r.dec.Pending() || r.cards.waiting():
		timeout = frameTimeout
	case r.cards.remembers():
		timeout = r.cfg.Hold
	}
	if err := port.SetReadTimeout(timeout); err != nil {
		return err
	}
	n, err := port.Read(r.buf[:])
	now := time.Now()
	r.read = now
	for _, b := range r.buf[:n] {
		r.take(ctx, b, now)
	}
	clear(r.buf[:n])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.fault(ctx, r.dec.Timeout(), now)
		r.fault(ctx, r.cards.expire(now), now)
		r.cards.fade(now)
		return nil
	}
	return err
}

// drain drops what arrived while nobody took our events: a card that lay there
// half a minute ago opens no door now. One that still does sends on.
func (r *Reader) drain(port device.Port) error {
	r.dec.Reset()
	r.cards.forget()
	if err := port.SetReadTimeout(0); err != nil {
		return err
	}
	for {
		if _, err := port.Read(r.buf[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			r.read, r.opened = time.Now(), time.Now()
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (r *Reader) take(ctx context.Context, b byte, now time.Time) {
	card, fault := r.dec.Push(b)
	r.fault(ctx, fault, now)
	if card.Len() == 0 {
		return
	}
	begins, fault := r.cards.see(card, now)
	r.fault(ctx, fault, now)
	if begins {
		r.send(ctx, device.Event{Kind: device.CardRead, Card: card})
	}
}

func (r *Reader) fault(ctx context.Context, f device.Fault, now time.Time) {
	if f == device.FaultNone {
		return
	}
	if f == device.FaultNoise && now.Sub(r.opened) < frameTimeout {
		return // the port may have been opened in the middle of a frame
	}
	if last, ok := r.told[f]; ok && now.Sub(last) < faultEvery {
		return
	}
	r.told[f] = now
	r.send(ctx, device.Event{Kind: device.FaultSeen, Fault: f})
}

func (r *Reader) cameOnline(ctx context.Context) {
	r.dec.Reset()
	r.cards.forget()
	r.opened = time.Now()
	r.read = r.opened
	r.status = device.CameOnline
	r.cfg.Log.Info().Str("reader", r.cfg.Source).Msg("reader online")
	r.send(ctx, device.Event{Kind: device.CameOnline})
}

func (r *Reader) wentOffline(ctx context.Context, err error) {
	if r.status == device.WentOffline {
		return
	}
	fault := device.FaultIO
	switch unplugged := errors.Is(err, device.ErrUnplugged); {
	case unplugged && r.status == device.CameOnline:
		fault = device.FaultUnplugged
	case unplugged, errors.Is(err, os.ErrNotExist):
		fault = device.FaultMissing
	}
	r.status = device.WentOffline
	r.cfg.Log.Warn().Err(err).Str("reader", r.cfg.Source).Stringer("fault", fault).Msg("reader offline")
	r.send(ctx, device.Event{Kind: device.WentOffline, Fault: fault})
}

func (r *Reader) send(ctx context.Context, e device.Event) {
	e.Source = r.cfg.Source
	select {
	case r.events <- e:
	case <-ctx.Done():
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
