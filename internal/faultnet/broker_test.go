package faultnet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"gatehouse/sync/mqtt"
)

// received takes all that has arrived.
func received(l *Link) []string {
	var all []string
	for {
		select {
		case m := <-l.Messages():
			all = append(all, m.Topic+"="+string(m.Payload))
		default:
			return all
		}
	}
}

func say(t testing.TB, l *Link, topic, payload string) {
	t.Helper()
	if err := l.Publish(t.Context(), topic, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a/c", false}, {"a/b", "a", false}, {"a", "a/b", false},
		{"a/+", "a/b", true}, {"a/+", "a/b/c", false}, {"a/+", "a", false}, {"+/b", "a/b", true}, {"+", "a", true},
		{"a/#", "a/b/c", true}, {"a/#", "a", true}, {"#", "a/b", true}, {"a/#", "ab", false},
		{"a/+/#", "a/b", true}, {"a/+/#", "a", false}, {"+/+", "a/", true}, {"a//b", "a/x/b", false}, {"a/+/b", "a//b", true},
	} {
		if got := match(c.filter, c.topic); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.filter, c.topic, got)
		}
	}
}

// TestMatchAsLevels: a topic whose levels give way to wildcards is still taken.
func TestMatchAsLevels(t *testing.T) {
	level := rapid.SampledFrom([]string{"a", "b", ""})
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.SliceOfN(level, 1, 4).Draw(t, "topic")
		filter := slices.Clone(topic)
		for i := range filter {
			if rapid.Bool().Draw(t, "any") {
				filter[i] = "+"
			}
		}
		n := rapid.IntRange(0, len(filter)).Draw(t, "kept")
		if rapid.Bool().Draw(t, "rest") {
			filter = append(filter[:n:n], "#")
		}
		f, s := strings.Join(filter, "/"), strings.Join(topic, "/")
		if !match(f, s) {
			t.Fatalf("%q does not take %q", f, s)
		}
		if changed := f + "x"; !strings.HasSuffix(f, "#") && match(changed, s) && !strings.HasSuffix(f, "+") {
			t.Fatalf("%q takes %q", changed, s)
		}
	})
}

func TestHonestBrokerKeepsOrder(t *testing.T) {
	b := NewBroker(1)
	from := b.Connect(Client{Name: "a"})
	to := b.Connect(Client{Name: "b", Subscribe: []string{"x/#"}})
	other := b.Connect(Client{Name: "c", Subscribe: []string{"y"}})
	var want []string
	for i := range 200 {
		say(t, from, "x/1", fmt.Sprint(i))
		want = append(want, fmt.Sprintf("x/1=%d", i))
	}
	if got := received(to); !slices.Equal(got, want) {
		t.Errorf("received %v", got)
	}
	if got := received(other); got != nil {
		t.Errorf("another's messages: %v", got)
	}
}

// TestPayloadsAreCopies: nobody reaches into another's message.
func TestPayloadsAreCopies(t *testing.T) {
	b := NewBroker(1)
	from := b.Connect(Client{Name: "a"})
	one, two := b.Connect(Client{Name: "b", Subscribe: []string{"x"}}), b.Connect(Client{Name: "c", Subscribe: []string{"x"}})
	payload := []byte("first")
	if err := from.Publish(t.Context(), "x", payload); err != nil {
		t.Fatal(err)
	}
	copy(payload, "other")
	m := <-one.Messages()
	copy(m.Payload, "third")
	if got := received(two); !slices.Equal(got, []string{"x=first"}) {
		t.Errorf("received %v", got)
	}
	if got := string(b.Seen()[0].Payload); got != "first" {
		t.Errorf("seen %q", got)
	}
}

// TestMisdeeds: each misdeed does what it says, and nothing else is lost or
// made up.
func TestMisdeeds(t *testing.T) {
	numbers := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("x=%02d", i))
		}
		return all
	}
	sorted := func(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }
	for name, c := range map[string]struct {
		bad   Misdeeds
		check func(got []string) bool
	}{
		"drop":      {Misdeeds{Drop: 0.5}, func(got []string) bool { return len(got) > 5 && len(got) < 35 && slices.IsSorted(got) }},
		"all gone":  {Misdeeds{Drop: 1}, func(got []string) bool { return got == nil }},
		"duplicate": {Misdeeds{Duplicate: 1}, func(got []string) bool { return len(got) == 80 && slices.Equal(slices.Compact(got), numbers(40)) }},
		"reorder": {Misdeeds{Reorder: 0.5}, func(got []string) bool {
			return !slices.IsSorted(got) && slices.Equal(sorted(got), numbers(40))
		}},
		"delay": {Misdeeds{Delay: 2 * time.Second}, func(got []string) bool {
			return !slices.IsSorted(got) && slices.Equal(sorted(got), numbers(40))
		}},
		"replay": {Misdeeds{Replay: 1}, func(got []string) bool {
			return len(got) == 80 && slices.Equal(slices.Compact(sorted(got)), numbers(40))
		}},
		"deny": {Misdeeds{Deny: func(client string, a Access, topic string) bool { return a == Publish && client == "a" && topic == "x" }},
			func(got []string) bool { return got == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBroker(7)
				from, to := b.Connect(Client{Name: "a"}), b.Connect(Client{Name: "b", Subscribe: []string{"x"}})
				b.Set(c.bad)
				for i := range 40 {
					say(t, from, "x", fmt.Sprintf("%02d", i))
				}
				time.Sleep(overtake + 2*time.Second)
				synctest.Wait()
				if got := received(to); !c.check(got) {
					t.Errorf("received %d: %v", len(got), got)
				}
			})
		})
	}
}

// TestSeedRepeats: the same seed and the same calls give the same deliveries at
// the same times, and nothing is delivered that was never published.
func TestSeedRepeats(t *testing.T) {
	run := func(t *testing.T, seed uint64, bad Misdeeds, n int) (log []string) {
		synctest.Test(t, func(t *testing.T) {
			b := NewBroker(seed)
			from, to := b.Connect(Client{Name: "a"}), b.Connect(Client{Name: "b", Subscribe: []string{"x"}})
			b.Set(bad)
			began := time.Now()
			take := func() {
				synctest.Wait()
				for _, m := range received(to) {
					log = append(log, fmt.Sprint(time.Since(began), m))
				}
			}
			for i := range n {
				say(t, from, "x", fmt.Sprint(i))
				time.Sleep(100 * time.Millisecond)
				take()
			}
			time.Sleep(5 * time.Second)
			take()
		})
		return log
	}
	rapid.Check(t, func(r *rapid.T) {
		p := rapid.Float64Range(0, 1)
		bad := Misdeeds{Drop: p.Draw(r, "drop"), Duplicate: p.Draw(r, "duplicate"), Reorder: p.Draw(r, "reorder"), Replay: p.Draw(r, "replay"),
			Delay: time.Duration(rapid.IntRange(0, 3000).Draw(r, "ms")) * time.Millisecond}
		seed, n := rapid.Uint64().Draw(r, "seed"), rapid.IntRange(1, 30).Draw(r, "n")
		one, two := run(t, seed, bad, n), run(t, seed, bad, n)
		if !slices.Equal(one, two) {
			r.Fatalf("two runs differ:\n%v\n%v", one, two)
		}
		for _, m := range one {
			_, number, _ := strings.Cut(m, "x=")
			var i int
			if _, err := fmt.Sscan(number, &i); err != nil || i < 0 || i >= n {
				r.Fatalf("%q was never published", m)
			}
		}
		if len(one) > 3*n {
			r.Fatalf("%d deliveries of %d messages", len(one), n)
		}
	})
}

// TestSameInstantRepeats: what is due at one instant comes in the order in which
// it was sent.
func TestSameInstantRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBroker(1)
		to := b.Connect(Client{Name: "to", Subscribe: []string{"x"}})
		b.Set(Misdeeds{Reorder: 1})
		var want []string
		for i := range 20 {
			say(t, b.Connect(Client{Name: fmt.Sprint(i)}), "x", fmt.Sprint(i))
			want = append(want, fmt.Sprintf("x=%d", i))
		}
		time.Sleep(2 * overtake)
		if got := received(to); !slices.Equal(got, want) {
			t.Errorf("received %v", got)
		}
	})
}

func TestCutAndRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBroker(1)
		wills := 0
		gate := b.Connect(Client{Name: "gate", Subscribe: []string{"down"}, Will: func() mqtt.Message {
			wills++
			return mqtt.Message{Topic: "status", Payload: fmt.Append(nil, wills)}
		}})
		desk := b.Connect(Client{Name: "desk", Subscribe: []string{"status"}})
		b.Set(Misdeeds{Delay: time.Second})
		say(t, desk, "down", "on its way")
		up, changed := gate.State()
		gate.Cut()
		<-changed
		if again, _ := gate.State(); !up || again {
			t.Errorf("up before: %v, after: %v", up, again)
		}
		if err := gate.Publish(t.Context(), "up", nil); !errors.Is(err, mqtt.ErrDown) {
			t.Errorf("publish while down: %v", err)
		}
		gate.Restore()
		gate.Stop()
		gate.Restore()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := received(gate); got != nil {
			t.Errorf("a new connection received what was sent to the old one: %v", got)
		}
		if got := received(desk); !slices.Equal(got, []string{"status=1"}) {
			t.Errorf("wills: %v", got)
		}
		if s := gate.Status(); !s.Up || s.Connects != 3 || !errors.Is(s.Err, errCut) {
			t.Errorf("status %+v", s)
		}
	})
}

// TestHalfOpen: a link that went blind looks up, and carries nothing until it is
// cut and made again.
func TestHalfOpen(t *testing.T) {
	b := NewBroker(1)
	a, c := b.Connect(Client{Name: "a", Subscribe: []string{"x"}}), b.Connect(Client{Name: "c", Subscribe: []string{"x"}})
	a.Blind()
	say(t, a, "x", "lost")
	say(t, c, "x", "heard")
	if up, _ := a.State(); !up || !a.Blinded() || received(a) != nil {
		t.Error("a half-open link is not up and deaf")
	}
	if got := received(c); !slices.Equal(got, []string{"x=heard"}) {
		t.Errorf("the other received %v", got)
	}
	a.Cut()
	a.Restore()
	say(t, c, "x", "again")
	if got := received(a); !slices.Equal(got, []string{"x=again"}) || a.Blinded() {
		t.Errorf("after a new connection: %v", got)
	}
}

// TestDropHalfOpen: who is at the other end of a half-open link does not hear that the
// broker has closed its own; everybody else hears the will, once.
func TestDropHalfOpen(t *testing.T) {
	b := NewBroker(1)
	desk := b.Connect(Client{Name: "desk", Subscribe: []string{"status"}})
	a := b.Connect(Client{Name: "a", Will: func() mqtt.Message { return mqtt.Message{Topic: "status", Payload: []byte("0")} }})
	a.Blind()
	a.Drop()
	if up, _ := a.State(); !up {
		t.Error("a half-open link has heard that the broker closed it")
	}
	a.Drop()
	a.Cut()
	if got := received(desk); !slices.Equal(got, []string{"status=0"}) {
		t.Errorf("wills: %v", got)
	}
	a.Restore()
	a.Drop()
	if up, _ := a.State(); up {
		t.Error("a link that sees has not heard that the broker closed it")
	}
	if got := received(desk); !slices.Equal(got, []string{"status=0"}) {
		t.Errorf("wills after the second connection: %v", got)
	}
}

func TestDeniedSubscriptionIsDown(t *testing.T) {
	b := NewBroker(1)
	b.Set(Misdeeds{Deny: func(_ string, a Access, topic string) bool { return a == Subscribe && topic == "secret/#" }})
	l := b.Connect(Client{Name: "a", Subscribe: []string{"mine", "secret/#"}})
	if s := l.Status(); s.Up || !errors.Is(s.Err, errDenied) || !strings.Contains(s.Advice, "secret/#") {
		t.Errorf("status %+v", s)
	}
	b.Set(Misdeeds{})
	l.Restore()
	if up, _ := l.State(); !up {
		t.Error("still down when allowed")
	}
}

func TestTakeover(t *testing.T) {
	b := NewBroker(1)
	watch := b.Connect(Client{Name: "w", Subscribe: []string{"will"}})
	old := b.Connect(Client{Name: "a", Will: func() mqtt.Message { return mqtt.Message{Topic: "will"} }})
	b.Connect(Client{Name: "a"})
	old.Restore()
	if up, _ := old.State(); up || !errors.Is(old.Status().Err, errGone) {
		t.Errorf("two links of one name; status %+v", old.Status())
	}
	if got := received(watch); !slices.Equal(got, []string{"will="}) {
		t.Errorf("wills: %v", got)
	}
}

func TestSlowReaderLosesTheNewest(t *testing.T) {
	b := NewBroker(1)
	l := b.Connect(Client{Name: "a", Subscribe: []string{"x"}})
	for i := range backlog + 10 {
		say(t, l, "x", fmt.Sprint(i))
	}
	got := received(l)
	if len(got) != backlog || got[backlog-1] != fmt.Sprintf("x=%d", backlog-1) || l.Status().Dropped != 10 {
		t.Errorf("%d messages, the last %s, dropped %d", len(got), got[len(got)-1], l.Status().Dropped)
	}
}

func TestRefusedAsByTheRealLink(t *testing.T) {
	l := NewBroker(1).Connect(Client{Name: "a"})
	for _, topic := range []string{"", "a/+", "#", "a\x00"} {
		if err := l.Publish(t.Context(), topic, nil); err == nil {
			t.Errorf("topic %q was sent", topic)
		}
	}
	if err := l.Publish(t.Context(), "a", make([]byte, mqtt.MaxPayload+1)); err == nil || errors.Is(err, mqtt.ErrDown) {
		t.Errorf("payload too large: %v", err)
	}
}

func TestInjectIgnoresMisdeeds(t *testing.T) {
	b := NewBroker(1)
	l := b.Connect(Client{Name: "a", Subscribe: []string{"x"}})
	b.Set(Misdeeds{Drop: 1, Deny: func(string, Access, string) bool { return true }})
	b.Inject(mqtt.Message{Topic: "x", Payload: []byte("forged")})
	if got := received(l); !slices.Equal(got, []string{"x=forged"}) {
		t.Errorf("received %v", got)
	}
}

// TestManyGoroutines is for the race detector: everything at once.
func TestManyGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBroker(3)
		b.Set(Misdeeds{Drop: 0.2, Duplicate: 0.2, Reorder: 0.2, Replay: 0.2, Delay: time.Second})
		var down atomic.Int64
		for i := range 4 {
			l := b.Connect(Client{Name: fmt.Sprint(i), Subscribe: []string{"x/#"}})
			go func() {
				for n := range 200 {
					switch n % 20 {
					case 7:
						l.Cut()
					case 9:
						l.Restore()
					}
					if err := l.Publish(t.Context(), fmt.Sprintf("x/%d", i), []byte("m")); errors.Is(err, mqtt.ErrDown) {
						down.Add(1)
					} else if err != nil {
						t.Error(err)
					}
					received(l)
					time.Sleep(time.Millisecond)
				}
			}()
		}
		time.Sleep(time.Minute)
		if down.Load() != 4*10*2 {
			t.Errorf("%d publishes found the link down", down.Load())
		}
	})
}
