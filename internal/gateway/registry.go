package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/backup/offsite"
	"gatehouse/internal/enrol"
	"gatehouse/internal/forward"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
)

// Central is a gateway's connection to its registry: nothing at the doors waits for any of it.
type Central struct {
	Broker  string
	Link    Link
	Uplink  *uplink.Uplink
	Renewer *enrol.Renewer
	Offsite *offsite.Sender // the backup that the registry keeps
	Err     error           // why there is no uplink although there should be one; the other fields may be nil then
	server  atomic.Pointer[x509.Certificate]
}

// Server returns the newest good certificate of the registry's broker; nil: none was seen yet.
func (c *Central) Server() *x509.Certificate { return c.server.Load() }

// ErrNoKey means that the gateway can't sign its messages.
var ErrNoKey = errors.New("the gateway's own key can't be read")

// hasRegistry reports whether entries are to go to a registry.
func (g *Gateway) hasRegistry() bool {
	return g.Site.Registry != site.NoRegistry && (g.Site.Registry != "" || g.Keyring.Keys.Registry() != nil)
}

// openRegistry sets up the connection to the registry that the gateway is enrolled with. Its faults
// do not concern the doors.
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
	case g.start.key == nil:
		return ErrNoKey
	}
	c.Broker = g.Site.Registry
	if c.Broker == "" {
		c.Broker = "mqtts://" + reg.Broker
	}
	dir := g.Site.Path("keys")
	trusted := func() bool { return g.Clock.Read().Trusted }
	https := enrol.RenewerOptions{Dir: dir, Now: g.Clock.Now, Trusted: trusted,
		Network: g.o.Network, Renewed: func() { c.Link.Again() }, Log: g.o.Log, Chance: g.o.Chance}
	c.Renewer = enrol.NewRenewer(https)
	c.Offsite = offsite.New(offsite.Options{Backups: g.Backup, File: g.Site.Path("backup", "registry.json"), Address: reg.Place.Address(), Key: g.start.key, Now: g.Clock.Now,
		Clear: func() bool { return c.Uplink.Status().State == uplink.StateInStep }, Log: g.o.Log, Chance: g.o.Chance,
		Send: func(ctx context.Context, envelope, data []byte) (bool, error) {
			return enrol.SendSnapshot(ctx, https, envelope, data)
		}})
	judge := enrol.Broker{Dir: dir, Now: g.Clock.Now, Trusted: trusted, Seen: c.server.Store}
	config := mqtt.Config{Broker: c.Broker, Others: g.otherBrokers, TLS: judge.TLS, Refused: c.Renewer.Soon,
		Subscribe: []string{reg.Place.Down("+"), reg.Place.House("+")}, Log: g.o.Log,
		Will: func() mqtt.Message { return c.Uplink.Will() }}
	var err error
	if c.Link, err = g.o.Dial(config); err != nil {
		return err
	}
	c.Uplink, err = uplink.New(uplink.Options{Link: c.Link, Place: reg.Place, Registry: reg.Name, Journal: g.Journal, Keyring: forward.Keyring{Keyring: g.Keyring}, Records: forward.Records{Records: g.Desk.Records},
		Key: g.start.key, Clock: g.Clock.Stamp, Fresh: g.Clock.Hear, TakeBack: g.Clock.Undo, Briefs: g.start.brief.Take, Software: g.o.Version[:min(len(g.o.Version), 64)], Zone: g.Site.TimeZone, Formats: g.o.Formats, Spread: c.Link.Spread, Log: g.o.Log,
		Chance: g.o.Chance, Gather: g.o.Cadence.Gather})
	return err
}

// otherBrokers returns further addresses of the broker; none where the site file names one.
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

// run talks to the registry until ctx ends; the link ends last, so that the broker hears a goodbye.
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
	others.Go(func() { c.Offsite.Run(ctx) })
	_ = c.Uplink.Run(ctx) // likewise
	stopLink()
	others.Wait()
}

const (
	// WarnBefore is how long before an expiry people are warned.
	WarnBefore = 30 * 24 * time.Hour
	// serverEvery is how often the registry's certificate is checked again while a warning about it
	// stands. A connection lasts for months, and sees the certificate only at its beginning. A
	// check takes 5 KB: one an hour would be a quarter of an idle month's traffic.
	serverEvery = 24 * time.Hour
)

// lookAgain checks the registry's certificate again while a warning about it stands, until ctx
// ends, so that the warning ends once it was renewed.
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
