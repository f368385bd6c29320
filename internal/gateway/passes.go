package gateway

import (
	"context"

	"github.com/rs/zerolog"

	"gatehouse/internal/doorcode"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/journal"
	"gatehouse/internal/pass"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

// recallMost is how many of the newest entries are searched for used passes: far more than a
// quarter of an hour has.
const recallMost = 20_000

// logBatch is how many entries are read at a time.
const logBatch = 500

// recall reads which passes and one-time codes the runs before have used.
type recall struct {
	journal *journal.Journal
	clock   *clock.Clock
	judge   *pass.Judge
	codes   *doorcode.Store
	log     zerolog.Logger
}

// run gives the judge the passes that earlier runs have used, once the journal can be read. Where
// the journal does not reach back far enough, the judge goes on treating every pass from before the
// start as used.
func (r recall) run(ctx context.Context) {
	for {
		changed := r.journal.Changed()
		at := r.journal.Status().Position
		at.Sequence -= min(at.Sequence, recallMost)
		used, all, read := r.used(ctx, at)
		if all {
			r.judge.Recall(used)
		}
		if read > 0 {
			r.codes.Recall(used)
			r.log.Info().Bool("all", all).Msg("passes used before were read back from the log")
			return
		}
		select { // the first entry of this run is on its way
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// beginsJournal reports whether an entry is the oldest of all: the first of an epoch that cites
// none.
func beginsJournal(e journal.Entry, h wire.Header) bool {
	return e.Sequence == 0 && !(h.Kind == wire.KindEpoch && len(h.Detail) > 0)
}

// isBefore reports whether an entry was surely made before a time, unix s: a clock that was never
// set stands at some earlier time and says nothing.
func isBefore(h wire.Header, unix int64) bool {
	return h.Clock >= wire.ClockRTC && h.Time().Unix() < unix
}

// used reads on from a place in the journal, and reports whether that covered every pass that may
// still be good.
func (r recall) used(ctx context.Context, at journal.Position) (used []wire.ID, all bool, read int) {
	enough := r.clock.Decision().Lo - qrpass.Max - 2*pass.Skew
	for {
		entries, next, err := r.journal.Entries(ctx, at, logBatch)
		if err != nil || len(entries) == 0 {
			return used, all && err == nil, read
		}
		for _, e := range entries {
			h, err := wire.DecodeHeader(e.Header)
			if err != nil {
				return nil, false, read
			}
			all = all || read == 0 && beginsJournal(e, h) || isBefore(h, enough)
			if h.Kind == wire.KindAccess && h.Outcome == wire.OutcomeGranted && len(h.Detail) == len(wire.ID{}) {
				used = append(used, wire.ID(h.Detail))
			}
			read++
		}
		at = next
	}
}
