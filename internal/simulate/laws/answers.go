package laws

import (
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// Answers is law W9: no answer under a mandate without its audit entry, also where an older copy of the registry's database
// was put back. It keeps what was handed out.
type Answers struct{ given []given }

// given is an answer that somebody has.
type given struct {
	frontdb.Answer
	at    time.Duration
	entry *testbed.Spot // in the gateway's log; nil: the registry gave it
}

// OnSite notes an answer of a gateway. The entry is the one that lies on its disk now.
func (a *Answers) OnSite(answer frontdb.Answer, entry *testbed.Spot, now time.Duration, r *report.Report) {
	if entry == nil {
		r.Breach("W9", "%s has answered a mandate, and on its disk nothing says so", answer.Gateway)
		return
	}
	a.given = append(a.given, given{answer, now, entry})
}

// Central notes an answer of the registry.
func (a *Answers) Central(answer frontdb.Answer, there frontdb.Stored, now time.Duration, r *report.Report) {
	a.given = append(a.given, given{Answer: answer, at: now})
	a.stored(there, r)
}

// stored holds the registry's answers against what it has written down.
func (a *Answers) stored(there frontdb.Stored, r *report.Report) {
	for _, g := range a.given {
		if g.entry == nil && !there.Answers[g.Answer] {
			r.Breach("W9", "the registry has answered a mandate for %s, and in its database nothing says so", g.Gateway)
		}
	}
}

// Judge looks, at the end, for the entry of every answer at the registry. Where a gateway has lost entries, something says so: laws W3 and W5.
func (a *Answers) Judge(have map[string]map[testbed.Spot]int, there frontdb.Stored, lost func(gateway string) bool, r *report.Report) {
	for _, g := range a.given {
		if g.entry != nil && have[g.Gateway][*g.entry] == 0 && !lost(g.Gateway) {
			r.Breach("W9", "%s has answered a mandate, and the entry of it is nowhere", g.Gateway)
		}
	}
	a.stored(there, r)
	if len(a.given) > 0 {
		r.Say("%s under mandates, each with its entry", amount.Of(len(a.given), "answer"))
	}
}
