package server

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/enrol"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/mqtt"
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

// shownLink is the uplink's state for an owner: entries on their way would tell that somebody has just come in.
func shownLink(s uplink.State) uplink.State {
	if s == uplink.StateSending {
		return uplink.StateInStep
	}
	return s
}

// shownAlarm is a status without an alarm of entries alone, which would tell that somebody has come in since.
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
func uplinkProblems(g *gateway.Gateway, u *control.Uplink) (list problems) {
	if u == nil || errors.Is(g.Central.Err, gateway.ErrNoKey) { // its own line says what to do
		return nil
	}
	if err := g.Central.Err; err != nil {
		list.add("no way to the registry (%v): run gatehouse enrol and start the daemon again, or set registry = \"none\" in the site file", err)
		return list
	}
	s := shownAlarm(g.Central.Uplink.Status())
	if problem := silenceProblem(g, u, s); problem != "" {
		list = append(list, problem)
	}
	refusals := refusalProblems(g, u, s)
	list = append(list, refusals...)
	if !s.Withheld.IsZero() && time.Since(s.Withheld) > withheldAfter && len(refusals) == 0 {
		list.add("the registry has list %d of the grants, here list %d is active, and the newer one does not come: ask its operator", u.List, u.InForce)
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
		return fmt.Sprintf("the registry's broker can't be reached: %s. %s", cmp.Or(u.Link, "check the network"), waits)
	case s.Problem == wire.ReasonNoAnswer:
		return "the registry does not confirm what is sent to it: it may be down, the broker's access list may drop the messages of this gateway, or the gateway was taken out of the building: ask its operator. " + waits
	case s.Problem == wire.ReasonAhead, s.Problem == wire.ReasonOtherRoot:
		return "the registry has another copy of this gateway's log: an older image of its card was put back. The log goes on in a new epoch; find out who did it"
	}
	return ""
}

// endingProblems name what ends within a month, as far as the clock can tell:
// nothing ends unseen.
func endingProblems(g *gateway.Gateway) (list problems) {
	now := g.Clock.Read()
	c, reg := g.Central, g.Keyring.Keys.Registry()
	if c == nil || c.Err != nil || reg == nil || !now.Trusted {
		return nil
	}
	if until, err := c.Renewer.Expires(); err == nil {
		todo := "it renews itself, and could not so far"
		if why := c.Renewer.Err(); why != nil {
			todo += ": " + oneLine(why)
		}
		list.ending("this gateway's certificate", until, now.Wall, todo+". Check that "+reg.Enrol+" can be reached from here")
	}
	if server := c.Server(); server != nil {
		list.ending("the registry's certificate", server.NotAfter, now.Wall, "its operator runs registryd renew-server; over, it keeps every gateway out whose clock is right, from its next connect on")
	}
	if ca := reg.Trust.LastCA(); ca != nil {
		todo := "its operator runs registryd trust new --replace ca in time"
		if !now.Wall.Before(ca.NotAfter) {
			todo = "nothing that the registry says now can be believed here: " + enrolAgain(g) + ", then start the daemon again; all files of its keys stay where they are"
		}
		list.ending(fmt.Sprintf("the registry's CA %q", ca.Subject.CommonName), ca.NotAfter, now.Wall, todo)
	}
	return list
}

// ending says that something is over, or soon is; nothing while there is time.
func (p *problems) ending(what string, until, now time.Time, todo string) {
	at := calendar.Minute(until, time.UTC)
	switch left := until.Sub(now); {
	case left <= 0:
		p.add("%s is over since %s: %s", what, at, todo)
	case left <= gateway.WarnBefore:
		p.add("%s is over at %s, in %s: %s", what, at, amount.Of(int(left/(24*time.Hour)), "day"), todo)
	}
}

// certificateProblem says which certificate keeps the link down; that does not pass by itself.
func certificateProblem(c *gateway.Central, l mqtt.Status) string {
	switch l.Cause {
	case mqtt.CauseOurCertificate:
		text := "the registry's broker refuses this gateway's certificate: " + l.Advice
		if err := c.Renewer.Err(); err != nil {
			text += ". That failed: " + oneLine(err)
		}
		return text
	case mqtt.CauseTheirCertificate:
		return "the registry's broker can't be believed: " + l.Advice
	}
	return ""
}

// refusalProblems say what of the registry's is not taken here, and what its operator does about it.
func refusalProblems(g *gateway.Gateway, u *control.Uplink, s uplink.Status) (list problems) {
	var newer bool // its own line says what to do
	if g.Keyring != nil {
		refusal := g.Keyring.Status().Refusal
		newer = refusal != nil && errors.Is(refusal.Why, signedlist.ErrNewerFormat)
	}
	for _, r := range s.Refusals {
		switch {
		case r.Type == wire.TypeList && s.Withheld.IsZero():
		case r.Type == wire.TypeList && r.Reason == wire.ReasonMalformed && newer:
		case r.Type == wire.TypeList && r.Reason == wire.ReasonSecondNeeded:
			list.add("list %d of the registry takes something from too many tenancies at once, and is refused until a second issuer has signed it: its operator runs registryd lists --building %s, which says from whom, and the registryd countersign line that it shows if that is meant",
				u.List, g.Site.Building)
		case r.Type == wire.TypeList:
			list.add("list %d of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", u.List, r.Reason)
		case r.Type == wire.TypeTrust, r.Type == wire.TypeHouse:
			list.add("a %s document of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", r.Type, r.Reason)
		}
	}
	return list
}
