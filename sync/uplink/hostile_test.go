package uplink

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// TestRefused: what is not signed by the right key in the right role for this
// gateway, is older than what is active, or too large, changes nothing and
// stands in the journal with the reason.
func TestRefused(t *testing.T) {
	k := makeKeys()
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32))
	ack := func(kind string, role wire.Role, address string, key ed25519.PrivateKey, change func(*wire.Ack)) []byte {
		a := wire.Ack{Epoch: 1, Next: 1 << 40, Window: 4, Time: 4_000_000_000}
		if change != nil {
			change(&a)
		}
		payload, err := wire.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		return sign(kind, role, address, payload, key)
	}
	trust := func(version uint64, key ed25519.PrivateKey, role wire.Role) []byte {
		payload, err := wire.Encode(k.trust(version))
		if err != nil {
			t.Fatal(err)
		}
		return sign(wire.TypeTrust, role, "registry", payload, key)
	}
	forged := bytes.Clone(ack(wire.TypeAck, wire.RoleWitness, "b/g", k.witness, nil))
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		kind    string
		payload []byte
		reason  wire.Reason
	}{
		"forged":            {wire.TypeAck, forged, wire.ReasonBadSignature},
		"stranger":          {wire.TypeAck, ack(wire.TypeAck, wire.RoleWitness, "b/g", stranger, nil), wire.ReasonBadSignature},
		"issuer as witness": {wire.TypeAck, ack(wire.TypeAck, wire.RoleWitness, "b/g", k.issuer, nil), wire.ReasonBadSignature},
		"role of an issuer": {wire.TypeAck, ack(wire.TypeAck, wire.RoleIssuer, "b/g", k.issuer, nil), wire.ReasonBadSignature},
		"other gateway's":   {wire.TypeAck, ack(wire.TypeAck, wire.RoleWitness, "b/other", k.witness, nil), wire.ReasonMisaddressed},
		"other type":        {wire.TypeAck, ack(wire.TypeList, wire.RoleWitness, "b/g", k.witness, nil), wire.ReasonMalformed},
		"not an envelope":   {wire.TypeAck, []byte("hello"), wire.ReasonMalformed},
		"empty":             {wire.TypeList, nil, wire.ReasonMalformed},
		"too large":         {wire.TypeList, make([]byte, wire.MaxMessage), wire.ReasonMalformed},
		"unknown type":      {"open-the-door", []byte{1}, wire.ReasonMalformed},
		"witness as root":   {wire.TypeTrust, trust(9, k.witness, wire.RoleRoot), wire.ReasonBadSignature},
		"list by a witness": {wire.TypeList, ack(wire.TypeList, wire.RoleWitness, "b/g", k.witness, nil), wire.ReasonMalformed},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			bubble(t, func(w *world) {
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				before := w.ring.floor
				w.broker.Inject(mqtt.Message{Topic: w.place.Down(c.kind), Payload: c.payload})
				time.Sleep(time.Second)
				if n := w.count(is(wire.KindRefused, wire.OutcomeRefused, c.reason)); n != 1 {
					t.Errorf("%d entries that it was refused as %s", n, c.reason)
				}
				if w.ring.floor > before+60 || w.ring.Trust().Version != 1 {
					t.Error("it was acted on")
				}
				if s := w.uplink.Status(); s.Refused != 1 {
					t.Errorf("%d refused in the status", s.Refused)
				}
				w.append(3)
				if !w.settle(time.Minute) || w.same() != "" {
					t.Errorf("entries do not arrive after it: %s", w.same())
				}
			})
		})
	}
}

// TestFloodOfForgeries: a thousand forged messages a minute make one entry a
// minute with their number.
func TestFloodOfForgeries(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		const each, times = 20, 100
		for range times {
			for range each {
				w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeAck), Payload: []byte("x")})
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		var entries, counted uint64
		w.count(func(h wire.Header) bool {
			if h.Kind == wire.KindRefused {
				entries, counted = entries+1, counted+h.Count
			}
			return true
		})
		if entries > 4 || counted != each*times {
			t.Errorf("%d entries that stand for %d messages, want at most 4 for %d", entries, counted, each*times)
		}
	})
}

// TestEndlessForgeries: a broker that never stops gets an entry an hour after the
// first ten, and none of its messages is left out of their counts.
func TestEndlessForgeries(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		const hours = 6
		for range hours * 60 {
			w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeAck), Payload: []byte("x")})
			time.Sleep(time.Minute)
		}
		time.Sleep(2 * time.Hour)
		var entries, counted uint64
		w.count(func(h wire.Header) bool {
			if h.Kind == wire.KindRefused {
				entries, counted = entries+1, counted+h.Count
			}
			return true
		})
		if entries > 10+hours+1 || counted != hours*60 {
			t.Errorf("%d entries that stand for %d messages, want at most %d for %d", entries, counted, 10+hours+1, hours*60)
		}
	})
}

// TestReplaysOfYesterday: everything that ever went over the broker comes again
// and moves nothing back.
func TestReplaysOfYesterday(t *testing.T) {
	bubble(t, func(w *world) {
		for range 5 {
			w.append(10)
			time.Sleep(time.Second)
		}
		time.Sleep(24 * time.Hour)
		at := w.journal.Acked()
		for _, m := range w.broker.Seen() {
			w.broker.Inject(m)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if now := w.journal.Acked(); now.Epoch != at.Epoch || now.Sequence < at.Sequence {
			t.Errorf("cursor went from %v to %v", at, now)
		}
		if !w.settle(time.Minute) || w.same() != "" || w.eachOnce() != "" {
			t.Error(w.same(), w.eachOnce())
		}
		if n := len(w.reg.store.epochs); n != 1 {
			t.Errorf("%d epochs", n)
		}
	})
}

// TestOldAcksDoNotOutliveARegistry: acks of a registry that lost its store since
// are true words about the past. A cursor that followed them would pass what is
// committed.
func TestOldAcksDoNotOutliveARegistry(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(40)
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.reg.kill()
		w.reg.store = store{epochs: map[uint64][]leaf{}, records: map[uint64][]string{}}
		w.reg.silent = true
		w.reg.start()
		w.link.Cut()
		w.link.Restore()
		time.Sleep(time.Second)
		w.append(1)
		old := w.broker.Seen()
		for range 40 {
			for _, m := range old {
				if m.Topic == w.place.Down(wire.TypeAck) {
					w.broker.Inject(m)
				}
			}
			time.Sleep(time.Second)
		}
		if s := w.uplink.Status(); s.State != StateGreeting {
			t.Errorf("state %q on nothing but old acks", s.State)
		}
		w.reg.mu.Lock()
		w.reg.silent = false
		w.reg.mu.Unlock()
		if !w.settle(10 * time.Minute) {
			t.Fatal("not in step")
		}
		if fault := w.same() + w.eachOnce(); fault != "" {
			t.Fatal(fault)
		}
	})
}

// TestDeniedPublish: a broker whose access list denies batches takes them
// without a word. The hello is answered, the entries are not confirmed: that
// must raise the alarm, and go when the list is mended.
func TestDeniedPublish(t *testing.T) {
	for _, kind := range []string{wire.TypeBatch, wire.TypeHello} {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(w *world) {
				if !w.settle(time.Minute) {
					t.Fatal("not in step")
				}
				w.broker.Set(faultnet.Misdeeds{Deny: func(_ string, a faultnet.Access, topic string) bool {
					return a == faultnet.Publish && topic == w.place.Up(kind)
				}})
				w.link.Cut()
				w.link.Restore()
				w.append(1)
				time.Sleep(29 * time.Second)
				if s := w.uplink.Status(); s.Problem != wire.ReasonNone {
					t.Errorf("alarm %s before 30 s", s.Problem)
				}
				time.Sleep(5 * time.Second) // two more, which the entry may be held
				if s := w.uplink.Status(); s.Problem != wire.ReasonNoAnswer {
					t.Errorf("after 34 s the problem is %q", s.Problem)
				}
				time.Sleep(20 * time.Minute)
				w.broker.Set(faultnet.Misdeeds{})
				if !w.settle(5 * time.Minute) {
					t.Fatal("not in step")
				}
				for _, outcome := range []wire.Outcome{wire.OutcomeActive, wire.OutcomeIdle} {
					if n := w.count(is(wire.KindUplink, outcome, wire.ReasonNoAnswer)); n != 1 {
						t.Errorf("%d entries %s", n, outcome)
					}
				}
			})
		})
	}
}

// TestLinkDown: ten minutes without a link are an alarm, two are not.
func TestLinkDown(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		w.link.Cut()
		w.append(2)
		time.Sleep(2 * time.Minute)
		if s := w.uplink.Status(); s.Problem != wire.ReasonNone || s.State != StateDown || s.Behind != 2 {
			t.Errorf("after 2 minutes: %+v", s)
		}
		time.Sleep(9 * time.Minute)
		if s := w.uplink.Status(); s.Problem != wire.ReasonNoLink {
			t.Errorf("after 11 minutes: %+v", s)
		}
		w.link.Restore()
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		if n := w.count(is(wire.KindUplink, wire.OutcomeIdle, wire.ReasonNoLink)); n != 1 {
			t.Errorf("%d entries that it is over", n)
		}
	})
}

// TestIdleTraffic: with nothing to say, a gateway says hello every few hours.
func TestIdleTraffic(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		before, bytes := len(w.broker.Seen()), 0
		time.Sleep(24 * time.Hour)
		for _, m := range w.broker.Seen()[before:] {
			bytes += len(m.Topic) + len(m.Payload)
		}
		if bytes > 50_000 {
			t.Errorf("%d bytes in an idle day", bytes)
		}
		if n := len(w.reg.helloAt); n < 6 {
			t.Errorf("%d hellos in a day", n)
		}
	})
}

// TestBackpressure: a registry asks for a pause, and nothing is sent before it is over.
func TestBackpressure(t *testing.T) {
	bubble(t, func(w *world) {
		w.stop()
		w.reg.kill()
		w.reg.window, w.reg.retry, w.reg.batches = 0, 20, 0
		w.reg.start()
		w.startGateway()
		w.append(100)
		time.Sleep(19 * time.Second)
		w.reg.mu.Lock()
		if w.reg.batches != 0 {
			t.Errorf("%d batches within the pause", w.reg.batches)
		}
		w.reg.window = 16
		w.reg.mu.Unlock()
		if !w.settle(time.Minute) || w.same() != "" {
			t.Errorf("not in step: %s", w.same())
		}
	})
}

// stuck is a link that takes nothing: its socket's buffer is full.
type stuck struct{ *faultnet.Link }

func (s stuck) Publish(ctx context.Context, _ string, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestStuckLinkEnds: Run ends although the link hangs.
func TestStuckLinkEnds(t *testing.T) {
	bubble(t, func(w *world) {
		u, err := New(Options{Link: stuck{w.client("other")}, Place: w.place, Journal: w.journal, Keyring: w.ring, Key: w.keys.gateway, Clock: w.stamp, Log: w.log()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { _ = u.Run(ctx); close(ended) }()
		time.Sleep(time.Minute)
		at := time.Now()
		stop()
		<-ended
		if d := time.Since(at); d > time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

// TestWrongRootMovesNothing: a witness that confirms other entries than those
// that were sent confirms nothing.
func TestWrongRootMovesNothing(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		at := w.uplink.Status().Stored
		w.reg.mu.Lock()
		w.reg.liar = true
		w.reg.mu.Unlock()
		w.append(10)
		time.Sleep(3 * time.Second)
		if now := w.uplink.Status().Stored; now != at {
			t.Errorf("cursor went from %v to %v", at, now)
		}
		w.reg.mu.Lock()
		w.reg.liar = false
		w.reg.mu.Unlock()
		if !w.settle(10*time.Minute) || w.same()+w.eachOnce() != "" {
			t.Error(w.same(), w.eachOnce())
		}
	})
}

// TestRefusalsAreShown: for as long as they come, and an hour.
func TestRefusalsAreShown(t *testing.T) {
	bubble(t, func(w *world) {
		if !w.settle(time.Minute) {
			t.Fatal("not in step")
		}
		if s := w.uplink.Status(); len(s.Refusals) != 0 {
			t.Errorf("in good weather: %v", s.Refusals)
		}
		part := sign(wire.TypeList, wire.RoleWitness, w.place.Address(), []byte("part"), w.keys.issuer)
		for range 3 {
			w.broker.Inject(mqtt.Message{Topic: w.place.Down(wire.TypeList), Payload: part})
			time.Sleep(10 * time.Second)
		}
		if s := w.uplink.Status(); len(s.Refusals) != 1 || s.Refusals[0] != (Refusal{wire.TypeList, wire.ReasonBadSignature}) {
			t.Errorf("after three: %v", s.Refusals)
		}
		time.Sleep(3 * time.Hour)
		if s := w.uplink.Status(); len(s.Refusals) != 0 {
			t.Errorf("hours later: %v", s.Refusals)
		}
	})
}

// TestAnswerOfAnotherEpoch: what answers a hello must be of the epoch that it asked about. Anything else, such
// as the ack of a batch of before, moves nothing, and begins no epoch.
func TestAnswerOfAnotherEpoch(t *testing.T) {
	bubble(t, func(w *world) {
		w.stop()
		if err := os.RemoveAll(w.dir); err != nil {
			t.Fatal(err)
		}
		w.reg.set(func(r *registry) { r.silent, r.store.epochs[77] = true, []leaf{{header: "of another journal"}} })
		w.startGateway()
		w.append(3)
		time.Sleep(10 * time.Second)
		other := w.broker.Connect(faultnet.Client{Name: "registry's other connection"})
		hellos := 0
		w.reg.set(func(r *registry) { r.answer(other, 77); hellos = len(r.helloAt) })
		synctest.Wait()
		w.reg.set(func(r *registry) {
			if len(r.helloAt) != hellos {
				t.Errorf("%d more hellos at once", len(r.helloAt)-hellos)
			}
			r.silent = false
		})
		if n := w.count(func(h wire.Header) bool { return h.Kind == wire.KindEpoch }); n > 0 {
			t.Errorf("%d new epochs", n)
		}
		w.inStep(t)
		if fault := cmp.Or(w.same(), w.eachOnce()); fault != "" {
			t.Error(fault)
		}
	})
}

// TestEpochsAreRare: a registry that contradicts whatever is said to it fills no disk with new epochs, and
// gets all once it is right.
func TestEpochsAreRare(t *testing.T) {
	bubble(t, func(w *world) {
		w.append(3)
		w.inStep(t)
		w.reg.set(func(r *registry) { r.other = true })
		for range 120 {
			w.link.Cut()
			w.link.Restore()
			time.Sleep(time.Minute)
		}
		n := w.count(func(h wire.Header) bool { return h.Kind == wire.KindEpoch })
		if n < 4 || n > 10 {
			t.Errorf("%d new epochs in two hours", n)
		}
		w.reg.set(func(r *registry) { r.other = false })
		w.link.Cut()
		w.link.Restore()
		if !w.settle(2 * time.Hour) {
			t.Errorf("not in step: %+v", w.uplink.Status())
		}
	})
}
