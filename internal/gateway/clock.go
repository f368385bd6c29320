package gateway

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

// TimeSource reads the machine's clocks; all but Monotonic and Boot are needed.
// Tests and the simulator have their own.
type TimeSource struct {
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

// clock is what the gateway knows of the time: an interval over all that tell it
// (package trueclock), from the machine's clocks and what the registry signs.
type clock struct {
	src   TimeSource
	path  string       // what the next start goes on from
	floor func() int64 // unix seconds: highest signed time ever seen

	unread error // why what was kept could not be read

	saving sync.Mutex // held while the file is written; never with mu

	mu      sync.Mutex
	known   *trueclock.Clock
	quality wire.ClockQuality // as the machine claims
	synced  bool              // a time server was there in this run
	told    bool              // trusted, as poll last said
	saved   time.Duration     // boot time of the last save
	kept    bool              // there was one
}

// reading is one look at the clock.
type reading struct {
	wall     time.Time // the likeliest time
	boot     time.Duration
	interval trueclock.Interval
	quality  wire.ClockQuality
	settled  bool // sources agree on it
	trusted  bool // they do, or somebody on site has confirmed it
}

func newClock(src TimeSource, path string, floor func() int64) *clock {
	boot := ""
	if src.Boot != (wire.ID{}) {
		boot = hex.EncodeToString(src.Boot[:])
	}
	c := &clock{src: src, path: path, floor: floor}
	was, err := readClock(path)
	c.unread, c.known = err, trueclock.Continue(was, boot, src.BootTime())
	return c
}

// clockFile is what is kept of the time, in the state folder.
const clockFile = "clock"

// readClock reads what was kept; what can't be read is as a first start. Nine
// bytes are of a program before this format: a last trusted time.
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

// begin makes the file of a first start, or one that is gone: from then on its absence
// says that it was deleted. What comes to be known is saved as ever.
func (c *clock) begin() error {
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

// read looks at the clock now. It is cheap and waits for no disk.
func (c *clock) read() reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readLocked()
}

// near is how far the machine's clock may be from the likeliest time and still
// give the time that is written down: it is the finer one.
const near = 15 * time.Minute

func (c *clock) readLocked() reading {
	r := reading{wall: c.src.Wall(), boot: c.src.BootTime()}
	r.interval, r.settled = c.known.Interval(r.boot), c.known.Settled(r.boot)
	r.trusted = r.settled || c.known.Said(trueclock.Hand)
	best, told := c.known.Best(r.boot)
	own := told && r.wall.Sub(time.Unix(0, int64(best))).Abs() <= near
	if r.trusted && !own {
		r.wall = time.Unix(0, int64(best))
	}
	r.quality = c.recorded(r, own)
	return r
}

// recorded is the quality that an entry gets: what the machine claims counts only
// while it is trusted. A clock that was set and runs on without its time server
// is as good as a battery clock.
func (c *clock) recorded(r reading, own bool) wire.ClockQuality {
	switch {
	case r.trusted && own && c.quality == wire.ClockNTP:
		return wire.ClockNTP
	case r.settled && c.known.Said(trueclock.Signed):
		return wire.ClockRegistry
	case r.trusted:
		return wire.ClockRTC
	case c.floor() > 0 && r.wall.Unix() >= c.floor():
		return wire.ClockFloor
	}
	return wire.ClockUnset
}

// poll asks the machine how good its clock is and returns the entry to record
// when that changed: trust began, or ended.
func (c *clock) poll() (wire.Header, bool, error) {
	h, news := c.look()
	return h, news, c.save(false)
}

func (c *clock) look() (wire.Header, bool) {
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
	if r.trusted == c.told {
		return wire.Header{}, false
	}
	c.told = r.trusted
	h := wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockLeapt}
	if r.trusted {
		h.Reason, h.Count = wire.ReasonClockSet, uint64(max(maxErr.Milliseconds(), 0))
	}
	return h, true
}

// hear takes a signed time that can't be an old one, and reports whether it is
// against what else tells the time.
func (c *clock) hear(t uplink.SignedTime) (apart bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, unix := c.src.BootTime(), time.Duration(t.Unix)*time.Second
	c.known.SaySigned(t.Epoch, at, unix, unix+t.Within+time.Second)
	c.known.Tick(at)
	return !c.known.Settled(at)
}

// takeBack drops what witnesses have said whose word the root has taken back.
func (c *clock) takeBack(t wire.Trust) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range t.False {
		if f.Role == wire.RoleWitness {
			c.known.Retire(f.Epoch)
		}
	}
}

// undo drops the time that two issuers have taken back, and what it alone has made
// certain.
func (c *clock) undo(f wire.Floor) {
	floor := c.floor()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Floor(floor)
	if f.Role == wire.RoleWitness {
		c.known.TakeBack(f.Epoch, int64(f.Unix), c.src.BootTime())
	}
}

// confirm takes the machine's clock as the time, on the word of somebody on site:
// for visitors and for the desk. No resident ends by it.
func (c *clock) confirm() (wire.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, wall := c.src.BootTime(), c.src.Wall()
	now := time.Duration(wall.UnixNano())
	signed, before := c.known.Against(at, now)
	says := calendar.Minute(wall, time.UTC)
	switch f := c.floor(); {
	case wall.Unix() < f:
		return wire.Header{}, fmt.Errorf("the clock says %s, which is before %s, a time that the issuer signed", says, calendar.Minute(time.Unix(f, 0), time.UTC))
	case wall.Unix() < trueclock.Earliest:
		return wire.Header{}, fmt.Errorf("the clock says %s: it was never set", says)
	case signed:
		return wire.Header{}, fmt.Errorf("the clock says %s, and the registry signs another time", says)
	case before:
		return wire.Header{}, fmt.Errorf("the clock says %s, which is before the last time that was surely known", says)
	}
	c.known.Say(trueclock.Hand, at, now, now)
	c.told = true
	return wire.Header{Kind: wire.KindClock, Reason: wire.ReasonClockSet, Outcome: wire.OutcomeDone}, nil
}

// savedEvery bounds how often what is known is written: a card lives longer with a
// write an hour, and what a power cut costs is an hour.
const savedEvery = time.Hour

// save keeps what is known for the next start, once an hour or at the end. The
// disk may take its time, so nothing that a door asks is locked meanwhile.
func (c *clock) save(now bool) error {
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
func (c *clock) write(state trueclock.State) error {
	b, err := json.Marshal(state)
	if err == nil {
		err = durable.WriteFile(c.path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what is known of the time: %w", err)
	}
	return nil
}

func (c *clock) stamp() journal.Stamp {
	r := c.read()
	return journal.Stamp{BootTime: uint64(r.boot), Wall: r.wall.UnixMilli(), Quality: r.quality, Trusted: r.settled}
}

func (c *clock) decision() access.Time {
	floor := c.floor() // a list that just came may have raised it
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.Floor(floor)
	return access.Time(c.known.Interval(c.src.BootTime()))
}

// sure is the time that has certainly come, unix s.
func (c *clock) sure() int64 { return c.decision().Sure }

// now is the likeliest time.
func (c *clock) now() time.Time { return c.read().wall }

// elapsed is the gateway's own clock, which nobody can set: how long it has been
// on since it was first started.
func (c *clock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known.Elapsed(c.src.BootTime())
}
