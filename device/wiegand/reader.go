package wiegand

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// Config is the configuration of one reader.
type Config struct {
	Source string // the reader, as the site file names it
	// Formats are the formats that the reader may send; one alone is best. The longest ends without
	// waiting for silence: of a reader that sends still longer frames, one in four then passes the
	// two parity bits as a card (nobody's), followed by fault.Trailing. Formats may be empty if
	// there is a keypad.
	Formats []Format
	Gap     time.Duration // silence that ends a frame, 25 to 100 ms; 0: adaptive, see NewFramer
	Keypad  Keypad
	// ReverseBytes is for a reader that sends the bytes of a card's number in reverse order, as
	// some do with MIFARE: the bytes of each card are reversed, so that it is the same at every
	// reader. The formats must consist of whole bytes, or of whole bytes between two parity bits
	// (W26, W34, W42 to W66).
	ReverseBytes bool
	// LearnFormat accepts every frame of 24 to 256 bits that ends with silence as a card, whatever
	// its format and parity, to find out what a reader sends. Formats may then be empty. It must
	// never be set for a door in use.
	LearnFormat bool
}

// Validate returns an error that names the reader and the wrong setting.
func (c Config) Validate() error {
	if len(c.Formats) == 0 && c.Keypad.Kind == "" && !c.LearnFormat {
		return fmt.Errorf("reader %s: no format", c.Source)
	}
	for _, f := range c.Formats {
		if f.Bits < 2 || f.Bits > device.MaxCardBits {
			return fmt.Errorf("reader %s: format %q of %d bits", c.Source, f.Name, f.Bits)
		}
		if c.ReverseBytes && !reversible(f) {
			return fmt.Errorf("reader %s: format %s has no whole bytes to reverse", c.Source, f.Name)
		}
	}
	if c.Gap != 0 && (c.Gap < MinGap || c.Gap > MaxGap) {
		return fmt.Errorf("reader %s: gap of %v: want %v to %v, or none", c.Source, c.Gap, MinGap, MaxGap)
	}
	if err := c.Keypad.Validate(c.Formats); err != nil {
		return fmt.Errorf("reader %s: %w", c.Source, err)
	}
	return nil
}

// Reader decodes the two lines of one Wiegand reader into events.
type Reader struct {
	cfg   Config
	open  func() (device.Lines, error)
	door  device.Reporter
	lines device.Lines // of Request, until they are read; nil: none
	since time.Time    // when the lines in use were opened
}

// New returns a Reader; Run starts it. open requests D0 and D1, in this order, in one request that
// reports idle-to-active edges only (with both edges, the kernel names an edge by the level after
// it, so that a short pulse may show none). It is called again after each failure.
func New(cfg Config, open func() (device.Lines, error), events chan<- device.Event) *Reader {
	return &Reader{cfg: cfg, open: open, door: device.Reporter{Source: cfg.Source, Events: events}}
}

// Request opens the lines before Run does, so that the 100 ms in which bits never count pass while
// something else is done, as at a start. Lines that can't be had are left to Run. Edges that come
// before Run are no card. Who does not call Run calls Close.
func (r *Reader) Request() {
	if r.cfg.Validate() != nil {
		return // Run says so
	}
	if lines, err := r.take(); err == nil {
		r.lines = lines
	}
}

// Close lets go of the lines of Request, if Run has not taken them.
func (r *Reader) Close() error {
	if r.lines == nil {
		return nil
	}
	lines := r.lines
	r.lines = nil
	return lines.Close()
}

// take returns the lines of Request once, and else opens them.
func (r *Reader) take() (lines device.Lines, err error) {
	if lines, r.lines = r.lines, nil; lines != nil {
		return lines, nil
	}
	lines, err = r.open()
	r.since = time.Now()
	return lines, err
}

// Run reads until ctx ends and returns ctx.Err(); for an invalid Config it returns an error at
// once. Lines that can't be opened or fail are reported once (WentOffline) and opened again after 1
// s to 30 s; CameOnline follows 100 ms after opening, when bits count. It waits while events is
// full: the kernel's buffer holds later edges meanwhile.
func (r *Reader) Run(ctx context.Context) error {
	if err := r.cfg.Validate(); err != nil {
		return err
	}
	for retry := backoff.New(minBackoff, maxBackoff); ; {
		opened := time.Now()
		cause := r.serve(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(opened) > maxBackoff {
			retry.Reset()
		}
		r.door.Change(ctx, device.Event{Kind: device.WentOffline, Fault: cause})
		if !retry.Wait(ctx) {
			return ctx.Err()
		}
	}
}

// serve takes the lines and reads them until they fail or ctx ends.
func (r *Reader) serve(ctx context.Context) fault.Code {
	opened := false
	err := device.Use(ctx, r.take, func(ctx context.Context, lines device.Lines) error {
		opened = true
		return newSession(ctx, r.cfg, &r.door, lines, r.since).run()
	})
	switch {
	case !opened && errors.Is(err, device.ErrLineBusy):
		return fault.LineBusy
	case !opened:
		return fault.Missing
	case errors.Is(err, device.ErrUnplugged):
		return fault.Unplugged
	}
	return fault.IO
}
