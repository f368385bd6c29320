package gateway

import (
	"context"
	"errors"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/backoff"
	"gatehouse/internal/site"
)

// settle is how long an input must be still at least before its release is believed, because
// contacts bounce. An active fire input is believed at once.
const settle = 30 * time.Millisecond

// lookEvery is the period at which the level of a still input is read.
const lookEvery = time.Second

// Back-off of lines that can't be opened.
const (
	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// input watches one input line and sends its state, at the start and at every change.
type input struct {
	source string
	cfg    device.LinesConfig
	open   func(device.LinesConfig) (device.Lines, error)
	send   func(device.Event)
	// every: each time that the line is seen active is sent, not only the first.
	every bool
	// filter is how long a state must last, except with every.
	filter time.Duration
	// urgent: active is sent after filter even while the line rattles.
	urgent  bool
	chatter chatter
}

// inputOf is an exit button or a contact as the site file has it; fire has another.
func inputOf(source string, in site.Input, consumer string, open func(device.LinesConfig) (device.Lines, error), send func(device.Event)) input {
	return input{source: source, cfg: in.Lines(consumer), open: open, send: send,
		filter: time.Duration(*in.FilterMS) * time.Millisecond, urgent: source == device.InputExit}
}

// FollowExit follows an exit button as a door's is followed, without a door, until ctx ends: its line is
// opened as an input, and send is called with its state at the start and at every change, and when it
// can't be read; at the end, too. consumer is our name as the user of the line, for the kernel.
func FollowExit(ctx context.Context, button site.Input, consumer string, open func(device.LinesConfig) (device.Lines, error), send func(device.Event)) {
	in := inputOf(device.InputExit, button, consumer, open, send)
	in.run(ctx)
	send(device.Event{Kind: device.WentOffline, Source: device.InputExit})
}

// run watches until ctx ends, and reopens the line when it goes away.
func (in *input) run(ctx context.Context) {
	retry, reported := backoff.New(retryFirst, retryMost), false
	for ctx.Err() == nil {
		began := time.Now()
		lines, err := in.open(in.cfg)
		if err == nil {
			in.send(device.Event{Kind: device.CameOnline, Source: in.source})
			reported = false
			err = in.watch(ctx, lines)
			if time.Since(began) > retryMost { // not a line that opens and fails, again and again
				retry.Reset()
			}
		}
		if ctx.Err() != nil {
			return
		}
		if !reported {
			reported = true
			in.send(device.Event{Kind: device.WentOffline, Source: in.source, Fault: faultOf(err)})
		}
		retry.Wait(ctx)
	}
}

func faultOf(err error) fault.Code {
	switch {
	case errors.Is(err, device.ErrUnplugged):
		return fault.Unplugged
	case errors.Is(err, os.ErrNotExist):
		return fault.Missing
	case errors.Is(err, device.ErrLineBusy):
		return fault.LineBusy
	}
	return fault.IO
}

func (in *input) watch(ctx context.Context, lines device.Lines) error {
	stop := context.AfterFunc(ctx, func() { _ = lines.Close() })
	defer func() {
		if stop() {
			_ = lines.Close()
		}
	}()
	active, err := level(lines)
	if err != nil {
		return err
	}
	in.tell(active, 0)
	if !in.every {
		return in.follow(lines, active)
	}
	edges := make([]device.Edge, 64)
	if active {
		if active, err = in.settled(lines, edges, true, active); err != nil {
			return err
		}
	}
	for {
		n, err := lines.ReadEdges(edges, lookEvery)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		active = in.pressed(edges[:n], active)
		if active, err = in.settled(lines, edges, n > 0, active); err != nil {
			return err
		}
	}
}

// pressed sends each edge to active at once, and returns the state that was sent.
func (in *input) pressed(edges []device.Edge, told bool) bool {
	for _, e := range edges {
		if e.Active {
			told = true
			in.tell(true, e.At)
		}
	}
	return told
}

// settled waits until the line is still and sends its state if that changed. An active line is
// looked at twice.
func (in *input) settled(lines device.Lines, edges []device.Edge, moving, told bool) (bool, error) {
	for again := true; ; again = false {
		for moving {
			n, err := lines.ReadEdges(edges, settle)
			if moving = !errors.Is(err, os.ErrDeadlineExceeded); moving && err != nil {
				return told, err
			}
			told = in.pressed(edges[:n], told)
		}
		now, err := level(lines)
		if err != nil {
			return told, err
		}
		if now != told || now {
			in.tell(now, 0)
		}
		if told = now; !now || !again {
			return now, nil
		}
		moving = true
	}
}

func (in *input) tell(active bool, at time.Duration) {
	in.send(device.Event{Kind: device.InputChanged, Source: in.source, Active: active, At: at})
}

func level(lines device.Lines) (bool, error) {
	var v [1]bool
	err := lines.Levels(v[:])
	return v[0], err
}

// still follows a line and reports a state only once it has lasted: a spike on a long wire opens no
// door, and a rattling contact is no forced door. The kernel's time counts, however late an edge is
// read here.
type still struct {
	in    *input
	told  bool
	level bool          // by the last edge or look
	at    time.Duration // the kernel's time of that edge; 0: not known
	came  time.Time     // when it came here
}

func (in *input) follow(lines device.Lines, told bool) error {
	s := still{in: in, told: told, level: told, came: time.Now()}
	edges := make([]device.Edge, 64)
	for {
		n, err := lines.ReadEdges(edges, s.untilSettled())
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := time.Now()
		if n == 0 {
			if n, err = s.look(lines, edges, now); err != nil {
				return err
			}
		}
		for _, e := range edges[:n] {
			s.edge(e, now)
		}
		in.rattle(now)
	}
}

// untilSettled returns how long to wait for the next edge. Reading the level now and then finds a
// lost edge, and a chip that went away: older kernels do not wake a reader for that.
func (s *still) untilSettled() time.Duration {
	if s.level == s.told {
		return lookEvery
	}
	return max(s.need()-time.Since(s.came), 0)
}

// need returns how long the present state must last.
func (s *still) need() time.Duration {
	switch in := s.in; {
	case in.chatter.on && !(in.urgent && s.level):
		return calm
	case s.level:
		return in.filter
	default:
		return max(in.filter, settle)
	}
}

func (s *still) edge(e device.Edge, now time.Time) {
	s.in.chatter.edges++
	if s.level != s.told && s.at > 0 && e.At-s.at >= s.need() {
		s.tell() // and we were late
	}
	s.level, s.at, s.came = e.Active, e.At, now
	if s.level != s.told && s.need() == 0 {
		s.tell()
	}
}

// catchUp is how long an edge may take from the line to its reader.
const catchUp = time.Millisecond

// look believes the level when no edge came for long enough. If the level has changed, the kernel
// is first asked for the edge, which may have come since the last read: its time shows whether the
// state before lasted.
func (s *still) look(lines device.Lines, edges []device.Edge, now time.Time) (int, error) {
	active, err := level(lines)
	if err != nil {
		return 0, err
	}
	if active != s.level {
		if n, err := lines.ReadEdges(edges, catchUp); n > 0 || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		s.level, s.at, s.came = active, 0, now // the edge was lost
	}
	if s.level != s.told && now.Sub(s.came) >= s.need() {
		s.tell()
	}
	return 0, nil
}

func (s *still) tell() {
	s.told = s.level
	s.in.chatter.told++
	s.in.tell(s.level, s.at)
}

// Rattling begins with so many edges or reported changes in a while, more than a turnstile in a
// rush makes, and is over after a while with hardly any.
const (
	rattleTime  = 10 * time.Second
	rattleEdges = 200
	rattleTold  = 40
	rattleOver  = 5
	calm        = 2 * time.Second // how long a state must last on a rattling line
)

// chatter counts the changes of a line.
type chatter struct {
	since       time.Time
	edges, told int
	on          bool
}

// rattle reports when a line begins to rattle and when it is still again: one fault, and no entry
// for each change.
func (in *input) rattle(now time.Time) {
	c := &in.chatter
	if !c.on && (c.edges >= rattleEdges || c.told >= rattleTold) {
		c.on = true
		in.send(device.Event{Kind: device.FaultSeen, Source: in.source, Fault: fault.Chatter, Active: true})
	}
	if now.Sub(c.since) < rattleTime {
		return
	}
	if c.on && c.edges < rattleOver {
		c.on = false
		in.send(device.Event{Kind: device.FaultCleared, Source: in.source, Fault: fault.Chatter})
	}
	c.since, c.edges, c.told = now, 0, 0
}
