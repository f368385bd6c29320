package osdp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/device/osdp/protocol"
)

// rates are those of SIA OSDP. A reader that is set to another can't be reached any more.
var rates = [...]int{9600, 19200, 38400, 57600, 115200, 230400}

// ErrOffline means that a reader can't be reached now.
var ErrOffline = errors.New("reader is offline")

var errNoAnswer = errors.New("no answer: the reader may have taken it")

// Reader is one reader of a Bus: the requests of callers, and what is known of the reader. Its
// methods are safe for concurrent use.
type Reader struct {
	cfg      ReaderConfig
	wake     chan<- struct{}
	requests requests

	mu     sync.Mutex
	status Status
}

func newReader(c ReaderConfig, wake chan<- struct{}) *Reader {
	r := &Reader{cfg: c, wake: wake}
	r.requests.showAgain() // a reader begins with FeedbackIdle
	r.status.Address = c.Address
	return r
}

// Show shows feedback to people at the reader. It never blocks; the newest feedback counts. A
// reader that was away shows what lasts when it is back.
func (r *Reader) Show(f device.Feedback) {
	r.requests.show(f, time.Now())
	r.poke()
}

// Install opens a window of up to 10 minutes in which the reader may be spoken to
// with the key that everybody knows, to give it one of its own. It closes by
// itself, by CloseInstall, and as soon as a new key is proved. KeySent and
// KeyProved or KeyFailed tell what came of it. For a local act by a person only:
// whoever listens on the line meanwhile learns the new key.
func (r *Reader) Install(d time.Duration) error {
	if r.cfg.ClearText {
		return fmt.Errorf("install reader %s: it is configured for clear text", r.cfg.Source)
	}
	if d <= 0 || d > maxWindow {
		return fmt.Errorf("install reader %s for %v: want up to %v", r.cfg.Source, d, maxWindow)
	}
	r.requests.openWindow(time.Now().Add(d))
	r.poke()
	return nil
}

// CloseInstall closes the window of Install.
func (r *Reader) CloseInstall() {
	r.requests.endWindow()
	r.poke()
}

// Rekey gives the reader another random key, under the protection of the one that
// it has. KeySent and KeyProved or KeyFailed tell what came of it.
func (r *Reader) Rekey() error {
	if !r.Status().Secure {
		return fmt.Errorf("rekey reader %s: %w", r.cfg.Source, ErrOffline)
	}
	r.requests.askRekey()
	r.poke()
	return nil
}

// Configure gives the reader another address and speed (COMSET) and waits for its
// answer. From then on the Bus uses the new address; the site file has to follow.
// A reader with another speed than the bus is gone for this Bus. Without an
// answer the reader may have taken either: the Bus looks for it at both addresses.
func (r *Reader) Configure(ctx context.Context, address byte, baud int) error {
	if address >= protocol.ConfigAddress || !slices.Contains(rates[:], baud) {
		return fmt.Errorf("configure reader %s: address %d, %d baud", r.cfg.Source, address, baud)
	}
	c := &comSetting{address: address, baud: baud, result: make(chan error, 1)}
	switch {
	case !r.Status().Online:
		return fmt.Errorf("configure reader %s: %w", r.cfg.Source, ErrOffline)
	case !r.requests.configure(c):
		return fmt.Errorf("configure reader %s: another configuration is under way", r.cfg.Source)
	}
	r.poke()
	select {
	case err := <-c.result:
		return err
	case <-ctx.Done():
		r.requests.withdraw(c)
		return ctx.Err()
	}
}

// poke makes the bus look at the requests.
func (r *Reader) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Status is what is known of a reader at this moment.
type Status struct {
	Address byte // may differ from the configured one after Configure
	Online  bool // it can be used
	Secure  bool // over a secure channel with its own key
	Fault   fault.Code

	Identity     protocol.Identity // of the first reader that was found, or the last that was given a key; zero: unknown
	Capabilities []protocol.Capability
	Tamper       bool
	PowerFailure bool
	Inputs       []bool     // active, by ISTATR; nil: it told none
	Outputs      []bool     // by OSTATR, likewise
	Installing   bool       // the window of Install is open
	KeyFault     fault.Code // why the last new key failed; None: it did not, or another window was opened since

	Commands  uint64 // answered
	Retries   uint64 // that had to be sent again
	BadFrames uint64 // answers that were no frame
	BadMACs   uint64
}

// Status returns a copy.
func (r *Reader) Status() Status {
	installing, failed := r.requests.installed() // before the rest: a closed window shows together with its result
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	s.Installing, s.KeyFault = installing, failed
	s.Capabilities, s.Inputs, s.Outputs = slices.Clone(s.Capabilities), slices.Clone(s.Inputs), slices.Clone(s.Outputs)
	return s
}

func (r *Reader) note(change func(*Status)) {
	r.mu.Lock()
	change(&r.status)
	r.mu.Unlock()
}
