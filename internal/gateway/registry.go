package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/enrol"
	"gatehouse/internal/forward"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
)

// Central is what a gateway has of its registry: nothing at the doors waits for
// any of it.
type Central struct {
	Broker  string
	Link    Link
	Uplink  *uplink.Uplink
	Renewer *enrol.Renewer
	Err     error // why there is no uplink although there should be one; the others may be nil then
	server  atomic.Pointer[x509.Certificate]
}

// Server is the certificate of the registry's broker, when it was good last; nil: it was
// not seen yet.
func (c *Central) Server() *x509.Certificate { return c.server.Load() }

// ErrNoKey means that the gateway can't sign what it says.
var ErrNoKey = errors.New("the gateway's own key can't be read")

// hasRegistry says whether entries are to go to a registry.
func (g *Gateway) hasRegistry() bool {
	return g.Site.Registry != site.NoRegistry && (g.Site.Registry != "" || g.Keyring.Keys.Registry() != nil)
}

// openRegistry makes the way to the registry that the gateway is enrolled with.
// Nothing that is wrong with it is the doors' business.
func (g *Gateway) openRegistry() {
	if !g.hasRegistry() {
		return
	}
	g.Central = &Central{}
	if g.Central.Err = g.makeUplink(g.Central); g.Central.Err != nil {
		g.o.Log.Error().Err(g.Central.Err).Msg("no uplink to the registry; entries wait here")
	}
}

func (g *Gateway) makeUplink(c *Central) error {
	reg := g.Keyring.Keys.Registry()
	switch {
	case reg == nil:
		return errors.New("this gateway is not enrolled")
	case g.gatewayKey == nil:
		return ErrNoKey
	}
	c.Broker = g.Site.Registry
	if c.Broker == "" {
		c.Broker = "mqtts://" + reg.Broker
	}
	dir := g.Site.Path("keys")
	trusted := func() bool { return g.Clock.Read().Trusted }
	c.Renewer = enrol.NewRenewer(enrol.RenewerOptions{Dir: dir, Now: g.Clock.Now, Trusted: trusted,
		Network: g.o.Network, Renewed: func() { c.Link.Again() }, Log: g.o.Log, Chance: g.o.Chance})
	judge := enrol.Broker{Dir: dir, Now: g.Clock.Now, Trusted: trusted, Seen: c.server.Store}
	config := mqtt.Config{Broker: c.Broker, Others: g.otherBrokers, TLS: judge.TLS, Refused: c.Renewer.Soon,
		Subscribe: []string{reg.Place.Down("+"), reg.Place.House("+")}, Log: g.o.Log,
		Will: func() mqtt.Message { return c.Uplink.Will() }}
	var err error
	if c.Link, err = g.o.Dial(config); err != nil {
		return err
	}
	c.Uplink, err = uplink.New(uplink.Options{Link: c.Link, Place: reg.Place, Registry: reg.Name, Journal: g.Journal, Keyring: forward.Keyring{Keyring: g.Keyring}, Records: forward.Records{Records: g.Desk.Records},
		Key: g.gatewayKey, Clock: g.Clock.Stamp, Fresh: g.Clock.Hear, TakeBack: g.Clock.Undo, Checkpoint: g.Site.Path("journal", "checkpoint"), Software: g.o.Version[:min(len(g.o.Version), 64)], Zone: g.Site.TimeZone, Formats: g.o.Formats, Spread: c.Link.Spread, Log: g.o.Log,
		Chance: g.o.Chance, Gather: g.o.Cadence.Gather})
	return err
}

// otherBrokers are further addresses of the broker. A site file that names one
// means that one.
func (g *Gateway) otherBrokers() []string {
	if g.Site.Registry != "" {
		return nil
	}
	a, err := enrol.LoadAddresses(g.Site.Path("keys"))
	if err != nil {
		g.o.Log.Error().Err(err).Msg("the addresses of the registry can't be read; the one of enrolment is used")
		return nil
	}
	return a.Broker
}

// run talks to the registry until ctx ends; the link ends last, so that the
// broker hears a goodbye.
func (c *Central) run(ctx context.Context, g *Gateway) {
	if c == nil || c.Err != nil {
		return
	}
	linkCtx, stopLink := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLink()
	var others sync.WaitGroup
	others.Go(func() {
		if err := c.Link.Run(linkCtx); err != nil {
			g.o.Log.Error().Err(err).Msg("link to the registry stopped")
		}
	})
	others.Go(func() { _ = c.Renewer.Run(ctx) }) // ends with ctx, never with an error
	others.Go(func() { c.lookAgain(ctx, g) })
	_ = c.Uplink.Run(ctx) // likewise
	stopLink()
	others.Wait()
}

const (
	// WarnBefore is how long before something ends somebody is told.
	WarnBefore = 30 * 24 * time.Hour
	// serverEvery is how often the registry's certificate is looked at anew while it is
	// said to end. A connection lasts for months, and sees it only at its beginning. A
	// look takes 5 KB: one an hour would be a quarter of what an idle month may take.
	serverEvery = 24 * time.Hour
)

// lookAgain looks at the registry's certificate anew while this gateway says that it
// ends, until ctx ends: what is said is over once it was renewed.
func (c *Central) lookAgain(ctx context.Context, g *Gateway) {
	tick := time.NewTicker(serverEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		server, now := c.server.Load(), g.Clock.Read()
		if server == nil || !now.Trusted || server.NotAfter.Sub(now.Wall) > WarnBefore {
			continue
		}
		if err := c.Link.Look(ctx); err != nil && ctx.Err() == nil {
			g.o.Log.Debug().Err(err).Msg("the registry's certificate could not be looked at; its end is said on")
		}
	}
}
