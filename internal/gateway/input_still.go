package gateway

import (
	"errors"
	"os"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// still follows a line and tells a state only once it has lasted: a spike on a long
// wire opens no door, and a contact that rattles is no door that was forced. What
// lasted by the kernel's time counts, however late it is read here.
type still struct {
	in    *input
	told  bool
	level bool          // by the last edge or look
	at    time.Duration // the kernel's time of that edge; 0: not known
	came  time.Time     // when it came here
}

// follow runs until the line fails.
func (in *input) follow(lines device.Lines, told bool) error {
	s := still{in: in, told: told, level: told, came: time.Now()}
	edges := make([]device.Edge, 64)
	for {
		n, err := lines.ReadEdges(edges, s.patience())
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := time.Now()
		for _, e := range edges[:n] {
			s.edge(e, now)
		}
		if n == 0 { // no edge waits that the level would overtake
			if err := s.look(lines, now); err != nil {
				return err
			}
		}
		in.rattle(now)
	}
}

// patience is how long to wait for the next edge. A look at the level now and then
// finds an edge that was lost, and a chip that went away: older kernels do not wake a
// reader for that.
func (s *still) patience() time.Duration {
	if s.level == s.told {
		return lookEvery
	}
	return max(s.need()-time.Since(s.came), 0)
}

// need is how long the state at hand must last.
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

// edge takes a change.
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

// look believes the level when no edge came for as long as it needs.
func (s *still) look(lines device.Lines, now time.Time) error {
	active, err := level(lines)
	if err != nil {
		return err
	}
	if active != s.level { // an edge was lost
		s.level, s.at, s.came = active, 0, now
	}
	if s.level != s.told && now.Sub(s.came) >= s.need() {
		s.tell()
	}
	return nil
}

func (s *still) tell() {
	s.told = s.level
	s.in.chatter.told++
	s.in.tell(s.level, s.at)
}

// Rattling: so many edges or told changes in a while, where a turnstile in a rush makes
// fewer; it is over after a while with hardly any.
const (
	rattleTime  = 10 * time.Second
	rattleEdges = 200
	rattleTold  = 40
	rattleOver  = 5
	calm        = 2 * time.Second // a state lasts so long to be believed of a line that rattles
)

// chatter counts the changes of a line.
type chatter struct {
	since       time.Time
	edges, told int
	on          bool
}

// rattle tells when a line begins to rattle and when it is still again: one fault,
// and no entry for each change.
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
