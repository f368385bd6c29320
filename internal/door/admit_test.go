package door_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/door"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// codes knows one code, which takes its time.
type codes struct{ opened int }

func (c *codes) Open(_, _ string, typed device.PIN, _ access.Time) door.Admission {
	time.Sleep(time.Second)
	if typed.Digits() != "1234567890" || c.opened > 0 {
		return door.Admission{Reason: wire.ReasonBadCode}
	}
	c.opened++
	return door.Admission{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &wire.ID{8}, Method: wire.MethodCode}, Detail: []byte("mark")}
}

func (c *codes) Scanned(read device.Code) (device.PIN, bool) {
	return device.NewPIN(read.Text())
}

func withCodes(c *codes, s *shown) func(*door.Config, *door.Parts) {
	return func(cfg *door.Config, p *door.Parts) {
		cfg.Readers[0].Codes = true
		p.Codes, p.Show = c, s.show
	}
}

// TestOneTimeCode: a code without a card opens once and is an entry like a card's; a wrong
// one is a denial that names nobody; a card opens as ever, also while one is checked.
func TestOneTimeCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shown{}
		b := start(t, withCodes(&codes{}, s))
		type step struct {
			digits string
			opens  bool
		}
		for _, c := range []step{{"0000000000", false}, {"1234567890", true}, {"1234567890", false}} {
			b.key("in", c.digits)
			if b.lock.isReleased() {
				t.Error("it opens before it was checked")
			}
			time.Sleep(1100 * time.Millisecond)
			synctest.Wait()
			if b.lock.isReleased() != c.opens {
				t.Errorf("%s: released %t", c.digits, b.lock.isReleased())
			}
			time.Sleep(time.Minute + time.Second)
		}
		if want := []string{"bad_code", "granted", "bad_code"}; !slices.Equal(b.reasons(), want) || !slices.Equal(b.methods(), []wire.Method{0, wire.MethodCode, 0}) {
			t.Errorf("entries %q by %v", b.reasons(), b.methods())
		}
		if h := b.book.only(wire.KindAccess)[1]; string(h.Detail) != "mark" || h.Door != "front" || h.Source != "in" {
			t.Errorf("entry %+v", h)
		}
		b.key("in", "0000000000")
		b.swipe("in", known)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if !b.lock.isReleased() {
			t.Error("a card waits for a code")
		}
		time.Sleep(time.Minute)
		s.wants(t, "in denied", "in denied", "in denied")
	})
}

// TestCodeNeverLate: where the record of a code is not durable the door stays as it is.
func TestCodeNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(cfg *door.Config, p *door.Parts) {
			withCodes(&codes{}, &shown{})(cfg, p)
			p.Recorder = slow{p.Recorder}
		})
		b.key("in", "1234567890")
		time.Sleep(time.Minute)
		synctest.Wait()
		if b.lock.isReleased() || len(b.book.only(wire.KindReleased)) > 0 {
			t.Error("a code opened without a record")
		}
		if all := b.reasons(); !slices.Contains(all, "slow_disk") {
			t.Errorf("entries %q", all)
		}
	})
}

// slow is a recorder whose disk takes nothing in time.
type slow struct{ door.Recorder }

func (s slow) Record(h wire.Header, who wire.Who, _ chan<- journaled.Written) (wire.Ref, error) {
	return s.Queue(h, who), nil
}

func (s slow) Late(wire.Ref) bool { return true }

// TestAdmit: who has shown elsewhere who it is gets in as with a card, and is told whether
// the door opened.
func TestAdmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, nil)
		r, err := b.Admit(t.Context(), "page", door.Admission{Reason: wire.ReasonGranted, Who: wire.Who{Tenancy: &wire.ID{8}, Method: wire.MethodPIN}})
		if err != nil || r != wire.ReasonGranted || !b.lock.isReleased() {
			t.Errorf("%v, %v, released %t", r, err, b.lock.isReleased())
		}
		time.Sleep(time.Minute)
		r, err = b.Admit(t.Context(), "page", door.Admission{Reason: wire.ReasonExpired, Who: wire.Who{Tenancy: &wire.ID{8}, Method: wire.MethodPIN}})
		if err != nil || r != wire.ReasonExpired || b.lock.isReleased() {
			t.Errorf("%v, %v, released %t", r, err, b.lock.isReleased())
		}
		if all := b.reasons(); !slices.Equal(all, []string{"granted", "expired"}) || b.book.only(wire.KindAccess)[0].Source != "page" {
			t.Errorf("entries %q", all)
		}
	})
}
