package door_test

import (
	"slices"
	"sync"
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

func (p pins) Has(wire.ID) bool { return p.has }
func (p pins) Check(_ wire.ID, typed device.PIN) (bool, error) {
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

// TestCardAndPIN: what is done at the reader, and what stands in the log.
func TestCardAndPIN(t *testing.T) {
	for name, c := range map[string]struct {
		has      bool
		do       func(*bench)
		released bool
		reasons  []string
		shown    []string
	}{
		"card and PIN": {true, func(b *bench) { b.swipe("in", known); b.key("in", "4711") }, true,
			[]string{"granted"}, []string{"in enter_pin", "in idle"}},
		"wrong PIN": {true, func(b *bench) { b.swipe("in", known); b.key("in", "0815") }, false,
			[]string{"wrong_pin_at_door"}, []string{"in enter_pin", "in idle", "in denied"}},
		"card alone": {true, func(b *bench) { b.swipe("in", known); time.Sleep(time.Minute) }, false,
			[]string{"pin_missing"}, []string{"in enter_pin", "in idle", "in denied"}},
		"PIN alone": {true, func(b *bench) { b.key("in", "4711") }, false,
			[]string{"pin_alone"}, []string{"in denied"}},
		"PIN too late": {true, func(b *bench) { b.swipe("in", known); time.Sleep(20 * time.Second); b.key("in", "4711") }, false,
			[]string{"pin_missing", "pin_alone"}, []string{"in enter_pin", "in idle", "in denied", "in denied"}},
		"PIN of another reader": {true, func(b *bench) { b.swipe("in", known); b.key("other", "4711") }, false,
			[]string{"pin_alone"}, []string{"in enter_pin", "other denied"}},
		"a tenancy without PIN": {false, func(b *bench) { b.swipe("in", known) }, true,
			[]string{"granted"}, nil},
		"a stranger is not asked": {true, func(b *bench) { b.swipe("in", stranger) }, false,
			[]string{"unknown_card"}, []string{"in denied"}},
		"way out": {true, func(b *bench) { b.swipe("out", stranger) }, true,
			[]string{"exit"}, nil},
		"keys on the way out": {true, func(b *bench) { b.key("out", "1") }, true, nil, nil},
		"the card again while its PIN is checked": {true, func(b *bench) {
			b.swipe("in", known)
			time.Sleep(3 * time.Second)
			b.key("in", "4711")
			b.swipe("in", known)
			time.Sleep(time.Second)
			b.swipe("in", stranger)
		}, true,
			[]string{"granted", "unknown_card"}, []string{"in enter_pin", "in idle", "in denied"}},
		"the card again before its PIN": {true, func(b *bench) {
			b.swipe("in", known)
			time.Sleep(13 * time.Second)
			b.swipe("in", known)
			time.Sleep(13 * time.Second)
			b.key("in", "4711")
		}, true,
			[]string{"granted"}, []string{"in enter_pin", "in enter_pin", "in idle"}},
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
		b.input(door.InputExit, true)
		if !b.lock.isReleased() {
			t.Error("the exit button waits for a PIN")
		}
		time.Sleep(11 * time.Second)
	})
}

// TestStopWhilePINIsChecked: who was about to come in stands in the log.
func TestStopWhilePINIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, withPIN(pins{true, time.Second}, &shown{}))
		b.swipe("in", known)
		b.key("in", "4711")
		b.stop()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !slices.Equal(b.reasons(), []string{"pin_missing"}) {
			t.Errorf("entries %q", b.reasons())
		}
	})
}

// TestPINAtEachReader: two people at two readers of a door do not keep each
// other out.
func TestPINAtEachReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{true, time.Second}, s)(c, p)
			c.Readers = append(c.Readers, door.Reader{ID: "side", Direction: wire.DirectionIn, PIN: true})
		})
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

// TestPINOfTheNextCard: the next card at a reader takes the place of the one that
// waits for its PIN; one whose PIN is being checked gets its answer.
func TestPINOfTheNextCard(t *testing.T) {
	const other = known + 1
	for name, c := range map[string]struct {
		first   string // typed for the first card
		reasons []string
		shown   []string
	}{
		"none typed":    {"", []string{"pin_missing", "granted"}, []string{"in enter_pin", "in idle", "in denied", "in enter_pin", "in idle"}},
		"being checked": {"4711", []string{"granted", "granted"}, []string{"in enter_pin", "in enter_pin", "in idle"}},
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
				b.swipe("in", other)
				time.Sleep(2 * time.Second)
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

// TestGrantEndsBeforePIN: a key that ends between card and PIN opens nothing.
func TestGrantEndsBeforePIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := ring{oneGrant(t)}
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{true, time.Second}, &shown{})(c, p)
			p.Keys = &keys
		})
		b.swipe("in", known)
		empty, err := access.NewBucket(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		none, err := access.NewGrants(access.Doors{IDs: []string{"front"}}, 0, []*access.Bucket{empty})
		if err != nil {
			t.Fatal(err)
		}
		keys.grants = none
		b.key("in", "4711")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.lock.isReleased() || !slices.Equal(b.reasons(), []string{"unknown_card"}) {
			t.Errorf("released %t, entries %q", b.lock.isReleased(), b.reasons())
		}
	})
}

// passes knows one code, good once.
type passes struct {
	mu   sync.Mutex
	used bool
}

func (p *passes) Decide(c device.Code, _ string, _ door.Clock) door.Pass {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.Text() != "pass":
		return door.Pass{Reason: wire.ReasonBadCode}
	case p.used:
		return door.Pass{Reason: wire.ReasonReplayed, Who: wire.Who{Tenancy: &wire.ID{8}}}
	}
	return door.Pass{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &wire.ID{8}}}
}

func (p *passes) Use(door.Pass) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.used
	p.used = true
	return !was
}

func (b *bench) scan(reader, text string) {
	c, _ := device.NewCode(text)
	b.events <- device.Event{Kind: device.CodeRead, Source: reader, Code: c}
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
}

// TestCodes: a pass opens once; held before the scanner it is one presentation.
func TestCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Passes, p.Show = &passes{}, s.show })
		b.scan("in", "https://example.org")
		if b.lock.isReleased() {
			t.Error("any code opens")
		}
		for range 5 {
			b.scan("in", "pass")
		}
		if !b.lock.isReleased() {
			t.Error("a pass opens nothing")
		}
		time.Sleep(10 * time.Second)
		b.scan("in", "pass")
		if b.lock.isReleased() {
			t.Error("a pass opens twice")
		}
		b.scan("out", "anything")
		if !b.lock.isReleased() {
			t.Error("no way out by a code")
		}
		if want := []string{"bad_code", "granted", "replayed", "exit"}; !slices.Equal(b.reasons(), want) {
			t.Errorf("entries %q, want %q", b.reasons(), want)
		}
		s.wants(t, "in denied", "in denied")
	})
}

// TestReaderNews: tamper begins and ends, a key is exchanged: all of it stands in
// the log, and a card does not hide the tamper.
func TestReaderNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: device.FaultTamper, Active: true}
		b.swipe("in", known)
		if f := b.Status().Devices["in"].Fault; f != device.FaultTamper {
			t.Errorf("status says %v", f)
		}
		b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: device.FaultTamper}
		for k := device.InstallOpened; k <= device.KeyFailed; k++ {
			b.events <- device.Event{Kind: k, Source: "in"}
		}
		synctest.Wait()
		if f := b.Status().Devices["in"].Fault; f != device.FaultNone {
			t.Errorf("status says %v", f)
		}
		faults := b.book.only(wire.KindFault)
		if len(faults) != 2 || faults[0].Outcome != wire.OutcomeActive || !faults[0].Alarm() || faults[1].Outcome != wire.OutcomeIdle || faults[1].Alarm() {
			t.Errorf("faults %+v", faults)
		}
		var news []string
		for _, h := range b.book.only(wire.KindReader) {
			news = append(news, h.Reason.String())
		}
		if want := []string{"install_opened", "install_closed", "key_sent", "key_proved", "key_failed"}; !slices.Equal(news, want) {
			t.Errorf("news %q", news)
		}
	})
}

// TestFaultThatComesAndGoes: a contact that shakes all day fills no log, and what
// is over in the end is over there.
func TestFaultThatComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		for range 1000 {
			b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: device.FaultTamper, Active: true}
			b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: device.FaultTamper}
			synctest.Wait()
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		faults, repeated := b.book.only(wire.KindFault), b.book.only(wire.KindRepeated)
		if len(faults) != 2 || faults[1].Outcome != wire.OutcomeIdle || len(repeated) != 1 || repeated[0].Count != 999 {
			t.Errorf("faults %+v, repeated %+v", faults, repeated)
		}
		b.events <- device.Event{Kind: device.FaultSeen, Source: "in", Fault: device.FaultTamper, Active: true}
		time.Sleep(time.Hour)
		b.events <- device.Event{Kind: device.FaultCleared, Source: "in", Fault: device.FaultTamper}
		synctest.Wait()
		if faults = b.book.only(wire.KindFault); len(faults) != 4 || faults[3].Outcome != wire.OutcomeIdle {
			t.Errorf("faults %+v", faults)
		}
	})
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
		b.input(door.InputExit, true)
		b.input(door.InputExit, false)
		b.input(door.InputContact, true)
		time.Sleep(2 * time.Minute)
		b.input(door.InputContact, false)
		s.wants(t, " held", " idle")
	})
}

// TestTapsAgain: who taps each second is answered at a reader that tells of each
// tap, as soon as the door is secured again (here after 5 s); at one that repeats a
// card that rests there, that is one presentation.
func TestTapsAgain(t *testing.T) {
	for once, want := range map[bool]int{true: 2, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, func(c *door.Config, _ *door.Parts) { c.Readers[0].Once = once })
			for range 10 {
				b.swipe("in", known)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			if got := len(b.book.only(wire.KindAccess)); got != want {
				t.Errorf("told once %t: %d entries, want %d", once, got, want)
			}
		})
	}
}
