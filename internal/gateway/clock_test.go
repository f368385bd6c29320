package gateway

import (
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/wire"
)

const clockDay = 24 * time.Hour

// machine is a computer with a wall clock that anybody can set.
type machine struct {
	wall    time.Time
	boot    time.Duration
	quality wire.ClockQuality
	floor   int64
}

func (m *machine) source() TimeSource {
	return TimeSource{
		Wall:     func() time.Time { return m.wall },
		BootTime: func() time.Duration { return m.boot },
		Quality:  func() (wire.ClockQuality, time.Duration) { return m.quality, 5 * time.Millisecond },
	}
}

// pass lets real time pass.
func (m *machine) pass(d time.Duration) {
	m.wall, m.boot = m.wall.Add(d), m.boot+d
}

// start is a start of the gateway on this machine.
func (m *machine) start(path string) *clock {
	return newClock(m.source(), path, func() int64 { return m.floor })
}

func poll(t interface{ Fatal(...any) }, c *clock) wire.Reason {
	h, news, err := c.poll()
	if err != nil {
		t.Fatal(err)
	}
	if !news {
		return 0
	}
	return h.Reason
}

var installed = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// TestPiWithoutBattery: it wakes in 1970, and a minute later knows the time.
func TestPiWithoutBattery(t *testing.T) {
	m := &machine{wall: time.Unix(0, 0), floor: installed.Unix()}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	if r := poll(t, c); r != 0 || c.read().trusted || c.read().quality != wire.ClockUnset {
		t.Fatalf("in 1970: reason %v, %+v", r, c.read())
	}
	m.pass(time.Minute)
	m.wall, m.quality = installed.Add(clockDay), wire.ClockNTP
	if c.read().trusted {
		t.Fatal("trusted before anybody asked the time server")
	}
	if r := poll(t, c); r != wire.ReasonClockSet || !c.read().trusted || c.read().quality != wire.ClockNTP {
		t.Fatalf("after NTP: reason %v, %+v", r, c.read())
	}
	m.pass(clockDay)
	m.quality = wire.ClockUnset // the time server is gone for a day
	if r := poll(t, c); r != 0 || !c.read().trusted || c.read().quality != wire.ClockRTC {
		t.Errorf("without its time server: reason %v, %+v; want trusted like a battery clock", r, c.read())
	}
}

// TestLeap: a step is seen at the very next look, told once, and taken back
// when the clock comes back.
func TestLeap(t *testing.T) {
	for _, step := range []time.Duration{2 * time.Hour, 366 * clockDay, -366 * clockDay} {
		m := &machine{wall: installed, quality: wire.ClockNTP, boot: time.Hour}
		c := m.start(filepath.Join(t.TempDir(), "clock"))
		poll(t, c)
		m.wall = m.wall.Add(step)
		if c.read().trusted || c.decision().Trusted {
			t.Fatalf("%v: still trusted", step)
		}
		if r := poll(t, c); r != wire.ReasonClockLeapt {
			t.Errorf("%v: told %v", step, r)
		}
		if r := poll(t, c); r != 0 || c.doubt() == "" {
			t.Errorf("%v: told again: %v; doubt %q", step, r, c.doubt())
		}
		m.wall = m.wall.Add(-step)
		if r := poll(t, c); r != wire.ReasonClockSet || !c.read().trusted || c.doubt() != "" {
			t.Errorf("%v: taken back: %v, %+v", step, r, c.read())
		}
	}
}

// TestRestart: how far from the last trusted time a set clock is believed.
func TestRestart(t *testing.T) {
	for name, c := range map[string]struct {
		away    time.Duration
		trusted bool
	}{"an hour": {time.Hour, true}, "a month": {30 * clockDay, true}, "three months": {90 * clockDay, false},
		"a year": {366 * clockDay, false}, "half a day back": {-clockDay / 2, true}, "a week back": {-7 * clockDay, false}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "clock")
			m := &machine{wall: installed, quality: wire.ClockNTP}
			poll(t, m.start(path))
			m.wall, m.boot = m.wall.Add(c.away), 0
			again := m.start(path)
			poll(t, again)
			if again.read().trusted != c.trusted {
				t.Fatalf("trusted %v, want %v", again.read().trusted, c.trusted)
			}
			if _, err := again.confirm(); err != nil || !again.read().trusted {
				t.Errorf("after a confirm: %v, %+v", err, again.read())
			}
		})
	}
}

// TestNothingButAList: a gateway without a last time believes a clock that is
// not before the signed list, and not much more than a year after it.
func TestNothingButAList(t *testing.T) {
	for away, want := range map[time.Duration]bool{0: true, 300 * clockDay: true, 500 * clockDay: false, -2 * clockDay: false} {
		m := &machine{wall: installed.Add(away), quality: wire.ClockNTP, floor: installed.Unix()}
		c := m.start(filepath.Join(t.TempDir(), "clock"))
		poll(t, c)
		if c.read().trusted != want {
			t.Errorf("%v from the list: trusted %v", away, c.read().trusted)
		}
	}
	m := &machine{wall: installed.Add(-2 * clockDay), quality: wire.ClockNTP, floor: installed.Unix()}
	if _, err := m.start(filepath.Join(t.TempDir(), "clock")).confirm(); err == nil {
		t.Error("a time before a signed one was confirmed")
	}
}

// TestServerCorrectsBattery: a board that takes its last shutdown for the time
// and is corrected by a time server is believed again at once.
func TestServerCorrectsBattery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	m := &machine{wall: installed, quality: wire.ClockNTP}
	poll(t, m.start(path))
	m.boot, m.quality = 0, wire.ClockRTC // three hours without power, which it does not know of
	c := m.start(path)
	poll(t, c)
	if !c.read().trusted {
		t.Fatal("a battery clock near the last time is not believed")
	}
	m.wall, m.quality = m.wall.Add(3*time.Hour), wire.ClockNTP
	poll(t, c)
	if !c.read().trusted || c.read().quality != wire.ClockNTP {
		t.Errorf("after the correction: %+v, doubt %q", c.read(), c.doubt())
	}
}

// TestRestartLaundersNothing: a clock that leapt is not believed after a
// restart either, however often, until it is right or somebody confirms it.
func TestRestartLaundersNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	m := &machine{wall: installed, quality: wire.ClockNTP}
	poll(t, m.start(path))
	for range 4 {
		c := m.start(path)
		poll(t, c)
		m.wall = m.wall.Add(59 * clockDay)
		poll(t, c)
		again := m.start(path)
		if poll(t, again); again.read().trusted && m.wall.Sub(installed) > 59*clockDay {
			t.Fatalf("%v ahead, and believed after a restart", m.wall.Sub(installed))
		}
	}
	c := m.start(path)
	if _, err := c.confirm(); err != nil {
		t.Fatal(err)
	}
	poll(t, c)
	if after := m.start(path); poll(t, after) == 0 || !after.read().trusted {
		t.Error("a confirmed time is not believed after a restart")
	}
}

// TestUnsetBattery: a battery clock at its factory date is no clock.
func TestUnsetBattery(t *testing.T) {
	m := &machine{wall: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), quality: wire.ClockRTC}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	if poll(t, c); c.read().trusted {
		t.Error("the year 2000 is believed")
	}
}

// TestSmallSteps: a time server that corrects a drift every day for ten years
// is no leap; one that walks the clock ahead gets it no further than follow
// allows before it is.
func TestSmallSteps(t *testing.T) {
	m := &machine{wall: installed, quality: wire.ClockNTP}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	poll(t, c)
	for range 3650 {
		m.pass(clockDay)
		m.wall = m.wall.Add(5 * time.Second)
		if poll(t, c); !c.read().trusted {
			t.Fatal("a drift of 5 s a day became a leap")
		}
	}
	began, boot := m.wall, m.boot
	for c.read().trusted {
		m.pass(10 * time.Second)
		m.wall = m.wall.Add(time.Minute)
	}
	if walked := m.wall.Sub(began) - (m.boot - boot); walked > leap+5*time.Minute {
		t.Errorf("walked %v before it was seen", walked)
	}
}

// TestClockNeverRunsAhead: whatever the wall clock and the time server do after
// trust began, a trusted time is never further from the true one than leap and
// follow allow.
func TestClockNeverRunsAhead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{wall: installed, quality: wire.ClockNTP}
		c := newClock(m.source(), filepath.Join(t.TempDir(), "clock"), func() int64 { return 0 })
		poll(rt, c)
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				m.pass(time.Duration(rapid.Int64Range(0, int64(clockDay)).Draw(rt, "pass")))
			case 1:
				m.wall = m.wall.Add(time.Duration(rapid.Int64Range(-int64(2*leap), int64(2*leap)).Draw(rt, "step")))
			case 2:
				m.quality = wire.ClockQuality(rapid.IntRange(0, 3).Draw(rt, "quality"))
			case 3:
				poll(rt, c)
			}
			truth := installed.Add(m.boot)
			allowed := leap + m.boot/follow
			if r := c.read(); r.trusted && !within(r.wall.Sub(truth), allowed) {
				rt.Fatalf("trusted %v, true %v", r.wall, truth)
			}
		}
	})
}
