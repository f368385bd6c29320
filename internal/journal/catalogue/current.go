package catalogue

import (
	"sync"
	"sync/atomic"
)

// Current holds the present catalogue. Safe for concurrent use. Make it with NewCurrent.
type Current struct {
	mu  sync.Mutex // held while the next catalogue is made
	now atomic.Pointer[Catalogue]
}

// NewCurrent begins with no files, and with the hints of an earlier run.
func NewCurrent(h Hints) *Current {
	c := &Current{}
	c.now.Store(&Catalogue{Hints: h, Changed: make(chan struct{})})
	return c
}

// Load returns the catalogue of now.
func (c *Current) Load() *Catalogue { return c.now.Load() }

// Change replaces the catalogue by a changed copy. Calls are serialised; change must be quick and
// must call nothing of Current.
func (c *Current) Change(change func(*Catalogue)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.now.Load()
	change(&next)
	c.now.Store(&next)
}

// Grow is Change for new durable entries: it wakes those who wait for Changed.
func (c *Current) Grow(change func(*Catalogue)) {
	var before chan struct{}
	c.Change(func(c *Catalogue) {
		change(c)
		before, c.Changed = c.Changed, make(chan struct{})
	})
	close(before)
}
