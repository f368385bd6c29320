package door_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// TestMachineDay drives the machine through random days and checks the laws of
// a door after every step.
func TestMachineDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := door.Rules{ReleaseTime: 5 * time.Second, HeldAfter: 30 * time.Second,
			MaxRelease: rapid.SampledFrom([]time.Duration{0, 20 * time.Second}).Draw(t, "max"),
			SilentExit: rapid.Bool().Draw(t, "silent"), OnlyExit: rapid.Bool().Draw(t, "only")}
		// Only a fail-safe lock has an exit that must work, and only a fail-secure one a limit: the site file refuses others.
		rules.OnlyExit = rules.OnlyExit && rules.MaxRelease == 0
		w := walk{t: t, m: door.Machine{Rules: rules}}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			w.sleep(time.Duration(rapid.Int64Range(0, int64(40*time.Second)).Draw(t, "wait")))
			w.step(door.Input(rapid.IntRange(int(door.Tick), int(door.FireSeen)).Draw(t, "input")))
		}
	})
}

// walk is one machine on its way through a day, with what must hold for it.
type walk struct {
	t        *rapid.T
	m        door.Machine
	now      time.Duration
	released bool // by the acts alone
	since    time.Duration
	asked    time.Duration // last input that releases
	others   time.Duration // last one that was no operator's
	exit     bool
	noExit   bool
	line     bool
	blind    bool
	latch    bool
	through  bool          // the release was used up
	over     bool          // the lock's limit has ended it
	grant    time.Duration // when the last grant ends that came after all others who let people through; 0: it is used up
}

// sleep lets time pass, with a Tick at every deadline, as the loop does.
func (w *walk) sleep(d time.Duration) {
	end := w.now + d
	for {
		at, ok := w.m.Deadline()
		if !ok || at > end {
			break
		}
		w.now = max(w.now, at)
		before := at
		w.step(door.Tick)
		if next, ok := w.m.Deadline(); ok && next <= before {
			w.t.Fatalf("deadline %v does not move on", next)
		}
	}
	w.now = end
}

func (w *walk) step(in door.Input) {
	m, acts := w.m.Step(in, w.now, nil)
	w.m = m
	w.follow(in)
	if in == door.DenyCard && len(acts) > 0 {
		w.t.Fatalf("a denied card did %+v", acts)
	}
	for _, a := range acts {
		if a.Release && a.Secure {
			w.t.Fatal("release and secure in one act")
		}
		if a.Release {
			w.checkRelease(in)
		}
		w.opened(a)
		if a.Secure {
			if w.latch || w.blind {
				w.t.Fatalf("secured after fire and before the reset, by input %d", in)
			}
			w.released, w.others = false, 0 // what has ended is nobody's any more
		}
	}
	w.laws(in)
}

func (w *walk) follow(in door.Input) {
	asks := false
	switch in {
	case door.GrantCard:
		w.grant = w.now + w.m.Rules.ReleaseTime
	case door.OperatorOpen, door.ExitCard, door.ExitActive, door.FireSeen:
		w.grant = 0
	}
	switch in {
	case door.OperatorLock:
		if !w.exit && !w.noExit {
			w.asked = w.others
		}
	case door.ExitActive:
		w.exit, w.noExit, asks = true, false, true
	case door.ExitIdle:
		asks = (w.exit || w.noExit) && w.released
		w.exit, w.noExit = false, false
	case door.ExitLost:
		asks = (w.exit || w.noExit) && w.released || w.m.Rules.OnlyExit
		w.exit, w.noExit = false, w.m.Rules.OnlyExit
	case door.FireLatched:
		w.latch = true
	case door.GrantCard, door.OperatorOpen, door.ExitCard, door.FireSeen:
		asks = true
	case door.FireActive:
		w.line, w.latch, w.blind = true, true, false
	case door.FireLost:
		w.blind = true
	case door.FireIdle:
		w.line = false
		asks = w.blind && !w.latch && w.ended()
		w.blind = false
	case door.FireReset:
		if w.latch && !w.line && !w.blind {
			w.latch = false
			asks = w.ended()
		}
	}
	if asks {
		w.asked = w.now
		if in != door.OperatorOpen {
			w.others = w.now
		}
	}
}

// opened is the law of an opening: it belongs to a grant that lasts, and to no other reason to open.
func (w *walk) opened(a door.Act) {
	if a.Granted && (a.Header.Kind != wire.KindOpened || w.now >= w.grant ||
		!w.released || w.exit || w.noExit || w.latch || w.blind) {
		w.t.Fatalf("%v belongs to a grant that ended %v ago: released %v, exit %v %v, fire %v %v",
			a.Header.Kind, w.now-w.grant, w.released, w.exit, w.noExit, w.latch, w.blind)
	}
	if k := a.Header.Kind; k == wire.KindOpened || k == wire.KindSecured || k == wire.KindForced && a.Header.Outcome == wire.OutcomeActive {
		w.grant = 0
	}
}

// lower is the law that lets people through: a release lasts its time, and as
// long as the button is pressed, unless somebody went through, the limit of the
// lock came, or an emergency ended.
func (w *walk) lower(in door.Input) {
	switch in {
	case door.ContactClosed, door.FireReset, door.FireIdle:
		w.through = w.through || !w.released
	case door.GrantCard, door.OperatorOpen, door.ExitCard, door.ExitActive, door.FireSeen:
		w.through = false
	}
	limited := w.m.Rules.MaxRelease > 0 && w.now-w.since >= w.m.Rules.MaxRelease
	due := w.asked > 0 && (w.exit || w.now-w.asked < w.m.Rules.ReleaseTime)
	if due && !w.released && !w.through && !limited && !w.over {
		w.t.Fatalf("secured %v after somebody was let through, exit pressed %v", w.now-w.asked, w.exit)
	}
	if limited {
		w.over = true // the limit ends it, whatever else asked meanwhile
	}
	if w.released && !limited {
		w.over = false
	}
}

// ended: while the exit button is held, the end of an emergency starts a
// release of its own.
func (w *walk) ended() bool {
	w.since = w.now
	return true
}

func (w *walk) checkRelease(in door.Input) {
	switch in {
	case door.GrantCard, door.OperatorOpen, door.ExitCard, door.ExitActive, door.ExitLost, door.FireActive, door.FireLatched, door.FireLost, door.FireSeen:
	default:
		w.t.Fatalf("input %d released the door", in)
	}
	if !w.released {
		w.since = w.now
	}
	w.released = true
}

func (w *walk) laws(in door.Input) {
	if w.m.IsReleased() != w.released {
		w.t.Fatalf("machine says released %v, its acts %v", w.m.IsReleased(), w.released)
	}
	if (in == door.ExitActive || in == door.FireSeen) && !w.released {
		w.t.Fatalf("input %d did not release", in)
	}
	if w.noExit && !w.released {
		w.t.Fatal("secured while the only way out can't be read")
	}
	w.lower(in)
	if w.latch != w.m.Latched() || ((w.latch || w.blind) && !w.released) {
		w.t.Fatalf("fire: latch %v, machine %v, released %v", w.latch, w.m.Latched(), w.released)
	}
	if (w.m.State() == door.Emergency) != (w.latch || w.blind) {
		w.t.Fatalf("state %s with latch %v", w.m.State(), w.latch)
	}
	if !w.released || w.latch || w.blind || w.noExit {
		return
	}
	if limit := w.m.Rules.MaxRelease; limit > 0 && w.now-w.since >= limit {
		w.t.Fatalf("driven for %v, limit %v", w.now-w.since, limit)
	}
	if !w.exit && w.now-w.asked >= w.m.Rules.ReleaseTime {
		w.t.Fatalf("still released %v after the last reason", w.now-w.asked)
	}
}

// TestMachineStories are the days that people remember.
func TestMachineStories(t *testing.T) {
	rules := door.Rules{ReleaseTime: 5 * time.Second, HeldAfter: 30 * time.Second}
	type step struct {
		at    int // s
		in    door.Input
		state door.State
	}
	for _, c := range []struct {
		name  string
		rules door.Rules
		steps []step
		kinds []wire.Kind
	}{
		{"a resident comes home", rules, []step{
			{1, door.GrantCard, door.Released}, {2, door.ContactOpen, door.Open}, {4, door.ContactClosed, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindOpened, wire.KindClosed, wire.KindSecured}},
		{"nobody goes through", rules, []step{
			{1, door.GrantCard, door.Released}, {6, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
		{"two come together", rules, []step{
			{1, door.GrantCard, door.Released}, {2, door.ContactOpen, door.Open}, {3, door.GrantCard, door.Open},
			{4, door.ContactClosed, door.Released}, {8, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindOpened, wire.KindClosed, wire.KindSecured}},
		{"a stranger pushes", rules, []step{
			{1, door.DenyCard, door.Secured}, {2, door.ContactOpen, door.Forced}, {3, door.ContactClosed, door.Secured}},
			[]wire.Kind{wire.KindForced, wire.KindForced, wire.KindClosed}},
		{"a handle inside", door.Rules{ReleaseTime: 5 * time.Second, SilentExit: true}, []step{
			{1, door.ContactOpen, door.Open}, {3, door.ContactClosed, door.Secured}},
			[]wire.Kind{wire.KindOpened, wire.KindClosed}},
		{"a wedge under the door", rules, []step{
			{1, door.ExitActive, door.Released}, {2, door.ExitIdle, door.Released}, {3, door.ContactOpen, door.Open},
			{7, door.Tick, door.Open}, {33, door.Tick, door.Held}, {60, door.ContactClosed, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindExit, wire.KindOpened, wire.KindSecured, wire.KindHeld, wire.KindHeld, wire.KindClosed}},
		{"fire", rules, []step{
			{1, door.FireActive, door.Emergency}, {100, door.Tick, door.Emergency}, {101, door.FireReset, door.Emergency},
			{102, door.FireIdle, door.Emergency}, {103, door.ContactOpen, door.Emergency}, {104, door.ContactClosed, door.Emergency},
			{105, door.FireReset, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindFire, wire.KindFire, wire.KindOpened, wire.KindClosed, wire.KindFireReset, wire.KindSecured}},
		{"a spike on the fire line", rules, []step{
			{1, door.FireSeen, door.Released}, {2, door.FireIdle, door.Released}, {5, door.Tick, door.Released}, {6, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
		{"a fire at the second look", rules, []step{
			{1, door.FireSeen, door.Released}, {2, door.FireActive, door.Emergency}, {60, door.Tick, door.Emergency}},
			[]wire.Kind{wire.KindReleased, wire.KindFire}},
		{"a fire input that comes late", rules, []step{
			{1, door.FireLost, door.Emergency}, {100, door.Tick, door.Emergency}, {101, door.FireIdle, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
		{"a fire input torn off in a fire", rules, []step{
			{1, door.FireActive, door.Emergency}, {2, door.FireLost, door.Emergency}, {3, door.FireReset, door.Emergency},
			{4, door.FireIdle, door.Emergency}, {5, door.FireReset, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindFire, wire.KindFire, wire.KindFireReset, wire.KindSecured}},
		{"an operator takes a release back", rules, []step{
			{1, door.OperatorOpen, door.Released}, {2, door.OperatorLock, door.Secured}, {3, door.OperatorLock, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
		{"an operator takes back no card's release", rules, []step{
			{1, door.GrantCard, door.Released}, {2, door.OperatorLock, door.Released}, {3, door.OperatorOpen, door.Released},
			{4, door.OperatorLock, door.Released}, {6, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
		{"an operator takes back no exit's release", rules, []step{
			{1, door.OperatorOpen, door.Released}, {2, door.ExitActive, door.Released}, {3, door.OperatorLock, door.Released}, {4, door.ExitIdle, door.Released},
			{5, door.OperatorLock, door.Released}, {9, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindExit, wire.KindSecured}},
		{"an operator locks against a fire", rules, []step{
			{1, door.OperatorOpen, door.Released}, {2, door.FireActive, door.Emergency}, {3, door.OperatorLock, door.Emergency}, {9, door.Tick, door.Emergency}},
			[]wire.Kind{wire.KindReleased, wire.KindFire}},
		{"a stuck strike", door.Rules{ReleaseTime: 5 * time.Second, MaxRelease: 10 * time.Second}, []step{
			{1, door.GrantCard, door.Released}, {5, door.GrantCard, door.Released}, {9, door.GrantCard, door.Released}, {11, door.Tick, door.Secured}},
			[]wire.Kind{wire.KindReleased, wire.KindSecured}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := door.Machine{Rules: c.rules}
			var kinds []wire.Kind
			for _, s := range c.steps {
				var acts []door.Act
				m, acts = m.Step(s.in, time.Duration(s.at)*time.Second, nil)
				for _, a := range acts {
					if a.Header.Kind != 0 {
						kinds = append(kinds, a.Header.Kind)
					}
				}
				if m.State() != s.state {
					t.Errorf("at %d s: %s, want %s", s.at, m.State(), s.state)
				}
			}
			if fmt.Sprint(kinds) != fmt.Sprint(c.kinds) {
				t.Errorf("recorded %v, want %v", kinds, c.kinds)
			}
		})
	}
}

// TestOpeningOfAGrant: an opening belongs to a grant if nothing else can explain it.
func TestOpeningOfAGrant(t *testing.T) {
	type step struct {
		at int // s
		in door.Input
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  []bool // of each opening
	}{
		{"a resident", []step{{1, door.GrantCard}, {2, door.ContactOpen}}, []bool{true}},
		{"who pulls at the last moment", []step{{1, door.GrantCard}, {5, door.ContactOpen}}, []bool{true}},
		{"while somebody leaves", []step{{1, door.ExitActive}, {2, door.GrantCard}, {3, door.ContactOpen}}, []bool{false}},
		{"after the button", []step{{1, door.ExitActive}, {2, door.ExitIdle}, {3, door.GrantCard}, {4, door.ContactOpen}}, []bool{true}},
		{"before the button", []step{{1, door.GrantCard}, {2, door.ExitActive}, {3, door.ExitIdle}, {4, door.ContactOpen}}, []bool{false}},
		{"and an operator", []step{{1, door.GrantCard}, {2, door.OperatorOpen}, {3, door.ContactOpen}}, []bool{false}},
		{"an operator", []step{{1, door.OperatorOpen}, {2, door.ContactOpen}}, []bool{false}},
		{"twice by one grant", []step{{1, door.GrantCard}, {2, door.ContactOpen}, {3, door.ExitActive}, {3, door.ContactClosed}, {3, door.ExitIdle}, {4, door.ContactOpen}}, []bool{true, false}},
		{"twice while somebody leaves", []step{{1, door.ExitActive}, {2, door.GrantCard}, {3, door.ContactOpen}, {3, door.ContactClosed}, {4, door.ExitIdle}, {5, door.ContactOpen}}, []bool{false, false}},
		{"two grants", []step{{1, door.GrantCard}, {2, door.ContactOpen}, {2, door.GrantCard}, {3, door.ContactClosed}, {4, door.ContactOpen}}, []bool{true, true}},
		{"in a fire", []step{{1, door.GrantCard}, {2, door.FireActive}, {3, door.ContactOpen}}, []bool{false}},
		{"long after a grant", []step{{1, door.ExitActive}, {2, door.GrantCard}, {60, door.ExitIdle}, {61, door.ContactOpen}}, []bool{false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := door.Machine{Rules: door.Rules{ReleaseTime: 5 * time.Second}}
			var got []bool
			for _, s := range c.steps {
				var acts []door.Act
				m, acts = m.Step(s.in, time.Duration(s.at)*time.Second, nil)
				for _, a := range acts {
					if a.Header.Kind == wire.KindOpened {
						got = append(got, a.Granted)
					}
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("openings of a grant: %v, want %v", got, c.want)
			}
		})
	}
}
