package gateway

import (
	"context"
	"time"

	"gatehouse/internal/cover"
	"gatehouse/internal/holds"
	"gatehouse/sync/wire/periods"
)

// holdsFile is what the holds of officers' orders are kept in, within the state directory.
const holdsFile = "holds"

// openHolds reads what is kept from erasing. Nothing else of a gateway waits for it.
func openHolds(g *Gateway) {
	var doors []string
	for _, d := range g.Site.Doors {
		doors = append(doors, d.ID)
	}
	var err error
	g.Holds, err = holds.OpenBook(holds.Options{Path: g.Site.Path(holdsFile), Doors: doors, Kept: func() time.Duration { return periods.Days(Periods(g).Whos) }, Chance: g.o.Cadence.Decoys,
		Now: func() holds.Moment {
			r := g.Clock.Read()
			return holds.Moment{Wall: r.Wall, Boot: r.Boot, Interval: r.Interval}
		}})
	if err != nil {
		g.o.Log.Warn().Err(err).Msg("what may not be erased is not known: nothing is erased for a week")
	}
}

// runCovers writes, until ctx ends, the entries that say nothing, among which those stand that say that the log
// was queried or a part of it preserved.
func runCovers(ctx context.Context, g *Gateway) {
	key := func() (string, []byte) {
		if r := g.Keyring.Keys.Registry(); r != nil {
			return r.Place.Address(), r.Trust.Records
		}
		return "", nil
	}
	cover.Writer{Journal: g.Journal, Next: g.o.Cadence.Cover, Log: g.o.Log, Key: key, Beside: g.Holds.Cover}.Run(ctx)
	if _, records := key(); len(records) == 0 {
		return // nobody can have ordered anything
	}
	if err := g.Holds.Save(); err != nil {
		g.o.Log.Warn().Err(err).Msg("a file of the state directory")
	}
}
