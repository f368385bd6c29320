// Package cover writes entries that say nothing into a gateway's journal, at random times, so that
// an entry which says that the log was queried is one among many: who has the disk and no key cannot
// tell them apart (truth E4).
//
// It refuses to know of queries: a cover is never left out, nor made, because of one. A house
// without a registry has nobody to seal to, and no covers: nobody can query it either.
package cover

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// Journal is what is needed of the journal; *journal.Journal is one.
type Journal interface {
	Queue(wire.Header, wire.Who) wire.Ref
}

// Writer writes covers.
type Writer struct {
	Journal Journal
	// Key returns the address of the gateway and the public records key; nil: nobody to seal to.
	Key func() (address string, records []byte)
	// Next returns how long the next cover is away; nil: Gap.
	Next func() time.Duration
	// Beside does with each cover what is done with an entry that says something, as far as the disk shows it.
	Beside func() error
	Log    zerolog.Logger
}

// Run writes covers until ctx ends.
func (w Writer) Run(ctx context.Context) {
	next := w.Next
	if next == nil {
		next = Gap
	}
	for {
		timer := time.NewTimer(next())
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		w.write()
	}
}

func (w Writer) write() {
	address, records := w.Key()
	if len(records) == 0 {
		return
	}
	detail, err := sealed.SealCover(records, address)
	if err != nil {
		w.Log.Error().Err(err).Msg("an entry can't be sealed to the records key of the trust document")
		return
	}
	w.Journal.Queue(wire.Header{Kind: wire.KindSealed, Detail: detail}, wire.Who{})
	if err := w.Beside(); err != nil {
		w.Log.Warn().Err(err).Msg("a file of the state directory")
	}
}

// Covers come some 24 times a day. Who asks of a log often asks twice, so a part of them follow
// another one within minutes.
const (
	apart    = 80 * time.Minute
	together = 4 * time.Minute
	follow   = 4 // one in so many follows soon
)

// Gap is the random time to the next cover. It has no memory but which of the two means it is
// drawn by, so that a query, whenever it comes, stands like a cover between its neighbours.
func Gap() time.Duration {
	mean := apart
	if rand.IntN(follow) == 0 {
		mean = together
	}
	return time.Duration(-math.Log(1-rand.Float64()) * float64(mean))
}
