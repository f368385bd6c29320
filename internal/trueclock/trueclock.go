// Package trueclock computes what a gateway knows of the time: an interval over all sources, not a
// clock. A time server, a battery clock and the registry can each be wrong, or in a thief's hands;
// so none of them acts alone, and the effect of a wrong one ends when it is right again.
//
// It is pure: it reads no clock, starts nothing and writes no file. The machine's CLOCK_BOOTTIME is
// an argument of every call; it alone is trusted, since nobody can set it. State is what the next
// start continues from.
//
// The package refuses to end anything on the word of a lone source within a day, to use a time that
// a better source contradicts, and to let somebody on site move the time by which residents end.
package trueclock

import (
	"math"
	"slices"
	"time"
)

// Source is a source of the time.
type Source uint8

// The sources. CLOCK_BOOTTIME carries the last claim of each.
const (
	NTP    Source = iota // the machine's clock while a time server keeps it
	RTC                  // its battery clock, as it stood when the machine started
	Signed               // a time signed for a nonce of ours, so it is no replay
	Hand                 // somebody on site has confirmed it: for visitors alone
	agreed               // what the sources agreed on in this boot
	sources
)

// String returns the name of a source for people.
func (s Source) String() string {
	return [...]string{"time server", "battery clock", "signed time", "confirmed by hand", "agreed before"}[s]
}

const (
	// Earliest is before every time at which this program can run: a clock with an earlier time was
	// never set. It is 2026-01-01T00:00:00Z, unix s.
	Earliest = 1767225600
	latest   = 1 << 32 // the end of the range of records
	// Unknown is the upper end of an interval without one.
	Unknown = math.MaxInt64

	// apart is how far two sources may differ and still agree. It is more than a battery clock
	// drifts in a year, and less than matters to a grant's end.
	apart = 15 * time.Minute
	// steady is how long a time must have been claimed before a resident can end by it.
	steady = 24 * time.Hour
	// drift is the inverse of the share of passing time by which CLOCK_BOOTTIME may be wrong: 200
	// ppm, twice what a cheap crystal has.
	drift = 5000
	// sampled is the longest time between two looks that counts as steady.
	sampled = time.Hour
	// small is a lead that is not worth a day of waiting.
	small = time.Minute
	// living is how long a signed time goes on counting as claimed.
	living = 6 * time.Hour
	// oldest is how long a silent source still counts, where the sources had agreed.
	oldest = 90 * 24 * time.Hour
	// near is how far ahead of the certain time a lone source is believed by people at the desk and
	// by the log.
	near = 24 * time.Hour
)

// claim is the claim of a source: unix time at the start of this boot, between two ends. Times are
// stored as that offset, since it stands still.
type claim struct {
	Lo  time.Duration `json:"lo"`
	Hi  time.Duration `json:"hi"`
	At  time.Duration `json:"at"` // boot time when it was said
	Set bool          `json:"set"`
}

// strayed returns how far the boot clock may have drifted since a claim.
func (c claim) strayed(boot time.Duration) time.Duration { return max(boot-c.At, 0) / drift }

// agrees reports whether two claims may be of one time, at a boot time.
func (c claim) agrees(o claim, boot time.Duration) bool {
	w := apart + c.strayed(boot) + o.strayed(boot)
	return c.Lo <= o.Hi+w && o.Lo <= c.Hi+w
}

func (c claim) hull(o claim) claim {
	if !c.Set {
		return o
	}
	c.Lo, c.Hi, c.At = min(c.Lo, o.Lo), max(c.Hi, o.Hi), max(c.At, o.At)
	return c
}

// State is what a start continues from. All but Boot are of that boot.
type State struct {
	Boot    string         `json:"boot"`    // the kernel's name of it; empty: not known
	At      time.Duration  `json:"at"`      // CLOCK_BOOTTIME when it was saved
	Sure    time.Duration  `json:"sure"`    // unix time at the start of the boot, at least
	Elapsed time.Duration  `json:"elapsed"` // of the gateway's own clock at the start of the boot
	Firm    bool           `json:"firm"`    // two kinds of sources have claimed it, or a signed one
	Moving  moving         `json:"moving"`
	Claims  [sources]claim `json:"claims"`
	Epoch   uint64         `json:"epoch"`           // of the key of the signed claim
	Owner   bool           `json:"owner,omitempty"` // it was signed by hand
	Undo    []undo         `json:"undo,omitempty"`
}

// moving is another time that waits until it has been claimed for long enough.
type moving struct {
	Lead time.Duration `json:"lead"` // by how much it was ahead of what is sure, at least; negative: behind it
	For  time.Duration `json:"for"`  // for how long
	// Floor: only the floor claims it.
	Floor bool `json:"floor,omitempty"`
}

// undo is the certain time before signed time alone moved it.
type undo struct {
	Epoch uint64        `json:"epoch"` // of the key that signed it
	Sure  time.Duration `json:"sure"`
	Firm  bool          `json:"firm"`
}

// maxUndo bounds the epochs that are stored apart.
const maxUndo = 16

// Clock is not safe for concurrent use. Make it with Continue.
type Clock struct {
	s      State
	floor  time.Duration // unix: the highest time that was ever signed
	seen   time.Duration // boot time of the last Tick
	others struct {      // signed time and the source that agrees with it, while others do not
		claim
		since time.Duration
	}
}

// Continue continues from a state, of this boot or one before. A first start has the zero State.
// boot is the kernel's name of this boot, at is its CLOCK_BOOTTIME.
func Continue(s State, boot string, at time.Duration) *Clock {
	if boot == "" || s.Boot != boot || at < s.At {
		passed := s.At // the boot clock when it was saved; the next boot starts later than that
		if boot == "" || s.Boot == boot {
			passed -= at // it may be the same boot
		}
		s.Sure, s.Elapsed = s.Sure+passed, s.Elapsed+passed
		s.Undo = slices.Clone(s.Undo)
		for i := range s.Undo {
			s.Undo[i].Sure += passed
		}
		s.Claims, s.Epoch, s.Boot = [sources]claim{}, 0, boot
	}
	return &Clock{s: s, seen: at}
}

// State returns what the next start is to continue from.
func (c *Clock) State(at time.Duration) State {
	s := c.s
	s.At = at
	s.Undo = slices.Clone(s.Undo)
	return s
}

// Elapsed returns the gateway's own clock: how long it has been on since its first
// start, as far as that was kept. Nobody can set it.
func (c *Clock) Elapsed(at time.Duration) time.Duration { return c.s.Elapsed + at }

// Say takes a source's claim at a boot time: unix time between two ends. A time of a clock that was
// never set withdraws the source's claim.
func (c *Clock) Say(src Source, at, lo, hi time.Duration) {
	if lo < Earliest*time.Second || hi > latest*time.Second || hi < lo {
		c.Unsay(src)
		return
	}
	c.s.Claims[src] = claim{Lo: lo - at, Hi: hi - at, At: at, Set: true}
	if hand := c.s.Claims[Hand]; src == Signed && hand.Set && !hand.agrees(c.s.Claims[src], at) {
		c.Unsay(Hand) // a signature is a better word than a confirmation
	}
}

// SaySigned takes a time that was signed for a nonce of ours, so that it is no replay, with the
// epoch of the key that signed it.
func (c *Clock) SaySigned(epoch uint64, at, lo, hi time.Duration) {
	c.s.Epoch, c.s.Owner = epoch, false
	c.Say(Signed, at, lo, hi)
}

// SayOwner takes a time that the owner of a standalone house has signed by hand: it stands until
// the next one, since nobody repeats it.
func (c *Clock) SayOwner(at, lo, hi time.Duration) {
	c.SaySigned(0, at, lo, hi)
	c.s.Owner = true
}

// Unsay withdraws a source's claim.
func (c *Clock) Unsay(src Source) { c.s.Claims[src] = claim{} }

// Said reports whether a source has claimed a time in this boot.
func (c *Clock) Said(src Source) bool { return c.s.Claims[src].Set }

// Floor sets the highest time that was ever signed, unix s; 0: none. It may become less, when a key
// turns out to be a thief's.
func (c *Clock) Floor(unix int64) { c.floor = time.Duration(min(unix, latest)) * time.Second }

// Retire drops the claim of a key's epoch, and the time that nobody else has moved.
func (c *Clock) Retire(epoch uint64) {
	if c.s.Epoch == epoch {
		c.Unsay(Signed)
	}
	for i, u := range c.s.Undo {
		if u.Epoch == epoch {
			c.s.Sure, c.s.Firm, c.s.Moving = min(c.s.Sure, u.Sure), u.Firm, moving{}
			c.Unsay(agreed)
			c.s.Undo = append(c.s.Undo[:i:i], c.s.Undo[i+1:]...)
			return
		}
	}
}

// TakeBack drops one wrong time that a key's epoch has claimed, unix s: the claim, and what has
// become certain by it at a boot time. Earlier claims of the epoch stay. The floor must be lowered
// before.
func (c *Clock) TakeBack(epoch uint64, unix int64, at time.Duration) {
	wrong := time.Duration(unix)*time.Second - apart
	if k := c.s.Claims[Signed]; c.s.Epoch == epoch && k.Set && k.Hi+at >= wrong {
		c.Unsay(Signed)
	}
	if c.s.Sure+at >= wrong {
		c.Retire(epoch)
	}
	if c.s.Sure+at >= wrong { // it came from the floor, which the caller has lowered
		c.s.Sure, c.s.Firm, c.s.Moving = c.floor-at, false, moving{}
	}
	if k := c.s.Claims[agreed]; k.Set && k.Hi+at >= wrong {
		c.Unsay(agreed)
	}
}
