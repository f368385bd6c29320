package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire/journaled"
)

// Current is the catalogue of now. Safe for concurrent use. Make it with NewCurrent.
type Current struct {
	mu  sync.Mutex // held by who makes the next one
	now atomic.Pointer[Catalogue]
}

// NewCurrent begins with no files, and the positions that an earlier run kept.
func NewCurrent(acked, safe journaled.Position) *Current {
	c := &Current{}
	c.now.Store(&Catalogue{Acked: acked, Safe: safe, Changed: make(chan struct{})})
	return c
}

// Load returns the catalogue of now.
func (c *Current) Load() *Catalogue { return c.now.Load() }

// Change replaces the catalogue by a copy that change has changed. Calls follow one
// another; change is quick and calls nothing of Current.
func (c *Current) Change(change func(*Catalogue)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.now.Load()
	change(&next)
	c.now.Store(&next)
}

// Grow is Change for more that is durable: it wakes who waits for Changed.
func (c *Current) Grow(change func(*Catalogue)) {
	var before chan struct{}
	c.Change(func(c *Catalogue) {
		change(c)
		before, c.Changed = c.Changed, make(chan struct{})
	})
	close(before)
}

// ReadPosition reads what WritePosition wrote; the zero one where there is no file.
func ReadPosition(path string) (p journaled.Position, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if _, err := fmt.Sscanf(string(b), "%x %d\n", &p.Epoch, &p.Sequence); err != nil {
		return journaled.Position{}, fmt.Errorf("read %s: %w", path, err)
	}
	return p, nil
}

// WritePosition writes a position, durably: the epoch in hex, the sequence.
func WritePosition(path string, p journaled.Position) error {
	return durable.WriteFile(path, fmt.Appendf(nil, "%016x %d\n", p.Epoch, p.Sequence), 0o600)
}
