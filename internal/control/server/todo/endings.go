package todo

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// endingProblems returns what ends within a month, as far as the clock can tell, so that nothing
// ends unseen.
func endingProblems(g *gateway.Gateway) (list toDo) {
	now := g.Clock.Read()
	c, reg := g.Central, g.Keyring.Keys.Registry()
	if c == nil || c.Err != nil || reg == nil || !now.Trusted {
		return nil
	}
	add := func(code, what string, until time.Time, todo string) {
		if text := ending(what, until.In(g.Site.Zone()), now.Wall, todo); text != "" {
			list.add(code, "", "%s", text)
		}
	}
	if until, err := c.Renewer.Expires(); err == nil {
		todo := "it renews itself, and could not so far"
		if why := c.Renewer.Err(); why != nil {
			todo += ": " + oneLine(why)
		}
		add("certificate_ends", "this gateway's certificate", until, todo+". Check that "+reg.Enrol+" can be reached from here")
	}
	if server := c.Server(); server != nil {
		add("registry_certificate_ends", "the registry's certificate", server.NotAfter, "its operator runs registryd renew-server; over, it keeps every gateway out whose clock is right, from its next connect on")
	}
	if ca := reg.Trust.LastCA(); ca != nil {
		todo := "its operator runs registryd trust new --replace ca in time"
		if !now.Wall.Before(ca.NotAfter) {
			todo = "nothing that the registry says now can be believed here: " + enrolAgain(g) + ", then start the daemon again; all files of its keys stay where they are"
		}
		add("registry_ca_ends", fmt.Sprintf("the registry's CA %q", ca.Subject.CommonName), ca.NotAfter, todo)
	}
	return list
}

// ending says that something is over, or soon will be; empty while there is time.
func ending(what string, until, now time.Time, todo string) string {
	at := calendar.Minute(until, until.Location())
	switch left := until.Sub(now); {
	case left > gateway.WarnBefore:
		return ""
	case left <= 0:
		return fmt.Sprintf("%s is over since %s: %s", what, at, todo)
	default:
		return fmt.Sprintf("%s is over at %s, in %s: %s", what, at, amount.Of(int(left/(24*time.Hour)), "day"), todo)
	}
}

// certificateProblems returns the certificate that keeps the link down, which is known at the first
// try, and does not pass by itself.
func certificateProblems(c *gateway.Central, l mqtt.Status) (list toDo) {
	switch l.Cause {
	case mqtt.CauseOurCertificate:
		advice := l.Advice
		if err := c.Renewer.Err(); err != nil {
			advice += ". That failed: " + oneLine(err)
		}
		list.add("certificate_refused", "", "the registry's broker refuses this gateway's certificate: %s. %s", advice, entriesWait)
	case mqtt.CauseTheirCertificate:
		list.add("registry_certificate_refused", "", "the registry's broker can't be believed: %s. %s", l.Advice, entriesWait)
	}
	return list
}

// refusalProblems returns what of the registry's is refused here, and what its operator can do
// about it.
func refusalProblems(g *gateway.Gateway, u *control.Uplink, s uplink.Status) (list toDo) {
	var newer bool // it has a line of its own
	if g.Keyring != nil {
		refusal := g.Keyring.Status().Refusal
		newer = refusal != nil && errors.Is(refusal.Why, signedlist.ErrNewerFormat)
	}
	for _, r := range s.Refusals {
		switch {
		case r.Type == wire.TypeList && s.Withheld.IsZero():
		case r.Type == wire.TypeList && r.Reason == wire.ReasonMalformed && newer:
		case r.Type == wire.TypeList && r.Reason == wire.ReasonSecondNeeded:
			list.add("list_refused_second", "", "list %d of the registry takes something from too many tenancies at once, and is refused until a second issuer has signed it: its operator runs registryd lists --building %s, which says from whom, and the registryd countersign line that it shows if that is meant",
				u.List, g.Site.Building)
		case r.Type == wire.TypeList:
			list.add("list_refused", "", "list %d of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", u.List, r.Reason)
		case r.Type == wire.TypeTrust, r.Type == wire.TypeHouse:
			list.add("document_refused", "", "a %s document of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", r.Type, r.Reason)
		}
	}
	return list
}
