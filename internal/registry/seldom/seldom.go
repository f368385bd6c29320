// Package seldom makes a log line that a stranger can cause into one that
// comes seldom: the first at once, then at most one a minute, with the number
// of those that were left out. It refuses nothing and drops no line that says
// something new: it is for lines of which the hundredth says what the first did.
package seldom

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// apart is the time between two lines.
const apart = time.Minute

// Log returns a logger of which lines of one kind come seldom. Each call makes
// one with a count of its own. Safe for concurrent use.
func Log(l zerolog.Logger) *zerolog.Logger {
	g := &gate{}
	l = l.Sample(g).Hook(g)
	return &l
}

// gate decides which lines pass, and counts the others.
type gate struct {
	mu      sync.Mutex
	last    time.Time
	left    uint64 // out since the last line
	pending uint64 // of the line that is being written
}

// Sample reports whether a line may be written.
func (g *gate) Sample(zerolog.Level) bool {
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
func (g *gate) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pending > 0 {
		e.Uint64("more", g.pending)
		g.pending = 0
	}
}
