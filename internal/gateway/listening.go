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

// Decider says who decides at the doors of a house that is taken over: while the old
// controller does, this gateway asks for no relay's line, no input and no light, and
// only hears the readers that can be tapped. Who decides changes between two runs alone.
// Safe for concurrent use.
type Decider struct {
	State listening.State // as this run found it

	g     *Gateway
	one   chan struct{} // a change at a time
	other chan struct{} // closed once the next run is of another kind
}

func newDecider(g *Gateway) *Decider {
	return &Decider{State: listening.Read(g.Site.State), g: g, one: make(chan struct{}, 1), other: make(chan struct{})}
}

// ErrChanging means that somebody else has just changed who decides.
var ErrChanging = errors.New("somebody else is changing this")

// ErrNotListening means that there is nothing to switch over from.
var ErrNotListening = errors.New("this gateway decides at its doors already")

// take keeps everybody else out; free lets them in again.
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

// Listen has the old controller decide, and learns cards for so many days from now. The
// run ends, and whoever runs the gateway makes another (Changed).
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

// Over has this gateway decide, and forgets what was heard. The run ends, as with Listen.
// It fails where the entry that says so can't be made durable before ctx ends.
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

// Changed reports whether the run has ended since somebody else decides now: make the
// gateway anew.
func (d *Decider) Changed() bool {
	select {
	case <-d.other:
		return true
	default:
		return false
	}
}

// Serve runs a gateway until ctx ends, and another in its place each time that somebody
// else is to decide at the doors. Fresh makes one, with what runs beside it.
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

// begin makes the lists of this run those of its kind, and says on what it stands.
func (d *Decider) begin() {
	if !d.State.Damaged { // else what was heard stays until somebody has decided
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

// Tapped reports whether a type of reader can be listened to while another controller has
// it: the others say nothing that they were not asked for.
func Tapped(kind string) bool { return kind == site.TypeWiegand || kind == site.TypeSerial }

// unwired is the way to the relays while the old controller decides: there is none.
func unwired(device.OutputConfig) (device.Output, error) { return nil, errUnwired }

var errUnwired = errors.New("the old controller has the lock")

// LeaveSafe takes the current from every relay of a site and lets the lines
// go: for a service manager, after the daemon has ended however it did. It
// fails if a line can't be had, which is so while a daemon runs. Where the old controller
// decides it asks for none.
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

// zoned is the wall clock in the building's zone.
func (g *Gateway) zoned() func() time.Time {
	zone, err := time.LoadLocation(g.Site.TimeZone)
	if err != nil {
		zone = time.UTC // the site file was checked
	}
	return func() time.Time { return g.Clock.Now().In(zone) }
}
