package gateway

import (
	"errors"
	"fmt"
	"sync"

	"gatehouse/device"
	"gatehouse/internal/site"

	"github.com/rs/zerolog"
)

// relay drives one door's lock over an output line. A line that can't be had is
// asked for again at every act, so that a chip that comes late is used.
type relay struct {
	cfg      device.OutputConfig
	open     func(device.OutputConfig) (device.Output, error)
	failSafe bool // released when de-energised

	mu  sync.Mutex
	out device.Output
}

// request takes the line, which leaves the relay de-energised.
func (r *relay) request() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requestLocked()
}

func (r *relay) requestLocked() error {
	if r.out != nil {
		return nil
	}
	out, err := r.open(r.cfg)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r.out = out
	return nil
}

// Release lets people through: current for a fail-secure lock, none for a
// fail-safe one.
func (r *relay) Release() error { return r.energise(!r.failSafe) }

// Secure holds the door.
func (r *relay) Secure() error { return r.energise(r.failSafe) }

func (r *relay) energise(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.requestLocked(); err != nil {
		return err
	}
	if err := r.out.Set(on); err != nil {
		_ = r.out.Close() // ask for the line anew next time
		r.out = nil
		return fmt.Errorf("relay: %w", err)
	}
	return nil
}

// close takes the current away and hands the line back.
func (r *relay) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil {
		return nil
	}
	err := errors.Join(r.out.Set(false), r.out.Close())
	r.out = nil
	return err
}

// makeRelays asks for every relay's line, which drives it de-energised.
func (g *Gateway) makeRelays() {
	for _, cfg := range g.Site.Doors {
		r := &relay{failSafe: cfg.Lock == "fail-safe", open: g.o.Hardware.Output, cfg: device.OutputConfig{
			Chip: cfg.Relay.Chip, Offset: *cfg.Relay.Line, ActiveLow: cfg.Relay.Active == "low",
			Consumer: "gatehouse-" + cfg.ID + "-relay"}}
		_ = r.request() // the door tells, and tries again
		g.Doors = append(g.Doors, &Door{Config: cfg, relay: r, events: make(chan device.Event, eventsQueued)})
	}
}

// LeaveSafe takes the current from every relay of a site and lets the lines
// go: for a service manager, after the daemon has ended however it did. It
// fails if a line can't be had, which is so while a daemon runs.
func LeaveSafe(s *site.Site, hw Hardware) error {
	g := &Gateway{Parts: Parts{Site: s}, o: Options{Site: s, Hardware: hw.labelled(s), Log: zerolog.Nop()}}
	g.makeRelays()
	var errs []error
	for _, d := range g.Doors {
		errs = append(errs, d.relay.request(), d.relay.close())
	}
	return errors.Join(errs...)
}
