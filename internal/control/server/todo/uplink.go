package todo

import (
	"errors"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// Shown returns a status without an alarm that entries alone have raised: it would reveal that
// somebody has come in since.
func Shown(s uplink.Status) uplink.Status {
	if s.Quiet {
		s.Problem = wire.ReasonNone
	}
	return s
}

// withheldAfter is how long a list may be on its way.
const withheldAfter = 5 * time.Minute

// uplinkProblems returns the problems of the registry. Its absence is no problem of the doors, as
// each says.
func uplinkProblems(g *gateway.Gateway, u *control.Uplink) (list toDo) {
	if u == nil {
		return nil
	}
	if errors.Is(g.Central.Err, gateway.ErrNoKey) {
		return nil // it has a line of its own
	}
	if err := g.Central.Err; err != nil {
		list.add("not_enrolled", "", "no way to the registry (%v): run gatehouse enrol and start the daemon again, or set registry = \"none\" in the site file", err)
		return list
	}
	s := Shown(g.Central.Uplink.Status())
	list = append(list, silenceProblem(g, u, s)...)
	refusals := refusalProblems(g, u, s)
	list = append(list, refusals...)
	if !s.Withheld.IsZero() && time.Since(s.Withheld) > withheldAfter && len(refusals) == 0 {
		list.add("list_withheld", "", "the registry has list %d of the grants, here list %d is active, and the newer one does not come: ask its operator", u.List, u.Active)
	}
	return list
}

// entriesWait is the state of the log while nobody receives it.
const entriesWait = "Doors go on, entries wait here"

// silenceProblem says why the registry does not confirm what it is sent; empty: it does.
func silenceProblem(g *gateway.Gateway, u *control.Uplink, s uplink.Status) (list toDo) {
	if s.State == uplink.StateDown {
		list = certificateProblems(g.Central, g.Central.Link.Status())
	}
	switch {
	case len(list) > 0:
	case s.State == uplink.StateDown && errors.Join(enrol.ClientFiles(g.Site.Path("keys"))) != nil: // it has a line of its own
	case s.Problem == wire.ReasonNoLink || s.State == uplink.StateDown && time.Since(s.Since) > 10*time.Minute:
		list.add("registry_unreachable", "", "the registry's broker can't be reached: %s. %s", or(u.Link, "check the network"), entriesWait)
	case s.Problem == wire.ReasonNoAnswer:
		list.add("registry_silent", "", "the registry does not confirm what is sent to it: it may be down, the broker's access list may drop the messages of this gateway, or the gateway was taken out of the building: ask its operator. "+entriesWait)
	case s.Problem == wire.ReasonAhead, s.Problem == wire.ReasonOtherRoot:
		list.add("registry_other_log", "", "the registry has another copy of this gateway's log: an older image of its card was put back. The log goes on in a new epoch; find out who did it")
	}
	return list
}
