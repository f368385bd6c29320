package guess

import (
	"testing"
	"time"
)

// TestTries: one place gets its own tries, all together get theirs, a right one costs
// nothing, and a place that was not seen before begins with fewer.
func TestTries(t *testing.T) {
	now := time.Now()
	take := func(g *Tries[string], at string, n int) (got int) {
		for range n {
			if g.Take(at, now) {
				got++
			}
		}
		return got
	}
	g := New[string](Limit{5, time.Minute}, Limit{8, 30 * time.Second}, 5)
	if a, b := take(g, "a", 100), take(g, "b", 100); a != 5 || b != 3 {
		t.Errorf("%d and %d tries, want 5 and 3", a, b)
	}
	now = now.Add(time.Minute)
	if a := take(g, "a", 100); a != 1 {
		t.Errorf("%d a minute later", a)
	}
	now = now.Add(time.Hour)
	for range 100 {
		if !g.Take("a", now) {
			t.Fatal("right ones are used up")
		}
		g.Right("a")
	}
	g.Take("a", now)
	g.Take("a", now)
	if g.Wrong("a") != 1 || g.Wrong("a") != 2 {
		t.Error("wrong ones in a row")
	}
	apart := New[string](Limit{5, time.Minute}, Limit{8, 30 * time.Second}, 5).ForEach()
	if a, b, c := take(apart, "a", 100), take(apart, "b", 100), take(apart, "c", 100); a != 5 || b != 3 || c != 1 {
		t.Errorf("%d, %d and %d tries, want 5, 3 and the one of a place that was left alone", a, b, c)
	}
	begin := New[string](Limit{5, time.Minute}, Limit{100, time.Second}, 1)
	now = begin.start
	if a := take(begin, "a", 10); a != 1 {
		t.Errorf("%d tries after a start, want 1", a)
	}
	now = now.Add(2 * time.Minute)
	if a := take(begin, "a", 10); a != 2 {
		t.Errorf("%d two minutes later, want 2", a)
	}
	if b := take(begin, "b", 10); b != 3 {
		t.Errorf("%d at another place by then, want 3", b)
	}
}
