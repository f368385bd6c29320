package front

import (
	"context"
	"time"

	"gatehouse/internal/registry/agreed"
)

// clockEvery is how often the clock is read when nothing happens.
const clockEvery = time.Minute

// keepClock stores the agreed time, and logs doubt in the clock when it begins and ends.
func (f *Front) keepClock(ctx context.Context) error {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for told := agreed.None; ; {
		if err := f.clock.Save(); err != nil {
			f.o.Log.Error().Err(err).Msg("after a start the clock may be doubted for longer than it must")
		}
		if r := f.clock.Report(); r.Doubt != told {
			if told = r.Doubt; told == agreed.None {
				f.o.Log.Info().Msg("the clock is gone by again")
			} else {
				f.o.Log.Warn().Str("doubt", string(told)).Msg(r.Advice())
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
