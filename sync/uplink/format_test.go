package uplink

import (
	"context"
	"slices"
	"testing"
	"time"

	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// hellos takes the formats in which the registry was greeted since the last call.
func (w *world) hellos() (formats []uint64) {
	w.reg.mu.Lock()
	defer w.reg.mu.Unlock()
	formats, w.reg.hellos = w.reg.hellos, nil
	return formats
}

// TestFormats: which formats the hellos of a start, of a lost batch, of a new
// connection and of the hours are said in, for each pair of ends.
func TestFormats(t *testing.T) {
	for name, c := range map[string]struct {
		gateway, registry             uint64
		start, lost, connected, later []uint64
	}{
		"both read 2":                      {2, 2, []uint64{2}, []uint64{2}, []uint64{2}, []uint64{2}},
		"the registry is a version behind": {2, 1, []uint64{2, 1}, []uint64{1}, []uint64{2, 1}, []uint64{2, 1}},
		"the gateway is a version behind":  {1, 2, []uint64{1}, []uint64{1}, []uint64{1}, []uint64{1}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w *world) {
				step := func(what string, want []uint64) {
					t.Helper()
					w.append(3)
					if !w.settle(2 * time.Minute) {
						t.Fatalf("%s: not in step: %+v", what, w.uplink.Status())
					}
					if got := w.hellos(); !slices.Equal(got, want) {
						t.Errorf("%s: greeted in formats %d, want %d", what, got, want)
					}
				}
				w.stop()
				w.reg.mu.Lock()
				w.reg.formats, w.reg.hellos = c.registry, nil
				w.reg.mu.Unlock()
				w.formats = c.gateway
				w.startGateway()
				step("start", c.start)
				w.reg.set(func(r *registry) { r.silent = true })
				w.append(1)
				time.Sleep(4 * time.Second) // sent, not answered
				w.reg.set(func(r *registry) { r.silent = false })
				step("lost batch", c.lost)
				w.link.Cut()
				w.link.Restore()
				step("new connection", c.connected)
				time.Sleep(greetEvery)
				step("later", c.later)
				if fault := w.same(); fault != "" {
					t.Error(fault)
				}
			})
		})
	}
}

// TestUnansweredHelloIsSaidInTurn: a registry that is away for a while is greeted
// in both formats in turn, with one nonce; one that was rolled back to a version
// before is found again.
func TestUnansweredHelloIsSaidInTurn(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.set(func(r *registry) { r.silent, r.formats = true, 1 })
		w.hellos()
		w.link.Cut()
		w.link.Restore()
		time.Sleep(40 * time.Second)
		if got := w.hellos(); len(got) < 5 || !slices.Equal(got[:5], []uint64{2, 1, 2, 1, 2}) {
			t.Errorf("greeted in formats %d", got)
		}
		w.reg.set(func(r *registry) { r.silent = false })
		if !w.settle(3 * time.Minute) {
			t.Errorf("not in step with the older registry: %+v", w.uplink.Status())
		}
	})
}

// TestNewTrustIsGreetedAnew: a registry whose answers were refused, since another key
// signed them, is no registry of the first format: with the trust document that names
// the key it is greeted at once, in the newest format.
func TestNewTrustIsGreetedAnew(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		trust, err := wire.Encode(w.keys.trust(2))
		if err != nil {
			t.Fatal(err)
		}
		w.reg.set(func(r *registry) { r.silent = true })
		w.hellos()
		w.link.Cut()
		w.link.Restore()
		for deadline := 30; len(w.hellos()) != 1 && deadline > 0; deadline-- {
			time.Sleep(100 * time.Millisecond)
		}
		envelope := sign(wire.TypeTrust, wire.RoleRoot, "registry", trust, w.keys.root)
		w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeTrust), Payload: envelope})
		w.reg.set(func(r *registry) { r.silent = false })
		time.Sleep(500 * time.Millisecond)
		if got := w.hellos(); !slices.Equal(got, []uint64{2}) {
			t.Errorf("with the new trust document it is greeted in formats %d, want 2", got)
		}
	})
}

// TestGreetedAnewBeforeAnAnswer: a gateway that says hello again before it was answered
// (it has another list meanwhile) speaks the newest format still: in the first one its
// lists prove nothing.
func TestGreetedAnewBeforeAnAnswer(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		a := newActor(w.uplink.o, &w.uplink.nonces, &w.uplink.display)
		w.hellos()
		for range 3 {
			a.greetAgain(time.Now())
			a.outbox.say(context.Background(), message{kind: wire.TypeHello, body: a.greeter.body(a.hello())})
		}
		time.Sleep(time.Second)
		if got := w.hellos(); !slices.Equal(got, []uint64{2, 2, 2}) {
			t.Errorf("greeted in formats %d", got)
		}
	})
}

// TestHelloSaysFormats: what a hello says of the formats is what the gateway reads.
func TestHelloSaysFormats(t *testing.T) {
	bubble(t, func(w *world) {
		a := newActor(w.uplink.o, &w.uplink.nonces, &w.uplink.display)
		if got := a.hello().Formats; !slices.Equal(got, []uint64{1, 2, 3, 4, 5, 6}) {
			t.Errorf("formats %d", got)
		}
	})
}

// set changes the registry.
func (r *registry) set(change func(*registry)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// TestSpreadIsPassedOn: the link hears what the registry wishes for the next
// reconnect, and that one of format 1 wishes nothing.
func TestSpreadIsPassedOn(t *testing.T) {
	bubble(t, func(w *world) {
		w.reg.set(func(r *registry) { r.spread = 33 })
		told := func(want time.Duration) {
			t.Helper()
			w.append(1)
			if !w.settle(2 * time.Minute) {
				t.Fatal("not in step")
			}
			if got := time.Duration(w.spread.Load()); got != want {
				t.Errorf("spread %v, want %v", got, want)
			}
		}
		told(33 * time.Second)
		w.reg.set(func(r *registry) { r.formats = 1 })
		w.link.Cut()
		w.link.Restore()
		told(0)
	})
}

// TestListThatWaitsShows: a list that the registry has and that is not active
// here is no "in step".
func TestListThatWaitsShows(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.set(func(r *registry) { r.version, r.withheld = 1, true })
		w.append(1)
		time.Sleep(time.Minute)
		if s := w.uplink.Status(); s.State != StateUnproved || s.Withheld.IsZero() {
			t.Errorf("status says %q", s.State)
		}
	})
}
