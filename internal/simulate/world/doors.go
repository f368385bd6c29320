package world

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
)

// Hold holds a card up at a gateway, judges what the door does, and reports whether it opened.
func (w *World) Hold(b *testbed.Gateway, t *model.Tenancy, c *model.Card) (opened bool) {
	opened = b.Swipe(c.Number)
	reason := b.LastReason()
	w.Report.Say("%s swipes house card %d at %s: %s", t.Name(), c.Number, b.Name, reason)
	laws.Swipe{Gateway: b.Name, Card: c, Opened: opened, Reason: reason}.Judge(w.Model, w.Report)
	if opened {
		c.Until = time.Time{} // the old card was used: nothing replaces it
	}
	return opened
}

// plain reports whether a card opens at a door and nothing more comes of that.
func (w *World) plain(b *testbed.Gateway, t *model.Tenancy, c *model.Card) bool {
	return t.Notice.IsZero() && c.Until.IsZero() && len(w.Model.Holders(c.Number)) == 1 && (laws.Swipe{Gateway: b.Name, Card: c}).Owed(w.Model, t) != ""
}

// OtherWalker is who swipes in the place of a tenant in the second of two runs
// that differ only in who walked: another one whose card opens at that door, if
// both do so by all that was said.
func (w *World) OtherWalker(b *testbed.Gateway, t *model.Tenancy, c *model.Card) (*model.Tenancy, *model.Card) {
	if !w.plain(b, t, c) {
		return t, c
	}
	for _, other := range w.Model.Tenancies {
		if other != t && len(other.Cards) > 0 && w.plain(b, other, other.Cards[0]) {
			return other, other.Cards[0]
		}
	}
	return t, c
}

// SomeoneSwipes holds a card of a tenancy up at a gateway.
func (w *World) SomeoneSwipes(b *testbed.Gateway, n int) {
	if t, ok := w.Someone(n); ok {
		w.Hold(b, t, t.Cards[0])
	}
}

// ActiveIn holds the cards of a revoked tenancy up once so much time is over: law W4.
func (w *World) ActiveIn(limit time.Duration, t *model.Tenancy) {
	time.Sleep(limit - 5*time.Second*time.Duration(len(w.Bed.Gateways)*len(t.Cards)))
	synctest.Wait()
	for _, b := range w.Bed.Gateways {
		for _, c := range t.Cards {
			if len(w.Model.Holders(c.Number)) == 1 && b.Swipe(c.Number) {
				w.Report.Breach("W4", "%v after it was revoked and could be heard, house card %d of %s still opens at %s", limit, c.Number, t.Name(), b.Name)
			}
		}
	}
	w.Look()
}
