package trueclock

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

// installed is when the gateways of these tests began, as a unix time.
var installed = time.Duration(time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC).UnixNano())

// world is a gateway in true time: what its sources say, and its restarts.
type world struct {
	t     interface{ Fatalf(string, ...any) }
	truth time.Duration // unix
	boot  time.Duration // CLOCK_BOOTTIME
	boots int
	c     *Clock
	ntp   bool
	rtc   bool
	wire  bool // the registry can be reached
	// wrong is by how much each source is wrong now.
	wrong [sources]time.Duration
	// lone is set where the only source is wrong for more than a day: then it moves
	// what is sure.
	lone  bool
	hello time.Duration // when signed time is heard next
	kept  State
}

func newWorld(t interface{ Fatalf(string, ...any) }) *world {
	w := &world{t: t, truth: installed}
	w.start()
	return w
}

func (w *world) name() string { return fmt.Sprint("boot ", w.boots) }

// start is a start of the daemon; after a power cut it goes on from what was kept.
func (w *world) start() {
	w.c = Continue(w.kept, w.name(), w.boot)
	w.look()
}

func (w *world) keep() { w.kept = w.c.State(w.boot) }

// reboot is the machine off for a while.
func (w *world) reboot(off time.Duration) {
	w.truth += off
	w.boots, w.boot, w.hello = w.boots+1, 0, 0
	w.start()
}

// look polls the sources as a gateway does.
func (w *world) look() {
	say := func(src Source) {
		at := w.truth + w.wrong[src]
		w.c.Say(src, w.boot, at-time.Second, at+time.Second)
	}
	if w.rtc && !w.c.Said(RTC) {
		say(RTC)
	}
	if w.ntp {
		say(NTP)
	} else {
		w.c.Unsay(NTP)
	}
	if w.wire && w.boot >= w.hello {
		say(Signed)
		w.hello = w.boot + 4*time.Hour
	}
	w.c.Tick(w.boot)
	w.laws()
}

// pass lets time go by, with a look every ten minutes and the state kept each hour.
func (w *world) pass(d time.Duration) {
	for d > 0 {
		step := min(d, 10*time.Minute)
		w.truth, w.boot, d = w.truth+step, w.boot+step, d-step
		w.look()
		if w.boot%time.Hour < 10*time.Minute {
			w.keep()
		}
	}
}

// laws must hold whatever one source does.
func (w *world) laws() {
	i := w.c.Interval(w.boot)
	if i.Sure > seconds(w.truth)+1 && !w.lone {
		w.t.Fatalf("sure of %v, %v too early: a resident is out", i, time.Duration(i.Sure)*time.Second-w.truth)
	}
	if i.Lo < i.Sure || i.Hi < i.Sure-int64(apart/time.Second) {
		w.t.Fatalf("no interval: %+v", i)
	}
}

// visitor reports whether one may come in between two unix times.
func (w *world) visitor(from, until time.Duration) bool {
	i := w.c.Interval(w.boot)
	return seconds(from) <= i.Lo && i.Hi < seconds(until)
}

// knows checks that the time is known to a minute, residents' and visitors'.
func (w *world) knows(what string) {
	i, now := w.c.Interval(w.boot), seconds(w.truth)
	if now-i.Sure > 60 || now-i.Lo > 60 || i.Lo-now > 1 || i.Hi-now > 60 || i.Hi < now || !w.c.Settled(w.boot) {
		w.t.Fatalf("%s: true %d, %+v, settled %v", what, now, i, w.c.Settled(w.boot))
	}
}

var steps = []time.Duration{time.Hour, day, 60 * day, 366 * day, 3652 * day}

// TestOneWrongSource: the registry, the time server or the battery clock is wrong
// for a month, by an hour to ten years either way, from the start or later. No
// resident is out (world.laws), no visitor in whose time is not now, and when it
// is right again all is known again.
func TestOneWrongSource(t *testing.T) {
	for _, src := range []Source{NTP, RTC, Signed} {
		for _, by := range steps {
			for _, sign := range []time.Duration{1, -1} {
				for _, first := range []bool{true, false} {
					t.Run(fmt.Sprintf("%v/%v/first=%v", src, sign*by, first), func(t *testing.T) { oneWrong(t, src, sign*by, first) })
				}
			}
		}
	}
}

func oneWrong(t *testing.T, src Source, by time.Duration, first bool) {
	w := newWorld(t)
	w.ntp, w.rtc, w.wire = true, true, true
	if !first {
		w.pass(3 * day)
		w.knows("before")
	}
	w.wrong[src] = by
	w.keep()
	w.reboot(time.Hour)
	for range 30 * 24 {
		w.pass(time.Hour)
		for _, over := range []time.Duration{by / 2, time.Hour / 2, -time.Hour / 2} { // its time is over, or has not begun
			if over != 0 && (w.visitor(w.truth-100*day-2*max(over, -over), w.truth-max(over, -over)) ||
				w.visitor(w.truth+max(over, -over), w.truth+8000*day)) {
				t.Fatalf("a visitor is in at the wrong time: %+v", w.c.Interval(w.boot))
			}
		}
	}
	w.wrong[src] = 0
	w.keep()
	w.reboot(time.Hour)
	w.pass(3 * day)
	w.knows("when it was right again")
}

// TestLeapWhileRunning: each source leaps in a gateway that knows the time and
// runs on. Residents and visitors go by the others at once or after a day.
func TestLeapWhileRunning(t *testing.T) {
	for _, src := range []Source{NTP, Signed} {
		for _, by := range append(steps, -time.Hour, -366*day) {
			w := newWorld(t)
			w.ntp, w.rtc, w.wire = true, true, true
			w.pass(3 * day)
			w.wrong[src] = by
			w.pass(5 * time.Hour)
			if w.visitor(w.truth-9000*day, w.truth-time.Minute) {
				t.Errorf("%v by %v: a visitor is in", src, by)
			}
			if by > 0 && w.c.Settled(w.boot) { // one that is behind does not count, or was never set
				t.Errorf("%v by %v: settled", src, by)
			}
			w.pass(30 * day)
			w.wrong[src] = 0
			w.pass(5 * time.Hour)
			w.knows(fmt.Sprint(src, " right again after ", by))
		}
	}
}

// TestLoneSource: one source alone moves a resident's end only after a day in
// which it said the same, and it is taken back as soon as it says less.
func TestLoneSource(t *testing.T) {
	for _, src := range []Source{NTP, RTC, Signed} {
		w := newWorld(t)
		w.ntp, w.rtc, w.wire = src == NTP, src == RTC, src == Signed
		w.look()
		w.pass(23 * time.Hour)
		if i := w.c.Interval(w.boot); i.Sure > seconds(installed)-1000 {
			t.Errorf("%v: sure of %v after 23 hours", src, i)
		}
		w.pass(2 * time.Hour)
		w.knows(src.String() + " alone for a day")
	}
	w := newWorld(t)
	w.ntp, w.lone, w.wrong[NTP] = true, true, 366*day
	w.pass(2 * day)
	if i := w.c.Interval(w.boot); i.Sure < seconds(w.truth+360*day) {
		t.Fatalf("the test shows nothing: %+v", i)
	}
	w.wrong[NTP], w.lone = 0, false
	w.pass(10 * time.Minute)
	w.keep()
	w.reboot(time.Hour)
	w.pass(2 * day)
	w.knows("right again")
}

// TestTwoWrongForLessThanADay: two sources that are wrong together, at a start or
// while it runs, end nobody.
func TestTwoWrongForLessThanADay(t *testing.T) {
	for _, boot := range []bool{true, false} {
		for _, by := range []time.Duration{time.Hour, 366 * day} {
			w := newWorld(t)
			w.ntp, w.wire = true, true
			w.pass(3 * day)
			w.wrong[NTP], w.wrong[Signed] = by, by
			if boot {
				w.keep()
				w.reboot(time.Minute)
			}
			w.pass(23 * time.Hour)
			w.wrong = [sources]time.Duration{}
			w.pass(3 * day)
			w.knows("right again")
		}
	}
}

// TestMinuteOfTwoHundredDays: the registry is 200 days ahead while a gateway that
// woke in 1970 says hello, and then can't be reached for a month.
func TestMinuteOfTwoHundredDays(t *testing.T) {
	w := newWorld(t)
	w.wire = true
	w.pass(3 * day)
	w.keep()
	w.wrong[Signed] = 200 * day
	w.reboot(time.Hour)
	w.wire, w.wrong[Signed] = false, 0
	w.pass(30 * day)
	w.wire, w.hello = true, 0
	w.pass(2 * day)
	w.knows("reached again")
}

// TestFourHundredDaysOffline: a gateway that hears nobody for 400 days.
func TestFourHundredDaysOffline(t *testing.T) {
	for name, c := range map[string]struct{ on, rtc bool }{
		"on, no battery clock": {true, false}, "off, battery clock": {false, true}, "off, no battery clock": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ntp, w.wire = true, true
			w.pass(2 * day)
			w.keep()
			w.ntp, w.wire, w.rtc = false, false, c.rtc
			before := w.truth
			if c.on {
				w.pass(400 * day)
			} else {
				w.reboot(400 * day)
			}
			i := w.c.Interval(w.boot)
			switch {
			case c.on && (seconds(w.truth)-i.Sure > 3*3600 || i.Hi-seconds(w.truth) > 3*3600):
				t.Errorf("carried for 400 days: %+v at %d", i, seconds(w.truth))
			case !c.on && i.Sure > seconds(before)+1:
				t.Errorf("sure of more than it can be: %+v", i)
			case !c.on && !c.rtc && (i.Hi != Unknown || w.c.Settled(w.boot)):
				t.Errorf("without any clock: %+v", i)
			case !c.on && c.rtc && (i.Hi < seconds(w.truth) || i.Hi > seconds(w.truth)+60):
				t.Errorf("by the battery clock: %+v", i)
			}
			if c.on {
				return
			}
			w.pass(2 * day)
			if i := w.c.Interval(w.boot); c.rtc {
				w.knows("a battery clock for a day")
			} else if i.Sure < seconds(before+2*day)-60 {
				t.Errorf("time does not go on without a clock: %+v", i)
			}
			w.ntp, w.wire = true, true
			w.pass(2 * day)
			w.knows("on line again")
		})
	}
}

// TestBefore: after a start a time server or a battery clock before the last time
// known does not count; both together, or one against what it said itself, do.
func TestBefore(t *testing.T) {
	w := newWorld(t)
	w.ntp, w.wire = true, true
	w.pass(3 * day)
	w.keep()
	w.wire, w.wrong[NTP] = false, -100*day
	w.reboot(time.Hour)
	w.pass(time.Hour)
	if i := w.c.Interval(w.boot); i.Hi != Unknown || i.Sure < seconds(w.truth)-3*3600 {
		t.Errorf("a time server 100 days behind: %+v at %d", i, seconds(w.truth))
	}
	w.wire, w.hello = true, 0
	w.truth, w.lone = w.truth-100*day, true // it was right, and all was wrong before
	w.wrong[NTP] = 0
	w.pass(time.Minute)
	if i := w.c.Interval(w.boot); i.Sure > seconds(w.truth)+1 {
		t.Errorf("two say that it is earlier: %+v at %d", i, seconds(w.truth))
	}
	w.pass(3 * day)
	w.keep()
	w.ntp, w.wire = false, false
	w.reboot(time.Minute)
	if i := w.c.Interval(w.boot); i.Sure > seconds(w.truth) {
		t.Errorf("forgotten after a start: %+v at %d", i, seconds(w.truth))
	}
}

// TestHand: what somebody on site confirms is the time for visitors, and moves
// no resident's end, in this boot and the next ones.
func TestHand(t *testing.T) {
	w := newWorld(t)
	w.c.Floor(seconds(installed))
	w.look()
	for _, ahead := range []time.Duration{0, 366 * day} {
		at := w.truth + ahead
		w.c.Say(Hand, w.boot, at-time.Second, at+time.Second)
		if !w.visitor(at-time.Hour, at+time.Hour) || w.visitor(at-2*time.Hour, at-time.Hour) {
			t.Errorf("%v ahead: visitors do not go by what was confirmed: %+v", ahead, w.c.Interval(w.boot))
		}
		w.pass(3 * day)
		w.keep()
		w.reboot(time.Hour)
		w.pass(3 * day)
	}
	w.wire, w.hello = true, 0
	w.c.Say(Hand, w.boot, w.truth+day, w.truth+day)
	w.look()
	if w.c.Said(Hand) {
		t.Error("a confirmation stands against a signature")
	}
}

// TestRetire: time that a stolen key alone has moved goes back when the root says
// that the key's epoch was false; what another source said as well stays.
func TestRetire(t *testing.T) {
	c := Continue(State{}, "a", 0)
	say := func(epoch uint64, from, to, ahead time.Duration) {
		for at := from; at < to; at += time.Hour {
			c.SaySigned(epoch, at, installed+at+ahead, installed+at+ahead)
			c.Tick(at)
		}
	}
	say(1, 0, 2*day, 0)
	before := c.Interval(2 * day).Sure
	if before < seconds(installed) {
		t.Fatalf("not sure after two days: %d", before)
	}
	say(2, 2*day, 6*day, 0)
	c = Continue(c.State(6*day), "b", 0)
	say(2, 0, 2*day, 366*day)
	if c.Interval(2*day).Sure < seconds(installed+300*day) {
		t.Fatal("the test shows nothing")
	}
	b, err := json.Marshal(c.State(2 * day))
	if err != nil {
		t.Fatal(err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	c = Continue(s, "b", 2*day)
	c.Retire(2)
	if i := c.Interval(2 * day); i.Sure > seconds(installed+8*day) || i.Sure < before || i.Hi != Unknown {
		t.Errorf("after the key was retired: %+v", i)
	}
}

// TestTakeBack: one wrong time that two issuers take back goes, with what became
// certain by it, from a key's word or from the floor; the epoch's earlier word stays.
func TestTakeBack(t *testing.T) {
	c := Continue(State{}, "a", 0)
	say := func(from, to, ahead time.Duration) {
		for at := from; at < to; at += time.Hour {
			c.SaySigned(1, at, installed+at+ahead, installed+at+ahead)
			c.Tick(at)
		}
	}
	say(0, 2*day, 0)
	right := c.Interval(2 * day).Sure
	c.TakeBack(1, seconds(installed+200*day), 2*day)
	if i := c.Interval(2 * day); i.Sure != right || !c.Said(Signed) {
		t.Fatalf("a time that was never sure was taken back, and now: %+v", i)
	}
	c = Continue(c.State(2*day), "b", 0)
	say(0, 2*day, 200*day)
	if c.Interval(2*day).Sure < seconds(installed+200*day) {
		t.Fatal("the test shows nothing")
	}
	c.TakeBack(1, seconds(installed+201*day+23*time.Hour), 2*day)
	if i := c.Interval(2 * day); i.Sure > seconds(installed+4*day) || c.Said(Signed) {
		t.Errorf("after it was taken back: %+v", i)
	}

	c = Continue(State{}, "a", 0)
	c.Floor(seconds(installed + 200*day))
	for at := time.Duration(0); at <= 26*time.Hour; at += time.Hour {
		c.Tick(at)
	}
	if c.Interval(26*time.Hour).Sure < seconds(installed+199*day) {
		t.Fatal("the floor shows nothing")
	}
	c.Floor(seconds(installed))
	c.TakeBack(1, seconds(installed+200*day), 26*time.Hour)
	if i := c.Interval(26 * time.Hour); i.Sure > seconds(installed) || i.Sure < seconds(installed-time.Minute) {
		t.Errorf("after the floor was taken back: %+v", i)
	}
}

// TestFloor: what was signed once counts where nothing fresher is known.
func TestFloor(t *testing.T) {
	w := newWorld(t)
	w.c.Floor(seconds(installed))
	w.pass(26 * time.Hour)
	if i := w.c.Interval(w.boot); i.Sure < seconds(installed-time.Minute) || i.Hi != Unknown {
		t.Errorf("with nothing else: %+v", i)
	}
	w.c.Floor(seconds(installed + 1000*day))
	w.ntp, w.wire = true, true
	w.pass(2 * day)
	w.knows("with better sources")
}

// TestFloorToTheSecond: a visitor's key that begins with the very second in which it was
// signed opens at a new gateway beside nothing but a time server, between two looks at
// that too; and no earlier than a time server says that is a little behind.
func TestFloorToTheSecond(t *testing.T) {
	w := newWorld(t)
	w.ntp = true
	w.pass(time.Hour)
	signed := w.truth
	w.c.Floor(seconds(signed))
	for range 20 {
		w.pass(time.Hour)
		w.truth, w.boot = w.truth+5*time.Minute, w.boot+5*time.Minute
		if !w.visitor(signed, signed+3*day) {
			t.Fatalf("%v after it was signed: %+v", w.truth-signed, w.c.Interval(w.boot))
		}
	}
	w.c.Floor(seconds(w.truth + time.Minute))
	if i := w.c.Interval(w.boot); i.Lo > seconds(w.truth)-1 {
		t.Errorf("beside a time server that is behind what was signed: %+v at %d", i, seconds(w.truth))
	}
}

// TestElapsed: the gateway's own clock goes on by what it was on, whatever the
// others say, and never twice.
func TestElapsed(t *testing.T) {
	w := newWorld(t)
	w.ntp = true
	w.pass(day)
	w.keep()
	w.start() // of the daemon
	w.pass(day)
	w.wrong[NTP], w.lone = 366*day, true
	w.keep()
	w.reboot(100 * day)
	w.pass(day)
	if e := w.c.Elapsed(w.boot); e < 3*day-time.Hour || e > 3*day {
		t.Errorf("on for 3 days, it says %v", e)
	}
}

// TestNoName: where the kernel's name of the boot can't be read, a start of the
// daemon is no leap.
func TestNoName(t *testing.T) {
	c := Continue(State{}, "", 5*day)
	for at := 5 * day; at < 8*day; at += time.Hour {
		c.Say(NTP, at, installed+at, installed+at)
		c.Tick(at)
	}
	c = Continue(c.State(8*day), "", 8*day+time.Hour)
	if got := c.Interval(8*day + time.Hour).Sure; got > seconds(installed+8*day+time.Hour) {
		t.Errorf("a start moved time on by %v", time.Duration(got)*time.Second-installed-8*day-time.Hour)
	}
}

// naive says what visitors may go by in the plainest way: all that the sources
// that count have said, carried on.
func naive(said map[Source]claim, at time.Duration) (lo, hi int64) {
	lo, hi = Unknown, -Unknown
	for _, k := range said {
		lo, hi = min(lo, seconds(k.Lo+at)), max(hi, seconds(k.Hi+at))
	}
	return lo, hi
}

// TestLaws: whatever one source at a time does, with starts, restarts and times
// without power: world.laws; and where two sources are there, one of them right,
// the interval is never beside the truth, and spans all that they said.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.ntp, w.rtc, w.wire = rapid.Bool().Draw(rt, "ntp"), rapid.Bool().Draw(rt, "rtc"), rapid.Bool().Draw(rt, "wire")
		bad := Source(rapid.IntRange(0, 2).Draw(rt, "bad"))
		most := 30 * day
		if n := b2i(w.ntp) + b2i(w.rtc) + b2i(w.wire); n < 2 {
			most = 20 * time.Hour // a lone source may be wrong for less than a day
		}
		for range rapid.SampledFrom([]int{3, 8, 12}).Draw(rt, "events") {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0:
				by := rapid.SampledFrom(steps).Draw(rt, "by") * time.Duration(rapid.SampledFrom([]int{1, -1}).Draw(rt, "sign"))
				w.wrong[bad] = by
				w.pass(most * rapid.SampledFrom([]time.Duration{1, 10, 35, 60, 100}).Draw(rt, "wrong for") / 100)
				w.wrong[bad], w.hello = 0, 0
				if bad == RTC {
					w.keep()
					w.reboot(time.Minute)
				}
				w.look()
			case 1:
				w.pass(rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Hour, 23 * time.Hour, 25 * time.Hour, 3 * day}).Draw(rt, "pass"))
			case 2:
				w.keep()
				w.start()
			case 3:
				w.reboot(rapid.SampledFrom([]time.Duration{0, time.Hour, day, 100 * day}).Draw(rt, "off"))
			}
			w.spans(rt)
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (w *world) spans(rt *rapid.T) {
	said := map[Source]claim{}
	for src := range sources {
		if k := w.c.s.Claims[src]; k.Set && w.c.counts(src, w.boot) {
			said[src] = k
		}
	}
	own := len(said)
	if _, ok := said[agreed]; ok {
		own--
	}
	if own < 2 {
		return
	}
	i := w.c.Interval(w.boot)
	lo, hi := naive(said, w.boot)
	if i.Hi != Unknown && i.Hi < hi || i.Lo > max(lo, i.Sure) {
		rt.Fatalf("%+v, but its sources say %d to %d", i, lo, hi)
	}
	if now := seconds(w.truth); i.Lo > now+1 || i.Hi < now-1 {
		rt.Fatalf("%+v, and it is %d", i, now)
	}
}

// TestOwner: a time that the owner has signed by hand, in a house where nothing
// else tells it, is sure after a day, and carried on for months.
func TestOwner(t *testing.T) {
	w := newWorld(t)
	w.c.SayOwner(w.boot, w.truth-time.Second, w.truth+time.Second)
	w.pass(25 * time.Hour)
	w.knows("signed by hand")
	w.pass(60 * day)
	if i := w.c.Interval(w.boot); seconds(w.truth)-i.Sure > 1800 || i.Hi-seconds(w.truth) > 1800 {
		t.Errorf("two months later: %+v at %d", i, seconds(w.truth))
	}
}

// TestFlapping: a lone source that is a year ahead for most of each day is sure of
// nothing that it does not say all day long.
func TestFlapping(t *testing.T) {
	w := newWorld(t)
	w.ntp = true
	w.pass(2 * day)
	w.keep()
	w.reboot(time.Hour)
	for range 30 {
		w.wrong[NTP] = 366 * day
		w.pass(20 * time.Hour)
		w.wrong[NTP] = 0
		w.pass(3 * time.Hour)
	}
	w.pass(2 * day)
	w.knows("steady again")
}

// TestStolenWitnessAlone: a witness that alone tells the time vouches for itself by
// nothing that it signed before: no visitor begins by it within a day.
func TestStolenWitnessAlone(t *testing.T) {
	w := newWorld(t)
	w.wire, w.wrong[Signed] = true, 60*day
	w.c.Floor(seconds(w.truth + 60*day))
	w.look()
	if w.visitor(w.truth+30*day, w.truth+90*day) {
		t.Errorf("a visitor of next month is in: %+v", w.c.Interval(w.boot))
	}
}

// TestBehindWhatItSaidItself: a lone time server that says less than it said before
// leaves visitors waiting, not in, until it has said so for a day.
func TestBehindWhatItSaidItself(t *testing.T) {
	w := newWorld(t)
	w.ntp = true
	w.pass(2 * day)
	w.keep()
	w.wrong[NTP] = -30 * day
	w.reboot(time.Minute)
	w.pass(time.Hour)
	if i := w.c.Interval(w.boot); i.Hi != Unknown && i.Hi < seconds(w.truth) {
		t.Errorf("not later than %+v, and it is %d", i, seconds(w.truth))
	}
}
