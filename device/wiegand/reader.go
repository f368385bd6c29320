package wiegand

import (
	"context"
	"errors"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
)

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

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
