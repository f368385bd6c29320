package osdp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
)

// rates are those of OSDP (SIA OSDP). A reader that takes another can't be
// reached any more.
var rates = [...]int{9600, 19200, 38400, 57600, 115200, 230400}

// outputs is how many outputs of one reader can be told: more than any has.
const outputs = 16

// ErrOffline means that a reader can't be told anything now.
var ErrOffline = errors.New("reader is offline")

// Reader is one reader of a Bus, which does all the talking. Its methods only
// leave word and are safe from any goroutine.
type Reader struct {
	cfg  ReaderConfig
	log  zerolog.Logger
	wake chan<- struct{}

	mu     sync.Mutex
	asked  asked
	status Status

	contact // the goroutine of the bus only
}

// asked is what callers want.
type asked struct {
	lasting     device.Feedback
	showLasting bool
	passing     device.Feedback
	showPassing bool
	passed      time.Time // when passing was asked for
	outputs     [outputs]output
	window      window
	rekey       bool
	configure   *comSetting
}

// output is what one output shall do.
type output struct {
	due bool
	on  bool
	d   time.Duration
	at  time.Time
}

// window is the time in which the key that everybody knows is used.
type window struct {
	open, told, end bool // told: InstallOpened was sent; end: closed by the caller
	until           time.Time
}

// comSetting is one call of Configure.
type comSetting struct {
	address byte
	baud    int
	result  chan error // of one
}

func newReader(c ReaderConfig, log zerolog.Logger, wake chan<- struct{}) *Reader {
	r := &Reader{cfg: c, wake: wake, log: log.With().Str("reader", c.Source).Logger()}
	r.asked.showLasting = true // a reader begins with FeedbackIdle
	r.status.Address = c.Address
	r.contact = newContact(c)
	return r
}

// Show tells people at the reader. It never blocks; the newest feedback counts.
// A reader that was away shows what lasts when it is back.
func (r *Reader) Show(f device.Feedback) {
	r.mu.Lock()
	if lasts(f) {
		r.asked.lasting, r.asked.showLasting, r.asked.showPassing = f, true, false
	} else {
		r.asked.passing, r.asked.showPassing, r.asked.passed = f, true, time.Now()
	}
	r.mu.Unlock()
	r.poke()
}

// Install opens a window of up to 10 minutes in which the reader may be spoken to
// with the key that everybody knows, to give it one of its own. It closes by
// itself, by CloseInstall, and as soon as a new key is proved. KeySent and
// KeyProved or KeyFailed tell what came of it. For a local act by a person only:
// whoever listens on the line meanwhile learns the new key.
func (r *Reader) Install(d time.Duration) error {
	if r.cfg.Security != SecureRequired {
		return fmt.Errorf("install reader %s: it is configured for clear text", r.cfg.Source)
	}
	if d <= 0 || d > maxWindow {
		return fmt.Errorf("install reader %s for %v: want up to %v", r.cfg.Source, d, maxWindow)
	}
	r.mu.Lock()
	r.asked.window.open, r.asked.window.end = true, false
	r.asked.window.until = time.Now().Add(d)
	r.mu.Unlock()
	r.poke()
	return nil
}

// CloseInstall closes the window of Install.
func (r *Reader) CloseInstall() {
	r.mu.Lock()
	r.asked.window.end = true
	r.mu.Unlock()
	r.poke()
}

// Rekey gives the reader another random key, under the protection of the one that
// it has. KeySent and KeyProved or KeyFailed tell what came of it.
func (r *Reader) Rekey() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.status.Secure {
		return fmt.Errorf("rekey reader %s: %w", r.cfg.Source, ErrOffline)
	}
	r.asked.rekey = true
	r.poke()
	return nil
}

// Output switches output no of the reader: for d, in steps of 100 ms, or until
// another if d is 0. A timed output ends by itself when the panel dies. What a
// reader could not be told within two seconds is dropped, but for switching off.
func (r *Reader) Output(no byte, on bool, d time.Duration) error {
	if no >= outputs || d < 0 || d > 65535*tick {
		return fmt.Errorf("output %d of reader %s for %v: want 0 to %d, up to %v", no, r.cfg.Source, d, outputs-1, 65535*tick)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.status.Online {
		return fmt.Errorf("output %d of reader %s: %w", no, r.cfg.Source, ErrOffline)
	}
	r.asked.outputs[no] = output{due: true, on: on, d: d, at: time.Now()}
	r.poke()
	return nil
}

// Configure gives the reader another address and speed (COMSET) and waits for its
// answer. From then on the Bus uses the new address; the site file has to follow.
// A reader with another speed than the bus is gone for this Bus. Without an
// answer the reader may have taken either: the Bus looks for it at both addresses.
func (r *Reader) Configure(ctx context.Context, address byte, baud int) error {
	if address >= ConfigAddress || !slices.Contains(rates[:], baud) {
		return fmt.Errorf("configure reader %s: address %d, %d baud", r.cfg.Source, address, baud)
	}
	c := &comSetting{address: address, baud: baud, result: make(chan error, 1)}
	r.mu.Lock()
	online, other := r.status.Online, r.asked.configure
	if online && other == nil {
		r.asked.configure = c
	}
	r.mu.Unlock()
	switch {
	case !online:
		return fmt.Errorf("configure reader %s: %w", r.cfg.Source, ErrOffline)
	case other != nil:
		return fmt.Errorf("configure reader %s: another configuration is under way", r.cfg.Source)
	}
	r.poke()
	select {
	case err := <-c.result:
		return err
	case <-ctx.Done():
		r.withdraw(c)
		return ctx.Err()
	}
}

// withdraw takes back a request whose caller has gone.
func (r *Reader) withdraw(c *comSetting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked.configure == c {
		r.asked.configure = nil
	}
}

// poke makes the bus look at what was asked for.
func (r *Reader) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
