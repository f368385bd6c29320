package door_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
)

// pins has one PIN for all, and takes its time.
type pins struct {
	has   bool
	takes time.Duration
}

func (p pins) HasPIN(wire.ID) bool { return p.has }
func (p pins) CheckPIN(_ wire.Who, typed device.PIN) (bool, error) {
	time.Sleep(p.takes)
	return typed.Digits() == "4711", nil
}

// shown remembers what people at the readers saw.
type shown struct {
	mu  sync.Mutex
	all []string
}

func (s *shown) show(reader string, f device.Feedback) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, reader+" "+f.String())
}

func (s *shown) wants(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.all, want) {
		t.Errorf("shown %q, want %q", s.all, want)
	}
}

func withPIN(p pins, s *shown) func(*door.Config, *door.Parts) {
	return func(c *door.Config, parts *door.Parts) {
		c.Readers[0].PIN = true
		parts.PINs, parts.Show = p, s.show
	}
}

// withPINs is withPIN at two readers, "in" and "side".
func withPINs(p pins, s *shown) func(*door.Config, *door.Parts) {
	return func(c *door.Config, parts *door.Parts) {
		withPIN(p, s)(c, parts)
		c.Readers = append(c.Readers, door.Reader{ID: "side", Direction: wire.DirectionIn, PIN: true})
	}
}

func (b *bench) key(reader, digits string) {
	p, _ := device.NewPIN(digits)
	b.events <- device.Event{Kind: device.PINEntered, Source: reader, PIN: p}
	synctest.Wait()
}

// reasons of all decisions so far.
func (b *bench) reasons() (all []string) {
	for _, h := range b.book.only(wire.KindAccess) {
		all = append(all, h.Reason.String())
	}
	return all
}

// methods of all decisions so far.
func (b *bench) methods() (all []wire.Method) {
	b.book.mu.Lock()
	defer b.book.mu.Unlock()
	for i, h := range b.book.entries {
		if h.Kind == wire.KindAccess {
			all = append(all, b.book.who[i].Method)
		}
	}
	return all
}

// TestCardAndPIN: what is done at the reader, and what stands in the log.
func TestCardAndPIN(t *testing.T) {
	for name, c := range map[string]struct {
		has      bool
		do       func(*bench)
		released bool
		reasons  []string
		shown    []string
		methods  []wire.Method // of the last entries; 0: it names nobody
	}{
		"card and PIN": {true, func(b *bench) { b.swipe("in", known); b.key("in", "4711") }, true,
			[]string{"granted"}, []string{"in enter_pin", "in idle"}, []wire.Method{2}},
		"wrong PIN": {true, func(b *bench) { b.swipe("in", known); b.key("in", "0815") }, false,
			[]string{"wrong_pin_at_door"}, []string{"in enter_pin", "in idle", "in denied"}, []wire.Method{2}},
		"card alone": {true, func(b *bench) { b.swipe("in", known); time.Sleep(time.Minute) }, false,
			[]string{"pin_missing"}, []string{"in enter_pin", "in idle", "in denied"}, []wire.Method{1}},
		"PIN alone": {true, func(b *bench) { b.key("in", "4711") }, false,
			[]string{"pin_alone"}, []string{"in denied"}, []wire.Method{0}},
		"PIN too late": {true, func(b *bench) { b.swipe("in", known); time.Sleep(20 * time.Second); b.key("in", "4711") }, false,
			[]string{"pin_missing", "pin_alone"}, []string{"in enter_pin", "in idle", "in denied", "in denied"}, []wire.Method{1, 0}},
		"PIN of another reader": {true, func(b *bench) { b.swipe("in", known); b.key("other", "4711") }, false,
			[]string{"pin_alone"}, []string{"in enter_pin", "other denied"}, []wire.Method{0}},
		"a tenancy without PIN": {false, func(b *bench) { b.swipe("in", known) }, true,
			[]string{"granted"}, nil, []wire.Method{1}},
		"a stranger is not asked": {true, func(b *bench) { b.swipe("in", stranger) }, false,
			[]string{"unknown_card"}, []string{"in denied"}, []wire.Method{1}},
		"way out": {true, func(b *bench) { b.swipe("out", stranger) }, true,
			[]string{"exit"}, nil, []wire.Method{1}},
		"keys on the way out": {true, func(b *bench) { b.key("out", "1") }, true, nil, nil, nil},
		"the card again while its PIN is checked": {true, func(b *bench) {
			b.swipe("in", known)
			time.Sleep(3 * time.Second)
			b.key("in", "4711")
			b.swipe("in", known)
			time.Sleep(time.Second)
			b.swipe("in", stranger)
		}, true,
			[]string{"granted", "unknown_card"}, []string{"in enter_pin", "in idle", "in denied"}, []wire.Method{2, 1}},
		"the card again before its PIN": {true, func(b *bench) {
			b.swipe("in", known)
			time.Sleep(13 * time.Second)
			b.swipe("in", known)
			time.Sleep(13 * time.Second)
			b.key("in", "4711")
		}, true,
			[]string{"granted"}, []string{"in enter_pin", "in enter_pin", "in idle"}, []wire.Method{2}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shown{}
				b := start(t, withPIN(pins{c.has, 500 * time.Millisecond}, s))
				c.do(b)
				time.Sleep(time.Second)
				synctest.Wait()
				if b.lock.isReleased() != c.released || !slices.Equal(b.reasons(), c.reasons) {
					t.Errorf("released %t, entries %q", b.lock.isReleased(), b.reasons())
				}
				if got := b.methods(); !slices.Equal(got, c.methods) {
					t.Errorf("shown by %v, want %v", got, c.methods)
				}
				s.wants(t, c.shown...)
			})
		})
	}
}

// TestExitWhilePINIsChecked: a slow hash delays no exit button.
func TestExitWhilePINIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, withPIN(pins{true, 10 * time.Second}, &shown{}))
		b.swipe("in", known)
		b.key("in", "4711")
		b.input(device.InputExit, true)
		if !b.lock.isReleased() {
			t.Error("the exit button waits for a PIN")
		}
		time.Sleep(11 * time.Second)
	})
}

// TestStopWhilePINIsChecked: who was about to come in stands in the log, and who
// was not asked yet, whichever the stop comes to first.
func TestStopWhilePINIsChecked(t *testing.T) {
	for range 64 {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, withPINs(pins{true, time.Second}, &shown{}))
			b.swipe("in", known)
			b.swipe("side", known)
			b.key("in", "4711")
			b.stop()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !slices.Equal(b.reasons(), []string{"pin_missing", "pin_missing"}) {
				t.Fatalf("entries %q", b.reasons())
			}
		})
	}
}

// TestOnePINAtATime: while one is checked, another is not.
func TestOnePINAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &countedPINs{pins: pins{true, time.Second}}
		b := start(t, func(c *door.Config, parts *door.Parts) { c.Readers[0].PIN, parts.PINs = true, p })
		b.swipe("in", known)
		b.key("in", "4711")
		b.key("in", "4711")
		time.Sleep(3 * time.Second)
		if n := p.checks.Load(); n != 1 || !slices.Equal(b.reasons(), []string{"granted"}) {
			t.Errorf("%d checks, entries %q", n, b.reasons())
		}
	})
}

type countedPINs struct {
	pins
	checks atomic.Int32
}

func (p *countedPINs) CheckPIN(who wire.Who, typed device.PIN) (bool, error) {
	p.checks.Add(1)
	return p.pins.CheckPIN(who, typed)
}

// TestStalePIN: one that waited while the process hung opens nothing.
func TestStalePIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{true, 0}, &shown{})(c, p)
			p.Monotonic = func() time.Duration { return time.Hour }
		})
		b.swipe("in", known)
		pin, _ := device.NewPIN("4711")
		b.events <- device.Event{Kind: device.PINEntered, Source: "in", PIN: pin, At: time.Hour - 5*time.Second}
		time.Sleep(time.Second)
		if b.lock.isReleased() {
			t.Error("a stale PIN opens")
		}
	})
}

// TestPINAtEachReader: two people at two readers of a door do not keep each
// other out.
func TestPINAtEachReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, withPINs(pins{true, time.Second}, s))
		b.swipe("in", known)
		b.swipe("side", known)
		b.key("in", "4711")
		time.Sleep(2 * time.Second)
		if !b.lock.isReleased() {
			t.Error("a card at another reader keeps this one out")
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if !slices.Equal(b.reasons(), []string{"granted", "pin_missing"}) {
			t.Errorf("entries %q", b.reasons())
		}
		s.wants(t, "in enter_pin", "side enter_pin", "in idle", "side idle", "side denied")
	})
}

// TestEachWaitEndsByItself: a card that waits at another reader puts off nothing.
func TestEachWaitEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, withPINs(pins{true, 0}, &shown{}))
		b.swipe("in", known)
		time.Sleep(5 * time.Second)
		b.swipe("side", known)
		for _, want := range [][]string{{"pin_missing"}, {"pin_missing", "pin_missing"}} {
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if !slices.Equal(b.reasons(), want) {
				t.Errorf("entries %q, want %q", b.reasons(), want)
			}
		}
	})
}

// TestPINOfTheNextCard: the next card at a reader takes the place of the one that
// waits for its PIN; one whose PIN is being checked gets its answer.
func TestPINOfTheNextCard(t *testing.T) {
	const other = known + 1
	for name, c := range map[string]struct {
		first   string        // typed for the first card
		apart   time.Duration // until the next card
		typing  time.Duration // until its PIN
		reasons []string
		shown   []string
	}{
		"none typed":    {"", 0, 2 * time.Second, []string{"pin_missing", "granted"}, []string{"in enter_pin", "in idle", "in denied", "in enter_pin", "in idle"}},
		"being checked": {"4711", 0, 2 * time.Second, []string{"granted", "granted"}, []string{"in enter_pin", "in enter_pin", "in idle"}},
		"both being checked": {"4711", 500 * time.Millisecond, 0,
			[]string{"granted", "granted"}, []string{"in enter_pin", "in enter_pin", "in idle"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shown{}
				b := start(t, func(cfg *door.Config, p *door.Parts) {
					withPIN(pins{true, time.Second}, s)(cfg, p)
					p.Keys = ring{grantTo(t, known, other)}
				})
				b.swipe("in", known)
				if c.first != "" {
					b.key("in", c.first)
				}
				time.Sleep(c.apart)
				b.swipe("in", other)
				time.Sleep(c.typing)
				b.key("in", "4711")
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if !slices.Equal(b.reasons(), c.reasons) {
					t.Errorf("entries %q, want %q", b.reasons(), c.reasons)
				}
				s.wants(t, c.shown...)
			})
		})
	}
}

// TestGrantEndsBeforePIN: a key that ends between card and PIN opens nothing,
// whether it is taken or its time is over.
func TestGrantEndsBeforePIN(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(*testing.T, *changing)
		reason string
	}{
		"taken":         {func(t *testing.T, k *changing) { k.end(t) }, "unknown_card"},
		"its time over": {func(*testing.T, *changing) { time.Sleep(8 * time.Second) }, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				keys := &changing{ring: ring{visit(t, 1005)}}
				b := start(t, func(cfg *door.Config, p *door.Parts) {
					withPIN(pins{true, time.Second}, &shown{})(cfg, p)
					p.Keys = keys
					p.Clock = func() access.Time { return access.At(1000 + int64(time.Since(begun).Seconds())) }
				})
				b.swipe("in", known)
				c.end(t, keys)
				b.key("in", "4711")
				time.Sleep(2 * time.Second)
				if b.lock.isReleased() || !slices.Equal(b.reasons(), []string{c.reason}) {
					t.Errorf("released %t, entries %q", b.lock.isReleased(), b.reasons())
				}
			})
		})
	}
}

// visit lets the known card in until a time in unix seconds.
func visit(t *testing.T, until uint32) *access.Grants {
	t.Helper()
	return grantsOf(t, wire.Grant{Credential: wire.CredentialID{1, known}, ID: wire.ID{7}, Tenancy: wire.ID{8},
		Kind: wire.GrantVisitor, State: wire.GrantActive, From: 1, Until: until})
}

// TestDenialIsShown: at each presentation, not while the card is held, and not
// where people leave or a card is taken for registration.
func TestDenialIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		taken := false
		b := start(t, func(_ *door.Config, p *door.Parts) {
			p.Show, p.Watch = s.show, func(door.Seen) bool { return taken }
		})
		b.swipe("in", stranger)
		b.swipe("in", stranger)
		time.Sleep(2 * time.Second)
		b.swipe("in", stranger)
		b.swipe("out", stranger)
		taken = true
		b.swipe("in", stranger+1)
		s.wants(t, "in denied", "in denied")
	})
}

// TestHeldIsShown: a door that stands open is told at its readers.
func TestHeldIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Show = s.show })
		b.input(device.InputExit, true)
		b.input(device.InputExit, false)
		b.input(device.InputContact, true)
		time.Sleep(2 * time.Minute)
		b.input(device.InputContact, false)
		s.wants(t, " held", " idle")
	})
}

// TestPINAfterTheDesksCard: after a card that the desk took the door waits for no PIN:
// the one that is typed then is the desk's.
func TestPINAfterTheDesksCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, typed := &shown{}, 0
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{true, 0}, s)(c, p)
			times := 0
			p.Watch = func(door.Seen) bool { times++; return times == 2 }
			p.Typed = func(door.Typed) bool { typed++; return true }
		})
		b.swipe("in", known)
		time.Sleep(13 * time.Second)
		b.swipe("in", known)
		b.key("in", "4711")
		time.Sleep(time.Second)
		synctest.Wait()
		if typed != 1 || b.lock.isReleased() {
			t.Errorf("%d PINs came to the desk, door released %v", typed, b.lock.isReleased())
		}
		if !slices.Equal(b.reasons(), []string{"pin_missing", "capture"}) {
			t.Errorf("entries %q", b.reasons())
		}
		s.wants(t, "in enter_pin", "in idle", "in idle")
	})
}

// TestPINForTheDesk: a PIN that the desk waits for is nothing to the door, but one
// that follows a card stays the door's.
func TestPINForTheDesk(t *testing.T) {
	var taken []door.Typed
	wanted := func(t door.Typed) bool { taken = append(taken, t); return true }
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(c *door.Config, p *door.Parts) { withPIN(pins{has: true}, s)(c, p); p.Typed = wanted })
		b.key("in", "2580")
		if len(taken) != 1 || taken[0].PIN.Digits() != "2580" || taken[0].Reader != "in" || len(b.reasons()) != 0 {
			t.Errorf("%d PINs for the desk, and %q", len(taken), b.reasons())
		}
		b.swipe("in", known)
		b.key("in", "4711")
		if len(taken) != 1 || !slices.Equal(b.reasons(), []string{"granted"}) {
			t.Errorf("%d PINs for the desk, and %q", len(taken), b.reasons())
		}
	})
}
