package mine

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// Bounds of readings. What was read is forgotten when its time is over, also where the phone lies on a table.
const (
	cardComes   = 5 * time.Minute  // from the PIN to the card
	readFor     = 10 * time.Minute // from the card on
	mostOfOne   = 2                // readings of a tenancy at a time: a third ends the oldest
	mostAtATime = 64
)

var (
	errOver   = &tenancy.Refusal{Over: true, Hint: "begin anew: type flat and PIN, and hold the card up", Message: "this reading is over"}
	errNoCard = tenancy.Refuse("hold it up to a reader first", "the own card was not held up yet")
	errFull   = &tenancy.Refusal{Busy: true, Hint: "try again in ten minutes", Message: "too many residents read their entries now"}
	errWhich  = tenancy.Refuse("choose one of the entries that are shown; about anything else name none", "it is not said which entry is wrong")
)

// readings are those that are on, by token. Safe for concurrent use.
type readings struct {
	mu  sync.Mutex
	all map[string]*reading
}

// reading is one resident's. Its lock guards what stands below it.
type reading struct {
	token   string
	since   time.Time
	tenancy wire.ID
	cards   map[wire.CredentialID]bool // of the tenancy
	over    context.Context
	close   context.CancelFunc
	timer   *time.Timer

	mu   sync.Mutex
	ends time.Time
	held *control.Mine     // nil: no card was held up yet
	card wire.CredentialID // that was
}

func newReadings() *readings { return &readings{all: map[string]*reading{}} }

// begin begins a reading of a tenancy, and returns its token.
func (a *readings) begin(of wire.ID, cards map[wire.CredentialID]bool) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, oldest := 0, (*reading)(nil)
	for _, r := range a.all {
		if r.tenancy != of {
			continue
		}
		if n++; oldest == nil || r.since.Before(oldest.since) {
			oldest = r
		}
	}
	switch {
	case n >= mostOfOne:
		a.drop(oldest)
	case len(a.all) >= mostAtATime:
		return "", errFull
	}
	over, end := context.WithCancel(context.Background())
	r := &reading{token: rand.Text(), since: time.Now(), tenancy: of, cards: cards, over: over, close: end, ends: time.Now().Add(cardComes)}
	r.timer = time.AfterFunc(cardComes, func() { a.end(r.token) })
	a.all[r.token] = r
	return r.token, nil
}

// of finds a reading by its token.
func (a *readings) of(token string) (*reading, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.all[token]; r != nil {
		return r, nil
	}
	return nil, errOver
}

// show keeps what was read by a card, until its time is over.
func (a *readings) show(r *reading, held control.Mine, card wire.CredentialID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all[r.token] != r {
		return errOver
	}
	r.timer.Reset(readFor)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, r.card, r.ends = &held, card, time.Now().Add(readFor)
	return nil
}

// shown returns what was read; nil: no card was held up yet.
func (r *reading) shown() *control.Mine {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

// stands returns how long it goes on, and what was read.
func (r *reading) stands() (left time.Duration, held *control.Mine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(time.Until(r.ends), 0), r.held
}

// end forgets a reading.
func (a *readings) end(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.all[token]; r != nil {
		a.drop(r)
	}
}

// drop forgets a reading and ends who waits in it. The caller holds mu.
func (a *readings) drop(r *reading) {
	r.timer.Stop()
	r.close()
	delete(a.all, r.token)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = nil
}

// Bounds of requests: no more than the entries that say nothing can hide.
const (
	askedOfOne = 3
	askedOfAll = 12
	askedIn    = time.Hour
)

// asked counts the requests of the last hour.
type asked struct {
	mu sync.Mutex
	by map[wire.ID][]time.Time
}

// take counts a request; false: there were enough.
func (a *asked) take(of wire.ID, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := 0
	for id, times := range a.by {
		kept := times[:0]
		for _, at := range times {
			if now.Sub(at) < askedIn {
				kept = append(kept, at)
			}
		}
		if a.by[id] = kept; len(kept) == 0 {
			delete(a.by, id)
		}
		all += len(kept)
	}
	if all >= askedOfAll || len(a.by[of]) >= askedOfOne {
		return false
	}
	a.by[of] = append(a.by[of], now)
	return true
}
