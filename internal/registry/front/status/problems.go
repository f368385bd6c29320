package status

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/sync/wire"
)

// Limits of problems of gateways.
const (
	maxNamed    = 8               // most gateways that are named for one problem
	strangerFor = 5 * time.Minute // a machine without an answer sends a hello every minute
	shortAfter  = 5 * time.Minute // a gateway's entries may still be on their way
	wrongAfter  = time.Hour       // clocks may differ by less
)

// problems returns what is wrong, each with what to do.
func (p *Page) problems(s api.Status) []string {
	lines := []string{}
	if advice := p.Clock.Report().Advice(); advice != "" {
		lines = append(lines, advice)
	}
	if !s.Linked {
		lines = append(lines, "the broker can't be reached: look at its log, and at broker in the configuration")
	}
	if p.Active.Load().Witness == nil {
		lines = append(lines, "the trust document does not name this front's witness key, so no gateway believes it: hand in one that does")
	}
	if !s.Issuer {
		lines = append(lines, "no issuer asks for work: start registryd issue; where it runs, registryd issuer says why")
	}
	lines = append(lines, p.Room.lines(s)...)
	lines = append(lines, p.Endings.Lines()...)
	lines = append(lines, p.ofGateways()...)
	if since, failed := p.Committer.Failing(); since > 0 {
		lines = append(lines, fmt.Sprintf("no message can be stored since %s (%d since start): look at the disk and the log, and make room; the gateways send them again",
			calendar.Minute(time.Unix(since, 0), time.UTC), failed))
	}
	return lines
}

// ofGateways returns the problems of gateways, by kind.
func (p *Page) ofGateways() []string {
	now := p.Now()
	at, doubt := p.Clock.Now()
	var refusals, floors, short, strangers []string
	add := func(to *[]string, line string) {
		if line != "" {
			*to = append(*to, line)
		}
	}
	for _, g := range p.Roster.Gateways() {
		of := p.Roster.Look(g)
		if !of.Member {
			continue
		}
		add(&refusals, p.tooOld(of))
		add(&refusals, refusal(of))
		if doubt == agreed.None { // else the line of the clock comes first
			add(&floors, wrongFloor(of, at))
		}
		add(&short, p.short(g, of, now))
		if !of.Stranger.IsZero() && now.Sub(of.Stranger) < strangerFor {
			add(&strangers, fmt.Sprintf("somebody speaks as gateway %s with a key that is not its key, or is no more: the machine that was replaced, or an old copy of its card. "+
				"If that is the machine that shall serve, move all in its directory of keys but building.key away and enrol it anew (registryd gateway add --replace, and gatehouse enrol there); else switch it off", g.Address()))
		}
	}
	const and = "and %s more: registryd gateways"
	return slices.Concat(limited(refusals, and), limited(floors, "such a time was signed to %s more"), limited(short, and), limited(strangers, and))
}

// limited returns the first lines about gateways, and a line with the number of the others.
func limited(lines []string, rest string) []string {
	slices.Sort(lines)
	if more := len(lines) - maxNamed; more > 0 {
		lines = append(lines[:maxNamed], fmt.Sprintf(rest, amount.Of(more, "gateway")))
	}
	return lines
}

// tooOld reports a gateway that has something unknown here and can't be asked for it.
func (p *Page) tooOld(g roster.State) string {
	if !g.View.TooOld || !p.Roster.CaughtUp(g.Building) {
		return ""
	}
	return fmt.Sprintf("gateway %s has list %d and house document %d, which this registry does not know, and is too old to be asked for them: "+
		"until its program is a newer one, or a newer gateway of the building has handed over the same, it takes no list of ours, and what was revoked since the backup is not known here: "+
		"update it, or revoke that again", g.Place.Address(), g.View.Hello.List, g.View.Hello.House)
}

// refusal reports a gateway that does not use the newest list of its building.
func refusal(g roster.State) string {
	what := "registryd gateways --building " + g.Place.Building + " shows what it has"
	switch g.View.Refuses {
	case wire.ReasonNone:
		return ""
	case wire.ReasonSecondNeeded:
		what = "registryd lists --building " + g.Place.Building + " shows whether another issuer is to sign"
	case wire.ReasonUnproved:
		what = "it hands over its own, and the next list follows that; registryd status tells what came of it"
	case wire.ReasonGivenBack:
		what = "what was ended stays ended; registryd reinstate makes new grants"
	}
	return fmt.Sprintf("gateway %s does not take list %d whole (%s): %s", g.Place.Address(), g.Building.List.Version, g.View.Refuses, what)
}

// wrongFloor reports a gateway to which a future time was signed.
func wrongFloor(g roster.State, now time.Time) string {
	floor := g.View.Hello.Floor
	at := time.Unix(int64(floor.Unix), 0)
	switch {
	case floor.Unix == 0 || at.Sub(now) < wrongAfter:
		return ""
	case g.Undo.Floor == floor:
		return fmt.Sprintf("gateway %s still goes by the time %s, which two issuers have taken back: it hears of that when it connects",
			g.Place.Address(), calendar.Minute(at, time.UTC))
	}
	return fmt.Sprintf("gateway %s was signed the time %s, which has not come: where nothing else tells the time it goes by that: registryd clock undo %s %s --key second.key",
		g.Place.Address(), calendar.Minute(at, time.UTC), g.Place.Building, g.Place.Gateway)
}

// short reports an online gateway whose entries do not arrive. The owner is not told: that would
// show that somebody came in. If the gateway was asked to wait, alarms say why.
func (p *Page) short(g *roster.Gateway, of roster.State, now time.Time) string {
	since := p.Committer.Short(g, now)
	if !of.View.Online || since.IsZero() || now.Sub(since) <= shortAfter {
		return ""
	}
	return fmt.Sprintf("gateway %s says since %s that it has entries which do not come, and its other messages do (registryd gateways, BEHIND): "+
		"look at what the broker does with its topic %s", g.Address(), calendar.Minute(since, time.UTC), of.Place.Up(wire.TypeBatch))
}
