// Package gatewaytest runs a whole gateway in a test's own process, on a board that is
// played, with keys of its own and its socket. For tests alone: no program links it.
package gatewaytest

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

// Setup is a gateway that a test runs.
type Setup struct {
	Site   *site.Site
	Board  *devicetest.Board      // has its lines
	Clock  *Clock                 // nil: what the machine has
	Log    *Log                   // nil: nobody reads it
	Change func(*gateway.Options) // nil: nothing else is changed
	Once   bool                   // it is not begun anew where somebody else is to decide at the doors
}

// Running is a gateway that runs, with its socket. Safe for concurrent use.
type Running struct {
	now  atomic.Pointer[gateway.Gateway]
	stop func() error
}

// Run runs a gateway until Stop or the end of the test, as gatehoused does. It does not wait
// until anybody answers.
func Run(t testing.TB, s Setup) *Running {
	t.Helper()
	remote, disconnect := Connect(s.Board)
	r := &Running{}
	fresh := func() (*gateway.Gateway, []func(context.Context), error) {
		o := s.options(remote)
		g, err := gateway.New(o)
		if err != nil {
			return nil, nil, err
		}
		r.now.Store(g)
		return g, []func(context.Context){server.New(g, server.Options{Version: o.Version, Network: o.Network, Log: o.Log}).Serve}, nil
	}
	first, beside, err := fresh()
	if err != nil {
		disconnect()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		if s.Once {
			done <- first.Run(ctx, beside...)
			return
		}
		done <- gateway.Serve(ctx, func() (*gateway.Gateway, []func(context.Context), error) {
			if g := first; g != nil {
				first = nil
				return g, beside, nil
			}
			return fresh()
		})
	}()
	var once sync.Once
	r.stop = func() (err error) {
		once.Do(func() {
			cancel()
			err = <-done
			disconnect()
		})
		return err
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Errorf("the gateway ended: %v", err)
		}
	})
	return r
}

func (s Setup) options(remote *devicetest.Remote) gateway.Options {
	o := gateway.Options{Site: s.Site, Time: clock.System(), Version: "test", Log: zerolog.Nop(),
		Hardware: gateway.Hardware{Lines: remote.Lines, Output: remote.Output, Port: uart.Open}}
	if s.Clock != nil {
		o.Time = s.Clock.Source()
	}
	if s.Log != nil {
		o.Log = zerolog.New(s.Log)
	}
	if s.Change != nil {
		s.Change(&o)
	}
	return o
}

// Gateway is the one that runs, or ran last.
func (r *Running) Gateway() *gateway.Gateway { return r.now.Load() }

// Stop stops it, and returns what Run returned; nil the second time.
func (r *Running) Stop() error { return r.stop() }

// Connect is the way from a daemon to a board. The function that is returned ends it, and
// waits for its goroutines.
func Connect(b *devicetest.Board) (*devicetest.Remote, func()) {
	ours, theirs := net.Pipe()
	remote := devicetest.NewRemote(theirs)
	var wires sync.WaitGroup
	wires.Go(func() { _ = b.Serve(context.Background(), ours) })
	wires.Go(func() { _ = remote.Run(context.Background()) })
	return remote, func() { _ = ours.Close(); wires.Wait() }
}

// Online reports whether every reader and input has been opened, and counts what its device
// sends; or says what else is wrong with it.
func Online(s control.Status) bool {
	for _, d := range s.Doors {
		for _, dev := range d.Devices {
			if !dev.Online && dev.Hint == "" {
				return false
			}
		}
	}
	return true
}

// Eventually waits for what a busy machine may take two minutes for, and ends the test with
// what else there is to say.
func Eventually(t testing.TB, what string, ok func() bool, about ...func() string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	for _, say := range about {
		what += "\n" + say()
	}
	t.Fatalf("never: %s", what)
}

// Log keeps what is logged. Safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written by now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Clock is a machine's: its wall clock can leap, and time can pass by all its clocks. Safe
// for concurrent use.
type Clock struct {
	mu      sync.Mutex
	booted  time.Time
	leapt   time.Duration
	quality wire.ClockQuality
}

// NewClock is the clock of a machine that has been up for some time.
func NewClock(up time.Duration, quality wire.ClockQuality) *Clock {
	return &Clock{booted: time.Now().Add(-up), quality: quality}
}

// Source is what a gateway reads.
func (c *Clock) Source() clock.Source {
	return clock.Source{
		Wall:     func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.leapt) },
		BootTime: func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return time.Since(c.booted) },
		Quality: func() (wire.ClockQuality, time.Duration) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.quality, time.Millisecond
		},
	}
}

// Leap sets the wall clock forward, or back.
func (c *Clock) Leap(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leapt += d
}

// Pass lets time go by, by every clock.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leapt, c.booted = c.leapt+d, c.booted.Add(-d)
}
