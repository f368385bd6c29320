//go:build !linux

package agreed

import "time"

// System reads the clocks of this machine; outside Linux the time since the start
// of the process stands for that since boot.
func System() Source {
	start := time.Now()
	return Source{Wall: time.Now, BootID: start.String(), Synced: func() bool { return false }, Boot: func() time.Duration { return time.Since(start) }}
}
