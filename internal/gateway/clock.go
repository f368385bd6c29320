package gateway

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/internal/door"
	"gatehouse/internal/durable"
	"gatehouse/internal/issue"
	"gatehouse/internal/journal"
	"gatehouse/sync/wire"
)

// TimeSource reads the machine's clocks; all but Monotonic are needed. Tests and the
// simulator have their own.
type TimeSource struct {
	Wall     func() time.Time
	BootTime func() time.Duration // CLOCK_BOOTTIME
	// Monotonic is CLOCK_MONOTONIC, the clock of edges; nil where it can't be read.
	Monotonic func() time.Duration
	// Quality says how the wall clock was set: ClockNTP, ClockRTC or ClockUnset,
	// and for NTP the kernel's bound of its error.
	Quality func() (q wire.ClockQuality, maxError time.Duration)
}

const (
	// leap is the step of the wall clock against CLOCK_BOOTTIME that makes it
	// untrusted. It is more than a board drifts in a year without a time server
	// (20 to 100 ppm: 10 to 50 minutes), and less than matters to a key's end.
	leap = time.Hour
	// follow is the share of the time that passes by which small steps may become
	// the new normal: a second a minute. Corrections of a drift do; walking a
	// house to its end by small steps would take years.
	follow = 60
	// awayFor is how long a gateway may have been without power and still be
	// believed when a time server tells it the date.
	awayFor = 60 * 24 * time.Hour
	// signedFor is the same where nothing but the last signed list tells the
	// time: a gateway that was never started, or has lost its state.
	signedFor = 400 * 24 * time.Hour
	// backBy is how far a believed clock may stand before the last trusted time.
	backBy = 24 * time.Hour
	// savedEvery bounds how often the last trusted time is written.
	savedEvery = 24 * time.Hour
)

// clock decides how far the wall clock is to be believed. One wrong clock must
// not expire a house: a time that leaps, or is far from the last one known, is
// recorded and not acted on.
type clock struct {
	src   TimeSource
	path  string       // file of the last trusted time
	floor func() int64 // unix seconds: highest signed time ever seen

	saving sync.Mutex // held while the file is written; never with mu

	mu      sync.Mutex
	quality wire.ClockQuality // as the machine claims
	began   wire.ClockQuality // what it claimed when trust began
	base    time.Duration     // wall minus boot time, as trusted
	based   time.Duration     // boot time when base last followed
	trusted bool
	leapt   bool
	told    bool      // trusted, as poll last said
	last    time.Time // last trusted time, of this run or one before
	saved   time.Time
	doubted bool          // as written: it leapt, and was not right again
	away    time.Duration // how far ahead of last a clock is believed at the start
}

// reading is one look at the clock.
type reading struct {
	wall    time.Time
	boot    time.Duration
	quality wire.ClockQuality
	trusted bool
}

func newClock(src TimeSource, path string, floor func() int64) *clock {
	c := &clock{src: src, path: path, floor: floor, away: awayFor}
	if b, err := os.ReadFile(path); err == nil && len(b) == 9 {
		c.last = time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
		c.saved, c.doubted = c.last, b[8] == 1
		if c.doubted {
			c.away = backBy // it was wrong when it was seen last: believe it only near what is known
		}
	}
	return c
}

// read looks at the clock now. It is cheap: a leap is seen before anything is
// decided on it, the rest is left to poll.
func (c *clock) read() reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

func (c *clock) readLocked() reading {
	r := reading{wall: c.src.Wall(), boot: c.src.BootTime()}
	step := r.offset() - c.base
	r.trusted = c.trusted && within(step, leap)
	if c.trusted && !r.trusted {
		c.trusted, c.leapt = false, true
	}
	if r.trusted {
		most := (r.boot - c.based) / follow
		c.base, c.based = c.base+min(max(step, -most), most), r.boot
	}
	r.quality = c.recorded(r)
	return r
}

func (r reading) offset() time.Duration { return time.Duration(r.wall.UnixNano()) - r.boot }

// recorded is the quality that an entry gets: what the machine claims counts
// only while it is trusted. A clock that was set and runs on without its time
// server is as good as a battery clock.
func (c *clock) recorded(r reading) wire.ClockQuality {
	switch {
	case r.trusted:
		return max(c.quality, wire.ClockRTC)
	case c.floor() > 0 && r.wall.Unix() >= c.floor():
		return wire.ClockFloor
	}
	return wire.ClockUnset
}

func within(d, limit time.Duration) bool { return d <= limit && d >= -limit }

// poll asks the machine how good its clock is and returns the entry to record
// when that changed: trust began, or ended by a leap.
func (c *clock) poll() (wire.Header, bool, error) {
	h, news := c.look()
	return h, news, c.save()
}

func (c *clock) look() (wire.Header, bool) {
	q, maxErr := c.src.Quality()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quality = q
	r := c.readLocked()
	if !c.trusted {
		c.believe(r, q)
	}
	if c.trusted == c.told {
		return wire.Header{}, false
	}
	c.told = c.trusted
	h := wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockLeapt}
	if c.trusted {
		h.Reason, h.Count = wire.ReasonClockSet, uint64(max(maxErr.Milliseconds(), 0))
	}
	return h, true
}

// believe begins to trust a clock that the machine claims to be set, unless it
// leapt or is too far from the last time known: then somebody must confirm it.
func (c *clock) believe(r reading, q wire.ClockQuality) {
	if q < wire.ClockRTC || r.wall.Unix() < issue.Earliest {
		return
	}
	if c.leapt && within(r.offset()-c.base, leap) { // the leap was taken back
		c.trusted, c.leapt, c.based = true, false, r.boot
		return
	}
	// A time server that corrects a battery clock is no leap, if it is near
	// enough to what was known.
	if c.leapt && q <= c.began {
		return
	}
	known, ahead := c.known()
	if !known.IsZero() && (r.wall.Before(known.Add(-backBy)) || r.wall.After(known.Add(ahead))) {
		return
	}
	c.trusted, c.leapt, c.base, c.based, c.began = true, false, r.offset(), r.boot, q
	c.away = awayFor
}

// known is the latest time that was ever believed, and how far from it a clock
// is believed at the start.
func (c *clock) known() (at time.Time, ahead time.Duration) {
	at, ahead = c.last, c.away
	if c.last.IsZero() {
		ahead = signedFor
	}
	if f := c.floor(); f > 0 && time.Unix(f, 0).After(at) {
		at = time.Unix(f, 0)
	}
	return at, ahead
}

// confirm trusts the clock as it stands, on the word of somebody on site.
func (c *clock) confirm() (wire.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := reading{wall: c.src.Wall(), boot: c.src.BootTime()}
	wall := r.wall
	if f := c.floor(); wall.Unix() < f {
		return wire.Header{}, fmt.Errorf("the clock says %s, which is before %s, a time that the issuer signed", wall.UTC().Format(time.DateTime), time.Unix(f, 0).UTC().Format(time.DateTime))
	}
	c.quality = max(c.quality, wire.ClockRTC)
	c.base, c.based = r.offset(), r.boot
	c.trusted, c.told, c.leapt, c.last = true, true, false, wall
	c.began, c.saved = c.quality, time.Time{} // written at the next look
	return wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockSet, Outcome: wire.OutcomeDone}, nil
}

// save keeps the last trusted time for the next start, once a day. A clock that
// leapt is kept too, as doubt: a restart must not launder it. The disk may take
// its time, so nothing that a door asks is locked meanwhile.
func (c *clock) save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	r := c.readLocked()
	if r.trusted {
		c.last = r.wall
	}
	since := r.wall.Sub(c.saved)
	due := r.trusted && (c.saved.IsZero() || since < 0 || since >= savedEvery) || c.doubted != c.leapt
	keep, doubt := c.last, c.leapt
	c.mu.Unlock()
	if !due {
		return nil
	}
	b := append(binary.BigEndian.AppendUint64(nil, uint64(keep.Unix())), 0)
	if doubt {
		b[8] = 1
	}
	if err := durable.WriteFile(c.path, b, 0o600); err != nil {
		return fmt.Errorf("keep the last trusted time: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved, c.doubted = keep, doubt
	return nil
}

func (c *clock) stamp() journal.Stamp {
	r := c.read()
	return journal.Stamp{BootTime: uint64(r.boot), Wall: r.wall.UnixMilli(), Quality: r.quality, Trusted: r.trusted}
}

func (c *clock) decision() door.Clock {
	r := c.read()
	return door.Clock{Now: r.wall.Unix(), Trusted: r.trusted, Floor: c.floor()}
}

// doubt says why the clock is not trusted; empty when it is.
func (c *clock) doubt() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.readLocked()
	known, _ := c.known()
	switch {
	case r.trusted:
		return ""
	case c.leapt:
		return "the clock leapt: nobody expires by it until it is right again; if it is right now, run: gatehouse clock confirm"
	case c.quality < wire.ClockRTC:
		return "the clock is not set: connect a time server or a battery clock; residents are let in, visitors with an end are not. If the time shown is right, run: gatehouse clock confirm"
	default:
		return fmt.Sprintf("the clock is far from the last time known (%s): if it is right, run: gatehouse clock confirm", known.UTC().Format(time.DateOnly))
	}
}
