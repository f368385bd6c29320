package simulate

import (
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
)

// wrongs are how wrong a clock may be.
var wrongs = []time.Duration{30 * time.Second, 50 * time.Minute, 6 * time.Hour, 20 * plan.Day, 50 * plan.Day, 200 * plan.Day, 3 * 365 * plan.Day, 30 * 365 * plan.Day,
	-time.Minute, -5 * time.Hour, -3 * plan.Day, -100 * plan.Day, -20 * 365 * plan.Day, -365 * plan.Day}

// clockWrong sets one clock wrong, as long as all others are right: one wrong
// source at once is what the laws stand.
func (w *world) clockWrong(n [4]int) {
	for _, c := range w.bed.Clocks() {
		if !c.Clock.Right() {
			return
		}
	}
	w.calm = false
	c, _ := pick(n[0], w.bed.Clocks())
	by := wrongs[n[1]%len(wrongs)]
	server := n[2]%3 > 0
	c.Clock.Set(by, server)
	word := "without a time server"
	if server {
		word = "and its time server says so"
	}
	w.report.Say("the clock of %s is wrong by %v, %s", c.Name, by, word)
}

// setClock sets a named clock wrong, whatever the others show.
func (w *world) setClock(n [4]int) {
	c, _ := pick(n[0], w.bed.Clocks())
	w.calm = false
	c.Clock.Set(wrongs[n[1]%len(wrongs)], n[2] > 0)
	w.report.Say("the clock of %s is wrong by %v", c.Name, wrongs[n[1]%len(wrongs)])
}

// noTimeServer takes the time server from a gateway whose clock is right.
func (w *world) noTimeServer(n [4]int) {
	b, _ := pick(n[0], w.bed.Gateways)
	w.calm = false
	b.Clock.Set(0, false)
	w.report.Say("no time server keeps the clock of %s any more", b.Name)
}

func (w *world) clocksRight([4]int) {
	for _, c := range w.bed.Clocks() {
		if !c.Clock.Right() {
			w.report.Say("the clock of %s is right again", c.Name)
			c.Clock.Set(0, true)
		}
	}
}

// restart ends a gateway's daemon in order and starts it again.
func (w *world) restart(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok {
		w.report.Say("%s is started again", b.Name)
		b.Stop()
		w.must(b.Name, b.Start())
	}
}

// powerCut takes the power from a gateway for a moment.
func (w *world) powerCut(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok {
		w.report.Say("%s loses its power", b.Name)
		w.calm = w.calm && b.Clock.Battery // without one it says so until a time server answers
		w.must(b.Name, b.CutPower())
		w.bootBox(b)
	}
}

// bootBox boots a machine without power; a time server sets its clock a while
// later.
func (w *world) bootBox(b *testbed.Gateway) {
	wrong := !b.Clock.Right()
	b.Clock.Reboot()
	w.must(b.Name, b.Start())
	if wrong {
		return // whatever made it wrong still does
	}
	time.Sleep(90 * time.Second)
	b.Clock.Set(0, true)
	synctest.Wait()
}

// off switches a gateway off; its after switches it on.
func (w *world) off(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok && b.Running() {
		w.report.Say("%s is switched off", b.Name)
		w.away[b.Name] = true
		w.must(b.Name, b.CutPower())
	}
}

func (w *world) on(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok && !b.Running() {
		w.report.Say("%s is switched on", b.Name)
		w.bootBox(b)
	}
}

// frontAgain and issuerAgain start a process of the registry again.
func (w *world) frontAgain([4]int) {
	w.report.Say("the front is started again")
	w.bed.Registry.StopFront()
	w.must("the front", w.bed.Registry.StartFront())
}

func (w *world) issuerAgain([4]int) {
	w.report.Say("the issuer is started again")
	w.bed.Registry.Issuer.End()
	w.must("the issuer", w.bed.Registry.StartIssuer())
}

func (w *world) frontOff([4]int) {
	if w.bed.Registry.Front.Running() {
		w.calm = false
		w.report.Say("the front is switched off")
		w.bed.Registry.StopFront()
	}
}

func (w *world) frontOn([4]int) {
	if !w.bed.Registry.Front.Running() {
		w.report.Say("the front is switched on")
		w.must("the front", w.bed.Registry.StartFront())
	}
}

func (w *world) lineCut(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok && !w.bed.Registry.Cut[b.Name] {
		w.calm = false
		w.report.Say("the line of %s is cut", b.Name)
		w.bed.Registry.Cut[b.Name] = true
		b.CutLink()
	}
}

func (w *world) lineBack(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok && w.bed.Registry.Cut[b.Name] {
		w.report.Say("the line of %s is mended", b.Name)
		delete(w.bed.Registry.Cut, b.Name)
		delete(w.bed.Registry.Dead, b.Name)
	}
}

// halfOpen makes a connection half-open: nobody notices, and nothing passes.
func (w *world) halfOpen(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok && b.Linked() {
		w.calm = false
		w.report.Say("the link of %s is half-open", b.Name)
		b.HalfOpen()
	}
}

// lineDead lets a line die in silence: what is connected is half-open, and nothing
// new gets through.
func (w *world) lineDead(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok {
		w.halfOpen(n)
		w.report.Say("nothing passes the line of %s, and nobody is told", b.Name)
		w.bed.Registry.Cut[b.Name], w.bed.Registry.Dead[b.Name] = true, true
	}
}

// losesAll lets the broker lose whatever it gets.
func (w *world) losesAll([4]int) {
	w.calm = false
	w.report.Say("the broker loses every message")
	w.bed.Broker.Set(faultnet.Misdeeds{Drop: 1})
}

// weather lets the broker misbehave; its after ends that.
func (w *world) weather(n [4]int) {
	w.calm = false
	w.report.Say("the broker misbehaves")
	part := func(i int) float64 { return float64(n[i]%30) / 100 }
	w.bed.Broker.Set(faultnet.Misdeeds{Drop: part(0), Duplicate: part(1), Reorder: part(2), Replay: part(3), Delay: time.Duration(n[0]%20) * time.Second})
}

// holdAcks lets the broker deliver as late as it likes, up to so many seconds.
func (w *world) holdAcks(n [4]int) {
	w.calm = false
	w.report.Say("the broker holds messages for up to %d s", n[0])
	w.bed.Broker.Set(faultnet.Misdeeds{Delay: time.Duration(n[0]) * time.Second})
}

// replayAcks says every answer of the registry again.
func (w *world) replayAcks([4]int) {
	w.report.Say("the broker says all answers again")
	for _, m := range w.bed.Broker.Seen() {
		if strings.HasSuffix(m.Topic, "/down/ack") {
			w.bed.Broker.Inject(m)
			synctest.Wait()
		}
	}
}

// oldVersion starts a gateway as a program of the version before.
func (w *world) oldVersion(n [4]int) {
	if b, ok := pick(n[0], w.bed.Running()); ok {
		w.report.Say("%s runs the version before", b.Name)
		b.Formats = 1
		b.Stop()
		w.must(b.Name, b.Start())
	}
}

func (w *world) fairWeather([4]int) {
	w.report.Say("the broker behaves again")
	w.bed.Broker.Set(faultnet.Misdeeds{})
}
