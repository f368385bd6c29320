package trueclock

import (
	"slices"
	"time"
)

// Tick lets time pass. Call it often: between two calls at most an hour counts as steady.
func (c *Clock) Tick(at time.Duration) {
	passed := min(max(at-c.seen, 1), sampled)
	c.seen = at
	if c.s.Claims[agreed].Set {
		for _, src := range []Source{RTC, Signed} {
			if k := c.s.Claims[src]; k.Set && at-k.At > oldest {
				c.Unsay(src)
			}
		}
	}
	c.vote(at)
	c.agree(at)
	c.move(at, passed)
}

// vote looks for signed time and another source that agree, while others do not. The others veto
// them for a day; after it they are wrong.
func (c *Clock) vote(at time.Duration) {
	signed := c.s.Claims[Signed]
	group, all := claim{}, true
	for _, src := range []Source{NTP, RTC, agreed} {
		k := c.s.Claims[src]
		switch {
		case !k.Set || !signed.Set:
		case !k.agrees(signed, at):
			all = false
		case src != agreed:
			group = group.hull(signed).hull(k)
		}
	}
	switch {
	case !group.Set || all:
		c.others.claim = claim{}
	case !c.others.Set || !c.others.agrees(group, at):
		c.others.claim, c.others.since = group, at
	}
	if c.outvoted(agreed, at) {
		c.s.Claims[agreed] = group
	}
}

// agree stores what the sources agree on; later claims of a single source are compared with it.
func (c *Clock) agree(at time.Duration) {
	n, own := c.count(at), 0
	inner := claim{Set: true} // the intersection of all claims, where there is one
	for _, src := range []Source{NTP, RTC, Signed} {
		k := c.s.Claims[src]
		if !c.counts(src, at) {
			continue
		}
		if lo, hi := max(inner.Lo, k.Lo), min(inner.Hi, k.Hi); own > 0 && lo <= hi {
			inner.Lo, inner.Hi = lo, hi
		} else if own == 0 || k.Hi-k.Lo < inner.Hi-inner.Lo {
			inner.Lo, inner.Hi = k.Lo, k.Hi
		}
		inner.At = max(inner.At, k.At)
		own++
	}
	before := c.s.Claims[agreed]
	switch {
	case own == 0 || n.hull.Hi-n.hull.Lo > 2*apart || before.Set && inner.At <= before.At:
	case before.Set: // it follows the sources no faster than the boot clock may drift
		w := before.strayed(inner.At)
		inner.Lo = min(max(inner.Lo, before.Lo-w), before.Lo+w)
		inner.Hi = max(min(max(inner.Hi, before.Hi-w), before.Hi+w), inner.Lo)
		c.s.Claims[agreed] = inner
	case own > 1:
		c.s.Claims[agreed] = inner
	}
}

// move moves the certain time: forward by the least lead of all sources during a whole day, or back
// to where they stood behind it for as long.
func (c *Clock) move(at, passed time.Duration) {
	n := c.count(at)
	r, lead := &c.s.Moving, c.lead(n, at)
	if lead == 0 || n.n == 0 && lead < 0 {
		*r = moving{}
		return
	}
	r.follow(lead, n.n == 0)
	if n.n == 0 || c.heard(at) {
		r.For += passed
	}
	if r.For >= steady {
		c.moved(n)
		*r = moving{}
	}
}

// lead returns how far all sources are ahead of the certain time; negative: behind it. Without a
// source the floor counts.
func (c *Clock) lead(n counted, at time.Duration) time.Duration {
	switch {
	case n.n > 0 && n.hull.Hi+apart < c.s.Sure:
		return n.hull.Hi - c.s.Sure
	case n.n > 0:
		return max(n.hull.Lo-c.s.Sure, 0)
	case c.floor == 0:
		return 0
	}
	return c.floor - at - c.s.Sure
}

// follow takes the smallest of consecutive leads, and begins anew with one of another kind.
func (r *moving) follow(lead time.Duration, floor bool) {
	switch {
	case r.For == 0 || r.Floor != floor || (r.Lead < 0) != (lead < 0) || r.Lead > 0 && r.Lead < small && lead >= small:
		*r = moving{Lead: lead, Floor: floor}
	case lead > 0:
		r.Lead = min(r.Lead, lead)
	default:
		r.Lead = max(r.Lead, lead)
	}
}

// heard reports whether any source still repeats its claim.
func (c *Clock) heard(at time.Duration) bool {
	return c.counts(NTP, at) || c.counts(RTC, at) || c.counts(Signed, at) && (c.s.Owner || at-c.s.Claims[Signed].At <= living)
}

// moved applies a lead that has lasted long enough.
func (c *Clock) moved(n counted) {
	machine, signed := c.counts(NTP, c.seen) || c.counts(RTC, c.seen), c.counts(Signed, c.seen)
	switch {
	case machine && signed:
		c.s.Undo = nil // another source confirms what signed time has moved
	case signed:
		c.undoable()
	}
	c.s.Sure += c.s.Moving.Lead
	c.s.Firm = signed || c.counts(NTP, c.seen) && c.counts(RTC, c.seen)
	if n.n == 1 && n.lone != agreed && n.hull.Lo-c.s.Sure <= apart { // it still says what it said all day
		c.s.Claims[agreed] = n.hull
	}
}

// undoable stores the certain time before signed time alone moved it for the first time.
func (c *Clock) undoable() {
	if !slices.ContainsFunc(c.s.Undo, func(u undo) bool { return u.Epoch == c.s.Epoch }) {
		newest := c.s.Undo[max(0, len(c.s.Undo)+1-maxUndo):]
		c.s.Undo = append(slices.Clone(newest), undo{c.s.Epoch, c.s.Sure, c.s.Firm})
	}
}
