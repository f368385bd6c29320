package simulate

import (
	"sync"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/sync/wire"
)

// machineClock is the clocks of one machine: a wall clock that may be wrong, and
// those that count since the boot and never are. Safe for concurrent use.
type machineClock struct {
	mu      sync.Mutex
	wrong   time.Duration // wall clock less true time
	booted  time.Time     // true time of the boot
	quality wire.ClockQuality
	battery bool // it has a battery clock, which goes on without power
	told    bool // in this boot something right has told it the time
}

func newMachineClock(battery bool) *machineClock {
	return &machineClock{booted: time.Now().Add(-time.Hour), quality: wire.ClockNTP, battery: battery}
}

// Wall is what the machine takes for the time. It has no monotonic part, since
// it goes wherever it is set.
func (c *machineClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.wrong).Round(0)
}

// Boot is the time since the boot, sleep included.
func (c *machineClock) Boot() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.booted)
}

// Quality is what the machine's kernel says of the wall clock.
func (c *machineClock) Quality() (wire.ClockQuality, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quality, 5 * time.Millisecond
}

// source is the clock as the registry's programs ask it.
func (c *machineClock) source() agreed.Source {
	return agreed.Source{Wall: c.Wall, Boot: c.Boot, BootID: "the only one", Synced: func() bool {
		q, _ := c.Quality()
		return q == wire.ClockNTP
	}}
}

// set makes the clock wrong by so much, with a time server that says so or
// without one.
func (c *machineClock) set(wrong time.Duration, server bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = wrong
	switch {
	case server:
		c.quality = wire.ClockNTP
	case c.battery:
		c.quality = wire.ClockRTC
	default:
		c.quality = wire.ClockUnset
	}
}

// reboot begins a boot. Without a battery the machine wakes in 1970.
func (c *machineClock) reboot() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.booted, c.told = now, false
	if c.battery {
		c.quality = wire.ClockRTC
		return
	}
	c.quality, c.wrong = wire.ClockUnset, time.Unix(30, 0).Sub(now)
}

// right says whether the machine knows the time.
func (c *machineClock) right() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wrong == 0 && c.quality == wire.ClockNTP
}

// tell notes that something right has told the machine the time.
func (c *machineClock) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
}

// wasTold reports whether that was so since the boot.
func (c *machineClock) wasTold() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}
