package door_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/door"
)

// TestListens: where another controller decides, no event and no command moves the lock,
// shows anything or makes an entry but that a reader went and came; cards are told to
// whoever learns them.
func TestListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []door.Seen
		shown := 0
		b := start(t, func(cfg *door.Config, p *door.Parts) {
			cfg.Listening, cfg.FailSafe, cfg.Fire = true, true, door.Fire{Active: true, Latched: true}
			p.Watch = func(s door.Seen) bool { seen = append(seen, s); return false }
			p.Show = func(string, device.Feedback) { shown++ }
		})
		for _, source := range []string{"in", "out"} {
			for _, n := range []uint64{known, stranger} {
				b.events <- device.Event{Kind: device.CardRead, Source: source, Card: device.CardOf(n<<24, 32)}
			}
		}
		for _, source := range []string{device.InputExit, device.InputContact, device.InputFire, device.InputFireSeen} {
			b.events <- device.Event{Kind: device.InputChanged, Source: source, Active: true}
		}
		b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: fault.Parity}
		b.events <- device.Event{Kind: device.WentOffline, Source: "in", Fault: fault.Unplugged}
		b.events <- device.Event{Kind: device.CameOnline, Source: "in"}
		time.Sleep(time.Hour)
		synctest.Wait()
		for what, act := range map[string]func(context.Context) (door.State, error){"release": b.Release, "reset": b.ResetFire} {
			if _, err := act(t.Context()); !errors.Is(err, door.ErrListening) {
				t.Errorf("%s: %v", what, err)
			}
		}
		b.stop()
		if err := <-b.done; err != nil {
			t.Error(err)
		}
		if len(seen) != 4 || shown > 0 || b.Status().State != door.Listening {
			t.Errorf("seen %d cards, shown %d times, state %s", len(seen), shown, b.Status().State)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, what := range b.trace {
			if !slices.Contains([]string{"offline", "online"}, what) {
				t.Errorf("it did %q", what)
			}
		}
	})
}
