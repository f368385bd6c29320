package simulate

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
)

// longStay: somebody moves in for years.
func (w *world) longStay(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok {
		return
	}
	y, m, d := plan.Begin.Add(w.now()).In(shanghai).Date()
	flat, _ := pick(n[1], testbed.Flats)
	w.checkInAt(b, flat, w.model.NewCard(), time.Date(y+2+n[2]%4, m, d, 0, 0, 0, 0, shanghai))
}

// silenceBegins cuts a gateway's line and switches everything off.
func (w *world) silenceBegins(n [4]int) {
	w.calm = false
	b, _ := pick(n[0], w.bed.Gateways)
	b.Clock.Battery = n[1] == 0
	w.lineCut(n)
	for _, other := range w.bed.Gateways {
		w.must(other.Name, other.CutPower())
	}
	w.bed.Registry.Issuer.End()
	w.bed.Registry.StopFront()
	word := "without a battery clock"
	if b.Clock.Battery {
		word = "with a battery clock"
	}
	w.report.Say("the house is left for a year; %s is one %s", b.Name, word)
}

// wake switches the gateway without a line on for some hours, in which everybody
// who lives there comes home. A time server answers it, or none does.
func (w *world) wake(n [4]int) {
	b, _ := pick(n[0], w.bed.Gateways)
	if b.Running() || !w.bed.Registry.Cut[b.Name] {
		return
	}
	w.report.Say("%s is switched on", b.Name)
	b.Clock.Reboot()
	w.must(b.Name, b.Start())
	if n[1] == 0 {
		time.Sleep(90 * time.Second)
		b.Clock.Set(0, true)
		w.report.Say("a time server answers %s", b.Name)
	}
	time.Sleep(5*time.Minute + time.Duration(n[2])*time.Hour)
	synctest.Wait()
	w.everybodySwipes(b)
	w.look()
	w.must(b.Name, b.CutPower())
}

func (w *world) everybodySwipes(b *testbed.Gateway) {
	for _, t := range w.model.Tenancies {
		if w.model.Lives(t) {
			w.hold(b, t, t.Cards[0])
		}
	}
}

// silenceEnds switches everything on. Somebody's tenancy is revoked while the
// line is still cut, and the line mended: two minutes later his card opens nowhere.
func (w *world) silenceEnds(n [4]int) {
	b, _ := pick(n[0], w.bed.Gateways)
	w.frontOn([4]int{})
	w.must("the issuer", w.bed.Registry.StartIssuer())
	for _, other := range w.bed.Gateways {
		if !other.Running() {
			w.report.Say("%s is switched on", other.Name)
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
	for _, c := range t.Cards {
		if len(w.model.Holders(c.Number)) == 1 && b.Swipe(c.Number) {
			w.report.Breach("W4", "2 minutes after the line is back, a card of %s still opens at %s", t.Name(), b.Name)
		}
	}
}
