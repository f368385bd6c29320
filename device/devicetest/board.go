package devicetest

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Line is one line of a Board and how it is wired in the building.
type Line struct {
	Name      string
	Offset    int
	Output    bool // driven by the daemon; else by the building
	PullUp    bool // the level, high or low, when nobody drives it
	ActiveLow bool // the building's side: low means active (pressed, pulsing, current in the coil)
}

// Change is an output that moved, as the building saw it.
type Change struct {
	Line   string
	Driven bool          // false: nobody drives it, the pull decides
	Active bool          // by the line's wiring, whatever the daemon thinks
	At     time.Duration // CLOCK_MONOTONIC
}

// BoardConfig is what it takes to make a Board.
type BoardConfig struct {
	Chip  string // its name in requests, such as "sim0"
	Lines []Line
	// Changed is told each change of an output, in order, one at a time; nil:
	// nobody. It must not block and must not call the Board.
	Changed func(Change)
	// Now is the clock of the edges; nil: CLOCK_MONOTONIC. A test in a synctest
	// bubble passes the bubble's time.
	Now func() time.Duration
}

// Board is the building's side of a GPIO chip. Levels are electrical: a
// daemon that was told the wrong polarity sees and does the wrong thing, as it
// would on a real board. The bias that a request asks for is not played: the
// Line's pull stands. Safe for use by many goroutines.
type Board struct {
	chip    string
	changed func(Change)
	now     func() time.Duration

	mu       sync.Mutex
	byName   map[string]*lineState
	byOffset map[int]*lineState
}

type lineState struct {
	Line
	high  bool
	last  time.Duration // of its last edge: time never goes back on a line
	owner *grant        // the request that holds it
}

// grant is one open request of a connection.
type grant struct {
	session   *session
	handle    uint64
	lines     []*lineState
	output    bool
	activeLow bool
	both      bool
	seq       uint32
}

// NewBoard makes a board with every line at its pull.
func NewBoard(c BoardConfig) (*Board, error) {
	b := &Board{
		chip: c.Chip, changed: c.Changed, now: c.Now,
		byName:   make(map[string]*lineState, len(c.Lines)),
		byOffset: make(map[int]*lineState, len(c.Lines)),
	}
	if b.changed == nil {
		b.changed = func(Change) {}
	}
	if b.now == nil {
		b.now = monotonic
	}
	for _, l := range c.Lines {
		if l.Name == "" || b.byName[l.Name] != nil || b.byOffset[l.Offset] != nil || l.Offset < 0 {
			return nil, fmt.Errorf("board %s: line %q at offset %d: name and offset must be new", c.Chip, l.Name, l.Offset)
		}
		s := &lineState{Line: l, high: l.PullUp}
		b.byName[l.Name], b.byOffset[l.Offset] = s, s
	}
	return b, nil
}

// Step is one change of an input line at a given time.
type Step struct {
	Line   string
	Active bool          // by the line's wiring
	At     time.Duration // CLOCK_MONOTONIC; not before the line's last edge
	Lost   bool          // the kernel counts the edge and loses it
	Merged bool          // the kernel is too slow to see it, and does not count it
}

// Play changes input lines, stamped with the times of the steps. The steps are
// delivered at once, in order: a frame need not take its time to be exact.
func (b *Board) Play(steps []Step) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out batches
	defer func() { out.send() }()
	for _, s := range steps {
		l, err := b.input(s.Line)
		if err != nil {
			return err
		}
		if s.At < l.last {
			return fmt.Errorf("line %s: step at %v, before its last edge at %v", s.Line, s.At, l.last)
		}
		l.move(s, &out)
	}
	return nil
}

// Set changes an input line now.
func (b *Board) Set(line string, active bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, err := b.input(line)
	if err != nil {
		return err
	}
	var out batches
	l.move(Step{Line: line, Active: active, At: max(b.now(), l.last)}, &out)
	out.send()
	return nil
}

// Pulse makes an input line active, waits for width, and makes it idle: a
// finger on a button.
func (b *Board) Pulse(line string, width time.Duration) error {
	if err := b.Set(line, true); err != nil {
		return err
	}
	time.Sleep(width)
	return b.Set(line, false)
}

// Now returns the board's time, for the times of steps.
func (b *Board) Now() time.Duration { return b.now() }

// Output tells of a line whether the daemon drives it, and whether it is
// active by its wiring. An unknown line is neither.
func (b *Board) Output(line string) (driven, active bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.byName[line]
	if l == nil {
		return false, false
	}
	return l.Line.Output && l.owner != nil, l.active()
}

// Requested reports whether the daemon holds the line, input or output: a
// simulation waits for it before it shows the first card.
func (b *Board) Requested(line string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.byName[line]
	return l != nil && l.owner != nil
}

func (b *Board) input(name string) (*lineState, error) {
	l := b.byName[name]
	switch {
	case l == nil:
		return nil, errors.New("board has no line " + name)
	case l.Line.Output:
		return nil, errors.New("line " + name + " is an output")
	}
	return l, nil
}

func (l *lineState) active() bool { return l.high != l.ActiveLow }

// move changes the level of an input and queues the edge for whoever holds it.
func (l *lineState) move(s Step, out *batches) {
	high := s.Active != l.ActiveLow
	if high == l.high {
		return
	}
	l.high, l.last = high, s.At
	g := l.owner
	if g == nil {
		return
	}
	active := high != g.activeLow
	if !active && !g.both || s.Merged {
		return
	}
	g.seq++
	if s.Lost {
		return
	}
	for i, held := range g.lines {
		if held == l {
			out.add(g, edge{Line: uint8(i), Active: active, At: int64(s.At), Seq: g.seq})
		}
	}
}

// drive moves an output that is held by g, or hands it back to its pull.
func (b *Board) drive(l *lineState, g *grant, high bool) {
	if l.owner == g && l.high == high {
		return
	}
	l.owner, l.high = g, high
	b.changed(Change{Line: l.Name, Driven: g != nil, Active: l.active(), At: b.now()})
}

// batches collects edges by request, so that one Play is one message each.
type batches []batch

type batch struct {
	grant *grant
	edges []edge
}

func (bs *batches) add(g *grant, e edge) {
	for i := range *bs {
		if b := &(*bs)[i]; b.grant == g {
			b.edges = append(b.edges, e)
			return
		}
	}
	*bs = append(*bs, batch{g, []edge{e}})
}

func (bs batches) send() {
	for _, b := range bs {
		b.grant.session.push(reply{Handle: b.grant.handle, Edges: b.edges})
	}
}
