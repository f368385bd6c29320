package agreed

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

var installed = time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)

// machine is a computer with a wall clock that anybody can set.
type machine struct {
	truth  time.Time
	off    time.Duration // of the wall clock
	boot   time.Duration
	boots  int
	synced bool
}

func newMachine() *machine { return &machine{truth: installed, boot: time.Hour} }

func (m *machine) read() reading {
	return reading{Wall: m.truth.Add(m.off), Boot: m.boot, BootID: fmt.Sprint("boot ", m.boots), Synced: m.synced}
}

func (m *machine) pass(d time.Duration) { m.truth, m.boot = m.truth.Add(d), m.boot+d }

// outage is a time without power.
func (m *machine) outage(d time.Duration) {
	m.truth, m.boot, m.boots = m.truth.Add(d), time.Minute, m.boots+1
}

func (m *machine) restarted(j *judge) *judge {
	s := j.state
	return newJudge(&s)
}

// TestDoubt plays what clocks do, one after the other: what is agreed on, and why
// not.
func TestDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		play  func(*machine, *judge) *judge
		want  Doubt
		stood bool // the agreed time stands where it was
	}{
		"an hour passes":         {func(m *machine, j *judge) *judge { m.pass(time.Hour); return j }, None, false},
		"200 days ahead":         {func(m *machine, j *judge) *judge { m.off = 200 * day; return j }, Stepped, true},
		"200 days, started anew": {func(m *machine, j *judge) *judge { m.off = 200 * day; return m.restarted(j) }, Stepped, true},
		"200 days, and right again": {func(m *machine, j *judge) *judge {
			m.off = 200 * day
			j.Look(m.read())
			m.pass(time.Minute)
			m.off = 0
			return j
		}, None, false},
		"a year back":               {func(m *machine, j *judge) *judge { m.off = -366 * day; return j }, Unset, true},
		"two days back":             {func(m *machine, j *judge) *judge { m.off = -2 * day; return j }, Stepped, true},
		"five minutes":              {func(m *machine, j *judge) *judge { m.off = 5 * time.Minute; return j }, None, false},
		"off for a day":             {func(m *machine, j *judge) *judge { m.outage(day); return m.restarted(j) }, None, false},
		"off for a week":            {func(m *machine, j *judge) *judge { m.outage(7 * day); return m.restarted(j) }, Away, true},
		"off for a week, synced":    {func(m *machine, j *judge) *judge { m.outage(7 * day); m.synced = true; return m.restarted(j) }, None, false},
		"off for 200 days, synced":  {func(m *machine, j *judge) *judge { m.outage(200 * day); m.synced = true; return m.restarted(j) }, Away, true},
		"off for an hour, 200 days": {func(m *machine, j *judge) *judge { m.outage(time.Hour); m.off = 200 * day; return m.restarted(j) }, Away, true},
		"off for an hour, a day back": {func(m *machine, j *judge) *judge {
			m.outage(time.Hour)
			m.off = -day
			return m.restarted(j)
		}, Back, true},
		"a start launders nothing": {func(m *machine, j *judge) *judge {
			m.off = day
			j.Look(m.read())
			for range 3 {
				m.outage(time.Hour)
				j = m.restarted(j)
				j.Look(m.read())
				j.Look(m.read())
			}
			return j
		}, Away, true},
		"no battery clock, then a time server": {func(m *machine, j *judge) *judge {
			m.outage(time.Hour)
			m.off = -m.truth.Sub(time.Unix(0, 0))
			j = m.restarted(j)
			j.Look(m.read())
			m.pass(time.Minute)
			m.off, m.synced = 0, true
			return j
		}, None, false},
		"a time server corrects three hours": {func(m *machine, j *judge) *judge {
			m.outage(time.Hour)
			m.off = 3 * time.Hour
			j = m.restarted(j)
			j.Look(m.read())
			m.off, m.synced = 0, true
			return j
		}, None, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine()
			j := newJudge(nil)
			if doubt := j.Look(m.read()); doubt != None {
				t.Fatal(doubt)
			}
			j = c.play(m, j)
			got := j.Look(m.read())
			if got != c.want || j.state.Wall.Equal(installed) != c.stood {
				t.Fatalf("doubt %q, agreed %v at %v", got, j.state.Wall, m.truth)
			}
			j.Confirm(m.read())
			if got := j.Look(m.read()); m.off > -300*day && (got != None || !j.state.Wall.Equal(m.read().Wall)) {
				t.Errorf("after the operator's word: %q, agreed %v", got, j.state.Wall)
			}
		})
	}
}

// TestVoters: gateways of five buildings raise doubt, four do not, and no clock of
// theirs is taken for the time. The operator's word counts over theirs.
func TestVoters(t *testing.T) {
	m, j := newMachine(), newJudge(nil)
	j.Look(m.read())
	hear := func(n int, off time.Duration) {
		for i := range n {
			j.Hear(fmt.Sprint("b", i), m.truth.Add(off), m.boot)
		}
	}
	hear(4, day)
	if got := j.Look(m.read()); got != None {
		t.Errorf("four buildings: %q", got)
	}
	hear(5, day)
	if got := j.Look(m.read()); got != Outvoted || !j.state.Wall.Equal(installed) {
		t.Errorf("five buildings: %q, agreed %v", got, j.state.Wall)
	}
	hear(2, 0)
	if got := j.Look(m.read()); got != Outvoted {
		t.Errorf("three of five: %q", got)
	}
	hear(3, 0)
	if got := j.Look(m.read()); got != None {
		t.Errorf("two of five: %q", got)
	}
	hear(5, 30*day)
	j.Look(m.read())
	j.Confirm(m.read())
	m.pass(time.Hour)
	if got := j.Look(m.read()); got != None {
		t.Errorf("the operator said that the clock is right: %q", got)
	}
	m.pass(25 * time.Hour)
	j.Confirm(m.read())
	if got := j.Look(m.read()); got != None {
		t.Errorf("votes of yesterday count: %q", got)
	}
	// A start in a machine that was off while its clock was moved by a day is
	// believed by itself, and not where gateways know better.
	m.outage(time.Hour)
	m.off = day
	j = m.restarted(j)
	hear(5, 0)
	if got := j.Look(m.read()); got != Outvoted {
		t.Errorf("after a start: %q", got)
	}
}

// TestMedian: the clock in the middle is that of all votes that count, however they came and went.
func TestMedian(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, j := newMachine(), newJudge(nil)
		heard := map[string]vote{}
		for range rapid.IntRange(1, 60).Draw(rt, "events") {
			m.pass(time.Duration(rapid.Int64Range(0, int64(9*time.Hour)).Draw(rt, "pass")))
			building := fmt.Sprint("b", rapid.IntRange(0, 9).Draw(rt, "building"))
			off := time.Duration(rapid.Int64Range(-3, 3).Draw(rt, "off"))
			at := m.boot - time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(rt, "ago"))
			j.Hear(building, installed.Add(at+off), at)
			if old, there := heard[building]; !there || old.heard <= at {
				heard[building] = vote{time.Duration(installed.UnixNano()) + off, at}
			}
			if rapid.Bool().Draw(rt, "unasked") {
				continue
			}
			var all []time.Duration
			for _, v := range heard {
				if m.boot-v.heard <= voteFor {
					all = append(all, v.offset)
				}
			}
			slices.Sort(all)
			ahead, ok := j.median(m.read())
			if ok != (len(all) >= voters) || ok && ahead+m.read().offset() != all[(len(all)-1)/2] || len(j.votes) != len(all) {
				rt.Fatalf("%v of %d votes, %t; of %d that count: %v", ahead+m.read().offset(), len(j.votes), ok, len(all), all)
			}
		}
	})
}

// TestCityCostsNoMoreThanAVillage: a look at the clock does not look at each building's, since each
// transaction looks at it.
func TestCityCostsNoMoreThanAVillage(t *testing.T) {
	m, j := newMachine(), newJudge(nil)
	for i := range 10_000 {
		j.Hear(fmt.Sprint("b", i), m.truth.Add(time.Duration(i%7)*time.Second), m.boot)
	}
	if doubt := j.Look(m.read()); doubt != None {
		t.Fatalf("in doubt: %q", doubt)
	}
	r := m.read()
	if n := testing.AllocsPerRun(100, func() { j.median(r) }); n > 0 {
		t.Errorf("the clock in the middle of 10,000 costs %v allocations", n)
	}
}

// TestNeverFarFromTheTruth: whatever anybody does to the wall clock within a boot,
// by steps or by walking it, through starts of the process, what is agreed on is
// near the truth; and once the clock is right again nothing is left to do.
func TestNeverFarFromTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, j := newMachine(), newJudge(nil)
		j.Look(m.read())
		for range rapid.IntRange(1, 80).Draw(rt, "events") {
			switch rapid.IntRange(0, 4).Draw(rt, "what") {
			case 0:
				m.pass(time.Duration(rapid.Int64Range(0, int64(day)).Draw(rt, "pass")))
			case 1:
				m.off += time.Duration(rapid.Int64Range(-int64(2*Leap), int64(2*Leap)).Draw(rt, "nudge"))
			case 2:
				m.off = time.Duration(rapid.Int64Range(-int64(3650*day), int64(3650*day)).Draw(rt, "step"))
			case 3:
				j = m.restarted(j)
			case 4:
				m.off = 0
			}
			doubt := j.Look(m.read())
			allowed := Leap + (m.boot-time.Hour)/follow
			if doubt == None && !within(j.state.Wall.Sub(m.truth), allowed) {
				rt.Fatalf("agreed on %v, true is %v", j.state.Wall, m.truth)
			}
			if j.state.Wall.After(m.truth.Add(allowed)) {
				rt.Fatalf("agreed on %v, which has not come: true is %v", j.state.Wall, m.truth)
			}
			if likely := j.Likely(m.read()); !within(likely.Sub(m.truth), allowed) {
				rt.Fatalf("most speaks for %v, true is %v", likely, m.truth)
			}
		}
		m.off = 0
		if m.boot-time.Hour < 5*day { // the base was not walked further than a step is taken
			if doubt := j.Look(m.read()); doubt != None {
				rt.Fatalf("right again, and in doubt: %q", doubt)
			}
		}
	})
}

// TestClockIsKept: the state outlasts the process, is written rarely, and a file of
// garbage stops nobody.
func TestClockIsKept(t *testing.T) {
	m := newMachine()
	src := func() Source {
		return Source{Wall: func() time.Time { return m.read().Wall }, Boot: func() time.Duration { return m.boot },
			Synced: func() bool { return m.synced }, BootID: m.read().BootID}
	}
	path := filepath.Join(t.TempDir(), File)
	open := func() *Clock {
		t.Helper()
		c, err := Open(path, src())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	m.pass(time.Minute)
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.Stat(path); !after.ModTime().Equal(before.ModTime()) {
		t.Error("it is written every minute")
	}
	m.off = 200 * day
	c = open()
	if _, doubt := c.Now(); doubt != Stepped {
		t.Errorf("after a start: %q", doubt)
	}
	if text := c.Report().Advice(); !strings.Contains(text, "200 days") || !strings.Contains(text, "registryd clock confirm") {
		t.Error(text)
	}
	if likely := c.Likely(); !within(likely.Sub(m.truth), Leap) {
		t.Errorf("most speaks for %v", likely)
	}
	if r, err := c.Confirm(); err != nil || r.Doubt != None || r.Advice() != "" {
		t.Errorf("after the operator's word: %+v %v", r, err)
	}
	c = open()
	if now, doubt := c.Now(); doubt != None || !now.Equal(m.read().Wall) {
		t.Errorf("the word is kept: %v %q", now, doubt)
	}
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, doubt := open().Now(); doubt != None {
		t.Errorf("garbage: %q", doubt)
	}
}
