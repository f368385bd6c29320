package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// TestSimulateNothing: where no seed was played, no law is said to have held.
func TestSimulateNothing(t *testing.T) {
	for _, c := range []struct {
		cmd  simulateCmd
		want string
	}{
		{simulateCmd{Seed: 7, Seeds: 1, Skip: []uint64{7}}, "not left out (--seed, --seeds, --climate, --skip)"},
		{simulateCmd{Seed: 1, Seeds: 3, Climate: "earthquakes"}, "of that climate"},
		{simulateCmd{Seed: 1, Seeds: 3, For: time.Nanosecond}, "before the first of 3 seeds was (--for)"},
		{simulateCmd{Seed: 1, Seeds: 3, For: time.Nanosecond, Trace: true}, "before the first of 3 seeds was (--for)"},
	} {
		var out bytes.Buffer
		c.cmd.Days, c.cmd.Dir = 1, t.TempDir()
		err := c.cmd.Run(t.Context(), process.Streams{Out: &out})
		if err != process.ExitCode(1) || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "held") {
			t.Errorf("%+v ends with %v and says:\n%s", c.cmd, err, &out)
		}
		if left, err := os.ReadDir(c.cmd.Dir); err != nil || len(left) > 0 {
			t.Errorf("%+v leaves %v behind (%v)", c.cmd, left, err)
		}
	}
}

// TestSimulateSum: what was played is said, and what was not.
func TestSimulateSum(t *testing.T) {
	var out bytes.Buffer
	sum := tally{out: &out, asked: 5, laws: map[string]int{}, began: time.Now().Add(-4 * time.Second)}
	sum.add(report.Outcome{Seed: 1, Days: 5})
	sum.add(report.Outcome{Seed: 2, Days: 3})
	sum.sum()
	if text := out.String(); !strings.Contains(text, "2 of 5 seeds, 8 simulated days in 4s") || !strings.Contains(text, "every law held in what was played") {
		t.Errorf("after two of five seeds: %s", text)
	}
	out.Reset()
	sum.asked = 3
	sum.add(report.Outcome{Seed: 3, Days: 1, Breaches: []report.Breach{{Law: "W1"}, {Law: "W1"}, {Law: "W4"}}})
	sum.sum()
	if text := out.String(); !strings.Contains(text, "\n3 seeds, 9 simulated days in") || !strings.Contains(text, ": W1 broken by 1 seed, W4 broken by 1 seed") {
		t.Errorf("after three of three: %s", text)
	}
}

// TestSimulateWants: with --first a run ends where it breaks a law; --climate nothing takes
// the seeds in which nothing goes wrong.
func TestSimulateWants(t *testing.T) {
	nothingWrong, clocks := plan.Plan{}, plan.Plan{Climate: "visitors, clocks"}
	for _, c := range []struct {
		climate string
		plan    plan.Plan
		want    bool
	}{{"", nothingWrong, true}, {"", clocks, true}, {"nothing", nothingWrong, true}, {"nothing", clocks, false}, {"clocks", clocks, true}, {"clocks", nothingWrong, false}} {
		if got := (&simulateCmd{Climate: c.climate}).wants(c.plan); got != c.want {
			t.Errorf("--climate %q takes a seed with %q: %v", c.climate, c.plan.Climate, got)
		}
	}
	if all, err := (&simulateCmd{Seed: 3, Seeds: 2, Days: 1, First: true}).plans(); err != nil || len(all) != 2 || !all[0].First || !all[1].First {
		t.Errorf("the plans of --first go on after a breach: %+v, %v", all, err)
	}
	if _, err := (&simulateCmd{Seed: 3, Seeds: 2, Scenario: 99}).plans(); err == nil {
		t.Error("a scenario that there is not is played")
	}
}
