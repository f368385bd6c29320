package uplink

import (
	"testing"
	"time"

	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// asker is a greeter whose hellos go over a broker that keeps answers back. Times
// are seconds since its start, at which it was 2026-11-23.
type asker struct {
	g     greeter
	clock *trueclock.Clock
	boot  time.Duration
	fresh int
}

const askerStart = 1_795_424_400 * time.Second // unix

func newAsker() *asker {
	s := &asker{clock: trueclock.Continue(trueclock.State{}, "x", 0)}
	s.g = greeter{nonces: &nonces{}, clock: func() journaled.Stamp { return journaled.Stamp{BootTime: uint64(s.boot)} },
		fresh: func(t SignedTime) bool {
			s.fresh++
			s.clock.SaySigned(t.Epoch, s.boot, time.Duration(t.Unix)*time.Second, time.Duration(t.Unix)*time.Second+t.Within+time.Second)
			return false
		}}
	return s
}

// hello begins a new nonce and returns the answer that the registry signs now.
func (s *asker) hello() wire.Ack2 {
	s.g.begin(time.Time{})
	return wire.Ack2{Ack: wire.Ack{Nonce: s.g.nonce, Time: uint32((askerStart + s.boot) / time.Second)}}
}

func (s *asker) hears(t *testing.T, k wire.Ack2, want bool) {
	t.Helper()
	before := s.fresh
	s.g.hearTime(k, 1)
	if (s.fresh > before) != want {
		t.Errorf("at %v: fresh %v, want %v", s.boot, s.fresh > before, want)
	}
	i := s.clock.Interval(s.boot)
	if now := int64((askerStart + s.boot) / time.Second); s.fresh > 0 && (i.Hi < now || i.Lo > now) {
		t.Errorf("at %v: %+v, and it is %d", s.boot, i, now)
	}
}

// TestFreshTime: the answer to a hello is an upper bound of the time if it is the
// first one and came within 30 s. However long the broker keeps it back, and
// whatever it replays, the true time stays inside.
func TestFreshTime(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 4*time.Hour - time.Second} {
		s := newAsker()
		s.boot = time.Minute
		first := s.hello()
		s.boot += delay
		s.hears(t, first, delay <= freshFor)
		s.boot += time.Second
		s.hears(t, first, false) // replayed
		late := s.hello()
		s.hears(t, first, false) // of the hello before
		s.boot += time.Hour
		s.hears(t, late, false)
		s.hears(t, late, false)
		second := s.hello()
		s.boot += time.Second
		s.hears(t, second, true)
		s.boot += 4 * time.Hour
		s.hears(t, second, false)
	}
}

// TestAskedSoon: after a time that is against what the gateway knows the registry
// is asked again within minutes.
func TestAskedSoon(t *testing.T) {
	s := newAsker()
	s.g.fresh = func(SignedTime) bool { return true }
	s.g.hearTime(s.hello(), 1)
	now := time.Unix(1_795_424_400, 0)
	c := connection{since: now}
	next := func() time.Duration {
		s.g.settled(c.hours(now), now)
		return s.g.due.Sub(now)
	}
	if got := next(); got != apartEvery {
		t.Errorf("asked again after %v", got)
	}
	s.g.fresh = func(SignedTime) bool { return false }
	s.g.hearTime(s.hello(), 1)
	if got := next(); got != greetEvery {
		t.Errorf("asked again after %v", got)
	}
}
