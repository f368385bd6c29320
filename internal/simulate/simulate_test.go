package simulate

import (
	"runtime"
	"strings"
	"testing"

	"gatehouse/internal/simulate/plan"
)

// calm returns the first seeds whose climate is nothing but people.
func calmPlan(seed uint64, days int) plan.Plan {
	for ; ; seed++ {
		p := plan.New(seed, days)
		if p.Climate == "" {
			return p
		}
	}
}

// TestGoodWeather: days without a fault break no law, and nothing is told; and
// whoever walks, all who may not know see the same.
func TestGoodWeather(t *testing.T) {
	o := twins(t, calmPlan(1, 1), Directory())
	if len(o.Breaches) > 0 {
		t.Errorf("in good weather:\n%s", o.Words())
	}
	if text := o.DayByDay(); !strings.Contains(text, "W8 the landlord alone stops nobody before the notice's end, and an enemy of one part does no more than he can: holds") {
		t.Errorf("the summary does not tell of the laws:\n%s", text)
	}
}

// TestRepeats: one seed is one run, to the last entry, with one processor and with
// two.
func TestRepeats(t *testing.T) {
	p := plan.New(5, 1)
	p.Trace = true
	first := bubble(t, p, Directory()).Words()
	if len(first) < 1000 || !strings.Contains(first, "list_applied") {
		t.Fatalf("a trace without entries:\n%s", first)
	}
	had := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(had)
	for n := range 4 {
		runtime.GOMAXPROCS(1 + n%2)
		if again := bubble(t, p, Directory()).Words(); again != first {
			t.Fatalf("the same seed, another run (%d processors):\n%s\n--- and\n%s", 1+n%2, first, again)
		}
	}
}

// TestEveryEventHappens: whatever a plan brings, something happens at it.
func TestEveryEventHappens(t *testing.T) {
	events := newRun(plan.Plan{}, t.TempDir()).events
	var all []plan.Event
	for seed := range uint64(500) {
		all = append(all, plan.New(seed, 5).Events...)
	}
	for number := range 13 {
		if p, err := plan.NewScenario(number, 1); err == nil {
			all = append(all, p.Events...)
		}
	}
	missing := map[string]bool{}
	for _, e := range all {
		missing[e.Kind] = missing[e.Kind] || events[e.Kind] == nil
	}
	for kind, is := range missing {
		if is {
			t.Errorf("nothing happens at %q", kind)
		}
	}
	if len(missing) < 70 {
		t.Errorf("only %d kinds of event in 500 seeds", len(missing))
	}
}
