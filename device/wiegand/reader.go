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

// Config is what it takes to run one reader.
type Config struct {
	Source string // the reader, as the site file names it
	// Formats is what it may send, best one alone. The longest ends without waiting
	// for silence: of a reader that sends still longer frames, one in four passes
	// the two parity bits as a card (nobody's), and then tells fault.Trailing.
	// It may be empty where there is a keypad.
	Formats []Format
	Gap     time.Duration // silence that ends a frame, 25 to 100 ms; 0: adaptive, see NewFramer
	Keypad  Keypad
	// ReverseBytes is for a reader that sends the bytes of a card's number
	// backward, as some do with MIFARE: each card is turned round, so that it is the
	// same at every reader. The formats must be of whole bytes, or of whole bytes
	// between two parity bits (W26, W34, W42 to W66).
	ReverseBytes bool
	// LearnFormat takes every frame of 24 to 256 bits that ends with silence for a card,
	// whatever its format and parity, to find out what a reader sends. Formats may
	// then be empty. Never for a door in use.
	LearnFormat bool
}

// Validate tells what is wrong with the configuration.
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

// Reader turns the two lines of one Wiegand reader into events.
type Reader struct {
	cfg  Config
	open func() (device.Lines, error)
	door device.Reporter
}

// New makes a Reader; Run starts it. open requests D0 and D1, in this order, in
// one request that reports idle-to-active edges only (with both, the kernel
// names an edge by the level after it and a short pulse may show none), and is
// called again after each failure.
func New(cfg Config, open func() (device.Lines, error), events chan<- device.Event) *Reader {
	return &Reader{cfg: cfg, open: open, door: device.Reporter{Source: cfg.Source, Events: events}}
}

// Run reads until ctx ends and returns ctx.Err(); for a wrong Config it returns
// an error at once. Lines that can't be opened or fail are told once
// (WentOffline) and tried again after 1 s to 30 s; CameOnline follows when bits
// count, 100 ms after opening. It waits for room in events: the kernel's
// buffer holds what comes meanwhile.
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

// serve opens the lines and reads them until they fail or ctx ends.
func (r *Reader) serve(ctx context.Context) fault.Code {
	opened := false
	err := device.Use(ctx, r.open, func(ctx context.Context, lines device.Lines) error {
		opened = true
		return newSession(ctx, r.cfg, &r.door, lines).run()
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
