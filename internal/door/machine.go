// Package door is the loop of one door: what readers, inputs and operators say
// goes in, the lock and the journal's records come out. The rules of the door
// are a pure step function (Machine) with time as an input; Door runs it.
//
// It refuses to know networks, files and card numbers, and it has no rule that
// holds a person in: request to exit, fire and exit readers release first and
// are logged after.
package door

import (
	"time"

	"gatehouse/device"
	"gatehouse/sync/wire"
)

// State of a door, as people are shown it.
type State string

const (
	Secured   State = "secured"
	Released  State = "released"
	Open      State = "open"      // opened after a release
	Held      State = "held"      // open for longer than it may
	Forced    State = "forced"    // opened without a release
	Emergency State = "emergency" // released by fire, until somebody on site resets it
	Unknown   State = "unknown"   // the lock can't be driven: nobody knows how it stands
	Listening State = "listening" // another controller decides: nothing is driven from here
)

// Rules of one door. Times are durations of real time, not of the wall clock.
type Rules struct {
	ReleaseTime time.Duration // duration of one release
	MaxRelease  time.Duration // longest continuous release; 0: no limit (as fire and OnlyExit require)
	HeldAfter   time.Duration // open for longer is reported; 0: never
	OnlyExit    bool          // the exit input is the only way out: the door is released while it can't be read
	SilentExit  bool          // people leave by a handle that has no input: opening without release is not forced
}

// Machine is the state of a door. The zero Machine with Rules is a secured, closed door. It is a
// value: Step returns the next one.
type Machine struct {
	Rules     Rules
	released  bool          // what the lock was told last
	since     time.Duration // when it was released
	until     time.Duration // when it is to be secured
	owed      time.Duration // until when it is released by others than an operator
	open      bool
	openSince time.Duration
	held      bool
	forced    bool
	exit      bool // the exit input is active
	exitBlind bool // it can't be read, and is the only way out
	fireLine  bool
	fireBlind bool // the fire input can't be read
	fireLatch bool
	fresh     bool          // a release was requested since the door last opened
	granted   time.Duration // until when an opening belongs to the last grant; 0: to none
}

// Input is one thing that happened to a door.
type Input uint8

// The inputs of Step.
const (
	Tick          Input = iota // time passed
	GrantCard                  // a card was granted, and its record is durable or out of time
	DenyCard                   // a card was denied; never moves the lock
	OperatorOpen               // an operator's command
	ExitCard                   // any card at a reader on the inside
	ExitActive                 // request to exit pressed
	ExitIdle                   // and let go
	ExitLost                   // the exit input can't be read
	ContactOpen                // the contact saw it open
	ContactClosed              // and close
	FireActive                 // the fire input is active: released until FireReset
	FireLatched                // at a start: it was active before, and nobody has reset it
	FireLost                   // the fire input can't be read: released until it can
	FireIdle                   // it can be read, and the panel is idle
	FireReset                  // somebody on site resets the latch
	OperatorLock               // an operator takes back what OperatorOpen gave: nobody else's release
	FireSeen                   // the fire input was active at one look: released as by an exit, until there is a second
)

// Act is one thing that a step asks for. Lock acts always come before records.
type Act struct {
	Release bool // drive the lock
	Secure  bool
	Granted bool        // the record belongs to the last grant
	Header  wire.Header // if its Kind is set: record this, not waited for
}

// State returns the door's state as people are shown it.
func (m Machine) State() State {
	switch {
	case m.emergency():
		return Emergency
	case m.forced:
		return Forced
	case m.held:
		return Held
	case m.open:
		return Open
	case m.released:
		return Released
	}
	return Secured
}

// IsReleased reports whether the lock was last told to release.
func (m Machine) IsReleased() bool { return m.released }

// atRest returns what readers show while no card is held up.
func (m Machine) atRest() device.Feedback {
	if m.State() == Held {
		return device.FeedbackHeld
	}
	return device.FeedbackIdle
}

// Latched reports whether the fire latch holds the door released.
func (m Machine) Latched() bool { return m.fireLatch }

// leaving reports whether somebody asks to go out, or could not ask.
func (m Machine) leaving() bool { return m.exit || m.exitBlind }

// emergency reports whether only the end of a fire may secure the door.
func (m Machine) emergency() bool { return m.fireLatch || m.fireBlind }

// FireLine reports whether the fire input is active or unreadable now.
func (m Machine) FireLine() bool { return m.fireLine || m.fireBlind }

// releases are the inputs that only release, with their reason.
var releases = [...]wire.Reason{
	GrantCard: wire.ReasonCard, ExitCard: wire.ReasonExit, OperatorOpen: wire.ReasonOperator, FireSeen: wire.ReasonFire,
}

// Step is the door's whole behaviour. now never goes back. It appends its acts to acts and returns
// it, so that a caller can reuse the memory. DenyCard and Tick only let time pass.
func (m Machine) Step(in Input, now time.Duration, acts []Act) (Machine, []Act) {
	switch in {
	case GrantCard, ExitCard, OperatorOpen, FireSeen:
		acts = m.release(now, releases[in], acts)
	case OperatorLock:
		acts = m.takeBack(now, acts)
	case ExitActive:
		m.exit, m.exitBlind = true, false
		acts = m.release(now, wire.ReasonExit, acts)
		acts = record(acts, wire.KindExit, wire.OutcomeActive, 0)
	case ExitIdle:
		m.left(now)
	case ExitLost:
		blind := m.exitBlind
		m.left(now)
		if m.exitBlind = m.Rules.OnlyExit; m.exitBlind && !blind {
			acts = m.release(now, wire.ReasonExit, acts)
		}
	case ContactOpen:
		acts = m.opened(now, acts)
	case ContactClosed:
		acts = m.closed(now, acts)
	case FireActive:
		acts = m.fire(now, acts)
	case FireLatched:
		m.fireLatch = true
		acts = m.drive(now, wire.ReasonFireLatch, acts)
	case FireLost:
		m.fireBlind = true
		acts = m.drive(now, wire.ReasonFire, acts)
	case FireIdle:
		acts = m.idle(now, acts)
	case FireReset:
		acts = m.reset(now, acts)
	}
	return m, m.timers(now, acts)
}

// Deadline returns when Step needs a Tick; false: not before the next input.
func (m Machine) Deadline() (time.Duration, bool) {
	at, ok := time.Duration(0), false
	earliest := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if m.released && !m.emergency() {
		if !m.leaving() {
			earliest(m.until)
		}
		if m.Rules.MaxRelease > 0 {
			earliest(m.since + m.Rules.MaxRelease)
		}
	}
	if m.open && !m.held && m.Rules.HeldAfter > 0 && !m.emergency() {
		earliest(m.openSince + m.Rules.HeldAfter)
	}
	return at, ok
}

// left handles the end of a request to exit: whoever just asked has time to go.
func (m *Machine) left(now time.Duration) {
	if m.leaving() && m.released {
		m.until = max(m.until, now+m.Rules.ReleaseTime)
		m.owed = m.until
	}
	m.exit, m.exitBlind = false, false
}

func (m *Machine) release(now time.Duration, why wire.Reason, acts []Act) []Act {
	m.fresh, m.granted = true, 0
	if why == wire.ReasonCard {
		m.granted = now + m.Rules.ReleaseTime
	}
	m.until = max(m.until, now+m.Rules.ReleaseTime)
	if why != wire.ReasonOperator {
		m.owed = now + m.Rules.ReleaseTime
	}
	return m.drive(now, why, acts)
}

// takeBack ends an operator's release. People who were let in or out otherwise keep their time, and
// an emergency lasts.
func (m *Machine) takeBack(now time.Duration, acts []Act) []Act {
	if !m.released || m.leaving() {
		return acts
	}
	if m.until = min(m.until, max(m.owed, now)); m.until > now {
		return acts
	}
	return m.secure(wire.ReasonOperator, acts)
}

func (m *Machine) drive(now time.Duration, why wire.Reason, acts []Act) []Act {
	if m.released {
		return acts
	}
	m.released, m.since = true, now
	acts = append(acts, Act{Release: true})
	return record(acts, wire.KindReleased, 0, why)
}

func (m *Machine) secure(why wire.Reason, acts []Act) []Act {
	if !m.released || m.emergency() {
		return acts
	}
	m.released, m.until, m.owed, m.fresh, m.granted = false, 0, 0, false, 0
	acts = append(acts, Act{Secure: true})
	return record(acts, wire.KindSecured, 0, why)
}

// opened handles an opening. It belongs to a grant while that lasts, if nothing else could have let
// somebody through and nobody has gone through by it before.
func (m *Machine) opened(now time.Duration, acts []Act) []Act {
	if m.open {
		return acts
	}
	granted := now < m.granted && !m.leaving() && !m.emergency()
	m.open, m.openSince, m.fresh, m.granted = true, now, false, 0
	if m.released || m.Rules.SilentExit {
		acts = record(acts, wire.KindOpened, 0, 0)
		acts[len(acts)-1].Granted = granted
		return acts
	}
	m.forced = true
	return record(acts, wire.KindForced, wire.OutcomeActive, 0)
}

// closed relocks at once behind the person who went through, unless somebody else was let in
// meanwhile.
func (m *Machine) closed(now time.Duration, acts []Act) []Act {
	if !m.open {
		return acts
	}
	m.open = false
	if m.held {
		m.held = false
		acts = record(acts, wire.KindHeld, wire.OutcomeIdle, 0)
	}
	if m.forced {
		m.forced = false
		acts = record(acts, wire.KindForced, wire.OutcomeIdle, 0)
	}
	acts = record(acts, wire.KindClosed, 0, 0)
	if m.released && !m.fresh {
		m.until = now
	}
	return acts
}

func (m *Machine) fire(now time.Duration, acts []Act) []Act {
	acts = m.drive(now, wire.ReasonFire, acts)
	if !m.fireLine {
		acts = record(acts, wire.KindFire, wire.OutcomeActive, 0)
	}
	m.fireLine, m.fireLatch, m.fireBlind = true, true, false
	return acts
}

// idle handles a fire panel that can be read and is idle. A latch stays; a door that was released
// only because the panel could not be read is released no longer.
func (m *Machine) idle(now time.Duration, acts []Act) []Act {
	if m.fireLine {
		m.fireLine = false
		acts = record(acts, wire.KindFire, wire.OutcomeIdle, 0)
	}
	if m.fireBlind {
		m.fireBlind = false
		acts = m.endEmergency(now, wire.ReasonTimer, acts)
	}
	return acts
}

// reset ends an emergency, unless the panel is still active or can't be read.
func (m *Machine) reset(now time.Duration, acts []Act) []Act {
	if !m.fireLatch || m.FireLine() {
		return acts
	}
	m.fireLatch = false
	acts = record(acts, wire.KindFireReset, wire.OutcomeDone, 0)
	return m.endEmergency(now, wire.ReasonOperator, acts)
}

// endEmergency secures the door, unless the exit button is held, which is a release of its own.
func (m *Machine) endEmergency(now time.Duration, why wire.Reason, acts []Act) []Act {
	if m.emergency() {
		return acts
	}
	m.openSince = now
	if m.leaving() {
		m.since, m.until = now, now+m.Rules.ReleaseTime
		return acts
	}
	return m.secure(why, acts)
}

func (m *Machine) timers(now time.Duration, acts []Act) []Act {
	if m.released && !m.emergency() {
		over := !m.leaving() && now >= m.until
		limit := m.Rules.MaxRelease > 0 && now >= m.since+m.Rules.MaxRelease
		if over || limit {
			acts = m.secure(wire.ReasonTimer, acts)
		}
	}
	if m.open && !m.held && m.Rules.HeldAfter > 0 && !m.emergency() && now >= m.openSince+m.Rules.HeldAfter {
		m.held = true
		acts = record(acts, wire.KindHeld, wire.OutcomeActive, 0)
	}
	return acts
}

func record(acts []Act, k wire.Kind, o wire.Outcome, r wire.Reason) []Act {
	return append(acts, Act{Header: wire.Header{Kind: k, Outcome: o, Reason: r}})
}
