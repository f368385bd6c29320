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

// Current holds the present catalogue. Safe for concurrent use. Make it with NewCurrent.
type Current struct {
	mu  sync.Mutex // held while the next catalogue is made
	now atomic.Pointer[Catalogue]
}

// NewCurrent begins with no files, and with the positions of an earlier run.
func NewCurrent(acked, safe journaled.Position) *Current {
	c := &Current{}
	c.now.Store(&Catalogue{Acked: acked, Safe: safe, Changed: make(chan struct{})})
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

// ReadPosition reads a position that WritePosition wrote; zero where there is no file.
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
