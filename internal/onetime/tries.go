package onetime

import (
	"sync"
	"time"
)

// Bounds of wrong codes, at one reader and in the house: a reader alone can't use up what
// the house has, so that codes go on at the others. Who guesses at all of them for a year,
// with an alarm after each five, has one chance in a hundred in a house of twenty
// tenancies. Cards are never held off.
const (
	burstReader = 5
	everyReader = time.Minute
	burstHouse  = 20
	everyHouse  = 30 * time.Second
)

// place is a reader of a door.
type place struct{ door, reader string }

// bucket holds tries, filled by one after each of its pauses. Times are of the monotonic
// clock.
type bucket struct {
	used  int
	since time.Time // when the oldest of them began to come back
	row   int       // wrong codes in a row
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

// tries bounds how often codes are looked at. Safe for concurrent use.
type tries struct {
	mu    sync.Mutex
	house bucket
	by    map[place]*bucket
}

// take counts a try as a wrong one before it is looked at, so that several at once get no
// more of them; false: there is none left now. It says nothing of the code.
func (t *tries) take(at place, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	if b == nil {
		b = &bucket{}
		t.by[at] = b
	}
	b.refill(now, everyReader)
	t.house.refill(now, everyHouse)
	if b.used >= burstReader || t.house.used >= burstHouse {
		return false
	}
	b.used++
	t.house.used++
	return true
}

// right gives a try back: it was a right code.
func (t *tries) right(at place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	b.used, b.row = max(b.used-1, 0), 0
	t.house.used = max(t.house.used-1, 0)
}

// wrong returns how many codes in a row were wrong at a reader.
func (t *tries) wrong(at place) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.by[at]
	b.row++
	return b.row
}
