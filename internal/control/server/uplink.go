package server

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
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
	s := shownAlarm(c.Uplink.Status())
	out.State, out.Records, out.Refused = string(shownLink(s.State)), s.Records, s.Refused
	out.List, out.InForce = s.List, g.Keyring.Status().Version
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
func uplinkProblems(g *gateway.Gateway, u *control.Uplink) (list []string) {
	if u == nil {
		return nil
	}
	if errors.Is(g.Central.Err, gateway.ErrNoKey) {
		return nil // its own line says what to do
	}
	if err := g.Central.Err; err != nil {
		return []string{fmt.Sprintf("no way to the registry (%v): run gatehouse enrol and start the daemon again, or set registry = \"none\" in the site file", err)}
	}
	s := shownAlarm(g.Central.Uplink.Status())
	if problem := silenceProblem(g, u, s); problem != "" {
		list = append(list, problem)
	}
	refusals := refusalProblems(g, u, s)
	list = append(list, refusals...)
	if !s.Withheld.IsZero() && time.Since(s.Withheld) > withheldAfter && len(refusals) == 0 {
		list = append(list, fmt.Sprintf("the registry has list %d of the grants, here list %d is active, and the newer one does not come: ask its operator", u.List, u.InForce))
	}
	return list
}

// silenceProblem is why the registry does not confirm what it is sent; "": it does.
func silenceProblem(g *gateway.Gateway, u *control.Uplink, s uplink.Status) string {
	const waits = "Doors go on, entries wait here"
	refused := ""
	if s.State == uplink.StateDown {
		refused = certificateProblem(g.Central, g.Central.Link.Status())
	}
	switch {
	case refused != "":
		return refused + ". " + waits
	case s.State == uplink.StateDown && errors.Join(enrol.ClientFiles(g.Site.Path("keys"))) != nil: // its own line says what to do
	case s.Problem == wire.ReasonNoLink || s.State == uplink.StateDown && time.Since(s.Since) > 10*time.Minute:
		return fmt.Sprintf("the registry's broker can't be reached: %s. %s", or(u.Link, "check the network"), waits)
	case s.Problem == wire.ReasonNoAnswer:
		return "the registry does not confirm what is sent to it: it may be down, the broker's access list may drop the messages of this gateway, or the gateway was taken out of the building: ask its operator. " + waits
	case s.Problem == wire.ReasonAhead, s.Problem == wire.ReasonOtherRoot:
		return "the registry has another copy of this gateway's log: an older image of its card was put back. The log goes on in a new epoch; find out who did it"
	}
	return ""
}
