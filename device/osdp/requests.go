package osdp

import (
	"sync"
	"time"

	"gatehouse/device"
)

// requests are what callers want of a reader, which was not told it yet. Its
// methods are safe from any goroutine.
type requests struct {
	mu          sync.Mutex
	lasting     device.Feedback
	showLasting bool
	passing     device.Feedback
	showPassing bool
	passed      time.Time // when passing was asked for
	window      window
	rekey       bool
	waiting     *comSetting
	pending     *comSetting // its COMSET is under way
}

// comSetting is one call of Configure.
type comSetting struct {
	address byte
	baud    int
	result  chan error // of one
}

// request is one thing that was asked for. The zero value is none.
type request struct {
	show     bool // feedback
	goOn     bool // with the feedback at hand
	feedback device.Feedback
	setting  *comSetting
	rekey    bool
}

// show asks for feedback.
func (r *requests) show(f device.Feedback, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch f {
	case device.FeedbackIdle, device.FeedbackEnterPIN, device.FeedbackHeld: // stay until another
		r.lasting, r.showLasting, r.showPassing = f, true, false
	default:
		r.passing, r.showPassing, r.passed = f, true, now
	}
}

// showAgain has what lasts shown: the reader may have lost power and forgotten it.
func (r *requests) showAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.showLasting = true
}

// any says that something was asked for.
func (r *requests) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.showLasting || r.showPassing || r.waiting != nil || r.rekey
}

// next takes the next request, the most urgent first. Of feedback that is what
// lasts, then what is left of the one at hand, then what passes unless it is over.
func (r *requests) next(showing bool, now time.Time) request {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.showLasting:
		r.showLasting = false
		return request{show: true, feedback: r.lasting}
	case showing:
		return request{goOn: true}
	case r.showPassing:
		r.showPassing = false
		if now.Sub(r.passed) <= staleAfter {
			return request{show: true, feedback: r.passing}
		}
	}
	switch {
	case r.waiting != nil && r.pending == nil:
		r.pending, r.waiting = r.waiting, nil
		return request{setting: r.pending}
	case r.rekey:
		r.rekey = false
		return request{rekey: true}
	}
	return request{}
}

// askRekey asks for a new key.
func (r *requests) askRekey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rekey = true
}

// configure asks for a COMSET; false if another waits.
func (r *requests) configure(c *comSetting) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting != nil {
		return false
	}
	r.waiting = c
	return true
}

// withdraw takes back a request whose caller has gone.
func (r *requests) withdraw(c *comSetting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == c {
		r.waiting = nil
	}
}

// configuring returns the COMSET under way; nil for none.
func (r *requests) configuring() *comSetting {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pending
}

// configured answers who waits for a COMSET.
func (r *requests) configured(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range []*comSetting{r.waiting, r.pending} {
		if c != nil {
			c.result <- err
		}
	}
	r.waiting, r.pending = nil, nil
}

// window is the time in which the key that everybody knows is used.
type window struct {
	open, told, end bool // told: InstallOpened was sent; end: closed by the caller
	until           time.Time
}

// openWindow opens the window, or moves its end.
func (r *requests) openWindow(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.window.open, r.window.end, r.window.until = true, false, until
}

// endWindow closes the window: the next watchWindow tells.
func (r *requests) endWindow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.window.end = true
}

// watchWindow tells once that the window opened, and once that it closed.
func (r *requests) watchWindow(now time.Time) (opened, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &r.window
	opened, closed = w.open && !w.told, w.open && (w.end || !now.Before(w.until))
	w.told = w.told || opened
	if closed {
		*w = window{}
	}
	return opened, closed
}

// windowOpen says that the end of the window was not told yet.
func (r *requests) windowOpen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.window.open
}

// installing says that the window is open at this moment.
func (r *requests) installing(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.window
	return w.open && !w.end && now.Before(w.until)
}
