package server

import (
	"fmt"

	"gatehouse/internal/control"
	"gatehouse/internal/control/server/todo"
	"gatehouse/internal/gateway"
	"gatehouse/sync/uplink"
)

// uplinkStatus is nil where there is no registry.
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
		out.Waiting = &s.Withheld
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

// shownLink is the uplink's state for an owner: entries on their way would tell that somebody has just come in.
func shownLink(s uplink.State) uplink.State {
	if s == uplink.StateSending {
		return uplink.StateInStep
	}
	return s
}
