package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/backoff"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/takeover"
	"gatehouse/internal/control/server/todo"
	"gatehouse/internal/gateway"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/uplink"
)

// report makes the status of the gateway.
type report struct {
	*gateway.Gateway
	book    *acceptance.Book
	version string
	started time.Time
	since   *todo.Since
}

func (g report) getStatus(_ *http.Request, _ socket.None) (any, error) {
	g.PollClock() // it may have jumped a moment ago
	keys, zone := g.Keyring.Status(), g.Site.Zone()
	s := control.Status{
		Building: g.Site.Building, Gateway: g.Site.Gateway, Registry: site.NoRegistry, Uplink: uplinkStatus(g.Gateway),
		Version: g.version, Started: g.started.In(zone), Initialised: keys.HasKey && keys.Issuers > 0,
		Clock: clockStatus(g.Gateway), Journal: journalStatus(g.Gateway), Grants: grantsStatus(keys, zone), Fire: fireStatus(g.Gateway),
		Listening: takeover.Status(g.Gateway),
	}
	for _, d := range g.Doors {
		s.Doors = append(s.Doors, doorStatus(d))
	}
	if s.Uplink != nil {
		s.Registry = s.Uplink.Registry
	}
	s.ToDo, s.Problems = todo.Of(g.Gateway, s, g.book)
	now := g.Clock.Read()
	now.Wall = now.Wall.In(zone)
	g.since.Mark(s.ToDo, now)
	return s, nil
}

// watch computes the list of things to do periodically until ctx ends, so that it is known since
// when each is there although nobody asks.
func (g report) watch(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		_, _ = g.getStatus(nil, socket.None{}) // it never fails
		backoff.Sleep(ctx, every)
	}
}

func journalStatus(g *gateway.Gateway) control.Journal {
	s := g.Journal.Status()
	j := control.Journal{Epoch: fmt.Sprintf("%016x", s.Epoch), WhoDays: int(gateway.Periods(g).Whos)}
	if s.Degraded && !s.Passing {
		j.Degraded = fmt.Sprintf("%s (%s)", s.Reason, s.Problem)
	}
	return j
}

// getSetup answers that there is nothing to set up; package setup answers where there is.
func getSetup(*http.Request, socket.None) (control.Setup, error) {
	return control.Setup{State: control.SetupHouse}, nil
}

// uplinkStatus returns nil where there is no registry.
func uplinkStatus(g *gateway.Gateway) *control.Uplink {
	c := g.Central
	if c == nil {
		return nil
	}
	out := &control.Uplink{Broker: c.Broker, State: "not enrolled"}
	if reg := g.Keyring.Keys.Registry(); reg != nil {
		out.Registry, out.District, out.Town = reg.Name, reg.Place.District, reg.Place.Town
	}
	if c.Err != nil {
		return out
	}
	s := todo.Shown(c.Uplink.Status())
	out.State, out.Records, out.Refused = string(shownLink(s.State)), s.Records, s.Refused
	out.List, out.Active = s.List, g.Keyring.Status().Version
	out.Epoch = fmt.Sprintf("%016x", s.Stored.Epoch)
	out.Problem = s.Problem.String()
	if !s.Withheld.IsZero() {
		out.Waiting = new(s.Withheld.In(g.Site.Zone()))
	}
	l := c.Link.Status()
	if s.State == uplink.StateDown && l.Err != nil {
		out.Link = l.Advice
	}
	if l.Address != "" {
		out.Broker = "mqtts://" + l.Address
	}
	return out
}

// shownLink returns the uplink's state for an owner: entries on their way would show that somebody
// has just come in.
func shownLink(s uplink.State) uplink.State {
	if s == uplink.StateSending {
		return uplink.StateInStep
	}
	return s
}
