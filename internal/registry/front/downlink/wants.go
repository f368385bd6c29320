package downlink

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// maxAnswer is the most bytes of buckets in one answer: more would block a slow link. The gateway
// asks again for the rest.
const maxAnswer = 2 << 20

// maxWants is the most queued requests.
const maxWants = 256

// Wants answers gateways that ask for what they lack. Ask and Dropped are safe for concurrent use.
type Wants struct {
	sender  *Sender
	queue   chan want
	dropped atomic.Uint64

	mu    sync.Mutex
	asked map[*roster.Gateway]bool // with a queued request
}

// want is a gateway's request for what it lacks.
type want struct {
	g *roster.Gateway
	wire.Want
}

func newWants(s *Sender) *Wants {
	return &Wants{sender: s, queue: make(chan want, maxWants), asked: map[*roster.Gateway]bool{}}
}

// Ask queues a request, at most one of each gateway; a gateway without an answer asks again.
func (w *Wants) Ask(g *roster.Gateway, q wire.Want) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asked[g] {
		return
	}
	select {
	case w.queue <- want{g, q}:
		w.asked[g] = true
	default:
		w.dropped.Add(1)
	}
}

// Dropped returns how many requests found the queue full.
func (w *Wants) Dropped() uint64 { return w.dropped.Load() }

// Run answers requests until ctx ends.
func (w *Wants) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-w.queue:
			if err := w.answer(ctx, q); err != nil && ctx.Err() == nil {
				w.sender.o.Log.Error().Err(err).Str("gateway", q.g.Address()).Msg("a gateway can't be given what it lacks")
			}
			w.mu.Lock()
			delete(w.asked, q.g)
			w.mu.Unlock()
		}
	}
}

func (w *Wants) answer(ctx context.Context, q want) error {
	s := w.sender
	g := s.o.Roster.Look(q.g)
	if q.Trust {
		if a := s.trustFor(g.View.Hello); a != nil {
			s.Send(g.Place.Down(wire.TypeTrust), a.Envelope)
		}
	}
	if house := g.Building.HouseFor(g.View.Format); q.House && house != nil {
		s.Send(g.Place.Down(wire.TypeHouse), house)
	}
	if !q.List && len(q.Buckets) == 0 {
		return nil
	}
	l, err := s.newestList(ctx, g.Place.Building)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	buckets, err := w.readBuckets(ctx, g.Place.Building, q.Buckets)
	if err == nil {
		s.sendList(q.g, l, buckets, true)
	}
	return err
}

// readBuckets returns the buckets that are stored. An old hash is no error, since the answer names
// the newest list.
func (w *Wants) readBuckets(ctx context.Context, building string, hashes []wire.Hash) (buckets [][]byte, err error) {
	size := 0
	for _, hash := range hashes {
		body, err := w.sender.o.Store.Bucket(ctx, building, hash)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if size += len(body); size > maxAnswer {
			break
		}
		buckets = append(buckets, body)
	}
	return buckets, nil
}
