package serialcard_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/devicetest"
	"gatehouse/device/fault"
	"gatehouse/device/serialcard"
)

const (
	ms       = time.Millisecond
	minPause = 250 * ms // before the first try after a failure
)

// bench is a Reader on a port in memory, in a synctest bubble.
type bench struct {
	t      *testing.T
	start  time.Time
	events chan device.Event

	mu    sync.Mutex
	port  *devicetest.Port
	fails error // of the next opens
	opens []time.Duration
}

func (b *bench) open() (device.Port, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opens = append(b.opens, time.Since(b.start))
	if b.fails != nil {
		return nil, b.fails
	}
	return b.port, nil
}

// plug sets what the next opens get, and returns when there were some so far.
func (b *bench) plug(port *devicetest.Port, fails error) (opens []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	opens, b.opens = b.opens, nil
	b.port, b.fails = port, fails
	return opens
}

// run starts a reader and calls f; it fails when Run outlives its context.
func run(t *testing.T, l serialcard.Layout, f func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, port: devicetest.NewPort(), start: time.Now(), events: make(chan device.Event, 100)}
		r := serialcard.New(serialcard.Config{Source: "front", Layout: l}, b.open, b.events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		defer func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("Run ended with %v", err)
			}
		}()
		f(b)
	})
}

// seen takes all events so far and prints them: kind, fault.
func (b *bench) seen() (out []string) {
	synctest.Wait()
	for {
		select {
		case e := <-b.events:
			out = append(out, name(e))
			if e.Source != "front" || e.At != 0 {
				b.t.Errorf("event %v has source %q and time %v", e.Kind, e.Source, e.At)
			}
			if e.Kind == device.CardRead && e.Card != device.CardOf(number, 40) && e.Card != device.CardOf(number+1, 40) {
				b.t.Error("an event with a card that nobody held up")
			}
		default:
			return out
		}
	}
}

func name(e device.Event) string {
	switch e.Kind {
	case device.CardRead:
		return fmt.Sprintf("card %d", e.Card.Uint64(39, 1)) // tells number from number+1
	case device.CameOnline:
		return "online"
	case device.WentOffline:
		return "offline " + e.Fault.String()
	}
	return e.Fault.String()
}

func (b *bench) want(what string, want ...string) {
	b.t.Helper()
	if got := b.seen(); !slices.Equal(got, want) {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// hold sends a frame every 50 ms for d, the first one at once.
func (b *bench) hold(in string, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * ms) {
		b.port.Send([]byte(in))
	}
}

func TestReaderPresentations(t *testing.T) {
	other := "\x0201234567898A" + "8A\x03"
	other = other[:9] + "8A8A\x03" // 012345678A, check digits 8A
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		b.hold(frame, 50*ms)
		b.want("once", []string(nil)...)
		b.hold(frame, 50*ms)
		b.want("twice", "card 1")
		b.hold(frame, time.Minute)
		b.want("held a minute")
		time.Sleep(900 * ms)
		b.hold(frame, 200*ms)
		b.want("away for less than a second")
		time.Sleep(time.Second)
		b.hold(frame, 200*ms)
		b.want("away for a second", "card 1")
		b.hold(other, 200*ms)
		b.want("another card", "card 0")
		b.hold(frame, 200*ms)
		b.want("the first is still not away")
	})
}

func TestReaderGhosts(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		time.Sleep(time.Second)
		b.hold(frame, 50*ms)
		time.Sleep(100 * ms)
		b.want("still waiting for the second time")
		time.Sleep(150 * ms)
		b.want("it never came", "ghost_frame")
		b.hold(frame, 50*ms)
		time.Sleep(time.Second)
		b.want("told at most once a second")
		b.port.Send([]byte("\x02000000000000\x03\x02000000000000\x03"))
		b.want("a known ghost is none, however often it comes", "ghost_frame")
	})
	once := layout(t, "rdm6300")
	once.Confirm = 0
	for _, l := range []serialcard.Layout{once, layout(t, "id12")} {
		run(t, l, func(b *bench) {
			b.want("start", "online")
			out, err := l.Encode(device.CardOf(number, 40))
			if err != nil {
				b.t.Fatal(err)
			}
			b.port.Send(out)
			b.want("once is enough", "card 1")
		})
	}
}

func TestReaderFaults(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		b.port.Send([]byte(frame[5:]))
		b.want("opened in the middle of a frame")
		time.Sleep(100 * ms)

		b.port.Send([]byte("U\x00U\x00"))
		b.want("noise", "noise")
		b.port.Send([]byte(frame[:8]))
		time.Sleep(49 * ms)
		b.want("half a frame")
		time.Sleep(ms)
		b.want("half a frame for 50 ms", "half_frame")
		b.port.Send([]byte("\x02012345678988\x03"))
		b.want("wrong check digits", "wrong_checksum")

		storm := func(d time.Duration) { // apart by more than the silence that ends a frame
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(60 * ms) {
				b.port.Send([]byte("U\x02U\x02012345678988\x03\x02"))
			}
		}
		storm(800 * ms)
		b.want("a storm within the same second")
		storm(3 * time.Second)
		counts := map[string]int{}
		for _, f := range b.seen() {
			counts[f]++
		}
		for _, f := range []string{"noise", "wrong_checksum", "half_frame"} {
			if counts[f] != 3 {
				b.t.Errorf("%s told %d times in 3 s of it", f, counts[f])
			}
		}
	})
}

func TestReaderBytewise(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		for range 2 {
			for i := range len(frame) { // as the wire brings them, and far slower
				b.port.Send([]byte(frame[i : i+1]))
				time.Sleep(10 * ms)
			}
		}
		b.want("a slow module", "card 1")
	})
}

func TestReaderOffline(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		time.Sleep(5 * time.Second)
		b.hold(frame, 100*ms)
		b.want("a card", "card 1")
		b.port.Send([]byte(frame[:7]))
		b.plug(b.port, fmt.Errorf("open: %w", os.ErrNotExist))
		b.port.Unplug()
		b.want("unplugged", "offline unplugged")
		away := time.Now()
		time.Sleep(30 * time.Second)
		b.want("told once")
		var gaps []time.Duration
		last := away.Sub(b.start)
		for _, at := range b.plug(devicetest.NewPort(), nil) {
			gaps = append(gaps, at-last)
			last = at
		}
		want := []time.Duration{250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 10000 * ms}
		if !slices.Equal(gaps, want) {
			b.t.Errorf("tried again after %v, want %v", gaps, want)
		}
		time.Sleep(10 * time.Second)
		b.want("back", "online")
		b.port.Send([]byte(frame[7:]))
		b.want("the rest of a frame from before is none", "noise")
		b.hold(frame, 100*ms)
		b.want("a card again", "card 1")
	})
}

// TestReaderPlugAgain: what came before the plug was pulled counts for nothing
// after, neither as a card's first time nor in how long we wait.
func TestReaderPlugAgain(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		for range 3 {
			time.Sleep(time.Minute)
			b.port.Send([]byte(frame))
			synctest.Wait()
			old := b.port
			b.plug(devicetest.NewPort(), nil)
			old.Unplug()
			time.Sleep(minPause - ms)
			b.want("unplugged", "offline unplugged")
			time.Sleep(ms)
			b.want("plugged in", "online")
			b.port.Send([]byte(frame + frame))
			b.want("no word of the one frame from before", "card 1")
		}
	})
}

// TestReaderFlaps: a port that opens and fails at once is tried ever more
// rarely, or it would fill the journal.
func TestReaderFlaps(t *testing.T) {
	run(t, layout(t, "rdm6300"), func(b *bench) {
		b.want("start", "online")
		dead := devicetest.NewPort()
		dead.Unplug()
		old := b.port
		b.plug(dead, nil)
		old.Unplug()
		time.Sleep(time.Minute)
		if n := len(b.plug(dead, nil)); n != 10 {
			t.Errorf("opened %d times in a minute, want 10: after 0.25, 0.5, 1, 2, 4, 8 s, then each 10 s", n)
		}
	})
}

func TestReaderOpenFails(t *testing.T) {
	tests := map[string]error{
		"missing":  fmt.Errorf("open: %w", os.ErrNotExist),
		"io_error": fmt.Errorf("open: %w", os.ErrPermission),
	}
	for want, cause := range tests {
		synctest.Test(t, func(t *testing.T) {
			events := make(chan device.Event, 10)
			r := serialcard.New(serialcard.Config{Source: "front", Layout: layout(t, "rdm6300")},
				func() (device.Port, error) { return nil, cause }, events)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := r.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if len(events) != 1 || name(<-events) != "offline "+want {
				t.Errorf("want offline %s, once", want)
			}
		})
	}
}

// TestReaderStale: while nobody takes events, frames pile up in the port; they
// are of the past when somebody does.
func TestReaderStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port, events := devicetest.NewPort(), make(chan device.Event)
		r := serialcard.New(serialcard.Config{Source: "front", Layout: layout(t, "rdm6300")},
			func() (device.Port, error) { return port, nil }, events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		defer func() { cancel(); <-done }()
		if e := <-events; e.Kind != device.CameOnline {
			t.Fatal(name(e))
		}
		time.Sleep(time.Second)
		port.Send([]byte("U")) // a fault that nobody takes
		synctest.Wait()
		port.Send([]byte(frame + frame))
		time.Sleep(2 * time.Second)
		if e := <-events; e.Fault != fault.Noise {
			t.Fatal(name(e))
		}
		select {
		case e := <-events:
			t.Errorf("%s from bytes of two seconds ago", name(e))
		case <-time.After(100 * ms):
		}
		port.Send([]byte(frame + frame))
		if e := <-events; e.Kind != device.CardRead {
			t.Errorf("a card of now: %s", name(e))
		}
	})
}

// late is a port whose reader gets its turn late, before and after a Read.
type late struct {
	device.Port
	stall func()
}

func (l late) Read(b []byte) (int, error) {
	l.stall()
	defer l.stall()
	return l.Port.Read(b)
}

// TestReaderLate: frames that waited for us are no less a card's second time,
// nor was the card away: one event for each presentation, and no ghost.
func TestReaderLate(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			port, events := devicetest.NewPort(), make(chan device.Event, 100)
			b := &bench{t: t, port: port, start: time.Now(), events: events}
			r := serialcard.New(serialcard.Config{Source: "front", Layout: layout(t, "rdm6300")}, func() (device.Port, error) {
				return late{port, func() {
					if random.IntN(4) == 0 {
						time.Sleep(time.Duration(random.IntN(400)) * ms)
					}
				}}, nil
			}, events)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- r.Run(ctx) }()
			defer func() { cancel(); <-done }()
			b.want("start", "online")
			for range 20 {
				b.hold(frame, time.Duration(100+random.IntN(2000))*ms)
				time.Sleep(3 * time.Second)
				b.want(fmt.Sprintf("seed %d", seed), "card 1")
			}
			time.Sleep(time.Second)
			port.Send([]byte(frame))
			time.Sleep(3 * time.Second)
			b.want(fmt.Sprintf("seed %d, once", seed), "ghost_frame")
		})
	}
}

func TestConfigRefused(t *testing.T) {
	r := serialcard.New(serialcard.Config{Source: "front"}, nil, nil)
	if err := r.Run(t.Context()); err == nil {
		t.Error("ran without a layout")
	}
	r = serialcard.New(serialcard.Config{Source: "front", Layout: layout(t, "id12"), Hold: -1}, nil, nil)
	if err := r.Run(t.Context()); err == nil {
		t.Error("ran with a negative hold")
	}
}

// TestReaderShared: what another program does to the port is told, and the next
// card is read.
func TestReaderShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, port: devicetest.NewPort(), start: time.Now(), events: make(chan device.Event, 100)}
		port := &devicetest.Disturbed{Port: b.port, Errs: []error{device.ErrPortSettings, fmt.Errorf("%w: cat", device.ErrPortShared)}}
		r := serialcard.New(serialcard.Config{Source: "front", Layout: layout(t, "rdm6300")},
			func() (device.Port, error) { return port, nil }, b.events)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { _ = r.Run(ctx) }()
		time.Sleep(time.Second)
		b.hold(frame, 100*ms)
		time.Sleep(3 * time.Second)
		b.hold(frame, 100*ms)
		time.Sleep(3 * time.Second)
		got := b.seen() // a read that runs out in the moment of a card may come before it or after
		slices.Sort(got)
		if want := []string{"card 1", "card 1", "online", "port_settings", "port_shared"}; !slices.Equal(got, want) {
			t.Errorf("disturbed: got %q, want %q in any order", got, want)
		}
	})
}
