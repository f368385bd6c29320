package intake

import (
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
)

// A slow disk shows when somebody waits for it, and that is a door with a card. So what anybody may see of
// it has no moment: neither its beginning nor its end, and of a disk that was slow only on which
// day. One that stays slow for an hour is sick.

const (
	day       = 24 * time.Hour
	remembers = 7 * day
	shownFrom = time.Hour
)

// slowness has the last two days, counted from 1 at boot, on which the disk was slow; 0: none. since: when
// it last began, ns since boot.
type slowness struct{ last, before, since uint64 }

func dayOf(boot uint64) uint64 { return boot/uint64(day) + 1 }

func (s *slowness) add(boot uint64) {
	s.since = boot
	if d := dayOf(boot); d != s.last {
		s.last, s.before = d, s.last
	}
}

// known reports whether the disk was slow on an earlier day of the last week.
func (s slowness) known(boot uint64) bool {
	d := s.last
	if d == dayOf(boot) {
		d = s.before
	}
	return d != 0 && dayOf(boot)-d <= uint64(remembers/day)
}

// passing reports whether the disk is slow, and not yet for long. The caller holds mu.
func (in *Intake) passing(boot uint64) bool {
	return in.degraded && in.reason == wire.ReasonSlowDisk && boot-in.slow.since < uint64(shownFrom)
}

// level returns the level of a line about the disk: debug for a slow one. The caller holds mu.
func (in *Intake) level(other zerolog.Level) zerolog.Level {
	if in.reason == wire.ReasonSlowDisk {
		return zerolog.DebugLevel
	}
	return other
}
