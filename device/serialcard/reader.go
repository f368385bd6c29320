package serialcard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
)

const (
	frameTimeout = 50 * time.Millisecond // silence that ends a frame: the longest frame of a card takes 17 ms at 9600 baud
	defaultHold  = time.Second
	staleAfter   = time.Second            // bytes that waited longer to be read are dropped
	settling     = 100 * time.Millisecond // after opening: the first bytes may be the rest of a frame
	pollEvery    = 100 * time.Millisecond // a polled module needs about half of it to look for a card
	answerWithin = 2 * time.Second
	drainReads   = 256 // of 256 bytes each: far more than the kernel keeps, and a bound in a flood
)

// Config is the configuration of a Reader.
type Config struct {
	Source string        // the reader's name in its events
	Layout Layout        // from Lookup, and With
	Hold   time.Duration // a card or code is one event until it was absent this long; 0: 1 s
	Log    zerolog.Logger
}

// Validate returns an error that names the reader and the wrong setting.
func (c Config) Validate() error {
	if c.Layout.Name == "" {
		return fmt.Errorf("reader %s: no layout", c.Source)
	}
	if err := c.Layout.valid(); err != nil {
		return fmt.Errorf("reader %s: %w", c.Source, err)
	}
	if c.Hold < 0 {
		return fmt.Errorf("reader %s: hold of %v", c.Source, c.Hold)
	}
	return nil
}

// Reader sends an Event for each card or code that is presented to one serial module. Event.At is
// 0: a serial port has no timestamps.
type Reader struct {
	cfg     Config
	session device.Session

	buf      [256]byte
	dec      *Decoder
	seen     device.Presence
	opened   time.Time // time of opening or drain: the first bytes may be the rest of a frame
	read     time.Time // return of the last Read
	quiet    time.Time // everything that came before has been read
	polled   time.Time // last poll of the module
	answered time.Time // last good frame
	turn     int       // number of the last poll command
}

// New returns a Reader that opens its port with open, and again whenever the port is missing or
// unplugged. Run starts it.
func New(c Config, open func() (device.Port, error), events chan<- device.Event) *Reader {
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	r := &Reader{cfg: c, seen: device.Presence{Confirm: c.Layout.Confirm, Hold: c.Hold}}
	r.session = device.Session{Door: device.Reporter{Source: c.Source, Events: events}, Open: open, Use: r.use, Log: c.Log}
	return r
}

// Run reads until ctx ends and returns ctx.Err(); for an invalid Config it returns an error at
// once. A port that can't be opened is opened again after 250 ms, then after ever longer times up
// to 10 s. WentOffline is sent once; CameOnline when the port is open, or for a polled module when
// it answers. It waits while events is full: the kernel's buffer holds later bytes meanwhile. It
// must be called once.
func (r *Reader) Run(ctx context.Context) error {
	if err := r.cfg.Validate(); err != nil {
		return err
	}
	dec, err := NewDecoder(r.cfg.Layout)
	if err != nil {
		return err
	}
	r.dec = dec
	return r.session.Run(ctx)
}

// use reads an open port until it fails.
func (r *Reader) use(ctx context.Context, port device.Port) error {
	r.dec.Reset()
	r.seen.Forget()
	r.opened = time.Now()
	r.read, r.quiet, r.answered, r.polled = r.opened, r.opened, r.opened, time.Time{}
	if !r.polls() {
		r.session.Online(ctx)
	}
	for {
		if err := r.step(ctx, port); err != nil {
			return err
		}
	}
}

// step reads once and decodes the bytes. Only a Read that timed out proves silence: bytes that
// waited while the reader was busy do not.
func (r *Reader) step(ctx context.Context, port device.Port) error {
	if time.Since(r.read) > staleAfter {
		return r.drain(port)
	}
	if err := r.poll(port); err != nil {
		return err
	}
	timeout := r.timeout()
	if err := port.SetReadTimeout(timeout); err != nil {
		return err
	}
	due := time.Now().Add(timeout)
	n, err := port.Read(r.buf[:])
	now := time.Now()
	r.read = now
	for _, b := range r.buf[:n] {
		if e, ok := r.dec.Push(b); ok {
			r.take(ctx, e, now)
		}
	}
	clear(r.buf[:n])
	if r.quiet = now; errors.Is(err, os.ErrDeadlineExceeded) {
		r.silence(ctx, due)
		return nil
	}
	if r.session.Disturbed(ctx, err) {
		return nil
	}
	return err
}

// silence handles a Read that timed out at due; bytes may have come since.
func (r *Reader) silence(ctx context.Context, due time.Time) {
	if e, ok := r.dec.Timeout(); ok {
		r.take(ctx, e, due)
	}
	r.quiet = due
	r.session.Door.Fault(ctx, r.seen.Expire(due), 0)
	r.seen.Fade(due)
}

// came returns when the bytes just read came. While a card waits for its second frame no Read waits
// longer than frameTimeout: if more time has passed, the reader was busy and the bytes waited.
func (r *Reader) came(now time.Time) time.Time {
	if latest := r.quiet.Add(frameTimeout); r.seen.Waiting() && latest.Before(now) {
		return latest
	}
	return now
}

// timeout returns the timeout of the next Read.
func (r *Reader) timeout() time.Duration {
	switch {
	case r.dec.Pending() || r.seen.Waiting():
		return frameTimeout
	case r.polls():
		return max(time.Until(r.polled.Add(pollEvery)), 0)
	case r.seen.Remembers():
		return r.cfg.Hold
	}
	return -1
}

// polls reports whether the module must be polled.
func (r *Reader) polls() bool { return r.cfg.Layout.binary != nil && len(r.cfg.Layout.binary.poll) > 0 }

// poll sends the next poll command when it is due.
func (r *Reader) poll(port device.Port) error {
	if !r.polls() || r.dec.Pending() || time.Since(r.polled) < pollEvery {
		return nil
	}
	if time.Since(r.answered) > answerWithin {
		return fmt.Errorf("poll for a card: %w", device.ErrNoAnswer)
	}
	poll := r.cfg.Layout.binary.poll
	r.polled = time.Now()
	r.turn = (r.turn + 1) % len(poll)
	_, err := port.Write([]byte(poll[r.turn]))
	return err
}

// drain drops what arrived while nobody received events: a card that was there half a minute ago
// must not open a door now. A card that is still there sends again.
func (r *Reader) drain(port device.Port) error {
	r.dec.Reset()
	r.seen.Forget()
	if err := port.SetReadTimeout(0); err != nil {
		return err
	}
	for range drainReads {
		if _, err := port.Read(r.buf[:]); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil && device.PortFault(err) == fault.None {
			return err
		}
	}
	clear(r.buf[:])
	r.read = time.Now()
	r.opened, r.quiet, r.answered = r.read, r.read, r.read
	return nil
}

// take handles an event of the decoder.
func (r *Reader) take(ctx context.Context, e device.Event, now time.Time) {
	if e.Kind == device.FaultSeen {
		rest := e.Fault == fault.Noise || e.Fault == fault.Length
		if !rest || now.Sub(r.opened) >= settling { // else it is the rest of a frame
			r.session.Door.Fault(ctx, e.Fault, 0)
		}
		return
	}
	r.answered = now
	r.session.Online(ctx)
	if e.Kind == 0 {
		return
	}
	came := r.came(now)
	begins, found := r.seen.See(e, came)
	r.session.Door.Fault(ctx, found, 0)
	if begins {
		if now.Sub(came) < r.cfg.Hold {
			r.seen.See(e, now) // it may still be there
		}
		r.session.Door.Send(ctx, e)
	}
}
