package gateway

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
)

// disturbed is a line that is active by the time: for part of each period. It
// has no edges but those that fall due while somebody reads.
type disturbed struct {
	start  time.Time
	phase  time.Duration
	period time.Duration
	active time.Duration // of each period
	until  time.Duration // still and idle from then on; 0: never
	read   time.Duration // edges before were given out
	closed chan struct{}
}

func (l *disturbed) at(t time.Duration) bool {
	return (l.until == 0 || t < l.until) && (t+l.phase)%l.period < l.active
}

// next is the first edge after a time.
func (l *disturbed) next(t time.Duration) time.Duration {
	in := (t + l.phase) % l.period
	at := t + l.period - in
	if in < l.active {
		at = t + l.active - in
	}
	if l.until > 0 && t < l.until {
		return min(at, l.until)
	}
	return at
}

func (l *disturbed) ReadEdges(dst []device.Edge, timeout time.Duration) (int, error) {
	now := time.Since(l.start)
	at := l.next(l.read)
	if l.until > 0 && l.read >= l.until || l.active >= l.period || at > now+timeout {
		select {
		case <-l.closed:
			return 0, os.ErrClosed
		case <-time.After(timeout):
			return 0, os.ErrDeadlineExceeded
		}
	}
	if at > now {
		select {
		case <-l.closed:
			return 0, os.ErrClosed
		case <-time.After(at - now):
		}
	}
	l.read = at
	dst[0] = device.Edge{Active: l.at(at), At: at + time.Hour}
	return 1, nil
}

func (l *disturbed) Levels(dst []bool) error { dst[0] = l.at(time.Since(l.start)); return nil }
func (l *disturbed) Close() error            { close(l.closed); return nil }

// seenFire is what the doors are told of a line in the second that follows its
// first active look.
type seenFire struct{ first, latched time.Duration }

// watchFire runs the fire input on a line for two seconds, or with start from
// the looks of a start on.
func watchFire(t *testing.T, line *disturbed, start bool) (s seenFire, f *Fire) {
	s = seenFire{-1, -1}
	line.start, line.closed = time.Now(), make(chan struct{})
	f = newFire(filepath.Join(t.TempDir(), "latch"), true)
	f.input = input{source: device.InputFire, every: true, open: func(device.LinesConfig) (device.Lines, error) { return line, nil }}
	note := func() {
		now := time.Since(line.start)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.state.Seen && s.first < 0 {
			s.first = now
		}
		if f.state.Latched && s.latched < 0 {
			s.latched = now
		}
	}
	f.input.send = func(e device.Event) { f.saw(e); note() }
	if start {
		f.readLine()
		note()
		line.closed, line.read = make(chan struct{}), time.Since(line.start)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	f.input.run(ctx)
	return s, f
}

// TestDisturbedFireLine: a line that is active at 50 or 100 Hz, at whatever phase
// and for whatever part of the time, releases the doors at the first look and
// latches within two periods, while it runs and at a start.
func TestDisturbedFireLine(t *testing.T) {
	t.Parallel()
	for _, hz := range []int{50, 100} {
		period := time.Second / time.Duration(hz)
		for duty := 1; duty <= 100; duty += 3 {
			for phase := range 10 {
				for _, start := range []bool{false, true} {
					synctest.Test(t, func(t *testing.T) {
						line := &disturbed{period: period, phase: period * time.Duration(phase) / 10, active: period * time.Duration(duty) / 100}
						s, _ := watchFire(t, line, start)
						what := fmt.Sprintf("%d Hz, %d %%, phase %d/10, start %v", hz, duty, phase, start)
						// The looks of a start may miss short pulses; the edges after it do not.
						late := 2*period + settle
						if start {
							late += (looksAtStart + 1) * lookApart
						}
						if s.first < 0 || s.first > late-period || s.latched < 0 || s.latched > late {
							t.Fatalf("%s: seen after %v, latched after %v", what, s.first, s.latched)
						}
					})
				}
			}
		}
	}
}

// TestSpikeOnFireLine: one pulse is told once and latches nothing; another one
// within a second does, after it not.
func TestSpikeOnFireLine(t *testing.T) {
	for gap, latches := range map[time.Duration]bool{0: false, 100 * time.Millisecond: true, 990 * time.Millisecond: true, 1200 * time.Millisecond: false} {
		synctest.Test(t, func(t *testing.T) {
			pulse := 2 * time.Millisecond
			period := gap
			if gap == 0 {
				period = time.Hour
			}
			line := &disturbed{period: period, active: pulse, phase: period - 50*time.Millisecond, until: 1800 * time.Millisecond}
			s, f := watchFire(t, line, false)
			if s.first != 50*time.Millisecond || (s.latched >= 0) != latches {
				t.Errorf("again after %v: %+v, want latched %v", gap, s, latches)
			}
			if state, _ := f.Now(); state.Active || state.Latched != latches {
				t.Errorf("again after %v: %+v", gap, state)
			}
		})
	}
}
