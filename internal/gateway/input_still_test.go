package gateway

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
)

// inputRig is an input on a line that a test moves.
type inputRig struct {
	line   *wire1
	began  time.Time
	events chan device.Event
}

// onInput runs an input in a bubble.
func onInput(t *testing.T, in input, play func(*inputRig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &inputRig{line: newWire1(), began: time.Now(), events: make(chan device.Event, 4096)}
		in.source, in.send = "it", func(e device.Event) { r.events <- e }
		in.open = func(device.LinesConfig) (device.Lines, error) { return r.line, nil }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { in.run(ctx); close(done) }()
		r.told(time.Second)
		play(r)
		cancel()
		<-done
	})
}

// move changes the line, with the kernel's time of it.
func (r *inputRig) move(active bool) {
	r.line.mu.Lock()
	r.line.active = active
	r.line.mu.Unlock()
	r.line.edges <- device.Edge{Active: active, At: time.Second + time.Since(r.began)}
}

func (r *inputRig) pulse(width time.Duration) {
	r.move(true)
	time.Sleep(width)
	r.move(false)
}

// told waits and returns what was told, as words.
func (r *inputRig) told(wait time.Duration) string {
	time.Sleep(wait)
	synctest.Wait()
	var words []string
	for len(r.events) > 0 {
		e := <-r.events
		switch {
		case e.Kind == device.FaultSeen:
			words = append(words, "seen "+e.Fault.String())
		case e.Kind == device.FaultCleared:
			words = append(words, "cleared "+e.Fault.String())
		case e.Kind == device.InputChanged && e.Active:
			words = append(words, "on")
		case e.Kind == device.InputChanged:
			words = append(words, "off")
		}
	}
	return strings.Join(words, ", ")
}

const ms = time.Millisecond

// TestSpikes: what lasts less than the filter is not told, of either state, and what
// lasts longer is, as soon as it did.
func TestSpikes(t *testing.T) {
	for _, filter := range []time.Duration{20 * ms, 100 * ms} {
		onInput(t, input{filter: filter}, func(r *inputRig) {
			for _, width := range []time.Duration{20 * time.Microsecond, ms, filter - ms} {
				r.pulse(width)
				if got := r.told(time.Second); got != "" {
					t.Errorf("%v of %v: %s", width, filter, got)
				}
			}
			r.move(true)
			if got := r.told(filter - ms); got != "" {
				t.Errorf("before %v: %s", filter, got)
			}
			if got := r.told(2 * ms); got != "on" {
				t.Errorf("after %v: %q", filter, got)
			}
			r.move(false)
			time.Sleep(ms)
			r.move(true)
			if got := r.told(time.Second); got != "" {
				t.Errorf("a gap of 1 ms: %s", got)
			}
			r.move(false)
			if got := r.told(time.Second); got != "off" {
				t.Errorf("the end: %q", got)
			}
		})
	}
}

// TestLateLook: a door that closed between our last read and our look at its level was
// open for as long as the kernel says.
func TestLateLook(t *testing.T) {
	for width, want := range map[time.Duration]string{140 * ms: "on, off", 90 * ms: ""} {
		onInput(t, input{filter: 100 * ms}, func(r *inputRig) {
			opened := time.Second + time.Since(r.began)
			r.line.late = func() {
				r.line.late = nil
				time.Sleep(40 * ms)
				r.line.mu.Lock()
				defer r.line.mu.Unlock()
				r.line.active = false
				r.line.edges <- device.Edge{Active: false, At: opened + width}
			}
			r.move(true)
			if got := r.told(time.Second); got != want {
				t.Errorf("open for %v: %q, want %q", width, got, want)
			}
		})
	}
}

// TestLatePress: a press that was over before we had a turn counts by the kernel's
// time of it, and a spike does not.
func TestLatePress(t *testing.T) {
	onInput(t, input{filter: 20 * ms, urgent: true}, func(r *inputRig) {
		for width, want := range map[time.Duration]string{60 * ms: "on, off", 5 * ms: ""} {
			at := time.Second + time.Since(r.began)
			r.line.edges <- device.Edge{Active: true, At: at}
			r.line.edges <- device.Edge{Active: false, At: at + width}
			if got := r.told(time.Second); got != want {
				t.Errorf("%v: %q, want %q", width, got, want)
			}
		}
	})
}

// TestChatter: a line that rattles is one fault that lasts, not an entry for each
// change; whoever presses is heard all the same.
func TestChatter(t *testing.T) {
	onInput(t, input{filter: 100 * ms}, func(r *inputRig) {
		for range 600 { // spikes, then changes that last
			r.pulse(50 * ms)
			time.Sleep(50 * ms)
		}
		if got := r.told(0); got != "seen chatter" {
			t.Errorf("spikes: %s", got)
		}
		if got := r.told(time.Minute); got != "cleared chatter" {
			t.Errorf("and their end: %s", got)
		}
		for range 200 {
			r.pulse(150 * ms)
			time.Sleep(150 * ms)
		}
		if got := r.told(0); strings.Count(got, "on") > rattleTold || strings.Count(got, "seen chatter") != 1 {
			t.Errorf("a contact that swings for a minute: %s", got)
		}
		r.told(3 * time.Second)
		r.move(true)
		if got := r.told(3 * time.Second); got != "on" {
			t.Errorf("a door that stands open: %s", got)
		}
	})
	onInput(t, input{filter: 20 * ms, urgent: true}, func(r *inputRig) {
		for range 300 {
			r.pulse(10 * ms)
			time.Sleep(10 * ms)
		}
		if got := r.told(0); got != "seen chatter" {
			t.Errorf("hum of 50 Hz: %s", got)
		}
		r.move(true)
		if got := r.told(30 * ms); got != "on" {
			t.Errorf("a finger: %q", got)
		}
	})
}
