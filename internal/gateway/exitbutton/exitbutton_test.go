package exitbutton

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
)

const (
	sec   = time.Second
	lasts = time.Minute // a watch
)

// rig is two buttons in a bubble, on a clock of edges that began before it.
type rig struct {
	Buttons
	began time.Time
}

func (r *rig) at() time.Duration { return 100*sec + time.Since(r.began) }

func (r *rig) moves(button string, active bool) {
	r.Saw(button, device.Event{Kind: device.InputChanged, Source: device.InputExit, Active: active, At: r.at()})
}

func (r *rig) press(button string, width time.Duration) {
	r.moves(button, true)
	time.Sleep(width)
	r.moves(button, false)
}

func (r *rig) says(button string, kind device.EventKind, f fault.Code) {
	r.Saw(button, device.Event{Kind: kind, Source: device.InputExit, Fault: f})
}

// watching runs a watch while somebody plays, and returns its answer and how long it took.
func watching(t *testing.T, before, play func(*rig)) (answer Answer, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{began: time.Now()}
		for _, b := range []string{"front", "yard"} {
			r.says(b, device.CameOnline, 0)
			r.Saw(b, device.Event{Kind: device.InputChanged}) // how it is at the start
		}
		before(r)
		began, done := time.Now(), make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		go func() {
			var err error
			answer, err = r.Watch(ctx)
			took = time.Since(began)
			done <- err
		}()
		synctest.Wait()
		play(r)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return answer, took
}

// TestWatch: a button that was not pressed, held for ten to twenty seconds and let go, proves that
// somebody is there, and nothing else does; of anything else nothing shows before the end.
func TestWatch(t *testing.T) {
	nothing := func(*rig) {}
	for name, c := range map[string]struct {
		before, play func(*rig)
		want         Answer
		took         time.Duration
	}{
		"held":                {nothing, func(r *rig) { r.press("front", Least) }, Held, Least},
		"held for long":       {nothing, func(r *rig) { r.press("yard", Most) }, Held, Most},
		"at the second try":   {nothing, func(r *rig) { r.press("front", 9*sec); r.press("front", 11*sec) }, Held, 20 * sec},
		"nobody":              {nothing, nothing, Not, lasts},
		"too short":           {nothing, func(r *rig) { r.press("front", Least-time.Millisecond) }, Not, lasts},
		"too long":            {nothing, func(r *rig) { r.press("front", Most+time.Millisecond) }, Not, lasts},
		"a break":             {nothing, func(r *rig) { r.press("front", 6*sec); time.Sleep(sec / 10); r.press("front", 6*sec) }, Not, lasts},
		"two buttons in turn": {nothing, func(r *rig) { r.press("front", 6*sec); r.press("yard", 6*sec) }, Not, lasts},
		"two at once": {nothing, func(r *rig) {
			r.moves("front", true)
			time.Sleep(6 * sec)
			r.moves("yard", true)
			time.Sleep(6 * sec)
			r.moves("yard", false)
			r.moves("front", false)
		}, Held, 12 * sec},
		"pressed before": {func(r *rig) { r.moves("front", true) }, func(r *rig) { time.Sleep(12 * sec); r.moves("front", false) }, Not, lasts},
		"pressed before, and once more": {func(r *rig) { r.moves("front", true) }, func(r *rig) {
			time.Sleep(3 * sec)
			r.moves("front", false)
			r.press("front", Least)
		}, Held, 13 * sec},
		"stuck before":    {func(r *rig) { r.moves("front", true); time.Sleep(time.Hour) }, nothing, Stuck, lasts},
		"stuck in it":     {nothing, func(r *rig) { time.Sleep(sec); r.moves("front", true) }, Stuck, lasts},
		"held at the end": {nothing, func(r *rig) { time.Sleep(50 * sec); r.moves("front", true) }, Not, lasts},
		"one stuck, one held": {func(r *rig) { r.moves("front", true) }, func(r *rig) { r.press("yard", Least) },
			Held, Least},
		"a lost edge": {nothing, func(r *rig) {
			r.moves("front", true)
			time.Sleep(11 * sec)
			r.Saw("front", device.Event{Kind: device.InputChanged}) // the level is read, nobody knows since when
		}, Not, lasts},
		"opened anew": {nothing, func(r *rig) {
			r.moves("front", true)
			time.Sleep(6 * sec)
			r.says("front", device.WentOffline, fault.Unplugged)
			r.says("front", device.CameOnline, 0)
			r.Saw("front", device.Event{Kind: device.InputChanged, Active: true})
			time.Sleep(6 * sec)
			r.moves("front", false)
		}, Not, lasts},
		"rattling": {nothing, func(r *rig) {
			r.moves("front", true)
			time.Sleep(2 * sec)
			r.says("front", device.FaultSeen, fault.Chatter)
			time.Sleep(10 * sec)
			r.moves("front", false)
			r.press("front", 11*sec)
		}, Not, lasts},
		"rattling no more": {func(r *rig) { r.says("front", device.FaultSeen, fault.Chatter) }, func(r *rig) {
			r.says("front", device.FaultCleared, fault.Chatter)
			r.press("front", 11*sec)
		}, Held, 11 * sec},
	} {
		t.Run(name, func(t *testing.T) {
			if answer, took := watching(t, c.before, c.play); answer != c.want || took != c.took {
				t.Errorf("%s after %v, want %s after %v", answer, took, c.want, c.took)
			}
		})
	}
}

// TestLateEdges: the kernel's times count. What comes late was held as long as it was.
func TestLateEdges(t *testing.T) {
	for lasted, want := range map[time.Duration]Answer{9 * sec: Not, 11 * sec: Held} {
		answer, _ := watching(t, func(*rig) {}, func(r *rig) {
			from := r.at()
			time.Sleep(30 * sec) // the daemon had no time
			r.Saw("front", device.Event{Kind: device.InputChanged, Active: true, At: from})
			r.Saw("front", device.Event{Kind: device.InputChanged, At: from + lasted})
		})
		if answer != want {
			t.Errorf("%v: %s, want %s", lasted, answer, want)
		}
	}
}

// TestWatches: there is one watch at a time, what runs beside it ends with it, and whoever asked
// may leave; then there may be another one.
func TestWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{began: time.Now()}
		short, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		if _, err := r.Watch(short); !errors.Is(err, ErrBlind) {
			t.Errorf("without any button: %v", err)
		}
		open := false
		beside := func(ctx context.Context) {
			open = true
			r.says("front", device.CameOnline, 0)
			<-ctx.Done()
			r.says("front", device.WentOffline, 0)
			open = false
		}
		for range 2 {
			ctx, leave := context.WithCancel(t.Context())
			done := make(chan Answer, 1)
			go func() { a, _ := r.Watch(ctx, beside); done <- a }()
			synctest.Wait()
			if _, err := r.Watch(t.Context()); !errors.Is(err, ErrBusy) {
				t.Errorf("two at once: %v", err)
			}
			r.press("front", 5*sec)
			leave()
			if a := <-done; a != Not || open {
				t.Errorf("%s, open %v", a, open)
			}
		}
		r.press("front", 11*sec) // nobody watches
		done := make(chan Answer, 1)
		go func() { a, _ := r.Watch(t.Context(), beside); done <- a }()
		synctest.Wait()
		r.press("front", 11*sec)
		if a := <-done; a != Held || open {
			t.Errorf("%s, open %v", a, open)
		}
	})
}
