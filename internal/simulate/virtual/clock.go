// Package virtual plays what programs stand on: the clocks and the disk of a machine, the
// board of a gateway, the network between them, and waits by chance that are the same in
// every run. All times are those of a bubble of testing/synctest.
package virtual

import (
	"sync"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/sync/wire"
)

// Clock is the clocks of one machine: a wall clock that may be wrong, and
// those that count since the boot and never are. Safe for concurrent use.
type Clock struct {
	mu      sync.Mutex
	wrong   time.Duration // wall clock less true time
	booted  time.Time     // true time of the boot
	set     time.Time     // true time at which the wall clock was set last; zero: never
	quality wire.ClockQuality
	Battery bool // it has a battery clock, which goes on without power
	told    bool // in this boot something right has told it the time
}

// NewClock returns the clocks of a machine that is on for an hour and right.
func NewClock(battery bool) *Clock {
	return &Clock{booted: time.Now().Add(-time.Hour), quality: wire.ClockNTP, Battery: battery}
}

// Wall is what the machine takes for the time. It has no monotonic part, since
// it goes wherever it is set.
func (c *Clock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.wrong).Round(0)
}

// Boot is the time since the boot, sleep included.
func (c *Clock) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.booted)
}

// Steady is for how long the wall clock has gone on in this boot without being set.
func (c *Clock) Steady() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return min(time.Since(c.booted), time.Since(c.set))
}

// Quality is what the machine's kernel says of the wall clock.
func (c *Clock) Quality() (wire.ClockQuality, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quality, 5 * time.Millisecond
}

// Source is the clock as the registry's programs ask it.
func (c *Clock) Source() agreed.Source {
	return agreed.Source{Wall: c.Wall, Boot: c.Boot, BootID: "the only one", Synced: func() bool {
		q, _ := c.Quality()
		return q == wire.ClockNTP
	}}
}

// Set makes the clock wrong by so much, with a time server that says so or
// without one.
func (c *Clock) Set(wrong time.Duration, server bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong, c.set = wrong, time.Now()
	switch {
	case server:
		c.quality = wire.ClockNTP
	case c.Battery:
		c.quality = wire.ClockRTC
	default:
		c.quality = wire.ClockUnset
	}
}

// Reboot begins a boot. Without a battery the machine wakes in 1970.
func (c *Clock) Reboot() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.booted, c.told = now, false
	if c.Battery {
		c.quality = wire.ClockRTC
		return
	}
	c.quality, c.wrong = wire.ClockUnset, time.Unix(30, 0).Sub(now)
}

// Right says whether the machine knows the time.
func (c *Clock) Right() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong == 0 && c.quality == wire.ClockNTP
}

// Tell notes that something right has told the machine the time.
func (c *Clock) Tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
}

// WasTold reports whether that was so since the boot.
func (c *Clock) WasTold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}
