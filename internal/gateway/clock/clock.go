// Package clock is the clock of a gateway: what the machine's clocks, the registry's
// signed times and people on site say becomes one reading and one interval of time.
//
// It refuses to let any of them alone make a permanent fact.
package clock

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/calendar"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/uplink"
	"gatehouse/sync/wire"
)

// Source reads the machine's clocks; all but Monotonic and Boot are needed.
// Tests and the simulator have their own.
type Source struct {
	Wall     func() time.Time
	BootTime func() time.Duration // CLOCK_BOOTTIME
	// Monotonic is CLOCK_MONOTONIC, the clock of edges; nil where it can't be read.
	Monotonic func() time.Duration
	// Quality says how the wall clock was set: ClockNTP, ClockRTC or ClockUnset,
	// and for NTP the kernel's bound of its error.
	Quality func() (q wire.ClockQuality, maxError time.Duration)
	// Boot is the kernel's random name of this boot; zero where it can't be read.
	Boot wire.ID
}

// Clock is the gateway's clock: an interval that combines the machine's clocks and the times that
// the registry signs (package trueclock). Safe for concurrent use.
type Clock struct {
	src   Source
	path  string       // state file, read at the next start
	floor func() int64 // unix seconds: highest signed time ever seen

	unread error // why the state file could not be read

	saving sync.Mutex // held while the file is written; never together with mu

	mu      sync.Mutex
	known   *trueclock.Clock
	quality wire.ClockQuality // by the machine
	synced  bool              // a time server was available in this run
	told    bool              // the trust that Poll last recorded
	saved   time.Duration     // boot time of the last save
	kept    bool              // the file was saved in this run
}

// Reading is one look at the clock.
type Reading struct {
	Wall     time.Time // the likeliest time
	Boot     time.Duration
	Interval trueclock.Interval
	Quality  wire.ClockQuality
	Settled  bool // the sources agree on it
	Trusted  bool // the sources agree, or somebody on site has confirmed it
}

// BootName returns the kernel's random name of this boot in hex; empty where it can't be read.
func (c *Clock) BootName() string { return c.src.bootName() }

func (s Source) bootName() string {
	if s.Boot == (wire.ID{}) {
		return ""
	}
	return hex.EncodeToString(s.Boot[:])
}

// New makes a clock that continues from the file at path. floor returns the highest time that an
// issuer has signed, in unix seconds.
func New(src Source, path string, floor func() int64) *Clock {
	c := &Clock{src: src, path: path, floor: floor}
	was, err := readClock(path)
	c.unread, c.known = err, trueclock.Continue(was, src.bootName(), src.BootTime())
	return c
}

// File is the state file in the state directory.
const File = "clock"

// readClock reads the state file; an unreadable one counts as a first start. A file of nine bytes
// is of an older format: a last trusted time.
func readClock(path string) (s trueclock.State, err error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, err
	case len(b) == 9:
		s.Sure = time.Duration(binary.BigEndian.Uint64(b)) * time.Second
	default:
		if err := json.Unmarshal(b, &s); err != nil {
			return trueclock.State{}, err
		}
	}
	return s, nil
}

// Begin makes the file at a first start, or when it is gone, so that its absence shows from then on
// that it was deleted.
func (c *Clock) Begin() error {
	if _, err := os.Stat(c.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	state := c.known.State(c.src.BootTime())
	c.mu.Unlock()
	return c.write(state)
}

// Unread returns why the file could not be read at the start; nil: it was, or there was none.
func (c *Clock) Unread() error { return c.unread }

// Read returns the present reading. It is cheap and waits for no disk.
func (c *Clock) Read() Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

// near is the largest difference from the likeliest time at which entries get the machine's clock,
// which is the finer one.
const near = 15 * time.Minute

func (c *Clock) readLocked() Reading {
	r := Reading{Wall: c.src.Wall(), Boot: c.src.BootTime()}
	r.Interval, r.Settled = c.known.Interval(r.Boot), c.known.Settled(r.Boot)
	r.Trusted = r.Settled || c.known.Said(trueclock.Hand)
	best, told := c.known.Best(r.Boot)
	own := told && r.Wall.Sub(time.Unix(0, int64(best))).Abs() <= near
	if r.Trusted && !own {
		r.Wall = time.Unix(0, int64(best))
	}
	r.Quality = c.recorded(r, own)
	return r
}

// recorded returns the clock quality of an entry: the machine's claim counts only while it is
// trusted. A clock that was set and runs on without its time server is as good as a battery clock.
func (c *Clock) recorded(r Reading, own bool) wire.ClockQuality {
	switch {
	case r.Trusted && own && c.quality == wire.ClockNTP:
		return wire.ClockNTP
	case r.Settled && c.known.Said(trueclock.Signed):
		return wire.ClockRegistry
	case r.Trusted:
		return wire.ClockRTC
	case c.floor() > 0 && r.Wall.Unix() >= c.floor():
		return wire.ClockFloor
	}
	return wire.ClockUnset
}

// Poll asks the machine for the quality of its clock, and returns the entry to record when trust
// began or ended.
func (c *Clock) Poll() (wire.Header, bool, error) {
	h, news := c.look()
	return h, news, c.Save(false)
}

func (c *Clock) look() (wire.Header, bool) {
	q, maxErr := c.src.Quality()
	floor := c.floor()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quality = q
	at, wall := c.src.BootTime(), time.Duration(c.src.Wall().UnixNano())
	switch {
	case q == wire.ClockNTP:
		c.synced = true
		c.known.Say(trueclock.NTP, at, wall-max(maxErr, 0), wall+max(maxErr, 0))
	default:
		c.known.Unsay(trueclock.NTP)
		if q == wire.ClockRTC && !c.synced && !c.known.Said(trueclock.RTC) {
			c.known.Say(trueclock.RTC, at, wall, wall)
		}
	}
	c.known.Floor(floor)
	c.known.Tick(at)
	r := c.readLocked()
	if r.Trusted == c.told {
		return wire.Header{}, false
	}
	c.told = r.Trusted
	h := wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockLeapt}
	if r.Trusted {
		h.Reason, h.Count = wire.ReasonClockSet, uint64(max(maxErr.Milliseconds(), 0))
	}
	return h, true
}

// Hear takes a signed time that can't be a replay, and reports whether it contradicts the other
// sources.
func (c *Clock) Hear(t uplink.SignedTime) (apart bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, unix := c.src.BootTime(), time.Duration(t.Unix)*time.Second
	c.known.SaySigned(t.Epoch, at, unix, unix+t.Within+time.Second)
	c.known.Tick(at)
	return !c.known.Settled(at)
}

// TakeBack drops the times of witnesses that the root has taken back.
func (c *Clock) TakeBack(t wire.Trust) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range t.False {
		if f.Role == wire.RoleWitness {
			c.known.Retire(f.Epoch)
		}
	}
}

// Undo drops the time that two issuers have taken back, and what it alone has made certain.
func (c *Clock) Undo(f wire.Floor) {
	floor := c.floor()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Floor(floor)
	if f.Role == wire.RoleWitness {
		c.known.TakeBack(f.Epoch, int64(f.Unix), c.src.BootTime())
	}
}

// Confirm takes the machine's clock as the time on the word of somebody on site, for visitors and
// for the desk. It ends no resident's grant. An error tells times in the zone.
func (c *Clock) Confirm(zone *time.Location) (wire.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, wall := c.src.BootTime(), c.src.Wall()
	now := time.Duration(wall.UnixNano())
	signed, before := c.known.Against(at, now)
	says := calendar.Minute(wall, zone)
	switch f := c.floor(); {
	case wall.Unix() < f:
		return wire.Header{}, fmt.Errorf("the clock says %s, which is before %s, a time that the issuer signed", says, calendar.Minute(time.Unix(f, 0), zone))
	case wall.Unix() < trueclock.Earliest:
		return wire.Header{}, fmt.Errorf("the clock says %s: it was never set", says)
	case signed:
		return wire.Header{}, fmt.Errorf("the clock says %s, and the time that was signed, by the registry or by the owner with gatehouse clock set, is another", says)
	case before:
		return wire.Header{}, fmt.Errorf("the clock says %s, which is before the last time that was surely known", says)
	}
	c.known.Say(trueclock.Hand, at, now, now)
	c.told = true
	return wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockSet, Outcome: wire.OutcomeDone}, nil
}

// wordOf is the precision of a typed time.
const wordOf = time.Minute

// Set takes a time that the landlord of a standalone house has signed: for residents it is signed
// time, for visitors it is confirmed by hand.
func (c *Clock) Set(unix int64, within time.Duration) wire.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, said := c.src.BootTime(), time.Duration(unix)*time.Second
	c.known.Unsay(trueclock.Hand)
	c.known.SayOwner(at, said, said+wordOf+within)
	c.known.Say(trueclock.Hand, at, said, said+wordOf+within)
	c.known.Tick(at)
	c.told = true
	return wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockSet, Outcome: wire.OutcomeDone}
}

// savedEvery is the shortest time between two writes: an SD card lasts longer with a write an hour,
// and a power cut costs an hour of knowledge.
const savedEvery = time.Hour

// Save saves the state for the next start, at most once an hour unless now. The disk may be slow,
// so no lock is held that a door needs.
func (c *Clock) Save(now bool) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	at := c.src.BootTime()
	due := now || !c.kept || at-c.saved >= savedEvery
	state := c.known.State(at)
	c.mu.Unlock()
	if !due {
		return nil
	}
	if err := c.write(state); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved, c.kept = at, true
	return nil
}

// write replaces the file. Callers hold saving.
func (c *Clock) write(state trueclock.State) error {
	b, err := json.Marshal(state)
	if err == nil {
		err = durable.WriteFile(c.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what is known of the time: %w", err)
	}
	return nil
}

// Stamp returns the time for a journal entry.
func (c *Clock) Stamp() journal.Stamp {
	r := c.Read()
	return journal.Stamp{BootTime: uint64(r.Boot), Wall: r.Wall.UnixMilli(), Quality: r.Quality, Trusted: r.Settled}
}

// Decision returns the interval that the time surely lies in.
func (c *Clock) Decision() access.Time {
	floor := c.floor() // a new list may have raised it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Floor(floor)
	return access.Time(c.known.Interval(c.src.BootTime()))
}

// Sure returns the time that has certainly come, unix s.
func (c *Clock) Sure() int64 { return c.Decision().Sure }

// Now returns the likeliest time.
func (c *Clock) Now() time.Time { return c.Read().Wall }

// Elapsed returns how long the gateway has been on since it was first started; nobody can set this
// clock.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.Elapsed(c.src.BootTime())
}
