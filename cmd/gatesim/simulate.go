package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/amount"
	"gatehouse/internal/simulate"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// simulateCmd plays both ends in virtual time.
type simulateCmd struct {
	Seed     uint64        `help:"The seed, or the first of several." default:"1"`
	Seeds    uint64        `help:"How many seeds from there on." default:"1"`
	Days     int           `help:"How many days each of them has, before everything is put right and has to settle." default:"3"`
	Scenario int           `help:"One of the named scenarios of docs/simulation.md in place of days by chance: 1 to 6, or 8 to 12."`
	Climate  string        `help:"Only seeds in which this may go wrong: machines, clocks, links, restores, losses, landlord, certificates, year, disks, reinstate, visitors, mandates, policy, hostile gateway, broker, witness or issuer; or nothing." placeholder:"CLIMATE"`
	Trace    bool          `help:"Tell all that was done and entered, in order: the same for the same seed, always."`
	For      time.Duration `help:"End after this time, whatever is left." placeholder:"2m"`
	Jobs     int           `help:"Processes at a time; 0: one a processor." default:"0"`
	Dir      string        `help:"Where the files of a run are for as long as it lasts; memory, if there is such a directory." placeholder:"DIRECTORY"`
	Skip     []uint64      `help:"Seeds that are left out: what they break is known (docs/simulation.md)." placeholder:"SEED,..."`
	First    bool          `help:"End with the first seed that breaks a law, as soon as it does."`
	Shrink   int           `help:"Rounds in which a seed that breaks a law is made shorter; 0: not at all." default:"24"`
}

func (c *simulateCmd) Run(ctx context.Context, s process.Streams) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if c.Dir == "" {
		c.Dir = simulate.Directory()
	}
	if c.Jobs <= 0 {
		c.Jobs = runtime.NumCPU()
	}
	dir, err := os.MkdirTemp(c.Dir, "gatehouse-") // a process that is ended early leaves its files there
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := simulate.Runner{Command: []string{self, "simulate-child", dir}, Jobs: c.Jobs}
	plans, err := c.plans()
	if err != nil {
		return err
	}
	limited, stop := context.WithCancel(ctx)
	defer stop()
	if c.For > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(limited, c.For)
		defer cancel()
	}
	t := tally{out: s.Out, verbose: c.Seeds == 1 && !c.First, trace: c.Trace, laws: map[string]int{}, began: time.Now()}
	t.asked = len(plans)
	each := func(o report.Outcome) {
		if t.add(o); c.First && t.worst != nil {
			stop()
		}
	}
	if err := r.Run(limited, eachOf(plans), each); err != nil {
		return err
	}
	t.sum()
	if t.seeds == 0 {
		return process.ExitCode(1)
	}
	if t.worst == nil {
		return nil
	}
	if c.Shrink > 0 && !c.Trace {
		short := r.Shrink(ctx, *t.worst, c.Shrink)
		fmt.Fprintf(s.Out, "\nseed %d, as short as it gets (%s):\n%s", short.Seed, amount.Of(len(short.Plan.Events), "event"), short.Words())
	}
	return process.ExitCode(1)
}

// eachOf returns one plan after the other, until there is none.
func eachOf(plans []plan.Plan) func() (plan.Plan, bool) {
	return func() (plan.Plan, bool) {
		if len(plans) == 0 {
			return plan.Plan{}, false
		}
		p := plans[0]
		plans = plans[1:]
		return p, true
	}
}

// plans are those of all seeds that are asked for. It fails where there is no such scenario.
func (c *simulateCmd) plans() (all []plan.Plan, err error) {
	for seed := c.Seed; seed < c.Seed+c.Seeds; seed++ {
		p := plan.Plan{}
		if c.Scenario == 0 {
			p = plan.New(seed, c.Days)
		} else if p, err = plan.NewScenario(c.Scenario, seed); err != nil {
			return nil, err
		}
		p.Trace, p.First = c.Trace, c.First
		if c.wants(p) && !slices.Contains(c.Skip, seed) {
			all = append(all, p)
		}
	}
	return all, nil
}

// nothing is asked for as a climate in which nothing goes wrong.
const nothing = "nothing"

// wants reports whether a plan has the climate that is asked for.
func (c *simulateCmd) wants(p plan.Plan) bool {
	if c.Climate == nothing {
		return p.Climate == ""
	}
	return strings.Contains(p.Climate, c.Climate)
}

// tally counts outcomes.
type tally struct {
	out            io.Writer
	verbose, trace bool
	began          time.Time
	asked          int // plans to play
	seeds, days    int
	laws           map[string]int
	worst          *report.Outcome // the first that broke a law
}

func (t *tally) add(o report.Outcome) {
	t.seeds++
	t.days += o.Days
	switch {
	case t.trace:
		fmt.Fprint(t.out, o.Words())
	case t.verbose:
		fmt.Fprint(t.out, o.DayByDay())
	}
	broken := map[string]bool{}
	for _, b := range o.Breaches {
		if !broken[b.Law] && !t.verbose && !t.trace {
			fmt.Fprintf(t.out, "seed %d: %s\n", o.Seed, b)
		}
		broken[b.Law] = true
	}
	for law := range broken {
		t.laws[law]++
	}
	if len(broken) > 0 && (t.worst == nil || o.Seed < t.worst.Seed) {
		t.worst = &o
	}
}

func (t *tally) sum() {
	if t.seeds == 0 {
		fmt.Fprintln(t.out, t.nothing())
		return
	}
	if t.trace {
		return
	}
	took := time.Since(t.began)
	text := "every law held"
	played := amount.Of(t.seeds, "seed")
	if t.seeds < t.asked {
		played = fmt.Sprintf("%d of %s", t.seeds, amount.Of(t.asked, "seed"))
		text += " in what was played until the time was over"
	}
	if len(t.laws) > 0 {
		var parts []string
		for _, law := range slices.Sorted(maps.Keys(t.laws)) {
			parts = append(parts, fmt.Sprintf("%s broken by %s", law, amount.Of(t.laws[law], "seed")))
		}
		text = strings.Join(parts, ", ")
	}
	fmt.Fprintf(t.out, "%s, %s in %v (%.1f a second): %s\n", played, amount.Of(t.days, "simulated day"), took.Round(time.Second),
		float64(t.days)/took.Seconds(), text)
}

// nothing says why no seed was played.
func (t *tally) nothing() string {
	if t.asked == 0 {
		return "nothing was played, and so no law was tried: no seed that is asked for is of that climate and not left out (--seed, --seeds, --climate, --skip)"
	}
	return fmt.Sprintf("nothing was played, and so no law was tried: the time was over before the first of %s was (--for)", amount.Of(t.asked, "seed"))
}

// simulateChildCmd is one process of a simulation.
type simulateChildCmd struct {
	Dir string `arg:""`
}

func (c simulateChildCmd) Run() error {
	simulate.Child(os.Stdin, os.Stdout, c.Dir)
	return nil
}
