package door_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/device/fault"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// book is a Recorder that keeps everything and can be slow or sick.
type book struct {
	mu      sync.Mutex
	entries []wire.Header
	who     []wire.Who
	delay   time.Duration // how long a record takes to be durable
	waiting []wire.Ref
	err     error
	trace   func(string)
}

func (b *book) Record(h wire.Header, w wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	ref := b.Queue(h, w)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.waiting = append(b.waiting, ref)
		time.AfterFunc(b.delay, func() {
			if b.ends(ref) {
				b.trace("durable")
				written <- journaled.Written{Ref: ref}
			}
		})
	}
	return ref, b.err
}

// ends ends the wait for a record; false: it has ended before.
func (b *book) ends(ref wire.Ref) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.waiting)
	b.waiting = slices.DeleteFunc(b.waiting, func(w wire.Ref) bool { return w == ref })
	return len(b.waiting) < before
}

func (b *book) Late(ref wire.Ref) bool { return b.ends(ref) }

func (b *book) Queue(h wire.Header, w wire.Who) wire.Ref {
	b.mu.Lock()
	defer b.mu.Unlock()
	h.Counter = uint64(len(b.entries))
	if h.Ref != nil {
		ref := *h.Ref
		h.Ref = &ref
	}
	b.entries, b.who = append(b.entries, h), append(b.who, ownOf(w))
	return wire.Ref{Counter: h.Counter}
}

// ownOf copies a who part, the memory of which the door uses again.
func ownOf(w wire.Who) wire.Who {
	if w.Credential != nil {
		w.Credential = new(*w.Credential)
	}
	if w.Grant != nil {
		w.Grant = new(*w.Grant)
	}
	if w.Tenancy != nil {
		w.Tenancy = new(*w.Tenancy)
	}
	return w
}

// only returns the entries of one kind.
func (b *book) only(k wire.Kind) (found []wire.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.entries {
		if h.Kind == k {
			found = append(found, h)
		}
	}
	return found
}

// ring is Keys that turns the first byte of a card into its credential.
type ring struct{ grants *access.Grants }

func (r ring) Grants() *access.Grants { return r.grants }
func (r ring) Identify(c device.Card) (id wire.CredentialID, err error) {
	if r.grants == nil {
		return id, errors.New("no building key")
	}
	id[0], id[1] = 1, c.Bytes()[0]
	return id, nil
}
func (r ring) Anonymous(c device.Card) (id wire.CredentialID) {
	id[0], id[1] = 255, c.Bytes()[0]
	return id
}

// latch is a Lock that remembers.
type latch struct {
	mu       sync.Mutex
	released bool
	acts     int
	at       time.Time
	err      error
	trace    func(string)
}

func (l *latch) Release() error { return l.set(true) }
func (l *latch) Secure() error  { return l.set(false) }
func (l *latch) set(v bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	if v != l.released {
		l.acts, l.at = l.acts+1, time.Now()
		act := "secure"
		if v {
			act = "release"
		}
		l.trace(act)
	}
	l.released = v
	return nil
}

// sick makes the lock fail; nil: obey again.
func (l *latch) sick(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// fallBack is the line losing its level.
func (l *latch) fallBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = false
}

func (l *latch) isReleased() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

// bench is a door under test, its parts and the order in which they acted.
type bench struct {
	*door.Door
	book   *book
	lock   *latch
	events chan device.Event
	stop   context.CancelFunc
	done   chan error

	mu    sync.Mutex
	trace []string
}

func (b *bench) note(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trace = append(b.trace, s)
}

const (
	known    = 0xAA // the first byte of the only card with a grant
	stranger = 0x10
)

func start(t *testing.T, change func(*door.Config, *door.Parts)) *bench {
	t.Helper()
	b := &bench{events: make(chan device.Event, 64), done: make(chan error, 1)}
	b.book, b.lock = &book{trace: b.note, delay: time.Millisecond}, &latch{trace: b.note}
	cfg := door.Config{ID: "front", Rules: door.Rules{ReleaseTime: 5 * time.Second, HeldAfter: time.Minute},
		Budget: 250 * time.Millisecond, Hold: 1500 * time.Millisecond,
		Readers: []door.Reader{{ID: "in", Direction: wire.DirectionIn}, {ID: "out", Direction: wire.DirectionOut}}}
	p := door.Parts{Lock: b.lock, Recorder: b.book, Keys: ring{oneGrant(t)}, Events: b.events,
		Clock: func() access.Time { return access.At(1000) }, Log: zerolog.Nop(),
		Watch: func(door.Seen) bool { return false }, Typed: func(door.Typed) bool { return false }, Show: func(string, device.Feedback) {}, Granted: func(wire.Header, wire.Who, wire.Ref, error) {}}
	if change != nil {
		change(&cfg, &p)
	}
	b.Door = door.New(cfg, p)
	ctx, cancel := context.WithCancel(t.Context())
	b.stop = cancel
	go func() {
		if cfg.Listening {
			b.done <- door.Listen(ctx, b.Door)
			return
		}
		b.done <- b.Run(ctx)
	}()
	t.Cleanup(cancel)
	synctest.Wait()
	return b
}

func oneGrant(t *testing.T) *access.Grants {
	t.Helper()
	return grantTo(t, known)
}

// grantTo lets the tenancy's cards in, given by their first bytes, ascending.
func grantTo(t *testing.T, cards ...byte) *access.Grants {
	t.Helper()
	var all []wire.Grant
	for _, c := range cards {
		all = append(all, wire.Grant{Credential: wire.CredentialID{1, c}, ID: wire.ID{7}, Tenancy: wire.ID{8},
			Kind: wire.GrantResident, State: wire.GrantActive})
	}
	return grantsOf(t, all...)
}

func grantsOf(t *testing.T, all ...wire.Grant) *access.Grants {
	t.Helper()
	bucket, err := access.NewBucket(0, all)
	if err != nil {
		t.Fatal(err)
	}
	g, err := access.NewGrants(access.Doors{IDs: []string{"front"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{bucket})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (b *bench) swipe(reader string, first byte) {
	b.events <- device.Event{Kind: device.CardRead, Source: reader, Card: device.CardOf(uint64(first)<<18, 26)}
	synctest.Wait()
}

func (b *bench) input(source string, active bool) {
	b.events <- device.Event{Kind: device.InputChanged, Source: source, Active: active}
	synctest.Wait()
}

func TestGrantIsDurableBeforeRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.swipe("in", known)
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		b.mu.Lock()
		if len(b.trace) != 2 || b.trace[0] != "durable" || b.trace[1] != "release" {
			t.Errorf("order %v; want durable, release", b.trace)
		}
		b.mu.Unlock()
		granted, released := b.book.only(wire.KindAccess), b.book.only(wire.KindReleased)
		if len(granted) != 1 || granted[0].Outcome != wire.OutcomeGranted || granted[0].Reason != wire.ReasonGranted {
			t.Fatalf("access entries %+v", granted)
		}
		if len(released) != 1 || released[0].Ref == nil || released[0].Ref.Counter != granted[0].Counter {
			t.Fatalf("released entries %+v; want one that refers to the grant", released)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if b.lock.isReleased() {
			t.Error("still released after its time")
		}
	})
}

// TestSlowDisk: the door opens when the budget is spent, and says so.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.book.delay = time.Hour
		before := time.Now()
		b.swipe("in", known)
		time.Sleep(time.Second)
		synctest.Wait()
		if late := b.lock.at.Sub(before); late != 250*time.Millisecond {
			t.Errorf("released after %v, want the budget of 250ms", late)
		}
		late := b.book.only(wire.KindReleasedLate)
		if len(late) != 1 || late[0].Ref == nil || late[0].Ref.Counter != b.book.only(wire.KindAccess)[0].Counter {
			t.Errorf("released_late %+v; want one that refers to the grant", late)
		}
	})
}

// TestExitWaitsForNothing: while a grant waits for a dead disk, the exit button
// and fire release at once.
func TestExitWaitsForNothing(t *testing.T) {
	for _, source := range []string{device.InputExit, device.InputFire} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, nil)
			b.book.delay = time.Hour
			b.swipe("in", known)
			if b.lock.isReleased() {
				t.Fatal("released before the record was durable")
			}
			b.input(source, true)
			if !b.lock.isReleased() {
				t.Errorf("%s did not release at once", source)
			}
		})
	}
}

// TestNoKeys: without list and keys nobody gets in by card, and everybody out.
func TestNoKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = ring{} })
		b.swipe("in", known)
		if b.lock.isReleased() {
			t.Fatal("released without grants")
		}
		if d := b.book.only(wire.KindAccess); len(d) != 1 || d[0].Reason != wire.ReasonNotReady {
			t.Errorf("entries %+v, want not_ready", d)
		}
		if w := b.book.who[len(b.book.who)-1]; w.Credential == nil || w.Credential[0] != 255 || w.Grant != nil || w.Tenancy != nil {
			t.Errorf("who %+v; want the daily name alone, until it is known whose card it is", w)
		}
		b.swipe("out", stranger)
		if !b.lock.isReleased() {
			t.Error("the reader on the inside did not release")
		}
	})
}

func TestUnknownCardHasADailyName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.swipe("in", stranger)
		if w := b.book.who[len(b.book.who)-1]; w.Credential == nil || w.Credential[0] != 255 || w.Grant != nil {
			t.Errorf("who %+v; want the daily name alone", w)
		}
	})
}

func TestCaptureNeverOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []door.Seen
		b := start(t, func(_ *door.Config, p *door.Parts) {
			p.Watch = func(s door.Seen) bool { seen = append(seen, s); return true }
		})
		b.swipe("in", known)
		time.Sleep(time.Second)
		synctest.Wait()
		if b.lock.acts != 0 || len(seen) != 1 || seen[0].Reason != wire.ReasonGranted {
			t.Errorf("acts %d, seen %+v", b.lock.acts, seen)
		}
		if e := b.book.only(wire.KindAccess); len(e) != 1 || e[0].Outcome != wire.OutcomeRefused || e[0].Reason != wire.ReasonCapture {
			t.Errorf("entries %+v", e)
		}
	})
}

// TestOpeneds: whoever waits for a card hears how often the door was opened by then.
func TestOpeneds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []uint64
		b := start(t, func(_ *door.Config, p *door.Parts) {
			p.Watch = func(s door.Seen) bool { seen = append(seen, s.Openeds); return false }
		})
		for range 2 {
			b.swipe("in", known)
			b.input(device.InputContact, true)
			b.input(device.InputContact, false)
			time.Sleep(time.Minute)
		}
		if !slices.Equal(seen, []uint64{0, 1}) {
			t.Errorf("openings %v", seen)
		}
	})
}

// TestStop: a stopped door is left as the loss of current would, and released
// after a fire.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name                 string
		failSafe, fire, left bool
	}{{"fail-secure", false, false, false}, {"fail-safe", true, false, true}, {"fail-secure in a fire", false, true, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, func(cfg *door.Config, _ *door.Parts) {
					cfg.FailSafe, cfg.Fire = c.failSafe, door.Fire{Active: c.fire, Latched: c.fire}
				})
				b.swipe("in", known)
				time.Sleep(time.Second)
				b.stop()
				if err := <-b.done; err != nil {
					t.Fatal(err)
				}
				if b.lock.isReleased() != c.left {
					t.Errorf("left released: %v, want %v", b.lock.isReleased(), c.left)
				}
			})
		})
	}
}

// TestLatchAtStart: a door that starts after a fire is released until somebody
// on site resets it, and not before the panel is idle.
func TestLatchAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(c *door.Config, _ *door.Parts) { c.Fire = door.Fire{Active: true, Latched: true} })
		if !b.lock.isReleased() || b.lock.acts != 1 || b.Status().State != door.Emergency {
			t.Fatalf("released %v after %d acts, state %s", b.lock.isReleased(), b.lock.acts, b.Status().State)
		}
		if s, err := b.ResetFire(t.Context()); err != nil || s != door.Emergency {
			t.Errorf("reset while the panel is active: %s, %v", s, err)
		}
		b.input(device.InputFire, false)
		if s, err := b.ResetFire(t.Context()); err != nil || s != door.Secured || b.lock.isReleased() {
			t.Errorf("reset: %s, %v", s, err)
		}
	})
}

// TestSickRelay: the error is recorded once and the door goes on.
func TestSickRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.lock.sick(errors.New("no such line"))
		for range 3 {
			b.swipe("in", known)
			time.Sleep(10 * time.Second)
		}
		if n := len(b.book.only(wire.KindFault)); n != 1 {
			t.Errorf("%d fault entries, want 1", n)
		}
		if s := b.Status(); s.LockErr == "" || s.State != door.Unknown {
			t.Errorf("status does not tell: %+v", s)
		}
		for _, h := range b.book.only(wire.KindReleased) {
			if h.Outcome != wire.OutcomeRefused {
				t.Errorf("%+v: the lock did not move", h)
			}
		}
		if _, err := b.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := b.book.only(wire.KindCommand); len(c) != 1 || c[0].Outcome != wire.OutcomeRefused {
			t.Errorf("command %+v, want refused", c)
		}
		time.Sleep(10 * time.Second)
		b.lock.sick(nil)
		b.swipe("in", known)
		time.Sleep(time.Second)
		synctest.Wait()
		if !b.lock.isReleased() || b.Status().LockErr != "" {
			t.Errorf("did not recover: %+v", b.Status())
		}
	})
}

// TestSecondResident: somebody right behind another is let in too, and two cards
// that take turns on one reader are two presentations.
func TestSecondResident(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.swipe("in", stranger)
		b.swipe("in", known)
		time.Sleep(time.Second)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Fatal("the second card within a second was not let in")
		}
		for range 20 {
			b.swipe("in", known)
			time.Sleep(200 * time.Millisecond)
			b.swipe("in", stranger)
			time.Sleep(200 * time.Millisecond)
		}
		if n := len(b.book.only(wire.KindAccess)); n != 2 {
			t.Errorf("%d access entries for two cards that take turns", n)
		}
	})
}

// TestStaleCard: a card that waited while the process hung opens nothing.
func TestStaleCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Monotonic = func() time.Duration { return time.Since(began) } })
		time.Sleep(time.Hour)
		card := device.CardOf(known<<18, 26)
		b.events <- device.Event{Kind: device.CardRead, Source: "in", Card: card, At: 10 * time.Minute}
		time.Sleep(time.Second)
		synctest.Wait()
		if f := b.book.only(wire.KindFault); b.lock.acts != 0 || len(f) != 1 || f[0].Reason.String() != "stale_card" {
			t.Fatalf("acts %d, faults %+v", b.lock.acts, f)
		}
		b.events <- device.Event{Kind: device.CardRead, Source: "in", Card: card, At: time.Since(began)}
		time.Sleep(time.Second)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Error("a fresh card was not let in")
		}
	})
}

// TestNothingSentIsLost: what the devices sent before a stop is recorded.
func TestNothingSentIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		for range 30 { // there is room for all of them: they are sent before the stop
			b.events <- device.Event{Kind: device.InputChanged, Source: device.InputExit, Active: true}
			b.events <- device.Event{Kind: device.InputChanged, Source: device.InputExit}
		}
		b.stop()
		<-b.done
		if n := len(b.book.only(wire.KindExit)); n != 30 {
			t.Errorf("%d of 30 exits are recorded", n)
		}
	})
}

// TestLockIsDrivenAgain: a lock that did not obey is told again, in a fire and
// at its end.
func TestLockIsDrivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		b.lock.sick(errors.New("no such line"))
		b.input(device.InputFire, true)
		b.lock.sick(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Fatal("the relay works again, and the door stays locked in a fire")
		}
		b.lock.fallBack() // the chip was replugged: the line fell back
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Fatal("a relay that lost its line is not driven again in a fire")
		}
		b.input(device.InputFire, false)
		b.lock.sick(errors.New("no such line"))
		if _, err := b.ResetFire(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.lock.sick(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if b.lock.isReleased() {
			t.Error("a lock that could not be secured stays open for good")
		}
	})
}

// TestExitLost: where the button is the only way out, a button that can't be
// read leaves the door released until it can.
func TestExitLost(t *testing.T) {
	for _, only := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b := start(t, func(c *door.Config, _ *door.Parts) { c.Rules.OnlyExit = only })
			b.events <- device.Event{Kind: device.WentOffline, Source: device.InputExit, Fault: fault.Missing}
			time.Sleep(time.Hour)
			synctest.Wait()
			if b.lock.isReleased() != only {
				t.Errorf("only way out %v: released %v while it can't be read", only, b.lock.isReleased())
			}
			b.input(device.InputExit, false)
			time.Sleep(time.Minute)
			synctest.Wait()
			if b.lock.isReleased() {
				t.Error("released after the button was back")
			}
		})
	}
}

// TestUnreadableFire: a fire input that can't be read releases, and is no alarm.
func TestUnreadableFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(c *door.Config, _ *door.Parts) { c.Fire.Blind = true })
		if !b.lock.isReleased() {
			t.Fatal("secured with a fire input that can't be read")
		}
		b.input(device.InputFire, false)
		if b.lock.isReleased() {
			t.Error("released after it could be read, and was idle")
		}
		b.events <- device.Event{Kind: device.WentOffline, Source: device.InputFire, Fault: fault.Unplugged}
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Error("secured with a fire input that went away")
		}
		if n := len(b.book.only(wire.KindFire)); n != 0 {
			t.Errorf("%d fire entries without a fire", n)
		}
	})
}

// TestFloorCounts: a signed time past the end of a key ends it, whatever the clock says.
func TestFloorCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := wire.Grant{Credential: wire.CredentialID{1, known}, ID: wire.ID{7}, Tenancy: wire.ID{8},
			Kind: wire.GrantResident, State: wire.GrantActive, Until: 5000}
		bucket, err := access.NewBucket(0, []wire.Grant{r})
		if err != nil {
			t.Fatal(err)
		}
		g, err := access.NewGrants(access.Doors{IDs: []string{"front"}, Sets: [][]uint16{{0}}}, 0, []*access.Bucket{bucket})
		if err != nil {
			t.Fatal(err)
		}
		b := start(t, func(_ *door.Config, p *door.Parts) {
			p.Keys, p.Clock = ring{g}, func() access.Time { return access.Time{Sure: 6000, Lo: 6000, Hi: access.Unknown} }
		})
		b.swipe("in", known)
		if e := b.book.only(wire.KindAccess); len(e) != 1 || e[0].Reason != wire.ReasonExpired {
			t.Errorf("entries %+v, want expired", e)
		}
	})
}

func TestOperatorRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		if s, err := b.Release(t.Context()); err != nil || s != door.Released {
			t.Fatalf("release: %s, %v", s, err)
		}
		if e := b.book.only(wire.KindCommand); len(e) != 1 {
			t.Errorf("command entries %+v", e)
		}
		b.stop()
		<-b.done
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Release(ctx); !errors.Is(err, door.ErrStopped) {
			t.Errorf("release of a stopped door: %v", err)
		}
	})
}
