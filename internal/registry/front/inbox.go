package front

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
	answerTime    = 10 * time.Second // an enrolment waits so long for the issuer
	maxEnrolments = 64               // that wait at a time
	maxWork       = 128              // deliveries of one answer
	maxWorkWait   = time.Minute      // where the options say nothing
	issuerSilence = time.Minute      // after which status says that the issuer is away
)

var (
	errNoAnswer = errors.New("the issuer does not answer")
	errTooMany  = errors.New("too many enrolments at a time")
	errGone     = errors.New("nobody waits for this answer any more")
)

// inbox is the issuer's: enrolments wait in it for an answer, and whoever polls
// for work waits in it for something to do. Safe for concurrent use.
type inbox struct {
	mu      sync.Mutex
	changed chan struct{} // closed when there is something new
	waiting []api.Enrolment
	answers map[string]chan api.Answer // by id
	asked   time.Time                  // when the issuer last asked for work, or still waits for it
	polls   int
}

func newInbox() *inbox {
	return &inbox{changed: make(chan struct{}), answers: map[string]chan api.Answer{}}
}

// wake tells those that wait that there may be work.
func (b *inbox) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeLocked()
}

func (b *inbox) wakeLocked() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// ask puts an enrolment before the issuer and waits for the answer.
func (b *inbox) ask(ctx context.Context, e api.Enrolment) (api.Answer, error) {
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
	defer b.remove(e.ID)
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case a := <-answer:
		return a, nil
	case <-timer.C:
		return api.Answer{}, errNoAnswer
	case <-ctx.Done():
		return api.Answer{}, ctx.Err()
	}
}

func (b *inbox) remove(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.answers, id)
	b.waiting = slices.DeleteFunc(b.waiting, func(e api.Enrolment) bool { return e.ID == id })
}

// answer hands the issuer's answer to whoever waits for it, once.
func (b *inbox) answer(a api.Answer) error {
	b.mu.Lock()
	to := b.answers[a.ID]
	b.mu.Unlock()
	if to == nil {
		return errGone
	}
	b.remove(a.ID)
	select {
	case to <- a:
		return nil
	default:
		return errGone
	}
}

// look returns what waits and a channel that is closed when that changes.
func (b *inbox) look() ([]api.Enrolment, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = time.Now()
	return slices.Clone(b.waiting), b.changed
}

// poll counts who waits for work until the returned function is called.
func (b *inbox) poll() (end func()) {
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

// attended reports whether an issuer asks for work.
func (b *inbox) attended() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.polls > 0 || time.Since(b.asked) < issuerSilence
}

// workAfter returns what waits for the issuer; with nothing there it waits for
// something, as long as it may.
func (f *Front) workAfter(ctx context.Context, after uint64, wait time.Duration) (api.Work, error) {
	defer f.inbox.poll()()
	timer := time.NewTimer(min(wait, f.o.WorkWait))
	defer timer.Stop()
	for {
		time.Sleep(f.o.WorkGather)
		w := api.Work{Next: after, Deliveries: []api.Delivery{}}
		var changed <-chan struct{}
		w.Enrolments, changed = f.inbox.look()
		err := f.store.Records(ctx, after, maxWork, func(p wire.Place, r store.Record) error {
			w.Next = r.Number
			w.Deliveries = append(w.Deliveries, api.Delivery{Number: r.Number, Place: api.Place(p), Line: r.Line, Record: r.Record,
				Envelope: r.Envelope, PersonHash: r.Person, Stored: r.Stored})
			return nil
		})
		w.Holdings = f.holdings.whole(time.Now())
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
