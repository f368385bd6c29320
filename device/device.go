// Package device has the words that the core uses about hardware: what a
// reader saw (Card, Event), what a line did (Edge, Lines, Output), what a
// serial port does (Port), and the one thing we do to a door (Lock).
//
// It refuses to know any wire protocol, any GPIO library and any rule: it
// imports nothing of ours, so that readers, door and fakes can all meet in it.
package device

import (
	"errors"
	"io"
	"strconv"
	"time"

	"gatehouse/device/fault"
)

// Lock is the actuator of one door. Release lets people through, Secure holds
// the door; which of the two needs current is wiring and hidden behind it.
// Both are idempotent and return when the line has been driven. Safe for use
// by one goroutine.
type Lock interface {
	Release() error
	Secure() error
}

// Event is what a reader or an input line tells the loop of its door.
type Event struct {
	Kind   EventKind
	Source string        // the reader or input, as the site file names it
	At     time.Duration // CLOCK_MONOTONIC when the hardware saw it; 0 where the hardware can't tell
	Card   Card          // of CardRead
	PIN    PIN           // of PINEntered
	Code   Code          // of CodeRead
	Active bool          // of InputChanged: the new state, after polarity; of FaultSeen: it lasts until FaultCleared
	Fault  fault.Code    // of FaultSeen, FaultCleared, WentOffline and KeyFailed: the cause
}

// EventKind says which fields of an Event count.
type EventKind uint8

const (
	CardRead      EventKind = iota + 1 // a complete, checked card
	InputChanged                       // a contact, exit button or fire input moved
	FaultSeen                          // something that an installer should look at; never a card
	WentOffline                        // the reader or line can't be used; Fault has the cause
	CameOnline                         // it can be used (again)
	PINEntered                         // a whole PIN was typed
	CodeRead                           // a bar code or QR code was scanned
	FaultCleared                       // a fault that lasts, such as tamper, is over
	InstallOpened                      // the window in which a reader takes a new key opened, by an act on site
	InstallClosed                      // and closed
	KeySent                            // a new key is on its way: the reader may have it
	KeyProved                          // the reader showed that it has the new key; the old one is forgotten
	KeyFailed                          // it did not take it, or has another; the old one stays
)

// Edge is one change of level of an input line, as the kernel saw it.
type Edge struct {
	Line   uint8         // index of the line in its request: 0 is D0, 1 is D1
	Active bool          // level after the change, after polarity
	At     time.Duration // CLOCK_MONOTONIC, taken in the interrupt
	Seq    uint32        // counts the edges of all lines of the request, from 1; a gap is a lost edge
}

// Lines is one kernel request of one or more input lines. Close may be called
// from any goroutine and frees a blocked ReadEdges; the rest is for one goroutine.
type Lines interface {
	// ReadEdges waits until at least one edge is there and returns those that
	// are, oldest first. It returns os.ErrDeadlineExceeded when none came within
	// timeout (negative: no limit), os.ErrClosed after Close.
	ReadEdges(dst []Edge, timeout time.Duration) (int, error)
	// Levels reads all lines at once: true is active, after polarity.
	Levels(dst []bool) error
	Close() error
}

// Output is one output line. Close hands the line back to the board's pull.
type Output interface {
	Set(active bool) error
	Close() error
}

// Port is an open serial port. Read returns os.ErrDeadlineExceeded when the
// read timeout passed with nothing received, ErrUnplugged when the device went
// away without our Close. Close may be called from any goroutine and frees a
// blocked Read. After ErrPortSettings and ErrPortShared, which Read returns once
// for what it found, the port goes on; PortFault tells them.
type Port interface {
	io.ReadWriteCloser
	// SetReadTimeout limits each Read from now on; negative: no limit.
	SetReadTimeout(time.Duration) error
}

// ErrUnplugged means that a port or chip went away without our Close.
var ErrUnplugged = errors.New("device unplugged")

// Errors that other programs at a port cause.
var (
	ErrPortSettings = errors.New("another program changed the port's settings: they were set again")
	ErrPortShared   = errors.New("another program has the port open")
	ErrPortBusy     = errors.New("another program has the port for itself")
)

// PortFault is the fault of an error of Read after which the port goes on;
// fault.None for any other.
func PortFault(err error) fault.Code {
	switch {
	case errors.Is(err, ErrPortSettings):
		return fault.PortSettings
	case errors.Is(err, ErrPortShared):
		return fault.PortShared
	}
	return fault.None
}

// ErrLineBusy means that another program, or a driver of the kernel, has the line.
var ErrLineBusy = errors.New("line is used")

// Bias is the pull that an input line asks of the SoC.
type Bias uint8

// The biases of the kernel's GPIO character device (uAPI v2).
const (
	BiasAsIs Bias = iota
	BiasPullUp
	BiasPullDown
	BiasDisabled
)

// LinesConfig is a request for input lines. BothEdges asks for both changes, else only
// idle-to-active edges are reported.
type LinesConfig struct {
	Chip      string // a path, a name ("gpiochip0") or a label ("pinctrl-bcm2711")
	Label     string // which a chip of that name must have; empty: any
	Offsets   []int
	ActiveLow bool
	Bias      Bias
	BothEdges bool
	Consumer  string // shown by gpioinfo
}

// OutputConfig is a request for an output line. The request itself drives the line inactive, so
// that there is no moment of another level.
type OutputConfig struct {
	Chip      string
	Label     string // as of LinesConfig
	Offset    int
	ActiveLow bool
	Consumer  string
}

// PortConfig is a request for a serial port: 8 data bits, no parity, one stop bit.
type PortConfig struct {
	Path string
	Baud int
}

// Names of the inputs of a door, as Event.Source has them.
const (
	InputExit    = "exit"
	InputContact = "contact"
	InputFire    = "fire"
	// InputFireSeen is the fire input, active at one look only.
	InputFireSeen = "fire_seen"
)

// Feedback is what a person at a reader should see and hear. What it looks like
// is the reader's profile.
type Feedback uint8

// The kinds of Feedback.
const (
	FeedbackIdle     Feedback = iota // the door is secured and waits for a card; ends EnterPIN and Held
	FeedbackGranted                  // come in
	FeedbackDenied                   // no
	FeedbackEnterPIN                 // the card is right, type your PIN
	FeedbackHeld                     // the door stands open too long; lasts until another
	FeedbackNotice                   // come in, and ask: your tenancy is on notice
)

var feedbackNames = [...]string{"idle", "granted", "denied", "enter_pin", "held", "notice"}

// String returns the name, as profiles have it.
func (f Feedback) String() string {
	if int(f) < len(feedbackNames) {
		return feedbackNames[f]
	}
	return "feedback_" + strconv.Itoa(int(f))
}

// Feedbacks lists all kinds.
func Feedbacks() []Feedback {
	all := make([]Feedback, len(feedbackNames))
	for i := range all {
		all[i] = Feedback(i)
	}
	return all
}

// Indicator shows feedback at a reader: LED, buzzer, display. Show never blocks
// and may be called from any goroutine; the newest counts.
type Indicator interface{ Show(Feedback) }
