// Package exitbutton tells whether somebody stands at a gateway: who holds one of its exit
// buttons for ten seconds while a watch goes on, and lets go.
//
// It refuses to tell what else was pressed, and when (refusal N2). It only listens: what a button does
// at its door is the door's.
package exitbutton

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

// How long a button has to be held. Beyond Most it looks stuck, and proves nothing.
const (
	Least = 10 * time.Second
	Most  = 20 * time.Second
)

// Answer is the result of a watch.
type Answer string

// The answers. Stuck means that a button is pressed and is not let go, which is a fault.
const (
	Held  Answer = "held"
	Not   Answer = "not"
	Stuck Answer = "stuck"
)

// Errors of a watch.
var (
	ErrBusy  = errors.New("somebody else is asked already to hold an exit button")
	ErrBlind = errors.New("no exit button can be read")
)

// Buttons are the exit buttons of a gateway. The zero value knows of none. Safe for concurrent use.
type Buttons struct {
	mu   sync.Mutex
	all  map[string]*button
	held chan struct{} // closed when one was held; nil: nobody watches
}

// button is one of them.
type button struct {
	online  bool
	rattles bool          // its line does, so that nobody can tell how long it is pressed
	since   time.Time     // when it was seen pressed; zero: it is not
	from    time.Duration // the kernel's time of that; 0: this press counts for nothing
}

// Saw takes an event of a button's line. It never waits.
func (b *Buttons) Saw(name string, e device.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]*button{}
	}
	x := b.all[name]
	if x == nil {
		x = &button{}
		b.all[name] = x
	}
	switch e.Kind {
	case device.CameOnline:
		x.online = true
	case device.WentOffline:
		x.online, x.since, x.from = false, time.Time{}, 0
	case device.FaultSeen, device.FaultCleared:
		if e.Fault == fault.Chatter {
			x.rattles, x.from = e.Kind == device.FaultSeen, 0
		}
	case device.InputChanged:
		if x.moved(e) && b.held != nil {
			b.tell()
		}
	}
}

// tell ends the watch that goes on. The lock is held.
func (b *Buttons) tell() {
	select {
	case <-b.held: // it was told already
	default:
		close(b.held)
	}
}

// moved takes a change, and reports whether it ends a press that was long enough. The kernel's times
// of both edges count, however late they come here; where an edge was lost the press may have been two.
func (x *button) moved(e device.Event) (held bool) {
	if e.Active {
		x.since, x.from = time.Now(), e.At
		if x.rattles {
			x.from = 0
		}
		return false
	}
	lasted := e.At - x.from
	held = x.from > 0 && e.At > 0 && lasted >= Least && lasted <= Most
	x.since, x.from = time.Time{}, 0
	return held
}

// Watch waits until a button that was not pressed at the beginning has been held, and answers Held then;
// what else there is to say it answers when ctx ends, and nothing before. beside runs meanwhile, such as
// what opens the lines for the watch alone, and has ended when Watch returns. ErrBusy: there is one watch
// at a time.
func (b *Buttons) Watch(ctx context.Context, beside ...func(context.Context)) (Answer, error) {
	held, err := b.begin()
	if err != nil {
		return "", err
	}
	meanwhile, cancel := context.WithCancel(context.WithoutCancel(ctx)) // until the answer is known
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for _, run := range beside {
		all.Go(func() { run(meanwhile) })
	}
	select {
	case <-held:
	case <-ctx.Done():
	}
	return b.end()
}

// begin makes every press of before count for nothing.
func (b *Buttons) begin() (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held != nil {
		return nil, ErrBusy
	}
	b.held = make(chan struct{})
	for _, x := range b.all {
		x.from = 0
	}
	return b.held, nil
}

func (b *Buttons) end() (Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.held
	b.held = nil
	select {
	case <-held:
		return Held, nil
	default:
	}
	answer, blind := Not, true
	for _, x := range b.all {
		blind = blind && !x.online
		if !x.since.IsZero() && time.Since(x.since) > Most {
			answer = Stuck
		}
	}
	if blind {
		return "", ErrBlind
	}
	return answer, nil
}
