package clock

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

const clockDay = 24 * time.Hour

// machine is a computer with a wall clock that anybody can set.
type machine struct {
	wall    time.Time
	boot    time.Duration
	boots   byte
	quality wire.ClockQuality
	floor   int64
}

func (m *machine) source() Source {
	return Source{
		Wall:     func() time.Time { return m.wall },
		BootTime: func() time.Duration { return m.boot },
		Quality:  func() (wire.ClockQuality, time.Duration) { return m.quality, 5 * time.Millisecond },
		Boot:     wire.ID{1, m.boots},
	}
}

// pass lets real time pass, with a look every minute.
func (m *machine) pass(t testing.TB, c *Clock, d time.Duration) {
	t.Helper()
	for ; d > 0; d -= time.Minute {
		step := min(d, time.Minute)
		m.wall, m.boot = m.wall.Add(step), m.boot+step
		poll(t, c)
	}
}

// start is a start of the gateway on this machine.
func (m *machine) start(path string) *Clock {
	return New(m.source(), path, func() int64 { return m.floor })
}

// reboot is one after a time without power.
func (m *machine) reboot(path string, off time.Duration) *Clock {
	m.boots, m.boot, m.wall = m.boots+1, 0, m.wall.Add(off)
	return m.start(path)
}

func poll(t testing.TB, c *Clock) wire.Reason {
	t.Helper()
	h, news, err := c.Poll()
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
	if r := poll(t, c); r != 0 || c.Read().Trusted || c.Read().Quality != wire.ClockUnset {
		t.Fatalf("in 1970: reason %v, %+v", r, c.Read())
	}
	m.pass(t, c, time.Minute)
	m.wall, m.quality = installed.Add(clockDay/2), wire.ClockNTP
	if c.Read().Trusted {
		t.Fatal("trusted before anybody asked the time server")
	}
	if r := poll(t, c); r != wire.ReasonClockSet || !c.Read().Trusted || c.Read().Quality != wire.ClockNTP {
		t.Fatalf("after NTP: reason %v, %+v", r, c.Read())
	}
	m.pass(t, c, clockDay)
	m.quality = wire.ClockUnset // the time server is gone for a day
	if r := poll(t, c); r != 0 || !c.Read().Trusted || c.Read().Quality != wire.ClockRTC {
		t.Errorf("without its time server: reason %v, %+v; want trusted like a battery clock", r, c.Read())
	}
	m.wall = m.wall.Add(366 * clockDay) // somebody sets it: what was agreed is carried on
	if r := c.Read(); !r.Trusted || r.Wall.Sub(m.wall.Add(-366*clockDay)).Abs() > time.Second {
		t.Errorf("set by hand: %+v", r)
	}
}

// TestLeap: a time server that leaps is told once, makes nobody's time come, and
// is taken back when it comes back.
func TestLeap(t *testing.T) {
	for _, step := range []time.Duration{2 * time.Hour, 366 * clockDay} {
		m := &machine{wall: installed, quality: wire.ClockNTP, boot: time.Hour, floor: installed.Unix()}
		c := m.start(filepath.Join(t.TempDir(), "clock"))
		m.pass(t, c, 2*clockDay)
		m.wall = m.wall.Add(step)
		if r := poll(t, c); r != wire.ReasonClockLeapt {
			t.Errorf("%v: told %v", step, r)
		}
		at := c.Decision()
		if c.Read().Trusted || at.Sure > m.wall.Add(-step).Unix() || at.Hi < m.wall.Unix() {
			t.Fatalf("%v: %+v", step, at)
		}
		if r := poll(t, c); r != 0 || !strings.Contains(c.Doubt(time.UTC), "differ") {
			t.Errorf("%v: told again: %v; doubt %q", step, r, c.Doubt(time.UTC))
		}
		m.wall = m.wall.Add(-step)
		if r := poll(t, c); r != wire.ReasonClockSet || !c.Read().Trusted || c.Doubt(time.UTC) != "" {
			t.Errorf("%v: taken back: %v, %+v", step, r, c.Read())
		}
	}
}

// TestRestart: how far from the last known time a lone time server is trusted by
// log and desk at once; after a day it is in any case, and by a confirmation.
func TestRestart(t *testing.T) {
	for name, c := range map[string]struct {
		away    time.Duration
		trusted bool
		ever    bool
	}{"an hour": {time.Hour, true, true}, "a month": {30 * clockDay, false, true}, "a year": {366 * clockDay, false, true},
		"a week back": {-7 * clockDay, false, true}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "clock")
			m := &machine{wall: installed, quality: wire.ClockNTP, floor: installed.Unix()}
			before := m.start(path)
			m.pass(t, before, 2*clockDay)
			known := m.wall
			again := m.reboot(path, c.away)
			poll(t, again)
			if again.Read().Trusted != c.trusted || (again.Doubt(time.UTC) == "") != c.trusted {
				t.Fatalf("trusted %v, want %v: %s", again.Read().Trusted, c.trusted, again.Doubt(time.UTC))
			}
			if at := again.Decision(); at.Sure > max(known.Unix(), m.wall.Unix()) && c.away > 0 {
				t.Errorf("sure of %+v", at)
			}
			m.pass(t, again, 25*time.Hour)
			if again.Read().Trusted != c.ever {
				t.Errorf("after a day: %s", again.Doubt(time.UTC))
			}
		})
	}
}

// TestConfirm follows the hint: after it visitors go by the time shown, and no
// resident's end has come nearer, in this boot or the next.
func TestConfirm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	m := &machine{wall: installed.Add(366 * clockDay), floor: installed.Unix()}
	c := m.start(path)
	poll(t, c)
	if d := c.Doubt(time.UTC); !strings.Contains(d, "gatehouse clock confirm") {
		t.Fatalf("no hint: %q", d)
	}
	if _, err := c.Confirm(time.UTC); err != nil {
		t.Fatal(err)
	}
	if !c.Read().Trusted {
		t.Error("a confirmation counts for nothing")
	}
	for range 3 {
		at := c.Decision()
		if c.Read().Trusted && (at.Lo < m.wall.Unix()-60 || at.Hi > m.wall.Unix()+60 || c.Doubt(time.UTC) != "") || at.Sure > installed.Unix()+int64(10*clockDay/time.Second) {
			t.Fatalf("after a confirmation: %+v, doubt %q", at, c.Doubt(time.UTC))
		}
		if c.Stamp().Trusted {
			t.Error("the log clears away by a confirmation")
		}
		m.pass(t, c, 3*clockDay)
		c = m.reboot(path, time.Minute)
		poll(t, c)
	}
}

// TestSet: the time that the owner of a standalone house has signed counts for visitors at once and for residents
// after a day, whatever the machine's clock shows and somebody on site had confirmed.
func TestSet(t *testing.T) {
	m := &machine{wall: installed.Add(366 * clockDay), floor: installed.Unix()}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	poll(t, c)
	if _, err := c.Confirm(time.UTC); err != nil {
		t.Fatal(err)
	}
	signed := installed.Add(30 * clockDay).Unix()
	if h := c.Set(signed, time.Second); h.Reason != wire.ReasonClockSet {
		t.Errorf("the entry says %v", h.Reason)
	}
	if at := c.Decision(); at.Lo < signed || at.Hi > signed+62 || !c.Read().Trusted {
		t.Errorf("after the owner's time %d: %+v, trusted %t", signed, at, c.Read().Trusted)
	}
	m.pass(t, c, clockDay+time.Hour)
	if sure, want := c.Decision().Sure, signed+int64(clockDay/time.Second); sure < want || sure > want+3700 {
		t.Errorf("a day later %d is sure, want %d", sure, want)
	}
}

// TestConfirmRefused: a time before what was signed or surely known is none.
func TestConfirmRefused(t *testing.T) {
	m := &machine{wall: installed.Add(-2 * clockDay), quality: wire.ClockNTP, floor: installed.Unix()}
	if _, err := m.start(filepath.Join(t.TempDir(), "clock")).Confirm(time.UTC); err == nil {
		t.Error("a time before a signed one was confirmed")
	}
	m = &machine{wall: time.Unix(1000, 0)}
	if _, err := m.start(filepath.Join(t.TempDir(), "clock")).Confirm(time.UTC); err == nil {
		t.Error("1970 was confirmed")
	}
	m = &machine{wall: installed}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	now := time.Duration(installed.Add(clockDay).UnixNano())
	c.known.SaySigned(0, 0, now, now)
	if _, err := c.Confirm(time.UTC); err == nil {
		t.Error("a time against a signature was confirmed")
	}
}

// TestServerCorrectsBattery: a board that takes its last shutdown for the time
// and is corrected by a time server knows the time when both are heard.
func TestServerCorrectsBattery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	m := &machine{wall: installed, quality: wire.ClockNTP, floor: installed.Unix()}
	m.pass(t, m.start(path), 2*clockDay)
	m.quality = wire.ClockRTC
	c := m.reboot(path, 0) // three hours without power, which its battery clock does not know of
	poll(t, c)
	if !c.Read().Trusted {
		t.Fatal("a battery clock near the last time is not believed")
	}
	m.wall, m.quality = m.wall.Add(3*time.Hour), wire.ClockNTP
	poll(t, c)
	if at := c.Decision(); at.Hi < m.wall.Unix() || at.Sure > m.wall.Unix() {
		t.Errorf("after the correction: %+v", at)
	}
}

// TestUnsetBattery: a battery clock at its factory date is no clock.
func TestUnsetBattery(t *testing.T) {
	m := &machine{wall: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), quality: wire.ClockRTC}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	if poll(t, c); c.Read().Trusted || c.Decision().Hi != math.MaxInt64 {
		t.Error("the year 2000 is believed")
	}
}

// TestOldFile: what a program before this format has kept is what surely has come.
func TestOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock")
	old := append(binary.BigEndian.AppendUint64(nil, uint64(installed.Unix())), 0)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	m := &machine{wall: time.Unix(0, 0), boot: time.Hour}
	if got := m.start(path).Sure(); got < installed.Unix() || got > installed.Add(time.Hour).Unix() {
		t.Errorf("sure of %v", time.Unix(got, 0))
	}
	for _, damaged := range []string{"", "{", `{"sure":"x"}`, "\x00\x00"} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := m.start(path).Sure(); got > 3600 {
			t.Errorf("%q: sure of %v", damaged, time.Unix(got, 0))
		}
	}
}

// TestDecisionAllocatesNothing: every swipe asks for the time.
func TestDecisionAllocatesNothing(t *testing.T) {
	m := &machine{wall: installed, quality: wire.ClockNTP}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	poll(t, c)
	var at access.Time
	if n := testing.AllocsPerRun(100, func() { at = c.Decision() }); n != 0 || at.Hi == trueclock.Unknown {
		t.Fatalf("%v allocations, %+v", n, at)
	}
}

// TestUndoOfATime: a machine that only ever heard a floor of a wrong clock goes by it
// after a day, and no more once two issuers have taken that time back.
func TestUndoOfATime(t *testing.T) {
	m := &machine{wall: time.Unix(0, 0), floor: installed.Add(200 * 24 * time.Hour).Unix()}
	c := m.start(filepath.Join(t.TempDir(), "clock"))
	poll(t, c)
	m.pass(t, c, 26*time.Hour)
	if c.Sure() < m.floor-3600 {
		t.Fatalf("the test shows nothing: sure is %d", c.Sure())
	}
	f := wire.Floor{Role: wire.RoleWitness, Epoch: 1, Unix: uint32(m.floor)}
	m.floor = installed.Unix()
	if c.Undo(f); c.Sure() > m.floor {
		t.Errorf("sure is %d, %d s after the floor that is left", c.Sure(), c.Sure()-m.floor)
	}
}
