package agreed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/durable"
)

// File is where a process keeps what was agreed on, in its directory.
const File = "clock.json"

// saveEvery bounds how often the state is written while nothing is in doubt.
const saveEvery = 10 * time.Minute

// Source is the clocks of a machine.
type Source struct {
	Wall   func() time.Time
	Boot   func() time.Duration // CLOCK_BOOTTIME
	Synced func() bool          // a time server disciplines Wall
	BootID string               // names the kernel's boot
}

// Only is a wall clock with nothing to check it against: only gateways' clocks can raise doubt in it.
func Only(now func() time.Time) Source {
	first := now()
	return Source{Wall: now, Boot: func() time.Duration { return now().Sub(first) }, Synced: func() bool { return true }}
}

// Or is the source itself; if it is zero, a wall clock alone, or without one the machine's clocks.
func (s Source) Or(now func() time.Time) Source {
	switch {
	case s.Wall != nil:
		return s
	case now != nil:
		return Only(now)
	}
	return System()
}

func (s Source) read() reading {
	return reading{Wall: s.Wall(), Boot: s.Boot(), BootID: s.BootID, Synced: s.Synced()}
}

// Clock is the time of one process. Safe for concurrent use.
type Clock struct {
	src  Source
	path string

	mu    sync.Mutex
	judge *judge

	saving sync.Mutex
	saved  kept
}

// Report is how a clock is, for people.
type Report struct {
	Wall   time.Time `json:"wall"`             // of the machine
	Agreed time.Time `json:"agreed"`           // what the process goes by
	Doubt  Doubt     `json:"doubt,omitempty"`  // why these two differ
	Likely time.Time `json:"likely,omitempty"` // what most speaks for
	Synced bool      `json:"synced"`           // a time server disciplines the machine's clock
	Voters int       `json:"voters"`           // buildings whose gateways' clocks are heard
	Ahead  *float64  `json:"ahead_s,omitempty"`
}

// Open goes on from what Save stored at path. It starts nothing; call Save now and
// then. Content that can't be decoded counts as none: the clock is then trusted.
func Open(path string, src Source) (*Clock, error) {
	c := &Clock{src: src, path: path, judge: newJudge(nil)}
	b, err := os.ReadFile(path)
	var before kept
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read what time was agreed on: %w", err)
	case json.Unmarshal(b, &before) == nil && !before.Wall.IsZero():
		c.judge, c.saved = newJudge(&before), before
	}
	c.judge.Look(src.read())
	return c, nil
}

// Now is the agreed time; in doubt it stands still. Doubt is why.
func (c *Clock) Now() (time.Time, Doubt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	doubt := c.judge.Look(c.src.read())
	if doubt == Unset && c.judge.state.Wall.IsZero() {
		return c.src.Wall(), doubt
	}
	return c.judge.state.Wall, doubt
}

// Likely is the most likely time, for what is only shown or counted over a while.
func (c *Clock) Likely() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.src.read()
	c.judge.Look(r)
	return c.judge.Likely(r)
}

// Span returns the earliest and the latest time that it may be. The end of something
// is judged at the latest, and what has to be valid must be so at both.
func (c *Clock) Span() (first, last time.Time) {
	r := c.Report()
	first, last = r.Wall, r.Wall
	for _, t := range []time.Time{r.Agreed, r.Likely} {
		if !t.IsZero() && t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	return first, last
}

// Hear takes the clock of a building's gateway that a time server disciplines, as it was some time ago.
func (c *Clock) Hear(building string, wall time.Time, ago time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judge.Hear(building, wall, c.src.Boot()-ago)
}

// Confirm takes the machine's clock on the operator's word, and keeps that.
func (c *Clock) Confirm() (Report, error) {
	c.mu.Lock()
	c.judge.Confirm(c.src.read())
	c.mu.Unlock()
	return c.Report(), c.save(true)
}

// Report is how the clock is.
func (c *Clock) Report() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.src.read()
	out := Report{Wall: r.Wall, Doubt: c.judge.Look(r), Agreed: c.judge.state.Wall, Likely: c.judge.Likely(r), Synced: r.Synced}
	if ahead, ok := c.judge.median(r); ok {
		s := ahead.Seconds()
		out.Ahead = &s
	}
	out.Voters = len(c.judge.votes)
	return out
}

// Save keeps what was agreed on for the next start, where that is due.
func (c *Clock) Save() error { return c.save(false) }

func (c *Clock) save(now bool) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	c.mu.Lock()
	c.judge.Look(c.src.read())
	s := c.judge.state
	c.mu.Unlock()
	if s.Wall.IsZero() || !now && s.BootID == c.saved.BootID && s.Doubt == c.saved.Doubt && s.Boot-c.saved.Boot < saveEvery && s.Boot >= c.saved.Boot {
		return nil
	}
	b, err := json.Marshal(s)
	if err == nil {
		err = durable.WriteFile(c.path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep what time was agreed on: %w", err)
	}
	c.saved = s
	return nil
}

// Advice says in words what is wrong and what to do; "" where nothing is.
func (r Report) Advice() string {
	const todo = "; compare this machine's clock with one that you trust: if it is right, registryd clock confirm; if not, set it right, and the doubt ends by itself"
	since := r.Agreed.UTC().Format("2006-01-02 15:04:05") + " UTC"
	switch r.Doubt {
	case None:
		return ""
	case Unset:
		return "the clock of this machine is not set (" + r.Wall.UTC().Format(time.DateOnly) + "): set it, or start a time server; no term ends meanwhile"
	case Stepped:
		return fmt.Sprintf("the clock was moved by %s: lists go out with the time of before, %s, and no term ends", amount.Span(r.Wall.Sub(r.Likely)), since) + todo
	case Back:
		return "the clock is before " + since + ", a time at which this registry ran: lists go out with that, and no term ends" + todo
	case Away:
		return "this machine was off, or its clock was moved, for so long that it can't tell (since " + since + "): lists go out with that time, and no term ends" + todo
	}
	ahead := 0.0
	if r.Ahead != nil {
		ahead = *r.Ahead
	}
	return fmt.Sprintf("the gateways of %s have time servers and say that it is %s: lists go out with the time of before, %s, and no term ends", amount.Of(r.Voters, "building"),
		calendar.Minute(r.Wall.Add(time.Duration(ahead*float64(time.Second))), time.UTC), since) + todo
}
