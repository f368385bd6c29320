package server

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

// endingProblems name what ends within a month, as far as the clock can tell:
// nothing ends unseen.
func endingProblems(g *gateway.Gateway) (list []string) {
	now := g.Clock.Read()
	c, reg := g.Central, g.Keyring.Keys.Registry()
	if c == nil || c.Err != nil || reg == nil || !now.Trusted {
		return nil
	}
	add := func(what string, until time.Time, todo string) {
		if text := ending(what, until, now.Wall, todo); text != "" {
			list = append(list, text)
		}
	}
	if until, err := c.Renewer.Expires(); err == nil {
		todo := "it renews itself, and could not so far"
		if why := c.Renewer.Err(); why != nil {
			todo += ": " + oneLine(why)
		}
		add("this gateway's certificate", until, todo+". Check that "+reg.Enrol+" can be reached from here")
	}
	if server := c.Server(); server != nil {
		add("the registry's certificate", server.NotAfter, "its operator runs registryd renew-server; over, it keeps every gateway out whose clock is right, from its next connect on")
	}
	if ca := reg.Trust.LastCA(); ca != nil {
		todo := "its operator runs registryd trust new --replace ca in time"
		if !now.Wall.Before(ca.NotAfter) {
			todo = "nothing that the registry says now can be believed here. Its operator makes a token (registryd gateway add --replace), and gatehouse enrol with an empty directory of keys makes this gateway known to it again"
		}
		add(fmt.Sprintf("the registry's CA %q", ca.Subject.CommonName), ca.NotAfter, todo)
	}
	return list
}

// ending says that something is over, or soon is; nothing while there is time.
func ending(what string, until, now time.Time, todo string) string {
	at := calendar.Minute(until, time.UTC)
	switch left := until.Sub(now); {
	case left > gateway.WarnBefore:
		return ""
	case left <= 0:
		return fmt.Sprintf("%s is over since %s: %s", what, at, todo)
	default:
		return fmt.Sprintf("%s is over at %s, in %s: %s", what, at, amount.Of(int(left/(24*time.Hour)), "day"), todo)
	}
}

// certificateProblem says which certificate keeps the link down: that is known
// at the first try, and does not pass by itself.
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

// refusalProblems say what of the registry's is not taken here, and what its
// operator does about it.
func refusalProblems(g *gateway.Gateway, u *control.Uplink, s uplink.Status) (list []string) {
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
			list = append(list, fmt.Sprintf("list %d of the registry takes something from too many tenancies at once, and is refused until a second issuer has signed it: its operator runs registryd lists --building %s, which says from whom, and the registryd countersign line that it shows if that is meant",
				u.List, g.Site.Building))
		case r.Type == wire.TypeList:
			list = append(list, fmt.Sprintf("list %d of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", u.List, r.Reason))
		case r.Type == wire.TypeTrust, r.Type == wire.TypeHouse:
			list = append(list, fmt.Sprintf("a %s document of the registry is refused here (%s): its operator looks at registryd status and registryd alarms", r.Type, r.Reason))
		}
	}
	return list
}
