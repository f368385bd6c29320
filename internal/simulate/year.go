package simulate

import (
	"gatehouse/internal/simulate/plan"
	"testing/synctest"
	"time"
)

// longStay: somebody moves in for years.
func (w *world) longStay(n [4]int) {
	b, ok := pick(n[0], w.running())
	if !ok {
		return
	}
	y, m, d := plan.Begin.Add(w.now()).In(shanghai).Date()
	flat, _ := pick(n[1], flats)
	w.checkInAt(b, flat, w.model.card(), time.Date(y+2+n[2]%4, m, d, 0, 0, 0, 0, shanghai))
}

// silenceBegins cuts a gateway's line and switches everything off.
func (w *world) silenceBegins(n [4]int) {
	w.calm = false
	b, _ := pick(n[0], w.gateways)
	b.clock.Battery = n[1] == 0
	w.lineCut(n)
	for _, other := range w.gateways {
		w.must(other.name, other.cutPower())
	}
	w.centre.issuer.end()
	w.centre.stopFront()
	word := "without a battery clock"
	if b.clock.Battery {
		word = "with a battery clock"
	}
	w.report.Say("the house is left for a year; %s is one %s", b.name, word)
}

// wake switches the gateway without a line on for some hours, in which everybody
// who lives there comes home. A time server answers it, or none does.
func (w *world) wake(n [4]int) {
	b, _ := pick(n[0], w.gateways)
	if b.life != nil || !w.centre.cut[b.name] {
		return
	}
	w.report.Say("%s is switched on", b.name)
	b.clock.Reboot()
	w.must(b.name, b.start())
	if n[1] == 0 {
		time.Sleep(90 * time.Second)
		b.clock.Set(0, true)
		w.report.Say("a time server answers %s", b.name)
	}
	time.Sleep(5*time.Minute + time.Duration(n[2])*time.Hour)
	synctest.Wait()
	w.everybodySwipes(b)
	w.look()
	w.must(b.name, b.cutPower())
}

func (w *world) everybodySwipes(b *box) {
	for _, t := range w.model.tenancies {
		if w.model.lives(t) {
			w.hold(b, t, t.cards[0])
		}
	}
}

// silenceEnds switches everything on. Somebody's tenancy is revoked while the
// line is still cut, and the line mended: two minutes later his card opens nowhere.
func (w *world) silenceEnds(n [4]int) {
	b, _ := pick(n[0], w.gateways)
	w.frontOn([4]int{})
	w.must("the issuer", w.centre.startIssuer())
	for _, other := range w.gateways {
		if other.life == nil {
			w.report.Say("%s is switched on", other.name)
			w.bootBox(other)
		}
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	w.look()
	w.everybodySwipes(b)
	t, ok := w.someone(5*n[1] + 1)
	ok = ok && w.revokeOf(t)
	time.Sleep(10 * time.Minute)
	w.lineBack(n)
	if !ok {
		return
	}
	time.Sleep(2*time.Minute - 5*time.Second)
	synctest.Wait()
	w.look()
	for _, c := range t.cards {
		if len(w.model.holders(c.number)) == 1 && b.swipe(c.number) {
			w.report.Breach("W4", "2 minutes after the line is back, a card of %s still opens at %s", t.name(), b.name)
		}
	}
}
