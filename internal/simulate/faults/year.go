package faults

import (
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/office"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Year is one in which a house is left alone.
type Year struct {
	w        *world.World
	machines *Machines
	links    *Links
	op       *office.Operator
}

// NewYear is one that has not begun.
func NewYear(w *world.World, machines *Machines, links *Links, op *office.Operator) *Year {
	return &Year{w, machines, links, op}
}

// Events are what happens, by the names that plans have for it.
func (y *Year) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"silence":      y.begins,
		"wake":         y.wake,
		"silence ends": y.ends,
	}
}

// begins cuts a gateway's line and switches everything off.
func (y *Year) begins(n [4]int) {
	y.w.Shown.Calm = false
	b, _ := world.Pick(n[0], y.w.Bed.Gateways)
	b.Clock.Battery = n[1] == 0
	y.links.cut(n)
	for _, other := range y.w.Bed.Gateways {
		y.w.Must(other.Name, other.CutPower())
	}
	y.w.Bed.Registry.Issuer.End()
	y.w.Bed.Registry.StopFront()
	word := "without a battery clock"
	if b.Clock.Battery {
		word = "with a battery clock"
	}
	y.w.Report.Say("the house is left for a year; %s is one %s", b.Name, word)
}

// wake switches the gateway without a line on for some hours, in which everybody
// who lives there comes home. A time server answers it, or none does.
func (y *Year) wake(n [4]int) {
	b, _ := world.Pick(n[0], y.w.Bed.Gateways)
	if b.Running() || !y.w.Bed.Registry.Cut[b.Name] {
		return
	}
	y.w.Report.Say("%s is switched on", b.Name)
	b.Clock.Reboot()
	y.w.Must(b.Name, b.Start())
	if n[1] == 0 {
		time.Sleep(90 * time.Second)
		b.Clock.Set(0, true)
		y.w.Report.Say("a time server answers %s", b.Name)
	}
	time.Sleep(5*time.Minute + time.Duration(n[2])*time.Hour)
	synctest.Wait()
	y.everybodySwipes(b)
	y.w.Look()
	y.w.Must(b.Name, b.CutPower())
}

func (y *Year) everybodySwipes(b *testbed.Gateway) {
	for _, t := range y.w.Model.Tenancies {
		if y.w.Model.Lives(t) {
			y.w.Hold(b, t, t.Cards[0])
		}
	}
}

// ends switches everything on. Somebody's tenancy is revoked while the
// line is still cut, and the line mended: two minutes later his card opens nowhere.
func (y *Year) ends(n [4]int) {
	b, _ := world.Pick(n[0], y.w.Bed.Gateways)
	y.machines.FrontOn()
	y.w.Must("the issuer", y.w.Bed.Registry.StartIssuer())
	for _, other := range y.w.Bed.Gateways {
		if !other.Running() {
			y.w.Report.Say("%s is switched on", other.Name)
			y.w.Boot(other)
		}
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	y.w.Look()
	y.everybodySwipes(b)
	t, ok := y.w.Someone(5*n[1] + 1)
	ok = ok && y.op.Revoke(t)
	time.Sleep(10 * time.Minute)
	y.links.mend(n)
	if !ok {
		return
	}
	time.Sleep(2*time.Minute - 5*time.Second)
	synctest.Wait()
	y.w.Look()
	for _, c := range t.Cards {
		if len(y.w.Model.Holders(c.Number)) == 1 && b.Swipe(c.Number) {
			y.w.Report.Breach("W4", "2 minutes after the line is back, a card of %s still opens at %s", t.Name(), b.Name)
		}
	}
}
