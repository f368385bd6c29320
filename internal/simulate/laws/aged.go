package laws

import (
	"slices"
	"time"

	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// This part of law W10 is how long it is kept who passed: no longer than the smaller of what a site file and the registry's policy say, and no shorter.

// Registry stands for the registry where gateways have names.
const Registry = ""

// unsafeDays are how many days longer a gateway keeps what no backup of the registry has.
const unsafeDays = 30

// keeping is for how many days somebody keeps who passed.
type keeping struct {
	days, least int // now, and the smallest number ever
	since       time.Duration
}

// Keeps notes for how many days a gateway, or the registry, keeps who passed.
func (e *Erased) Keeps(who string, days int, now time.Duration) {
	k, known := e.keeps[who]
	if !known {
		k = keeping{days, days, now}
	}
	if k.days != days {
		k = keeping{days, min(k.least, days), now}
	}
	e.keeps[who] = k
}

// Safe notes what a backup of the registry has.
func (e *Erased) Safe(backup frontdb.Stored) {
	for gateway, all := range backup.Entries {
		if e.safe[gateway] == nil {
			e.safe[gateway] = map[testbed.Spot]bool{}
		}
		for at := range all {
			e.safe[gateway][at] = true
		}
	}
}

// madeBy is no later than an entry was made that was not there at one look and is at the next.
func madeBy(one testbed.Entry, before, now time.Duration) time.Duration {
	if made := one.Time.Sub(plan.Begin); sure(one) && made > before && made < now {
		return made
	}
	return before
}

// went judges that an entry of a gateway names nobody any more. Whom somebody wants forgotten goes at any time.
func (e *Erased) went(gateway string, was named, dark bool, now time.Duration, r *report.Report) {
	const wrong = 7 * time.Hour // of a clock whose time lies between two looks
	k, age := e.keeps[gateway], now-was.made+wrong
	more := time.Duration(0)
	if !e.safe[gateway][was.At] {
		more = unsafeDays * plan.Day
	}
	switch {
	case slices.ContainsFunc(e.onSite[gateway], func(h hold) bool { return h.kept[was.At] && now < h.until }):
		r.Breach("W10", "whom an entry of %s names is preserved there, and gone", gateway)
	case was.Who.Tenancy != nil && e.asked[was.Who.Tenancy.String()]:
	case dark:
		r.Breach("W10", "whom an entry of %s names is gone, and nothing has told it the time", gateway)
	case age < time.Duration(k.least)*plan.Day:
		r.Breach("W10", "whom an entry of %s names is gone after %v, and is kept for %d days", gateway, age, k.least)
	case age < time.Duration(k.least)*plan.Day+more:
		r.Breach("W10", "whom an entry of %s names is gone after %v, and no backup of the registry has it", gateway, age)
	}
}

// late reports whether an entry of a gateway names somebody for longer than it may. A file is closed after a week, and time without power does
// not count; nor does a number that has just come, or what the registry may lose.
func (e *Erased) late(gateway string, one named, now time.Duration) bool {
	k := e.keeps[gateway]
	return e.safe[gateway][one.At] && now-k.since > slack && now-one.seen > time.Duration(k.days+7)*plan.Day+3*slack
}

// Aged holds what the front has against the days for which it may keep it.
func (e *Erased) Aged(there frontdb.Stored, now time.Duration, r *report.Report) {
	k := e.keeps[Registry]
	limit := time.Duration(k.days)*plan.Day + 2*slack // a gateway may have been without a line
	for gateway, all := range e.named {
		for at, one := range all {
			since := max(one.seen, e.putBack, k.since, e.heldUntil(gateway, one.Entry))
			if there.Seals[gateway][at] != nil && now-since > limit {
				r.Breach("W10", "the registry has whom an entry of %s names, %v after it was stored", gateway, now-since)
				return
			}
		}
	}
}
