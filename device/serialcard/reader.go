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
	frameTimeout = 50 * time.Millisecond // silence that ends a frame: the longest of a card takes 17 ms at 9600 baud
	defaultHold  = time.Second
	staleAfter   = time.Second            // bytes that waited longer for us are dropped
	settling     = 100 * time.Millisecond // after opening: what comes first may be the rest of a frame
	pollEvery    = 100 * time.Millisecond // a module that is asked needs about half of it to look for a card
	answerWithin = 2 * time.Second
	drainReads   = 256 // of 256 bytes each: far more than the kernel keeps, and an end to it in a flood
)

// Config is what a Reader needs to know.
type Config struct {
	Source string        // the reader's name in its events
	Layout Layout        // from Lookup, and With
	Hold   time.Duration // a card or code is one event until it was away this long; 0: 1 s
	Log    zerolog.Logger
}

// Validate tells what is wrong with the configuration.
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

// Reader sends an Event for each card or code held up to one serial module.
// Event.At is 0: a serial port has no time stamp of its own.
type Reader struct {
	cfg     Config
	session device.Session

	buf      [256]byte
	dec      *Decoder
	seen     device.Presence
	opened   time.Time // the port, or after a drain: the first bytes may be the rest of a frame
	read     time.Time // when the last Read returned
	quiet    time.Time // what came up to then has been read
	asked    time.Time // when the module was asked last
	answered time.Time // when it last gave a good frame
	turn     int       // which question is the next
}

// New makes a Reader that opens its port with open, and again whenever the
// port is missing or pulled out. It starts nothing.
func New(c Config, open func() (device.Port, error), events chan<- device.Event) *Reader {
	if c.Hold == 0 {
		c.Hold = defaultHold
	}
	r := &Reader{cfg: c, seen: device.Presence{Confirm: c.Layout.Confirm, Hold: c.Hold}}
	r.session = device.Session{Door: device.Reporter{Source: c.Source, Events: events}, Open: open, Use: r.use, Log: c.Log}
	return r
}

// Run reads until ctx ends and returns ctx.Err(); for a wrong Config it
// returns an error at once. A port that can't be opened is tried again after
// 250 ms, then ever longer up to 10 s; WentOffline is sent once, CameOnline
// when the port is open, or where the module must be asked, when it answers. It
// waits for room in events: the kernel's buffer holds what comes meanwhile. For
// one goroutine, once.
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
	r.read, r.quiet, r.answered, r.asked = r.opened, r.opened, r.opened, time.Time{}
	if !r.asks() {
		r.session.Online(ctx)
	}
	for {
		if err := r.step(ctx, port); err != nil {
			return err
		}
	}
}

// step waits for bytes once and takes them. Silence is only believed when a
// Read met it: bytes that waited while we were busy are no silence.
func (r *Reader) step(ctx context.Context, port device.Port) error {
	if time.Since(r.read) > staleAfter {
		return r.drain(port)
	}
	if err := r.ask(port); err != nil {
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

// silence acts on a Read that met nothing until due: since then something may
// have come.
func (r *Reader) silence(ctx context.Context, due time.Time) {
	if e, ok := r.dec.Timeout(); ok {
		r.take(ctx, e, due)
	}
	r.quiet = due
	r.session.Door.Fault(ctx, r.seen.Expire(due), 0)
	r.seen.Fade(due)
}

// came is when bytes came that were just read. While a card waits for its second
// time no Read waits longer than a frame's silence: what took longer was our own
// turn, and the bytes have waited for it.
func (r *Reader) came(now time.Time) time.Time {
	if latest := r.quiet.Add(frameTimeout); r.seen.Waiting() && latest.Before(now) {
		return latest
	}
	return now
}

// timeout is how long a Read may wait.
func (r *Reader) timeout() time.Duration {
	switch {
	case r.dec.Pending() || r.seen.Waiting():
		return frameTimeout
	case r.asks():
		return max(time.Until(r.asked.Add(pollEvery)), 0)
	case r.seen.Remembers():
		return r.cfg.Hold
	}
	return -1
}

// asks reports whether the module speaks only when asked.
func (r *Reader) asks() bool { return r.cfg.Layout.binary != nil && len(r.cfg.Layout.binary.poll) > 0 }

// ask sends the next question when it is time.
func (r *Reader) ask(port device.Port) error {
	if !r.asks() || r.dec.Pending() || time.Since(r.asked) < pollEvery {
		return nil
	}
	if time.Since(r.answered) > answerWithin {
		return fmt.Errorf("ask for a card: %w", device.ErrNoAnswer)
	}
	poll := r.cfg.Layout.binary.poll
	r.asked = time.Now()
	r.turn = (r.turn + 1) % len(poll)
	_, err := port.Write([]byte(poll[r.turn]))
	return err
}

// drain drops what arrived while nobody took our events: a card that lay there
// half a minute ago opens no door now. One that still does sends on.
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

// take acts on what the decoder tells.
func (r *Reader) take(ctx context.Context, e device.Event, now time.Time) {
	if e.Kind == device.FaultSeen {
		rest := e.Fault == fault.Noise || e.Fault == fault.Length
		if !rest || now.Sub(r.opened) >= settling { // else the port was opened in the middle of a frame
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
			r.seen.See(e, now) // it may lie there still
		}
		r.session.Door.Send(ctx, e)
	}
}
