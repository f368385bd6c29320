// Package inbox has what waits at the front for the issuer (enrolments, tenancy records, holdings
// of gateways), and passes its answers to gateways that enrol.
package inbox

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

const (
	answerTime    = 10 * time.Second // how long an enrolment waits for the issuer
	maxEnrolments = 64               // most waiting enrolments
	maxWork       = 128              // most deliveries in one answer
	issuerSilence = time.Minute      // after which status reports the issuer as absent
)

var (
	errNoAnswer = errors.New("the issuer does not answer")
	errTooMany  = errors.New("too many enrolments at a time")
	ErrGone     = errors.New("nobody waits for this answer any more")
)

// Options of an Inbox. Store and Wait are needed.
type Options struct {
	Store *store.Store
	// Wait is the most time that a request for work is held while there is none.
	Wait time.Duration
	// Gather is how long such a request is held when there is work, to gather more; 0: not at all.
	Gather time.Duration
}

// Inbox is where enrolments wait for the issuer's answer, and where the issuer waits for work. It
// is safe for concurrent use.
type Inbox struct {
	o        Options
	holdings *holdings

	mu      sync.Mutex
	changed chan struct{} // closed when there is something new
	waiting []api.Enrolment
	answers map[string]chan api.Answer // by id
	polls   int                        // present requests of the issuer for work
	asked   time.Time                  // when the last such request ended
}

// New returns an empty Inbox.
func New(o Options) *Inbox {
	return &Inbox{o: o, holdings: newHoldings(), changed: make(chan struct{}), answers: map[string]chan api.Answer{}}
}

// Wake signals that there may be work.
func (b *Inbox) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeLocked()
}

func (b *Inbox) wakeLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// Ask passes an enrolment to the issuer and waits for the answer, at most answerTime.
func (b *Inbox) Ask(ctx context.Context, e api.Enrolment) (api.Answer, error) {
	e.ID = rand.Text()
	answer := make(chan api.Answer, 1)
	b.mu.Lock()
	if len(b.waiting) >= maxEnrolments {
		b.mu.Unlock()
		return api.Answer{}, errTooMany
	}
	b.waiting = append(b.waiting, e)
	b.answers[e.ID] = answer
	b.wakeLocked()
	b.mu.Unlock()
	defer b.take(e.ID)
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, errNoAnswer)
	defer cancel()
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return api.Answer{}, context.Cause(ctx)
	}
}

// take removes a waiting enrolment and returns its channel; nil: nobody waits.
func (b *Inbox) take(id string) chan<- api.Answer {
	b.mu.Lock()
	defer b.mu.Unlock()
	to := b.answers[id]
	delete(b.answers, id)
	b.waiting = slices.DeleteFunc(b.waiting, func(e api.Enrolment) bool { return e.ID == id })
	return to
}

// Answer passes the issuer's answer to the waiting enrolment, once; else it returns ErrGone.
func (b *Inbox) Answer(a api.Answer) error {
	to := b.take(a.ID)
	if to == nil {
		return ErrGone
	}
	to <- a // never blocks: take returns the channel only once
	return nil
}

// look returns the waiting enrolments and a channel that is closed when they change.
func (b *Inbox) look() ([]api.Enrolment, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.waiting), b.changed
}

// poll counts a request for work until the returned function is called.
func (b *Inbox) poll() (end func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.polls++
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.polls--
		b.asked = time.Now()
	}
}

// Attended reports whether an issuer requests work.
func (b *Inbox) Attended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.polls > 0 || time.Since(b.asked) < issuerSilence
}

// AddHolding adds a part of what a gateway holds.
func (b *Inbox) AddHolding(p wire.Place, part wire.Holding, envelope []byte) error {
	whole, err := b.holdings.add(p, part, envelope)
	if whole {
		b.Wake()
	}
	return err
}

// TakeHolding notes that the issuer has judged what a gateway holds.
func (b *Inbox) TakeHolding(h api.Holding) error {
	if !b.holdings.take(h.Place.Address(), h.Nonce) {
		return ErrGone
	}
	return nil
}

// Work returns what waits for the issuer after a delivery's number. If there is nothing it waits,
// at most wait and at most the option Wait.
func (b *Inbox) Work(ctx context.Context, after uint64, wait time.Duration) (api.Work, error) {
	defer b.poll()()
	timer := time.NewTimer(min(wait, b.o.Wait))
	defer timer.Stop()
	for {
		time.Sleep(b.o.Gather)
		enrolments, changed := b.look()
		deliveries, err := b.o.Store.Records(ctx, after, maxWork)
		w := api.Work{Next: after, Deliveries: deliveries, Enrolments: enrolments, Holdings: b.holdings.whole(time.Now())}
		if n := len(deliveries); n > 0 {
			w.Next = deliveries[n-1].Number
		}
		if err != nil || len(w.Deliveries)+len(w.Enrolments)+len(w.Holdings) > 0 {
			return w, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return w, nil
		case <-ctx.Done():
			return w, nil
		}
	}
}
