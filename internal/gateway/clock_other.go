//go:build !linux

package gateway

import (
	"time"

	"gatehouse/sync/wire"
)

// SystemTime reads the clocks of this machine; outside Linux nothing is known
// of their quality, and time since start stands for time since boot.
func SystemTime() TimeSource {
	start := time.Now()
	return TimeSource{
		Wall:     time.Now,
		BootTime: func() time.Duration { return time.Since(start) },
		Quality:  func() (wire.ClockQuality, time.Duration) { return wire.ClockUnset, 0 },
	}
}

func bootID() wire.ID { return wire.ID{} }
