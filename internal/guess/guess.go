// Package guess bounds how often secrets are looked at that somebody may guess: at one
// place, and over all. A right one costs nothing.
//
// It refuses to look at a secret to save a try: one that comes while there is none left is
// not looked at, right or not.
package guess

import (
	"sync"
	"time"
)

// Limit is so many tries at once, and one more after each pause.
type Limit struct {
	Burst int
	Every time.Duration
}

// Tries are those at places of one kind. Make them with New. Safe for concurrent use.
type Tries[Place comparable] struct {
	each, all Limit
	first     int  // tries of a place at the start
	apart     bool // see ForEach
	start     time.Time

	mu    sync.Mutex
	total bucket
	by    map[Place]*bucket
}

// bucket holds tries that are used. Times are of the monotonic clock.
type bucket struct {
	used  int
	since time.Time // when the oldest of them began to come back
	row   int       // wrong ones in a row
}

// New bounds the tries at each place and at all together. First is how many a place has
// then: fewer than Burst where a restart must not give them back.
func New[Place comparable](each, all Limit, first int) *Tries[Place] {
	return &Tries[Place]{each: each, all: all, first: first, start: time.Now(), by: map[Place]*bucket{}}
}

// ForEach has a place of which no try is used get one, whatever was used at others: somebody's wrong ones elsewhere keep
// nobody off.
func (t *Tries[Place]) ForEach() *Tries[Place] {
	t.apart = true
	return t
}

// refill gives back what the time that has passed is worth.
func (b *bucket) refill(now time.Time, every time.Duration) {
	back := int(now.Sub(b.since) / every)
	if b.used = max(b.used-back, 0); b.used == 0 {
		b.since = now
		return
	}
	b.since = b.since.Add(time.Duration(back) * every)
}

// Take counts a try as a wrong one before it is looked at, so that several at once get no
// more of them; false: there is none left now. Places must not be what a guesser makes up.
func (t *Tries[Place]) Take(at Place, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	if b == nil {
		b = &bucket{used: t.each.Burst - t.first, since: t.start}
		t.by[at] = b
	}
	b.refill(now, t.each.Every)
	t.total.refill(now, t.all.Every)
	if b.used >= t.each.Burst || t.total.used >= t.all.Burst && !(t.apart && b.used == 0) {
		return false
	}
	b.used++
	t.total.used++
	return true
}

// Right gives a try back that Take counted.
func (t *Tries[Place]) Right(at Place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	b.used, b.row = max(b.used-1, 0), 0
	t.total.used = max(t.total.used-1, 0)
}

// Wrong returns how many in a row were wrong at a place, with the one that Take counted.
func (t *Tries[Place]) Wrong(at Place) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	b.row++
	return b.row
}
