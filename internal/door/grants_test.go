package door_test

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// TestWaitingGrantsTakeNoGoroutine: the door's own loop waits for records, however many there are, and
// opens for each when it is durable.
func TestWaitingGrantsTakeNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cards := []byte{1, 2, 3, 4, 5, 6, 7, 8}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = ring{grantTo(t, cards...)} })
		b.book.delay = 200 * time.Millisecond
		before := runtime.NumGoroutine()
		for _, c := range cards {
			b.swipe("in", c)
		}
		if n := runtime.NumGoroutine(); n > before || b.lock.isReleased() {
			t.Errorf("%d goroutines with %d waiting grants, %d without; released %v", n, len(cards), before, b.lock.isReleased())
		}
		time.Sleep(b.book.delay)
		synctest.Wait()
		if n := len(b.book.only(wire.KindReleasedLate)); !b.lock.isReleased() || n > 0 {
			t.Errorf("released %v, %d late", b.lock.isReleased(), n)
		}
	})
}

// TestMoreGrantsThanMayWait: nobody stays outside, and the recorder never blocks.
func TestMoreGrantsThanMayWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cards []byte
		for c := range byte(40) {
			cards = append(cards, c+1)
		}
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = ring{grantTo(t, cards...)} })
		b.book.delay = 249 * time.Millisecond
		for _, c := range cards {
			b.swipe("in", c)
		}
		if late := b.book.only(wire.KindReleasedLate); !b.lock.isReleased() || len(late) != 24 {
			t.Errorf("released %v, %d late; want those that did not wait, 24", b.lock.isReleased(), len(late))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if granted, late := b.book.only(wire.KindAccess), b.book.only(wire.KindReleasedLate); len(granted) != 40 || len(late) != 24 {
			t.Errorf("%d granted, %d late; want 40 and 24", len(granted), len(late))
		}
	})
}

// brink is a recorder whose records are durable as soon as the door says that it is too late.
type brink struct {
	door.Recorder
	written chan<- journaled.Written
}

func (r *brink) Record(h wire.Header, w wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	r.written = written
	return r.Queue(h, w), nil
}

func (r *brink) Late(ref wire.Ref) bool {
	r.written <- journaled.Written{Ref: ref}
	return false
}

// TestDurableAtTheLastMoment: a record that is durable when the budget ends counts as such.
func TestDurableAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Recorder = &brink{Recorder: p.Recorder} })
		b.swipe("in", known)
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if n := len(b.book.only(wire.KindReleasedLate)); !b.lock.isReleased() || n != 0 {
			t.Errorf("released %v, %d late", b.lock.isReleased(), n)
		}
	})
}

// TestBudgetsEndInTurn: each grant waits for its own budget, and for no other's; an exit button for none.
func TestBudgetsEndInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = ring{grantTo(t, 1, 2)} })
		b.book.delay = time.Hour
		b.swipe("in", 1)
		time.Sleep(100 * time.Millisecond)
		b.swipe("in", 2)
		b.input(device.InputExit, true)
		if !b.lock.isReleased() {
			t.Error("the exit button waited")
		}
		for _, want := range []int{1, 2} {
			time.Sleep(150*time.Millisecond - time.Duration(want-1)*50*time.Millisecond)
			synctest.Wait()
			if n := len(b.book.only(wire.KindReleasedLate)); n != want {
				t.Errorf("%d grants are late, want %d", n, want)
			}
		}
	})
}

// TestEachGrantHasItsOutcome: a later record that is durable first opens for its own grant.
func TestEachGrantHasItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ *door.Config, p *door.Parts) { p.Keys = ring{grantTo(t, 1, 2)} })
		b.book.delay = time.Hour
		b.swipe("in", 1)
		b.book.delay = time.Millisecond
		b.swipe("in", 2)
		time.Sleep(time.Second)
		synctest.Wait()
		granted, released, late := b.book.only(wire.KindAccess), b.book.only(wire.KindReleased), b.book.only(wire.KindReleasedLate)
		if len(released) != 1 || released[0].Ref.Counter != granted[1].Counter || len(late) != 1 || late[0].Ref.Counter != granted[0].Counter {
			t.Errorf("granted %+v, released %+v, late %+v", granted, released, late)
		}
	})
}

// TestNobodyIsMixedUp: the memory of who parts is used again, and each entry and each word to the tenant names its
// own person: of a card that waits for its PIN, of cards whose records the disk holds up, and of strangers between.
func TestNobodyIsMixedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []byte
		b := start(t, func(c *door.Config, p *door.Parts) {
			withPIN(pins{has: true, takes: time.Millisecond}, &shown{})(c, p)
			c.Readers = append(c.Readers, door.Reader{ID: "side", Direction: wire.DirectionIn})
			p.Keys = ring{grantTo(t, 0x20, 0x21, 0x22, 0x23, 0x24)}
			p.Granted = func(_ wire.Header, who wire.Who, _ wire.Ref, _ error) { told = append(told, who.Credential[1]) }
		})
		b.book.delay = 20 * time.Millisecond
		b.swipe("in", 0x20)
		for _, card := range []byte{0x21, stranger, 0x22, 0x23, stranger + 1} {
			b.swipe("side", card)
			time.Sleep(9 * time.Millisecond)
		}
		b.key("in", "4711")
		b.swipe("side", 0x24)
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []byte{0x21, 0x22, 0x23, 0x24, 0x20}; !slices.Equal(told, want) {
			t.Errorf("cards %x were told of, want %x", told, want)
		}
		var cards []byte
		for i, h := range b.book.entries {
			if h.Kind == wire.KindAccess {
				cards = append(cards, b.book.who[i].Credential[1])
			}
		}
		if want := []byte{0x21, stranger, 0x22, 0x23, stranger + 1, 0x24, 0x20}; !slices.Equal(cards, want) {
			t.Errorf("entries name cards %x, want %x", cards, want)
		}
	})
}
