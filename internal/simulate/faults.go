package simulate

import (
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/virtual"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
)

// wrongs are how wrong a clock may be.
var wrongs = []time.Duration{30 * time.Second, 50 * time.Minute, 6 * time.Hour, 20 * plan.Day, 50 * plan.Day, 200 * plan.Day, 3 * 365 * plan.Day, 30 * 365 * plan.Day,
	-time.Minute, -5 * time.Hour, -3 * plan.Day, -100 * plan.Day, -20 * 365 * plan.Day, -365 * plan.Day}

// clocks are those of all machines, by name.
func (w *world) clocks() []struct {
	name string
	c    *virtual.Clock
} {
	all := []struct {
		name string
		c    *virtual.Clock
	}{{"the front", w.centre.front.clock}, {"the issuer", w.centre.issuer.clock}}
	boxes := w.gateways
	if w.annex != nil {
		boxes = append(slices.Clone(boxes), w.annex.box)
	}
	for _, b := range boxes {
		all = append(all, struct {
			name string
			c    *virtual.Clock
		}{b.name, b.clock})
	}
	return all
}

// clockWrong sets one clock wrong, as long as all others are right: one wrong
// source at once is what the laws stand.
func (w *world) clockWrong(n [4]int) {
	for _, c := range w.clocks() {
		if !c.c.Right() {
			return
		}
	}
	w.calm = false
	c, _ := pick(n[0], w.clocks())
	by := wrongs[n[1]%len(wrongs)]
	server := n[2]%3 > 0
	c.c.Set(by, server)
	word := "without a time server"
	if server {
		word = "and its time server says so"
	}
	w.report.Say("the clock of %s is wrong by %v, %s", c.name, by, word)
}

// setClock sets a named clock wrong, whatever the others show.
func (w *world) setClock(n [4]int) {
	c, _ := pick(n[0], w.clocks())
	w.calm = false
	c.c.Set(wrongs[n[1]%len(wrongs)], n[2] > 0)
	w.report.Say("the clock of %s is wrong by %v", c.name, wrongs[n[1]%len(wrongs)])
}

// noTimeServer takes the time server from a gateway whose clock is right.
func (w *world) noTimeServer(n [4]int) {
	b, _ := pick(n[0], w.gateways)
	w.calm = false
	b.clock.Set(0, false)
	w.report.Say("no time server keeps the clock of %s any more", b.name)
}

func (w *world) clocksRight([4]int) {
	for _, c := range w.clocks() {
		if !c.c.Right() {
			w.report.Say("the clock of %s is right again", c.name)
			c.c.Set(0, true)
		}
	}
}

// restart ends a gateway's daemon in order and starts it again.
func (w *world) restart(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok {
		w.report.Say("%s is started again", b.name)
		b.stop()
		w.must(b.name, b.start())
	}
}

// powerCut takes the power from a gateway for a moment.
func (w *world) powerCut(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok {
		w.report.Say("%s loses its power", b.name)
		w.calm = w.calm && b.clock.Battery // without one it says so until a time server answers
		w.must(b.name, b.cutPower())
		w.bootBox(b)
	}
}

// bootBox boots a machine without power; a time server sets its clock a while
// later.
func (w *world) bootBox(b *box) {
	wrong := !b.clock.Right()
	b.clock.Reboot()
	w.must(b.name, b.start())
	if wrong {
		return // whatever made it wrong still does
	}
	time.Sleep(90 * time.Second)
	b.clock.Set(0, true)
	synctest.Wait()
}

// off switches a gateway off; its after switches it on.
func (w *world) off(n [4]int) {
	if b, ok := pick(n[0], w.gateways); ok && b.life != nil {
		w.report.Say("%s is switched off", b.name)
		w.away[b.name] = true
		w.must(b.name, b.cutPower())
	}
}

func (w *world) on(n [4]int) {
	if b, ok := pick(n[0], w.gateways); ok && b.life == nil {
		w.report.Say("%s is switched on", b.name)
		w.bootBox(b)
	}
}

// frontAgain and issuerAgain start a process of the registry again.
func (w *world) frontAgain([4]int) {
	w.report.Say("the front is started again")
	w.centre.stopFront()
	w.must("the front", w.centre.startFront())
}

func (w *world) issuerAgain([4]int) {
	w.report.Say("the issuer is started again")
	w.centre.issuer.end()
	w.must("the issuer", w.centre.startIssuer())
}

func (w *world) frontOff([4]int) {
	if w.centre.front.running() {
		w.calm = false
		w.report.Say("the front is switched off")
		w.centre.stopFront()
	}
}

func (w *world) frontOn([4]int) {
	if !w.centre.front.running() {
		w.report.Say("the front is switched on")
		w.must("the front", w.centre.startFront())
	}
}

func (w *world) lineCut(n [4]int) {
	if b, ok := pick(n[0], w.gateways); ok && !w.centre.cut[b.name] {
		w.calm = false
		w.report.Say("the line of %s is cut", b.name)
		w.centre.cut[b.name] = true
		b.cutLink()
	}
}

func (w *world) lineBack(n [4]int) {
	if b, ok := pick(n[0], w.gateways); ok && w.centre.cut[b.name] {
		w.report.Say("the line of %s is mended", b.name)
		delete(w.centre.cut, b.name)
		delete(w.centre.dead, b.name)
	}
}

// halfOpen makes a connection half-open: nobody notices, and nothing passes.
func (w *world) halfOpen(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok && b.life.link != nil {
		w.calm = false
		w.report.Say("the link of %s is half-open", b.name)
		b.life.link.Blind()
	}
}

// lineDead lets a line die in silence: what is connected is half-open, and nothing
// new gets through.
func (w *world) lineDead(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok {
		w.halfOpen(n)
		w.report.Say("nothing passes the line of %s, and nobody is told", b.name)
		w.centre.cut[b.name], w.centre.dead[b.name] = true, true
	}
}

// losesAll lets the broker lose whatever it gets.
func (w *world) losesAll([4]int) {
	w.calm = false
	w.report.Say("the broker loses every message")
	w.broker.Set(faultnet.Misdeeds{Drop: 1})
}

// weather lets the broker misbehave; its after ends that.
func (w *world) weather(n [4]int) {
	w.calm = false
	w.report.Say("the broker misbehaves")
	part := func(i int) float64 { return float64(n[i]%30) / 100 }
	w.broker.Set(faultnet.Misdeeds{Drop: part(0), Duplicate: part(1), Reorder: part(2), Replay: part(3), Delay: time.Duration(n[0]%20) * time.Second})
}

// holdAcks lets the broker deliver as late as it likes, up to so many seconds.
func (w *world) holdAcks(n [4]int) {
	w.calm = false
	w.report.Say("the broker holds messages for up to %d s", n[0])
	w.broker.Set(faultnet.Misdeeds{Delay: time.Duration(n[0]) * time.Second})
}

// replayAcks says every answer of the registry again.
func (w *world) replayAcks([4]int) {
	w.report.Say("the broker says all answers again")
	for _, m := range w.broker.Seen() {
		if strings.HasSuffix(m.Topic, "/down/ack") {
			w.broker.Inject(m)
			synctest.Wait()
		}
	}
}

// oldVersion starts a gateway as a program of the version before.
func (w *world) oldVersion(n [4]int) {
	if b, ok := pick(n[0], w.running()); ok {
		w.report.Say("%s runs the version before", b.name)
		b.formats = 1
		b.stop()
		w.must(b.name, b.start())
	}
}

func (w *world) fairWeather([4]int) {
	w.report.Say("the broker behaves again")
	w.broker.Set(faultnet.Misdeeds{})
}
