package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// twoDoors is a site with a door that has everything and one that has nothing more than a
// lock. Both hang on the fire input, where there is one.
func twoDoors(t interface{ TempDir() string }) *site.Site {
	line := func(n int) *site.Input { return &site.Input{Chip: "c", Line: &n, Active: "low"} }
	relay := func(n int) site.Relay { return site.Relay{Chip: "c", Line: &n, Active: "high"} }
	return &site.Site{State: t.TempDir(), Doors: []site.Door{
		{ID: "front", Egress: "electric", Lock: "fail-safe", Relay: relay(1), Exit: line(2), Contact: line(3)},
		{ID: "yard", Egress: "mechanical", Lock: "fail-secure", Relay: relay(4)},
	}}
}

// states are those of all parts, by "door part"; ready doors are "door".
func states(b *Book) map[string]State {
	out := map[string]State{}
	_, all := b.Doors()
	for _, d := range all {
		for _, p := range d.Parts {
			out[d.Door+" "+string(p.Part)] = p.State
		}
		if d.Ready {
			out[d.Door] = Passed
		}
	}
	return out
}

// dirs makes directories in a property's test.
type dirs struct {
	t *testing.T
	n int
}

func (d *dirs) TempDir() string {
	d.n++
	dir := filepath.Join(d.t.TempDir(), fmt.Sprint(d.n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// model is what a person with a sheet of paper would have written.
type model struct {
	t       *rapid.T
	state   map[string]State
	armedAt map[string]string // boot in which the plug was to be pulled, by door
}

func (m *model) step(door string, p Part, step Step, fitted bool, boot string) (refused bool) {
	key := door + " " + string(p)
	was, word := m.state[key], p == Lock || p == Power
	ask := Begun
	if p == Power {
		ask = Seen
	}
	switch {
	case step == Begin && fitted:
		m.state[key] = Begun
		if p != Power {
			return false
		}
		for _, d := range []string{"front", "yard"} {
			if k := d + " power"; d == door || m.state[k] != Passed {
				m.state[k], m.armedAt[d] = Begun, boot
			}
		}
	case step == See && was == Begun && p == Power:
		m.state[key] = Seen
	case step == See && was == Begun && p != Lock:
		m.state[key] = Passed
	case step == Yes && word && was == ask:
		m.state[key] = Passed
	case step == No && was == ask:
		m.state[key] = Failed
	case step == None && !word && fitted:
		m.state[key] = Absent
	case step == None && !word:
		m.state[key] = NotFitted
	default:
		return true
	}
	return false
}

// restart is a start of the daemon in a boot, after an orderly stop or after none.
func (m *model) restart(boot string, orderly bool) {
	for _, d := range []string{"front", "yard"} {
		switch k := d + " power"; {
		case m.state[k] != Begun:
		case orderly:
			m.state[k] = Unproved
		case m.armedAt[d] != boot:
			m.state[k] = Seen
		}
	}
}

// TestBook drives a house through random steps, power cuts, orderly stops and disks that
// take nothing: it holds what the sheet of paper would, and nothing more passes.
func TestBook(t *testing.T) {
	made := &dirs{t: t}
	rapid.Check(t, func(t *rapid.T) {
		s := twoDoors(made)
		boot, boots := "b0", 0
		open := func() *Book {
			b, err := Open(s, boot, atNoon)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		if err := Create(s.State, Act{At: noon}); err != nil {
			t.Fatal(err)
		}
		b := open()
		m := &model{t, map[string]State{}, map[string]string{}}
		for _, d := range []string{"front", "yard"} {
			for _, p := range Parts() {
				m.state[d+" "+string(p)] = Unproved
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0: // the power goes, or the daemon is killed
				if rapid.Bool().Draw(t, "another boot") {
					boots++
					boot = fmt.Sprint("b", boots)
				}
				m.restart(boot, false)
				b = open()
			case 1:
				if err := b.Stop(); err != nil {
					t.Fatal(err)
				}
				boots++
				boot = fmt.Sprint("b", boots)
				m.restart(boot, true)
				b = open()
			default:
				d := rapid.SampledFrom(b.doors).Draw(t, "door")
				p := rapid.SampledFrom(Parts()).Draw(t, "part")
				step := rapid.SampledFrom([]Step{Begin, Begin, See, Yes, No, None}).Draw(t, "step")
				full := rapid.IntRange(0, 9).Draw(t, "disk") == 0
				if full {
					must(t, os.MkdirAll(filepath.Join(s.State, File+".new", "in"), 0o700))
				}
				before := states(b)
				_, err := b.Step(d.ID, p, step, Act{At: noon, By: "owner"})
				if full {
					must(t, os.RemoveAll(filepath.Join(s.State, File+".new")))
					if err == nil {
						t.Fatal("a step that is not on disk counts")
					}
					same(t, states(b), before)
					break
				}
				if refused := m.step(d.ID, p, step, d.Fitted[p], boot); refused != (err != nil) {
					t.Fatalf("%s %s %s: %v, want it refused: %v", d.ID, p, step, err, refused)
				}
			}
			want := map[string]State{}
			for _, d := range []string{"front", "yard"} {
				ready := true
				for _, p := range Parts() {
					st := m.state[d+" "+string(p)]
					want[d+" "+string(p)], ready = st, ready && (st == Passed || st == NotFitted)
				}
				if ready {
					want[d] = Passed
				}
			}
			same(t, states(b), want)
		}
	})
}

func same(t *rapid.T, got, want map[string]State) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// steps does some at a door, which are all taken.
func steps(t *testing.T, b *Book, all string) {
	t.Helper()
	for line := range strings.SplitSeq(all, ",") {
		w := strings.Fields(line)
		if _, err := b.Step(w[0], Part(w[1]), Step(w[2]), Act{At: noon}); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// TestOtherWiring: a door with another lock or another line is to be proved anew, one that
// got another reader is not.
func TestOtherWiring(t *testing.T) {
	s := twoDoors(t)
	must(t, Create(s.State, Act{At: noon}))
	open := func() *Book {
		b, err := Open(s, "b", atNoon)
		must(t, err)
		return b
	}
	steps(t, open(), "front lock begin,front lock yes,front exit begin,front exit see,yard lock begin,yard lock yes")
	s.Doors[0].Readers = []site.Reader{{ID: "in"}}
	if got := states(open()); got["front lock"] != Passed || got["yard lock"] != Passed {
		t.Errorf("another reader: %v", got)
	}
	for name, change := range map[string]func(*site.Site){
		"lock": func(s *site.Site) { s.Doors[0].Lock = "fail-secure" },
		"line": func(s *site.Site) { s.Doors[0].Exit = &site.Input{Chip: "c", Line: new(9), Active: "low"} },
		"exit": func(s *site.Site) { s.Doors[0].Exit = nil },
	} {
		was := s.Doors[0]
		change(s)
		if got := states(open()); got["front lock"] != Unproved || got["front exit"] != Unproved || got["yard lock"] != Passed {
			t.Errorf("another %s: %v", name, got)
		}
		s.Doors[0] = was
	}
	s.Fire = &site.Input{Chip: "c", Line: new(8)}
	if got := states(open()); got["yard lock"] != Unproved {
		t.Errorf("another fire input: %v", got)
	}
}

// TestAsksNobody: a house without a record is not asked for proofs; one whose record can't
// be read is asked for all of them, and the file is kept.
func TestAsksNobody(t *testing.T) {
	s := twoDoors(t)
	b, err := Open(s, "b", atNoon)
	must(t, err)
	if _, doors := b.Doors(); b.Asks() || doors != nil {
		t.Errorf("a house of its own is asked: %v", doors)
	}
	must(t, b.Create(Act{At: noon}))
	steps(t, b, "yard exit none")
	must(t, Create(s.State, Act{At: noon.Add(time.Hour)})) // a second setup takes nothing away
	b, err = Open(s, "b", atNoon)
	must(t, err)
	if since, _ := b.Doors(); states(b)["yard exit"] != NotFitted || !since.Equal(noon) {
		t.Errorf("since %v: %v", since, states(b))
	}
	must(t, os.WriteFile(filepath.Join(s.State, File), []byte(`{"begun": 7`), 0o600))
	b, err = Open(s, "b", atNoon)
	if err == nil || states(b)["yard exit"] != Unproved || !b.Asks() {
		t.Errorf("a damaged record: %v %v", err, states(b))
	}
	if _, err := os.Stat(filepath.Join(s.State, File+".bad-1")); err != nil {
		t.Error(err)
	}
	if b, err = Open(s, "b", atNoon); err != nil || !b.Asks() {
		t.Errorf("after it: %v", err)
	}
}

// TestDrill: a drill proves the doors that it released, and says no at the others; without
// a record it is a drill all the same.
func TestDrill(t *testing.T) {
	s := twoDoors(t)
	s.Fire = &site.Input{Chip: "c", Line: new(8)}
	b, err := Open(s, "b", atNoon)
	must(t, err)
	must(t, b.StartDrill(3, 7, Act{At: noon}))
	if b, err = Open(s, "b", atNoon); err != nil || !b.Drill().On || b.Drill().Sequence != 7 || b.Asks() {
		t.Fatalf("after a power cut: %v %v", b.Drill(), err)
	}
	report := b.Drill().Report
	for _, h := range drilled("front") {
		report.Take(h)
	}
	must(t, b.EndDrill(report, Act{At: noon}))
	must(t, b.Create(Act{At: noon}))
	must(t, b.StartDrill(3, 9, Act{At: noon}))
	must(t, b.EndDrill(report, Act{At: noon}))
	if got := states(b); got["front fire"] != Passed || got["yard fire"] != Failed || b.Drill().On || b.Drill().Report.Ended.IsZero() {
		t.Errorf("after the drill: %v", got)
	}
	must(t, b.StartDrill(3, 11, Act{At: noon}))
	if got := states(b); got["front fire"] != Passed || got["yard fire"] != Begun {
		t.Errorf("another: %v", got)
	}
}

// entry is one of a door, so many seconds after noon.
func entry(door string, s int, k wire.Kind, o wire.Outcome, r wire.Reason) wire.Header {
	return wire.Header{Door: door, Kind: k, Outcome: o, Reason: r, Wall: noon.Add(time.Duration(s) * time.Second).UnixMilli()}
}

// drilled are the entries of a drill at a door, from the first look at the input to the
// lock that is secured.
func drilled(door string) []wire.Header {
	return []wire.Header{
		entry(door, 1, wire.KindReleased, 0, wire.ReasonFire), entry(door, 2, wire.KindFire, wire.OutcomeActive, 0),
		entry(door, 20, wire.KindFire, wire.OutcomeIdle, 0), entry(door, 30, wire.KindFireReset, wire.OutcomeDone, 0),
		entry(door, 30, wire.KindSecured, 0, wire.ReasonOperator),
	}
}

// TestReport: what a drill's entries tell, and nothing of who came in meanwhile.
func TestReport(t *testing.T) {
	sec := func(at time.Time) int {
		if at.IsZero() {
			return -1
		}
		return int(at.Sub(noon) / time.Second)
	}
	all := drilled("front")
	spike := []wire.Header{entry("front", 1, wire.KindReleased, 0, wire.ReasonFire), entry("front", 6, wire.KindSecured, 0, wire.ReasonTimer)}
	card := []wire.Header{entry("front", 0, wire.KindReleased, 0, wire.ReasonCard), entry("front", 0, wire.KindOpened, 0, 0)}
	refused := []wire.Header{entry("front", 1, wire.KindReleased, wire.OutcomeRefused, wire.ReasonFire)}
	later := []wire.Header{entry("front", 90, wire.KindSecured, 0, wire.ReasonTimer), entry("front", 95, wire.KindReleased, 0, wire.ReasonFire)}
	for name, c := range map[string]struct {
		entries []wire.Header
		want    [5]int // active, released, idle, reset, relocked
		worked  bool
	}{
		"whole":                 {all, [5]int{2, 1, 20, 30, 30}, true},
		"what comes after it":   {append(slices.Clone(all), later...), [5]int{2, 1, 20, 30, 30}, true},
		"not secured yet":       {all[:3], [5]int{2, 1, 20, -1, -1}, true},
		"the panel is active":   {all[:2], [5]int{2, 1, -1, -1, -1}, false},
		"active a second time":  {append(slices.Clone(all[:3]), entry("front", 25, wire.KindFire, wire.OutcomeActive, 0)), [5]int{2, 1, -1, -1, -1}, false},
		"one spike":             {spike, [5]int{-1, 1, -1, -1, -1}, false},
		"released by a card":    {append(card, all[1:3]...), [5]int{2, 2, 20, -1, -1}, true},
		"a lock that is stuck":  {append(refused, all[1:3]...), [5]int{2, -1, 20, -1, -1}, false},
		"another door's":        {drilled("yard"), [5]int{-1, -1, -1, -1, -1}, false},
		"only somebody came in": {card, [5]int{-1, -1, -1, -1, -1}, false},
	} {
		var r Report
		for _, h := range c.entries {
			r.Take(h)
		}
		d := r.Of("front")
		if got := [5]int{sec(d.Active), sec(d.Released), sec(d.Idle), sec(d.Reset), sec(d.Relocked)}; got != c.want || r.Worked("front") != c.worked {
			t.Errorf("%s: %v %v, want %v %v", name, got, r.Worked("front"), c.want, c.worked)
		}
	}
}

// TestRefusedSteps name what is wrong with them.
func TestRefusedSteps(t *testing.T) {
	s := twoDoors(t)
	b, err := Open(s, "b", atNoon)
	must(t, err)
	must(t, b.Create(Act{At: noon}))
	for step, want := range map[string]error{
		"front lock yes": ErrNotBegun, "front exit yes": ErrSeesItself, "yard exit begin": ErrNoSuch, "front lock none": ErrAlways,
		"front power see": ErrNotBegun, "front power yes": ErrNotBegun, "front lock jump": ErrStep, "attic lock begin": ErrNoSuch,
	} {
		w := strings.Fields(step)
		if _, err := b.Step(w[0], Part(w[1]), Step(w[2]), Act{}); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", step, err, want)
		}
	}
}
