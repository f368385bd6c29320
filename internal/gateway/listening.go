package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/caller"
	"gatehouse/internal/door"
	"gatehouse/internal/gateway/listening"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// Decider holds who decides at the doors of a house that is being taken over. While the old
// controller does, this gateway requests no relay's line, no input and no light, and only listens
// to the readers that can be tapped. The decider changes only between two runs. Safe for concurrent
// use.
type Decider struct {
	State listening.State // as of the start of this run

	g     *Gateway
	one   chan struct{} // one change at a time
	other chan struct{} // closed once the next run has another decider
}

func newDecider(g *Gateway) *Decider {
	return &Decider{State: listening.Read(g.Site.State), g: g, one: make(chan struct{}, 1), other: make(chan struct{})}
}

// ErrChanging means that somebody else is changing the decider.
var ErrChanging = errors.New("somebody else is changing this")

// ErrNotListening means that there is nothing to switch over from.
var ErrNotListening = errors.New("this gateway decides at its doors already")

// take excludes other changes until free is called.
func (d *Decider) take() (free func(), err error) {
	select {
	case <-d.other:
		return nil, ErrChanging
	case d.one <- struct{}{}:
		return func() { <-d.one }, nil
	default:
		return nil, ErrChanging
	}
}

// Listen makes the old controller decide, and learns cards for a number of days from now. The run
// ends, and its caller makes another (Changed).
func (d *Decider) Listen(ctx context.Context, days int) error {
	free, err := d.take()
	if err != nil {
		return err
	}
	defer free()
	keys := d.g.Keyring.Grants()
	if err := d.State.Begin(d.g.Site.State, d.g.Clock.Now(), days, keys != nil && keys.Len() > 0); err != nil {
		return err
	}
	d.g.Journal.Queue(wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeActive, Reason: wire.ReasonListening, Source: caller.Of(ctx).String()}, wire.Who{})
	close(d.other)
	return nil
}

// Over makes this gateway decide, and forgets what was heard. The run ends, as with Listen. It
// fails if the entry about it can't be made durable before ctx ends.
func (d *Decider) Over(ctx context.Context) error {
	if !d.State.Listening {
		return ErrNotListening
	}
	free, err := d.take()
	if err != nil {
		return err
	}
	defer free()
	head := wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeIdle, Reason: wire.ReasonListening, Source: caller.Of(ctx).String()}
	if _, err := d.g.Journal.Append(ctx, head, wire.Who{}); err != nil {
		return fmt.Errorf("a switch over that is not journaled is none: %w", err)
	}
	if err := d.State.Over(d.g.Site.State, d.g.Clock.Now()); err != nil {
		return err
	}
	close(d.other)
	return nil
}

// Changed reports whether the run has ended because the decider changed: the gateway is to be made
// again.
func (d *Decider) Changed() bool {
	select {
	case <-d.other:
		return true
	default:
		return false
	}
}

// Serve runs a gateway until ctx ends, and replaces it each time that the decider changes. fresh
// makes one, with the functions that run beside it.
func Serve(ctx context.Context, fresh func() (*Gateway, []func(context.Context), error)) error {
	for {
		g, beside, err := fresh()
		if err != nil {
			return err
		}
		if err := g.Run(ctx, beside...); err != nil || ctx.Err() != nil || !g.Decider.Changed() {
			return err
		}
	}
}

// begin resets lists that are of another kind of run, and reports the decider.
func (d *Decider) begin() {
	if !d.State.Damaged { // otherwise what was heard stays until somebody has decided
		if err := d.g.Keyring.Adopt.Settle(d.State.Until); err != nil {
			d.g.o.Log.Error().Err(err).Msg("the list of unknown cards can't be written")
		}
	}
	if d.State.Listening {
		d.g.Journal.Queue(wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeActive, Reason: wire.ReasonListening}, wire.Who{})
	}
}

// serve runs a door until ctx ends.
func (d *Decider) serve(ctx context.Context, of *door.Door) error {
	if d.State.Listening {
		return door.Listen(ctx, of)
	}
	return of.Run(ctx)
}

// Tapped reports whether a type of reader can be listened to while another controller uses it:
// other types speak only when asked.
func Tapped(kind string) bool { return kind == site.TypeWiegand || kind == site.TypeSerial }

// unwired refuses relays while the old controller decides.
func unwired(device.OutputConfig) (device.Output, error) { return nil, errUnwired }

var errUnwired = errors.New("the old controller has the lock")

// LeaveSafe de-energises every relay of a site and releases the lines: for a service manager, after
// the daemon has ended for whatever reason. It fails if a line can't be had, as while a daemon
// runs. Where the old controller decides it requests no line.
func LeaveSafe(s *site.Site, hw Hardware) error {
	g := &Gateway{Parts: Parts{Site: s}, o: Options{Site: s, Hardware: hw.labelled(s), Log: zerolog.Nop()}}
	g.Decider = newDecider(g)
	if g.Decider.State.Listening {
		return nil
	}
	g.makeRelays()
	var errs []error
	for _, d := range g.Doors {
		errs = append(errs, d.relay.request(), d.relay.close())
	}
	return errors.Join(errs...)
}

// zoned returns the wall clock in the building's zone.
func (g *Gateway) zoned() func() time.Time {
	zone := g.Site.Zone()
	return func() time.Time { return g.Clock.Now().In(zone) }
}
