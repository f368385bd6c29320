// Package ledger counts what happened in a building, twice: as the doors saw it, and as the daemon's log tells
// it. It compares the two, and the log with the registry's copy.
package ledger

import (
	"maps"
	"strings"
	"sync"
	"time"

	"gatehouse/device/devicetest"
)

// Row is one line of the ledger: a door, or the whole house, and what happened.
type Row struct{ Door, What string }

// Of is the line of a door, or with "" of the house.
func Of(door, what string) Row { return Row{door, what} }

// Counts says how often what happened.
type Counts map[Row]int

// What happens, in the words of the summary.
const (
	Granted     = "cards granted"
	Denied      = "denied: " // then the reason
	released    = "lock released"
	AtKill      = "lock released at the kill -9"
	secured     = "lock secured"
	Opened      = "opened"
	Closed      = "closed"
	Exits       = "exit button"
	Commands    = "released by operator"
	Online      = "device online"
	Offline     = "device offline"
	Fault       = "fault: " // then the reason
	FaultOver   = "fault over: "
	Window      = "reader's window opened"
	ReaderKey   = "reader's key: " // then what became of it
	FireActive  = "fire alarm"
	FireIdle    = "fire alarm over"
	FireReset   = "fire reset"
	FireRefused = "fire reset refused"
	ListApplied = "list of keys applied"
	Starts      = "daemon started"
	Stops       = "daemon stopped"
	SiteRead    = "site file read"
	ClockSet    = "clock set"

	Captured       = "cards held up for the desk"
	TenancyChanged = "tenancy changed at the desk"
	Told           = "tenant told of the notice"
)

// World is what happened at the doors, as the building saw it: the daemon has
// no hand in it but the relays. Safe for use by many goroutines.
type World struct {
	mu     sync.Mutex
	counts Counts
	locks  map[string]*lock
	killer func()        // called when the yard releases, before anything else
	killed time.Duration // when that was
	Tamper string        // forget or invent: for the test that must fail
}

// lock is one door's lock behind its relay.
type lock struct {
	failSafe bool // released while de-energised
	Driven   bool
	Released bool
	At       time.Duration // of the last change
	starting bool          // until it is first secured
	stopping bool          // told to end: it leaves its safe state behind
}

// NewWorld is a building in which nothing has happened.
func NewWorld() *World {
	return &World{counts: Counts{}, locks: map[string]*lock{
		FrontDoor: {failSafe: true, Released: true},
		YardDoor:  {},
		GateDoor:  {},
	}}
}

// Add counts what the building did.
func (w *World) Add(door, what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[Row{door, what}] += n
}

// Copied returns a copy of the counts.
func (w *World) Copied() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.counts)
}

// Lock returns how a door's lock stands.
func (w *World) Lock(door string) lock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.locks[door]
}

// Begins says that a daemon starts: it takes every line de-energised, then
// secures.
func (w *World) Begins() { w.each(func(l *lock) { l.starting, l.stopping = true, false }) }

// Ends says that the daemon was told to stop: it leaves every line without
// current, which is no release of its own.
func (w *World) Ends() { w.each(func(l *lock) { l.stopping = true }) }

func (w *World) each(f func(*lock)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.locks {
		f(l)
	}
}

// Moved is told by the board of every change of a relay.
func (w *World) Moved(c devicetest.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	door := strings.TrimSuffix(c.Line, "-relay")
	l := w.locks[door]
	was := l.Released
	l.Driven, l.Released, l.At = c.Driven, c.Active != l.failSafe, c.At
	switch {
	case !c.Driven: // nobody holds the line: its pull decides
	case l.starting:
		l.starting = l.Released
	case l.stopping && !c.Active:
	case l.Released == was:
	case !l.Released:
		w.counts[Row{door, secured}]++
	case w.killer != nil && door == YardDoor:
		w.killer()
		w.killer, w.killed = nil, c.At
		w.counts[Row{door, AtKill}]++
	default:
		w.count(door)
	}
}

// count counts a release. For a test that wants a wrong ledger, one of
// those after the kill is forgotten or invented.
func (w *World) count(door string) {
	w.counts[Row{door, released}]++
	if w.killed == 0 {
		return
	}
	switch w.Tamper {
	case "forget":
		w.counts[Row{door, released}]--
	case "invent":
		w.counts[Row{door, released}]++
	}
	w.Tamper = ""
}

// Strike arms a killer for the next release of the yard.
func (w *World) Strike(kill func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killer = kill
}

// Fell returns how long after the kill the yard's relay fell to its pull.
func (w *World) Fell() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.locks[YardDoor].At - w.killed
}
