package main

import (
	"maps"
	"strings"
	"sync"
	"time"

	"gatehouse/device/devicetest"
)

// row is one line of the books: a door, or the whole house, and what happened.
type row struct{ door, what string }

// ledger counts what happened.
type ledger map[row]int

// What happens, in the words of the summary.
const (
	granted     = "cards granted"
	denied      = "denied: " // then the reason
	released    = "lock released"
	atKill      = "lock released at the kill -9"
	secured     = "lock secured"
	opened      = "opened"
	closed      = "closed"
	exits       = "exit button"
	commands    = "released by operator"
	online      = "device online"
	offline     = "device offline"
	fault       = "fault: " // then the reason
	faultOver   = "fault over: "
	readerKey   = "reader's key: " // then what became of it
	fireActive  = "fire alarm"
	fireIdle    = "fire alarm over"
	fireReset   = "fire reset"
	fireRefused = "fire reset refused"
	listApplied = "list of keys applied"
	starts      = "daemon started"
	stops       = "daemon stopped"
	siteRead    = "site file read"
	clockSet    = "clock set"

	captured       = "cards held up for the desk"
	tenancyChanged = "tenancy changed at the desk"
	told           = "tenant told of the notice"
)

// world is what happened at the doors, as the building saw it: the daemon has
// no hand in it but the relays. Safe for use by many goroutines.
type world struct {
	mu     sync.Mutex
	books  ledger
	locks  map[string]*lock
	killer func()        // called when the yard releases, before anything else
	killed time.Duration // when that was
	tamper string        // forget or invent: for the test that must fail
}

// lock is one door's lock behind its relay.
type lock struct {
	failSafe bool // released without current
	driven   bool
	released bool
	at       time.Duration // of the last change
	starting bool          // until it is first secured
	stopping bool          // told to end: it leaves its safe state behind
}

func newWorld() *world {
	return &world{books: ledger{}, locks: map[string]*lock{
		frontDoor: {failSafe: true, released: true},
		yardDoor:  {},
		gateDoor:  {},
	}}
}

// add counts what the building did.
func (w *world) add(door, what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.books[row{door, what}] += n
}

// copied returns the books as they stand.
func (w *world) copied() ledger {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.books)
}

// lock returns how a door's lock stands.
func (w *world) lock(door string) lock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.locks[door]
}

// begins says that a daemon starts: it takes every line without current, then
// secures.
func (w *world) begins() { w.each(func(l *lock) { l.starting, l.stopping = true, false }) }

// ends says that the daemon was told to stop: it leaves every line without
// current, which is no release of its own.
func (w *world) ends() { w.each(func(l *lock) { l.stopping = true }) }

func (w *world) each(f func(*lock)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.locks {
		f(l)
	}
}

// moved is told by the board of every change of a relay.
func (w *world) moved(c devicetest.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	door := strings.TrimSuffix(c.Line, "-relay")
	l := w.locks[door]
	was := l.released
	l.driven, l.released, l.at = c.Driven, c.Active != l.failSafe, c.At
	switch {
	case !c.Driven: // nobody holds the line: its pull decides
	case l.starting:
		l.starting = l.released
	case l.stopping && !c.Active:
	case l.released == was:
	case !l.released:
		w.books[row{door, secured}]++
	case w.killer != nil && door == yardDoor:
		w.killer()
		w.killer, w.killed = nil, c.At
		w.books[row{door, atKill}]++
	default:
		w.count(door)
	}
}

// count counts a release. A test that wants the books to be wrong has one of
// those after the kill forgotten or invented.
func (w *world) count(door string) {
	w.books[row{door, released}]++
	if w.killed == 0 {
		return
	}
	switch w.tamper {
	case "forget":
		w.books[row{door, released}]--
	case "invent":
		w.books[row{door, released}]++
	}
	w.tamper = ""
}

// strike arms a killer for the next release of the yard.
func (w *world) strike(kill func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killer = kill
}

// fell returns how long after the kill the yard's relay fell to its pull.
func (w *world) fell() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.locks[yardDoor].at - w.killed
}
