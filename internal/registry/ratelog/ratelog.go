// Package ratelog is a rate-limited log for lines that a stranger can cause: the
// first is written at once, then at most one a minute, with the number of those
// that were left out. It is for lines of which the hundredth says what the first
// did.
package ratelog

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// apart is the time between two lines.
const apart = time.Minute

// New returns a rate-limited logger that writes to l. Each one counts for itself.
// Safe for concurrent use.
func New(l zerolog.Logger) *zerolog.Logger {
	g := &limit{}
	l = l.Sample(g).Hook(g)
	return &l
}

// limit decides which lines pass, and counts the others.
type limit struct {
	mu      sync.Mutex
	last    time.Time
	left    uint64 // out since the last line
	pending uint64 // of the line that is being written
}

// Sample reports whether a line may be written.
func (g *limit) Sample(zerolog.Level) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if !g.last.IsZero() && now.Sub(g.last) < apart {
		g.left++
		return false
	}
	g.last, g.pending, g.left = now, g.left, 0
	return true
}

// Run adds the count to the line that passed.
func (g *limit) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pending > 0 {
		e.Uint64("more", g.pending)
		g.pending = 0
	}
}
