package gateway

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/enrol"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// Link is the way to the registry's broker; *mqtt.Link is one.
type Link interface {
	uplink.Link
	Run(ctx context.Context) error
	Status() mqtt.Status
}

// central is what a gateway has of its registry: nothing at the doors waits for
// any of it.
type central struct {
	broker  string
	link    Link
	uplink  *uplink.Uplink
	renewer *enrol.Renewer
	server  atomic.Pointer[x509.Certificate] // of the broker, when it was good last; nil: not seen yet
	err     error                            // why there is no uplink although there should be one
}

// hasRegistry says whether entries are to go to a registry.
func (g *Gateway) hasRegistry() bool {
	return g.o.Site.Registry != site.NoRegistry && (g.o.Site.Registry != "" || g.keyring.Registry() != nil)
}

// openRegistry makes the way to the registry that the gateway is enrolled with.
// Nothing that is wrong with it is the doors' business.
func (g *Gateway) openRegistry() {
	if !g.hasRegistry() {
		return
	}
	c := &central{}
	g.central = c
	if c.err = g.makeUplink(c); c.err != nil {
		g.o.Log.Error().Err(c.err).Msg("no uplink to the registry; entries wait here")
	}
}

func (g *Gateway) makeUplink(c *central) error {
	reg := g.keyring.Registry()
	switch {
	case reg == nil:
		return errors.New("this gateway is not enrolled")
	case g.gatewayKey == nil:
		return errors.New("the gateway's own key can't be read")
	}
	c.broker = g.o.Site.Registry
	if c.broker == "" {
		c.broker = "mqtts://" + reg.Broker
	}
	dir := g.o.Site.Path("keys")
	trusted := func() bool { return g.clock.read().trusted }
	c.renewer = enrol.NewRenewer(enrol.RenewerOptions{Dir: dir, Now: g.clock.now, Trusted: trusted,
		Network: g.o.Network, Renewed: c.again, Log: g.o.Log, Chance: g.o.Chance})
	judge := enrol.Broker{Dir: dir, Now: g.clock.now, Trusted: trusted, Seen: c.seen}
	config := mqtt.Config{Broker: c.broker, Others: g.otherBrokers, TLS: judge.TLS, Refused: c.renewer.Soon,
		Subscribe: []string{reg.Place.Down("+"), reg.Place.House("+")}, Log: g.o.Log,
		Will: func() mqtt.Message { return c.uplink.Will() }}
	var err error
	if c.link, err = g.dial(config); err != nil {
		return err
	}
	c.uplink, err = uplink.New(uplink.Options{Link: c.link, Journal: g.journal, Keyring: g.keyring, Records: records{g.desk},
		Key: g.gatewayKey, Clock: g.clock.stamp, Fresh: g.clock.hear, TakeBack: g.clock.undo, Checkpoint: g.o.Site.Path("journal", "checkpoint"), Software: software(g.o.Version), Zone: g.o.Site.TimeZone, Formats: g.o.Formats, Spread: c.spread, Log: g.o.Log,
		Chance: g.o.Chance, Gather: g.o.Cadence.Gather})
	return err
}

// otherBrokers are further addresses of the broker. A site file that names one
// means that one.
func (g *Gateway) otherBrokers() []string {
	if g.o.Site.Registry != "" {
		return nil
	}
	a, err := enrol.LoadAddresses(g.o.Site.Path("keys"))
	if err != nil {
		g.o.Log.Error().Err(err).Msg("the addresses of the registry can't be read; the one of enrolment is used")
		return nil
	}
	return a.Broker
}

// again wakes a link that waits: the certificate is a new one.
func (c *central) again() {
	if l, ok := c.link.(interface{ Again() }); ok {
		l.Again()
	}
}

// spread passes on what the registry wishes for the next reconnect.
func (c *central) spread(d time.Duration) {
	if l, ok := c.link.(interface{ Spread(time.Duration) }); ok {
		l.Spread(d)
	}
}

// seen keeps the broker's certificate, whose end is shown.
func (c *central) seen(server *x509.Certificate) { c.server.Store(server) }

func (g *Gateway) dial(c mqtt.Config) (Link, error) {
	if g.o.Dial != nil {
		return g.o.Dial(c)
	}
	return mqtt.New(c)
}

// software cuts a version to what a hello holds.
func software(version string) string { return version[:min(len(version), 64)] }

// run talks to the registry until ctx ends; the link ends last, so that the
// broker hears a goodbye.
func (c *central) run(ctx context.Context, g *Gateway) {
	if c == nil || c.err != nil {
		return
	}
	linkCtx, stopLink := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLink()
	var others sync.WaitGroup
	others.Go(func() {
		if err := c.link.Run(linkCtx); err != nil {
			g.o.Log.Error().Err(err).Msg("link to the registry stopped")
		}
	})
	others.Go(func() { _ = c.renewer.Run(ctx) }) // ends with ctx, never with an error
	others.Go(func() { c.lookAgain(ctx, g) })
	_ = c.uplink.Run(ctx) // likewise
	stopLink()
	others.Wait()
}

// records is the desk as the uplink sees it.
type records struct{ *desk.Desk }

// Pending returns the desk's records that are not at the registry yet.
func (r records) Pending() (all []uplink.Pending) {
	for _, p := range r.Desk.Pending() {
		all = append(all, uplink.Pending{Line: p.Line, Number: p.Number, Envelope: p.Envelope, Person: p.Person})
	}
	return all
}

// uplinkStatus is nil where there is no registry.
func (g *Gateway) uplinkStatus() *control.Uplink {
	c := g.central
	if c == nil {
		return nil
	}
	out := &control.Uplink{Broker: c.broker, State: "not enrolled"}
	if reg := g.keyring.Registry(); reg != nil {
		out.Registry, out.District, out.Town = reg.Name, reg.Place.District, reg.Place.Town
	}
	if c.err != nil {
		return out
	}
	s := shownAlarm(c.uplink.Status())
	out.State, out.Records, out.Refused = string(shownLink(s.State)), s.Records, s.Refused
	out.List, out.InForce = s.List, g.keyring.Status().Version
	out.Epoch = fmt.Sprintf("%016x", s.Stored.Epoch)
	out.Problem = s.Problem.String()
	if !s.Withheld.IsZero() {
		out.Waiting = &s.Withheld
	}
	l := c.link.Status()
	if s.State == uplink.StateDown && l.Err != nil {
		out.Link = l.Advice
	}
	if l.Address != "" {
		out.Broker = "mqtts://" + l.Address
	}
	return out
}

// shownLink is the state of the uplink as an owner sees it. That entries are on
// their way would tell that somebody has just come in.
func shownLink(s uplink.State) uplink.State {
	if s == uplink.StateSending {
		return uplink.StateInStep
	}
	return s
}

// shownAlarm is a status without an alarm that came of entries alone: it would tell
// that somebody has come in since.
func shownAlarm(s uplink.Status) uplink.Status {
	if s.Quiet {
		s.Problem = wire.ReasonNone
	}
	return s
}

// withheldAfter is how long a list may be on its way.
const withheldAfter = 5 * time.Minute

// uplinkProblems says what somebody should do about the registry. That it is
// away is no problem of the doors', and each says so.
func (g *Gateway) uplinkProblems(u *control.Uplink) (list []string) {
	if u == nil {
		return nil
	}
	if g.gatewayKey == nil && g.keyring.Registry() != nil {
		return nil // its own line says what to do
	}
	if err := g.central.err; err != nil {
		return []string{fmt.Sprintf("no way to the registry (%v): run gatehouse enrol and start the daemon again, or set registry = \"none\" in the site file", err)}
	}
	s := shownAlarm(g.central.uplink.Status())
	const waits = "Doors go on, entries wait here"
	link := g.central.link.Status()
	refused := ""
	if s.State == uplink.StateDown {
		refused = g.central.certificateProblem(link)
	}
	switch {
	case refused != "":
		list = append(list, refused+". "+waits)
	case s.State == uplink.StateDown && errors.Join(enrol.ClientFiles(g.o.Site.Path("keys"))) != nil: // likewise
	case s.Problem == wire.ReasonNoLink || s.State == uplink.StateDown && time.Since(s.Since) > 10*time.Minute:
		list = append(list, fmt.Sprintf("the registry's broker can't be reached: %s. %s", or(u.Link, "check the network"), waits))
	case s.Problem == wire.ReasonNoAnswer:
		list = append(list, "the registry does not confirm what is sent to it: it may be down, the broker's access list may drop the messages of this gateway, or the gateway was taken out of the building: ask its operator. "+waits)
	case s.Problem == wire.ReasonAhead, s.Problem == wire.ReasonOtherRoot:
		list = append(list, "the registry has another copy of this gateway's log: an older image of its card was put back. The log goes on in a new epoch; find out who did it")
	}
	refusals := g.refusalProblems(u, s)
	list = append(list, refusals...)
	if !s.Withheld.IsZero() && time.Since(s.Withheld) > withheldAfter && len(refusals) == 0 {
		list = append(list, fmt.Sprintf("the registry has list %d of the grants, here list %d is in force, and the newer one does not come: ask its operator", u.List, u.InForce))
	}
	return list
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
