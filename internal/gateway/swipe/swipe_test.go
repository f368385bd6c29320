package swipe

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/door"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"

	"github.com/rs/zerolog"
)

// TestTakenCards: who waits for a card gets that of nobody who only comes home: it
// has to be held up twice, with a rest in between, at one reader, with the door shut.
func TestTakenCards(t *testing.T) {
	const reader, card = "in", 1
	seen := func(n byte, change ...func(*door.Seen)) door.Seen {
		s := door.Seen{Door: "front", Reader: reader, Reason: wire.ReasonGranted, Credential: wire.CredentialID{1, n}}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	rest := 10*time.Second + 5*time.Second // of which the door is released
	later := func(d *Swipes, wait time.Duration, s door.Seen) bool {
		time.Sleep(wait)
		return d.take(s) != nil
	}
	for name, c := range map[string]struct {
		come func(d *Swipes) bool // the last hold-up
		want bool
	}{
		"once":                {func(d *Swipes) bool { return later(d, 0, seen(card)) }, false},
		"twice with a rest":   {func(d *Swipes) bool { d.take(seen(card)); return later(d, rest, seen(card)) }, true},
		"again at once":       {func(d *Swipes) bool { d.take(seen(card)); return later(d, 3*time.Second, seen(card)) }, false},
		"when it shut again":  {func(d *Swipes) bool { d.take(seen(card)); return later(d, rest-time.Second, seen(card)) }, false},
		"an hour later":       {func(d *Swipes) bool { d.take(seen(card)); return later(d, time.Hour, seen(card)) }, false},
		"the card of another": {func(d *Swipes) bool { d.take(seen(card)); return later(d, rest, seen(card+1)) }, false},
		"another between": {func(d *Swipes) bool {
			d.take(seen(card))
			later(d, 5*time.Second, seen(card+1))
			return later(d, 10*time.Second, seen(card))
		}, true},
		"in by another reader": {func(d *Swipes) bool {
			d.take(seen(card))
			return later(d, rest, seen(card, func(s *door.Seen) { s.Reader = "out" }))
		}, false},
		"by another door": {func(d *Swipes) bool {
			d.take(seen(card))
			d.take(seen(card, func(s *door.Seen) { s.Door = "yard" }))
			return later(d, rest, seen(card))
		}, false},
		"through the door": {func(d *Swipes) bool {
			d.take(seen(card))
			return later(d, rest, seen(card, func(s *door.Seen) { s.Openeds++ }))
		}, false},
		"impatient, then later": {func(d *Swipes) bool {
			d.take(seen(card))
			later(d, 4*time.Second, seen(card))
			return later(d, rest, seen(card))
		}, false},
		"resting on the reader": {func(d *Swipes) bool {
			d.take(seen(card))
			for range 60 {
				if later(d, time.Second, seen(card, func(s *door.Seen) { s.Held = true })) {
					return true
				}
			}
			return false
		}, false},
		"rested there, then again": {func(d *Swipes) bool {
			d.take(seen(card))
			later(d, 9*time.Second, seen(card, func(s *door.Seen) { s.Held = true }))
			return later(d, rest, seen(card))
		}, true},
		"there before": {func(d *Swipes) bool {
			d.take(seen(card, func(s *door.Seen) { s.Held = true }))
			return later(d, rest, seen(card))
		}, false},
	} {
		for _, twice := range []bool{true, false} { // also where a new card is waited for: this one opens here
			synctest.Test(t, func(t *testing.T) {
				d := waiting(twice)
				if got := c.come(d); got != c.want || got == (d.waiting != nil) {
					t.Errorf("%s (a proof: %v): taken %v, want %v", name, twice, got, c.want)
				}
			})
		}
	}
}

// waiting is a wait for a card at the front door, which is released for 5 s.
func waiting(twice bool) *Swipes {
	d := New(nil, nil, &site.Site{Doors: []site.Door{{ID: "front", ReleaseSeconds: 5}}}, 10*time.Second, zerolog.Nop())
	d.wait(twice)
	return d
}

func (d *Swipes) wait(twice bool) {
	d.waiting = &capture{door: "front", twice: twice, taken: make(chan Card, 1), held: map[wire.CredentialID]*heldUp{}}
}

// TestCardsInUse: a card that nobody has is taken at once where a new one is waited
// for, and one that is suspended, or opens elsewhere, is not.
func TestCardsInUse(t *testing.T) {
	for reason, want := range map[wire.Reason]bool{wire.ReasonUnknown: true, wire.ReasonRevoked: true, wire.ReasonExpired: true, wire.ReasonGranted: false,
		wire.ReasonTermDoubtful: false, wire.ReasonSuspended: false, wire.ReasonNotYet: false, wire.ReasonWrongDoor: false, wire.ReasonNotReady: false} {
		for _, twice := range []bool{true, false} {
			d := waiting(twice)
			if got := d.take(door.Seen{Door: "front", Reason: reason, Credential: wire.CredentialID{1}}) != nil; got != (want && !twice) {
				t.Errorf("%v (a proof: %v): taken %v", reason, twice, got)
			}
		}
	}
}

// TestListeningIsNoWatch: while the old controller decides, a card that is unknown here is
// that of somebody who comes home: it is taken only when it is held up twice on purpose.
func TestListeningIsNoWatch(t *testing.T) {
	for _, reason := range []wire.Reason{wire.ReasonUnknown, wire.ReasonNotReady} {
		for _, twice := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				d := waiting(twice)
				d.Listening = true
				s := door.Seen{Door: "front", Reason: reason, Credential: wire.CredentialID{1}}
				if d.take(s) != nil {
					t.Errorf("%v (a proof: %v): whoever waits for cards learns who comes home", reason, twice)
				}
				time.Sleep(20 * time.Second)
				if d.take(s) == nil {
					t.Errorf("%v (a proof: %v): held up twice, and not taken", reason, twice)
				}
			})
		}
	}
}

// TestTakenCardsOfAnHour: who asks again and again does not learn all day who comes.
func TestTakenCardsOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := waiting(true)
		twice := func(n byte) bool {
			d.wait(true)
			s := door.Seen{Door: "front", Reason: wire.ReasonGranted, Credential: wire.CredentialID{1, n}}
			d.take(s)
			time.Sleep(20 * time.Second)
			return d.take(s) != nil
		}
		for n := range byte(keptHour) {
			if !twice(n) {
				t.Errorf("card %d is not taken", n)
			}
		}
		if twice(100) {
			t.Error("more are taken than an hour has")
		}
		time.Sleep(time.Hour)
		if !twice(100) {
			t.Error("an hour later it is not taken")
		}
	})
}

// TestSwipes: only the card at the reader that somebody waits at is taken, and
// not one that lay there before.
func TestSwipes(t *testing.T) {
	key, err := keys.GenerateBuildingKey(1)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "x", Keys: keys.Keys{Building: key}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	d := New(k.Keys, k.Adopt, &site.Site{}, 10*time.Second, zerolog.Nop())
	c := &capture{door: "front", reader: "in", taken: nil}
	for name, s := range map[string]door.Seen{
		"another door":   {Door: "yard", Reader: "in", Reason: wire.ReasonUnknown},
		"another reader": {Door: "front", Reader: "side", Reason: wire.ReasonUnknown},
		"held before":    {Door: "front", Reader: "in", Reason: wire.ReasonUnknown, Held: true},
		"no keys":        {Door: "front", Reader: "in", Reason: wire.ReasonNotReady},
	} {
		d.waiting = c
		s.Card = device.CardOf(5, 26)
		if d.Watch(s) {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := d.Next(t.Context(), "front", "in", false); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one waits too: %v", err)
	}
	d.waiting = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Next(ctx, "front", "in", false); !errors.Is(err, context.Canceled) || d.waiting != nil {
		t.Errorf("a wait that was given up: %v, still waiting %v", err, d.waiting != nil)
	}
}

// TestOnePIN: a wait for a PIN takes one; the next is judged by the door.
func TestOnePIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, got := waiting(false), make(chan error, 1)
		go func() { _, err := d.NextPIN(t.Context(), "front"); got <- err }()
		synctest.Wait()
		if d.Typed(door.Typed{Door: "yard"}) {
			t.Error("a PIN of another door was taken")
		}
		first, second := d.Typed(door.Typed{Door: "front"}), d.Typed(door.Typed{Door: "front"})
		if err := <-got; err != nil || !first || second {
			t.Errorf("the first is taken: %t, the second: %t, %v", first, second, err)
		}
		if d.Typed(door.Typed{Door: "front"}) {
			t.Error("a PIN was taken for which nobody waits")
		}
	})
}

// TestEndedWaitLeavesTheNext: who gives up when a card has come already frees no place of somebody else's.
func TestEndedWaitLeavesTheNext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var mu sync.Mutex
	ended, next := &capture{}, &capture{}
	place := next
	if _, err := await(ctx, &mu, &place, ended, make(chan Card)); err == nil || place != next {
		t.Errorf("the place is free: %t, %v", place == nil, err)
	}
	if _, err := await(ctx, &mu, &place, next, make(chan Card)); err == nil || place != nil {
		t.Errorf("who gave up keeps the place: %v", err)
	}
}

// TestOwnCards: a resident's wait takes the own card held up twice, and nobody else's; what it takes proves nothing at a
// desk that waits at the same reader, which knows nothing of it; and who gives up waits no more.
func TestOwnCards(t *testing.T) {
	key, err := keys.GenerateBuildingKey(1)
	if err != nil {
		t.Fatal(err)
	}
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "x", Keys: keys.Keys{Building: key}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	synctest.Test(t, func(t *testing.T) {
		d := New(k.Keys, k.Adopt, &site.Site{Doors: []site.Door{{ID: "front", ReleaseSeconds: 5}}}, 10*time.Second, zerolog.Nop())
		d.wait(true)
		desk := d.waiting
		wait := func(n byte) (func(), chan error) {
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error, 1)
			go func() {
				c, err := d.Own(ctx, "", map[wire.CredentialID]bool{{1, n}: true})
				if err == nil && c != device.CardOf(uint64(n), 26) {
					t.Errorf("resident %d gets %v", n, c)
				}
				got <- err
			}()
			synctest.Wait()
			return cancel, got
		}
		_, one := wait(1)
		giveUp, two := wait(2)
		seen := func(n byte) bool {
			return d.Watch(door.Seen{Door: "front", Reader: "in", Card: device.CardOf(uint64(n), 26), Reason: wire.ReasonGranted, Credential: wire.CredentialID{1, n}})
		}
		if seen(1) || seen(2) {
			t.Error("a card that is held up once is taken")
		}
		time.Sleep(20 * time.Second)
		if !seen(1) || <-one != nil || d.waiting != desk {
			t.Errorf("the own card is not taken, or by the desk: %v", d.waiting)
		}
		for range 3 { // the resident reads again, or comes home
			time.Sleep(20 * time.Second)
			if seen(1) {
				t.Error("the own card proves something at the desk afterwards")
			}
		}
		giveUp()
		if err := <-two; !errors.Is(err, context.Canceled) || len(d.own) != 0 {
			t.Errorf("who gave up: %v, %d wait", err, len(d.own))
		}
		seen(3)
		time.Sleep(20 * time.Second)
		if seen(2) || !seen(3) || len(desk.taken) != 1 {
			t.Error("the desk gets a card that a resident waited for, or none")
		}
	})
}
