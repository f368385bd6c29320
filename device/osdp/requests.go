package osdp

import (
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// requests are the callers' requests to a reader that were not sent yet. Its methods are safe for
// concurrent use.
type requests struct {
	mu          sync.Mutex
	lasting     device.Feedback
	showLasting bool
	passing     device.Feedback
	showPassing bool
	passed      time.Time // when passing was asked for
	window      window
	failed      fault.Code // why the last new key failed; None: it did not, or a window was opened since
	rekey       bool
	waiting     *comSetting
	pending     *comSetting // its COMSET is under way
}

// comSetting is one call of Configure.
type comSetting struct {
	address byte
	baud    int
	result  chan error // the results; one is sent
}

// request is one request. The zero value is none.
type request struct {
	show     bool // feedback
	goOn     bool // continue the present feedback
	feedback device.Feedback
	setting  *comSetting
	rekey    bool
}

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

// showAgain requests lasting feedback again: the reader may have lost power and forgotten it.
func (r *requests) showAgain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.showLasting = true
}

func (r *requests) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.showLasting || r.showPassing || r.waiting != nil || r.rekey
}

// next takes the most urgent request. Of feedback that is the lasting one, then the rest of the
// present one, then a passing one unless it is too late.
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

func (r *requests) askRekey() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rekey = true
}

// configure requests a COMSET; false: another waits.
func (r *requests) configure(c *comSetting) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting != nil {
		return false
	}
	r.waiting = c
	return true
}

// withdraw cancels a request whose caller has gone.
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

// configured answers the caller who waits for a COMSET.
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

// window is the time in which the default key is used.
type window struct {
	open, told, end bool // told: InstallOpened was sent; end: closed by the caller
	until           time.Time
}

// openWindow opens the window, or moves its end.
func (r *requests) openWindow(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.window.open, r.window.end, r.window.until, r.failed = true, false, until, fault.None
}

// endWindow closes the window: the next watchWindow tells.
func (r *requests) endWindow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.window.end = true
}

// keyFailed notes why a new key failed.
func (r *requests) keyFailed(cause fault.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = cause
}

// watchWindow reports once that the window opened, and once that it closed.
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

// installed reports whether the end of the window was not told yet, and why the last new key failed.
func (r *requests) installed() (open bool, failed fault.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.window.open, r.failed
}

func (r *requests) installing(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.window
	return w.open && !w.end && now.Before(w.until)
}
