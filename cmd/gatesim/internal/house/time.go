package house

import (
	"time"

	"gatehouse/internal/gateway/clock"
	"gatehouse/sync/wire"
)

// Rest is how long a card is away before it is held up again, once its door is
// secured: less than in a house, where people come and go in the meantime.
const Rest = time.Second

// Time is this machine's clock, taken as set by a time server: a visitor's
// key needs a clock that somebody vouches for, and few laptops or containers
// can say that of theirs.
func Time() clock.Source {
	t := clock.System()
	t.Quality = func() (wire.ClockQuality, time.Duration) { return wire.ClockNTP, 0 }
	return t
}
