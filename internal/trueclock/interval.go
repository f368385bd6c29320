package trueclock

import "time"

// Interval is the time as far as it is known. All are unix s.
type Interval struct {
	Sure int64 // has certainly come: only this ends residents' grants
	Lo   int64 // for visitors: not earlier than this
	Hi   int64 // and not later; Unknown where nobody can tell
}

// counted is the result of all sources at a moment.
type counted struct {
	hull claim // of all that count except Hand; At is of the newest
	n    int   // how many do
	lone Source
	sure time.Duration // State.Sure, or less where a source says that it is earlier
}

// count combines the sources. It allocates nothing.
func (c *Clock) count(at time.Duration) counted {
	out := counted{sure: c.s.Sure}
	for src := range sources {
		if src == Hand || !c.counts(src, at) {
			continue
		}
		k := c.s.Claims[src]
		out.hull, out.lone = out.hull.hull(k), src
		out.sure = min(out.sure, k.Hi) // each may say that it is earlier
		out.n++
	}
	return out
}

// counts reports whether a source counts. A time server or battery clock that is before the last
// time known is wrong, unless that time rests on no more than one of them itself, or another source
// agrees.
func (c *Clock) counts(src Source, at time.Duration) bool {
	k := c.s.Claims[src]
	if !k.Set || c.outvoted(src, at) {
		return false
	}
	if src == Signed || src == agreed || !c.s.Firm || k.Hi+apart >= c.s.Sure {
		return true
	}
	for o := range sources {
		if other := c.s.Claims[o]; o != src && o != Hand && other.Set && k.agrees(other, at) {
			return true
		}
	}
	return false
}

// outvoted reports whether a source contradicts signed time and another source, and has done so for
// a day.
func (c *Clock) outvoted(src Source, at time.Duration) bool {
	return c.others.Set && at-c.others.since >= steady && !c.s.Claims[src].agrees(c.others.claim, at)
}

// Interval returns the time at a boot time. It allocates nothing.
func (c *Clock) Interval(at time.Duration) Interval {
	n := c.count(at)
	stray := n.hull.strayed(at)
	lo, hi := c.forVisitors(n, at, stray)
	sure := n.sure - stray
	out := Interval{Sure: seconds(sure + at), Lo: seconds(max(lo, sure) + at), Hi: Unknown}
	if hi != Unknown {
		out.Hi = seconds(hi+stray+at) + 1
	}
	return out
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// forVisitors returns the ends between which the time lies, as offsets, the lower one
// less what the boot clock may have strayed. One source alone moves that no further
// than what was sure or signed. What was signed is no claim that a clock has carried:
// it is as late however long ago that was, or a key from its very second on would wait.
func (c *Clock) forVisitors(n counted, at, stray time.Duration) (lo, hi time.Duration) {
	k, told := n.hull, n.n
	if c.s.Claims[Hand].Set {
		k, told = c.withHand(at), 2
	}
	signed, alone := c.floor-at, told == 1 && n.lone != agreed
	switch {
	case told == 0:
		return n.sure - stray, Unknown
	case alone && n.lone == Signed:
		lo = n.sure - stray
	case alone:
		lo = max(n.sure-stray, min(signed, k.Lo-stray))
	default:
		lo = k.Lo - stray
	}
	// What surely has come, or was signed, can't lie behind the latest that it is.
	if k.Hi+apart < c.s.Sure || alone && n.lone != Signed && k.Hi+apart < signed {
		return lo, Unknown
	}
	return lo, k.Hi
}

// withHand is what somebody on site has confirmed, with the sources that agree.
func (c *Clock) withHand(at time.Duration) claim {
	hand := c.s.Claims[Hand]
	out := hand
	for src := range sources {
		if k := c.s.Claims[src]; src != Hand && k.Set && hand.agrees(k, at) {
			out = out.hull(k)
		}
	}
	return out
}

// Settled reports whether the sources agree well enough to store and to delete data by: several say
// the same, or one says little more than what is known, or nothing is known that contradicts it.
func (c *Clock) Settled(at time.Duration) bool {
	n := c.count(at)
	k, known := n.hull, n.sure
	if n.lone != Signed {
		known = max(known, c.floor-at)
	}
	if n.n == 1 && known+at < Earliest*time.Second {
		return true
	}
	return n.n > 0 && k.Hi-k.Lo <= 2*apart && k.Hi+apart >= c.s.Sure && (n.n > 1 || n.lone == agreed || k.Hi-known <= near)
}

// Best returns the likeliest unix time, and whether any source gives it.
func (c *Clock) Best(at time.Duration) (time.Duration, bool) {
	n, k := c.count(at), c.s.Claims[agreed]
	switch {
	case c.s.Claims[Hand].Set:
		k = c.withHand(at)
	case c.counts(agreed, at):
	case n.n > 0:
		k = n.hull
	default:
		return max(n.sure+at, c.floor), false
	}
	return max((k.Lo+k.Hi)/2, n.sure) + at, true
}

// Said is the claim of one source.
type Said struct {
	Source Source
	Unix   int64 // the middle, s
	Counts bool  // false: it is before what is known, or contradicts several others
}

// Says returns the claims of the sources, for people.
func (c *Clock) Says(at time.Duration) (all []Said) {
	for src := range sources {
		if k := c.s.Claims[src]; k.Set {
			all = append(all, Said{src, seconds((k.Lo+k.Hi)/2 + at), src == Hand || c.counts(src, at)})
		}
	}
	return all
}

// Waits returns how long a later time (lead ahead) has still to be claimed before the certain time
// moves on to it; 0: none waits.
func (c *Clock) Waits() (lead, left time.Duration) {
	if c.s.Moving.Lead < small {
		return 0, 0
	}
	return c.s.Moving.Lead, max(steady-c.s.Moving.For, 0)
}

// Against reports whether a unix time contradicts a signature, or is before what surely has come.
func (c *Clock) Against(at, unix time.Duration) (signed, before bool) {
	k, n := claim{Lo: unix - at, Hi: unix - at, At: at}, c.count(at)
	s := c.s.Claims[Signed]
	return s.Set && !s.agrees(k, at), k.Hi+apart < n.sure
}
