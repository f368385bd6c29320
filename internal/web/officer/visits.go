package officer

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/control"
)

// Bounds of what is asked and kept.
const (
	keepFor    = 10 * time.Minute
	within     = 3 * time.Minute // for an answer: a minute of it may be for the card of another one
	mostAsking = 8
	mostKept   = 64
	mostAnswer = 12 << 20 // bytes of an answer as the daemon sends it
	mostBytes  = 24 << 20 // of all sealed files
)

// errBusy: too many mandates are being asked about.
var errBusy = errors.New("too many ask at this moment")

// outcome is what a paper gets: a mandate or an order to preserve.
type outcome struct {
	control.Inquiry
	kept *control.Preserved // of an order that was taken; nil: none was
	of   paper
}

// paper is what was shown.
type paper string

// The papers.
const (
	aMandate paper = "mandate"
	anOrder  paper = "order"
)

// visit is one paper that was shown. Its fields are set before done is closed, and not changed then.
type visit struct {
	done chan struct{} // closed: the daemon has answered
	got  outcome
	err  error
	at   time.Time // when it was answered
}

// over reports whether it was answered.
func (x *visit) over() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// bytes is the size of its files. The visit is over.
func (x *visit) bytes() (n int) {
	for _, f := range x.got.Files {
		n += len(f.Sealed)
	}
	return n
}

// visits are those of the last minutes, by their ids. Make it with newVisits. Safe for concurrent use.
type visits struct {
	ctx     context.Context // ends when the page does
	cancel  context.CancelFunc
	turn    chan struct{} // one answer is read at a time: each takes memory
	running sync.WaitGroup

	mu     sync.Mutex
	asking int
	closed bool
	all    map[string]*visit
}

func newVisits() *visits {
	ctx, cancel := context.WithCancel(context.Background())
	return &visits{ctx: ctx, cancel: cancel, turn: make(chan struct{}, 1), all: map[string]*visit{}}
}

// begin has the daemon asked, also if whoever showed the mandate goes away meanwhile. It returns the id of
// the visit, which nobody else guesses.
func (s *visits) begin(ask func(context.Context) (outcome, error)) (string, *visit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking == mostAsking || s.closed {
		return "", nil, errBusy
	}
	s.asking++
	id, x := rand.Text(), &visit{done: make(chan struct{})}
	s.all[id] = x
	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, within)
		defer cancel()
		got, err := s.take(ctx, ask)
		s.end(id, x, got, err)
	})
	return id, x, nil
}

func (s *visits) take(ctx context.Context, ask func(context.Context) (outcome, error)) (q outcome, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return q, ctx.Err()
	}
	defer func() { <-s.turn }()
	return ask(ctx)
}

// end keeps what a visit got, for some minutes.
func (s *visits) end(id string, x *visit, got outcome, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking--
	x.got, x.err, x.at = got, err, time.Now()
	close(x.done)
	s.makeRoom(x)
	time.AfterFunc(keepFor, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, id)
	})
}

// makeRoom drops what was answered longest ago until what is kept is within its bounds; refusals, which
// anybody gets, before answers, and never the newest. The caller holds mu.
func (s *visits) makeRoom(newest *visit) {
	for {
		bytes, oldest := 0, ""
		for id, x := range s.all {
			if !x.over() {
				continue
			}
			bytes += x.bytes()
			if x != newest && (oldest == "" || sooner(x, s.all[oldest])) {
				oldest = id
			}
		}
		if oldest == "" || bytes <= mostBytes && len(s.all) <= mostKept {
			return
		}
		delete(s.all, oldest)
	}
}

// sooner reports whether x goes before y where room is needed.
func sooner(x, y *visit) bool {
	if a, b := len(x.got.Files) == 0, len(y.got.Files) == 0; a != b {
		return a
	}
	return x.at.Before(y.at)
}

// of is the visit of an id; nil: there is none, or no more.
func (s *visits) of(id string) *visit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[id]
}

// close ends what is asked, forgets everything, and returns when nobody asks the daemon any more.
func (s *visits) close() {
	s.mu.Lock()
	s.closed = true
	clear(s.all)
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}
