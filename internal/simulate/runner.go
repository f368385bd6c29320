package simulate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
)

// Runner runs plans in processes of its own.
type Runner struct {
	Command []string // starts a process that calls Child
	Jobs    int      // processes at a time
}

// Run lets plans happen, and calls each with every outcome, one at a time, in
// any order. It stops early when ctx ends, which is no error.
func (r Runner) Run(ctx context.Context, plans func() (plan.Plan, bool), each func(report.Outcome)) error {
	var mu sync.Mutex // guards plans, each and failed
	var failed error
	next := func() (plan.Plan, bool) {
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil || failed != nil {
			return plan.Plan{}, false
		}
		return plans()
	}
	var jobs sync.WaitGroup
	for range max(1, r.Jobs) {
		jobs.Go(func() {
			for {
				p, more := next()
				if !more {
					return
				}
				err := r.process(ctx, p, next, func(o report.Outcome) {
					mu.Lock()
					defer mu.Unlock()
					each(o)
				})
				if err != nil && ctx.Err() == nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	jobs.Wait()
	return failed
}

// perProcess is how many plans one process gets: what a run leaves in memory
// goes with it.
const perProcess = 20

// process runs plans in one process. One that dies is a breach of the plan that
// it was at.
func (r Runner) process(ctx context.Context, p plan.Plan, next func() (plan.Plan, bool), each func(report.Outcome)) error {
	c, err := r.start(ctx)
	if err != nil {
		return fmt.Errorf("start a process of the simulation: %w", err)
	}
	enc, lines := json.NewEncoder(c.in), bufio.NewReader(c.out)
	for n, more := 1, true; more; n++ {
		_ = enc.Encode(p) // a process that is dead shows by its silence
		o, err := readOutcome(lines)
		if err != nil {
			if ctx.Err() == nil {
				each(report.Outcome{Seed: p.Seed, Plan: &p, Breaches: []report.Breach{{Law: "crash", Text: tail(c.said.String())}}})
			}
			_ = c.in.Close()
			_ = c.Wait()
			return nil
		}
		ran := p
		o.Plan = &ran
		each(o)
		if more = n < perProcess; more {
			p, more = next()
		}
	}
	_ = c.in.Close()
	for { // the words of package testing
		if _, err := lines.ReadByte(); err != nil {
			break
		}
	}
	return c.Wait()
}

// child is a process of the simulation, started.
type child struct {
	*exec.Cmd
	in   io.WriteCloser
	out  io.Reader
	said bytes.Buffer // to nobody
}

// start starts one. What it mounts is its own where that is allowed: it goes with the
// process, however that ends.
func (r Runner) start(ctx context.Context) (*child, error) {
	if c, err := r.startWith(ctx, ownMounts()); err == nil {
		return c, nil
	}
	return r.startWith(ctx, nil)
}

func (r Runner) startWith(ctx context.Context, how *syscall.SysProcAttr) (c *child, err error) {
	c = &child{Cmd: exec.CommandContext(ctx, r.Command[0], r.Command[1:]...)}
	c.SysProcAttr = how
	c.Env = append(c.Environ(), "GOGC=400", "GODEBUG=cryptocustomrand=1,asyncpreemptoff=1")
	if os.Getenv("GOMAXPROCS") == "" {
		c.Env = append(c.Env, "GOMAXPROCS=1")
	}
	c.Stderr = &c.said
	if c.in, err = c.StdinPipe(); err == nil {
		c.out, err = c.StdoutPipe()
	}
	if err == nil {
		err = c.Start()
	}
	return c, err
}

func readOutcome(lines *bufio.Reader) (o report.Outcome, err error) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return o, err
		}
		if bytes.HasPrefix(line, []byte("{")) {
			return o, json.Unmarshal(line, &o)
		}
	}
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[:min(len(lines), 30)], "\n")
}

// Shrink drops events from a plan while the same law breaks, in at most so many
// rounds of runs, and returns what is left with its outcome.
func (r Runner) Shrink(ctx context.Context, o report.Outcome, rounds int) report.Outcome {
	if len(o.Breaches) == 0 || o.Plan == nil {
		return o
	}
	law := o.Breaches[0].Law
	best := o
	size := max(1, len(best.Plan.Events)/2)
	for round := 0; round < rounds && ctx.Err() == nil; round++ {
		var tries []plan.Plan
		for at := 0; at < len(best.Plan.Events); at += size {
			p := *best.Plan
			p.Events = append(append([]plan.Event{}, p.Events[:at]...), p.Events[min(at+size, len(p.Events)):]...)
			tries = append(tries, p)
		}
		better := r.smallest(ctx, tries, law)
		switch {
		case better != nil:
			best = *better
			size = min(size, max(1, len(best.Plan.Events)/2))
		case size == 1:
			return best
		default:
			size = max(1, size/2)
		}
	}
	return best
}

// smallest runs plans and returns the first of them that breaks the law; nil:
// none does. Which is the first does not depend on which process was faster.
func (r Runner) smallest(ctx context.Context, tries []plan.Plan, law string) *report.Outcome {
	n := 0
	found := map[int]report.Outcome{}
	for n < len(tries) && len(found) == 0 && ctx.Err() == nil {
		end := min(len(tries), n+max(1, r.Jobs))
		i := n
		_ = r.Run(ctx, func() (plan.Plan, bool) {
			if i == end {
				return plan.Plan{}, false
			}
			i++
			p := tries[i-1]
			p.Number = i - 1
			return p, true
		}, func(o report.Outcome) {
			for _, b := range o.Breaches {
				if b.Law == law {
					found[o.Plan.Number] = o
				}
			}
		})
		n = end
	}
	for i := range tries {
		if o, ok := found[i]; ok {
			return &o
		}
	}
	return nil
}
