package gateway

import (
	"context"

	"gatehouse/internal/journal"
	"gatehouse/internal/pass"
	"gatehouse/sync/wire"
)

// recallMost is how many of the newest entries are searched for used passes: far
// more than a quarter of an hour has.
const recallMost = 20_000

// logBatch is how many entries are read at a time.
const logBatch = 500

// recallPasses tells the judge which passes the runs before have used, once the
// journal can be read. Where it does not reach back far enough, the judge goes on
// taking every pass of before the start for used.
func (g *Gateway) recallPasses(ctx context.Context) {
	for {
		changed := g.Journal.Changed()
		at := g.Journal.Status().Position
		at.Sequence -= min(at.Sequence, recallMost)
		used, all, read := g.usedPasses(ctx, at)
		if all {
			g.passes.Recall(used)
		}
		if read > 0 {
			g.o.Log.Info().Bool("all", all).Msg("passes used before were read back from the log")
			return
		}
		select { // this run's first entry is on its way
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// usedPasses reads on from a place in the journal, and reports whether that was
// early enough to have met every pass that may still be good.
func (g *Gateway) usedPasses(ctx context.Context, at journal.Position) (used []wire.ID, all bool, read int) {
	enough := g.Clock.Decision().Lo - wire.MaxPass - 2*pass.Skew
	for {
		entries, next, err := g.Journal.Entries(ctx, at, logBatch)
		if err != nil || len(entries) == 0 {
			return used, all && err == nil, read
		}
		for _, e := range entries {
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return nil, false, read
			}
			begins := read == 0 && e.Sequence == 0 && !(h.Kind == wire.KindEpoch && len(h.Detail) > 0)
			all = all || begins || h.Clock >= wire.ClockRTC && h.Time().Unix() < enough
			if h.Kind == wire.KindAccess && h.Outcome == wire.OutcomeGranted && len(h.Detail) == len(wire.ID{}) {
				used = append(used, wire.ID(h.Detail))
			}
			read++
		}
		at = next
	}
}
