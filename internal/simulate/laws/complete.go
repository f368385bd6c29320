package laws

import (
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// Entries is law W3: what was confirmed is there, once. It keeps the entries that were
// seen at each gateway.
type Entries struct {
	seen map[string]map[testbed.Spot]noted
}

// noted is an entry that was seen.
type noted struct {
	kind, why string
	at        time.Duration
}

// NewEntries is that of a house in which nothing was entered.
func NewEntries() *Entries { return &Entries{map[string]map[testbed.Spot]noted{}} }

// Forget forgets the entries of a gateway, which has become another machine. What they told
// of a loss was shown.
func (e *Entries) Forget(gateway string, s *Shown) {
	e.show(gateway, s)
	delete(e.seen, gateway)
}

// Note notes the entries that a gateway has at a moment since the beginning, and returns
// those that were not seen before.
func (e *Entries) Note(gateway string, all []testbed.Entry, now time.Duration) (fresh []testbed.Entry) {
	if e.seen[gateway] == nil {
		e.seen[gateway] = map[testbed.Spot]noted{}
	}
	for _, one := range all {
		if _, again := e.seen[gateway][one.At]; !again {
			fresh = append(fresh, one)
			e.seen[gateway][one.At] = noted{one.Kind, one.Why, now}
		}
	}
	return fresh
}

// Show lets law W5 know of entries that tell of a loss.
func (e *Entries) Show(s *Shown) {
	for gateway := range e.seen {
		e.show(gateway, s)
	}
}

func (e *Entries) show(gateway string, s *Shown) {
	for _, one := range e.seen[gateway] {
		if one.kind == "damaged" || one.kind == "gap" {
			s.Says(one.at, "%s has an entry %s %s", gateway, one.kind, one.why)
		}
	}
}

// missingKinds are entries that say that some are gone.
var missingKinds = []string{"gap", "damaged", "epoch"}

// Judge holds what was seen at a gateway against how often the registry has it. Where some
// is missing an entry has to say so, or an alarm.
func (e *Entries) Judge(gateway string, have map[testbed.Spot]int, alarmed func() bool, r *report.Report) {
	missing, twice, said := 0, 0, false
	for at, one := range e.seen[gateway] {
		switch n := have[at]; {
		case n > 1:
			twice++
		case n == 0:
			missing++
		}
		said = said || slices.Contains(missingKinds, one.kind) && at.N > 0
	}
	if twice > 0 {
		r.Breach("W3", "%s of %s at the registry twice", amount.Of(twice, "entry"), gateway)
	}
	if missing > 0 && !said && !alarmed() {
		r.Breach("W3", "%s of %s nowhere, and nothing says so", amount.Of(missing, "entry"), gateway)
	}
}
