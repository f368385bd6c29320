package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/site"
)

// lamp is an output that remembers how long it was in each state.
type lamp struct {
	coil
	since  time.Time
	played []time.Duration
}

func (l *lamp) Set(on bool) error {
	if len(l.played) > 0 || on {
		l.played = append(l.played, time.Since(l.since))
	}
	l.since = time.Now()
	return l.coil.Set(on)
}

// TestSignal: each pattern is played as it is; a new one ends the one that plays;
// a line that fails is asked for anew; at the end it is de-energised.
func TestSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lamps []*lamp
		missing := true
		s := &signal{patterns: beeps, next: make(chan pattern, 1), log: zerolog.Nop(), open: func(device.OutputConfig) (device.Output, error) {
			if missing {
				missing = false
				return nil, errors.New("no chip yet")
			}
			lamps = append(lamps, &lamp{since: time.Now()})
			return lamps[len(lamps)-1], nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		s.Show(device.FeedbackDenied) // lost: there is no line yet
		time.Sleep(time.Minute)
		synctest.Wait()
		for f, pattern := range beeps {
			l := lamps[0]
			l.played, l.since = nil, time.Now()
			s.Show(f)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if !slices.Equal(l.played[1:], pattern) || l.on {
				t.Errorf("played %v, want %v; current at the end: %v", l.played, pattern, l.on)
			}
		}
		s.Show(device.FeedbackHeld)
		time.Sleep(long / 2)
		s.Show(device.FeedbackIdle)
		synctest.Wait()
		if lamps[0].on {
			t.Error("it sounds on though nobody stands there any more")
		}
		lamps[0].err = errors.New("line is gone")
		s.Show(device.FeedbackGranted)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(lamps) != 2 || !lamps[0].closed {
			t.Errorf("%d lines asked for", len(lamps))
		}
		s.Show(device.FeedbackNotice)
		time.Sleep(long / 2)
		synctest.Wait()
		if !lamps[1].on {
			t.Error("it is silent")
		}
		cancel()
		<-done
		if lamps[1].on || !lamps[1].closed {
			t.Error("it sounds on after the end")
		}
	})
}

// TestSignalLine: the site file refuses a line that is used twice, or that makes
// no sense.
func TestSignalLine(t *testing.T) {
	site := func(signal string) error {
		_, err := site.Parse([]byte(`
building = "x"
gateway = "y"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 17, pull = "down"}
signal = ` + signal))
		return err
	}
	if err := site(`{chip = "gpiochip0", line = 18}`); err != nil {
		t.Error(err)
	}
	for signal, word := range map[string]string{
		`{chip = "gpiochip0", line = 17}`:                   "is used for front relay and for front signal",
		`{chip = "gpiochip0"}`:                              "line is missing",
		`{chip = "gpiochip0", line = 18, active = "loud"}`:  "signal.active",
		`{chip = "gpiochip0", line = 18, melody = "waltz"}`: "melody",
	} {
		if err := site(signal); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q", signal, err, word)
		}
	}
}
