package faults

import (
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/faultnet"
	"gatehouse/internal/simulate/world"
)

// Links are the lines of the gateways and the broker between them and the registry.
type Links struct {
	w *world.World
}

// NewLinks are those to which nothing has happened yet.
func NewLinks(w *world.World) *Links { return &Links{w} }

// Events are what happens, by the names that plans have for it.
func (l *Links) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"line cut":     l.cut,
		"line back":    l.mend,
		"line drops":   l.drop,
		"line dead":    l.dead,
		"half-open":    l.halfOpen,
		"loses all":    l.losesAll,
		"weather":      l.weather,
		"fair weather": func([4]int) { l.fairWeather() },
		"hold acks":    l.holdAcks,
		"replay acks":  func([4]int) { l.replayAcks() },
	}
}

func (l *Links) cut(n [4]int) {
	if b, ok := world.Pick(n[0], l.w.Bed.Gateways); ok && !l.w.Bed.Registry.Cut[b.Name] {
		l.w.Shown.Calm = false
		l.w.Report.Say("the line of %s is cut", b.Name)
		l.w.Bed.Registry.Cut[b.Name] = true
		b.CutLink()
	}
}

func (l *Links) mend(n [4]int) {
	if b, ok := world.Pick(n[0], l.w.Bed.Gateways); ok && l.w.Bed.Registry.Cut[b.Name] {
		l.w.Report.Say("the line of %s is mended", b.Name)
		delete(l.w.Bed.Registry.Cut, b.Name)
		delete(l.w.Bed.Registry.Dead, b.Name)
	}
}

// drop ends a connection, so that it has to be made again.
func (l *Links) drop(n [4]int) {
	if b, ok := world.Pick(n[0], l.w.Bed.Running()); ok && b.Linked() {
		l.w.Report.Say("the connection of %s drops", b.Name)
		b.CutLink()
	}
}

// dead lets a line die in silence: what is connected is half-open, and nothing
// new gets through.
func (l *Links) dead(n [4]int) {
	if b, ok := world.Pick(n[0], l.w.Bed.Running()); ok {
		l.halfOpen(n)
		l.w.Report.Say("nothing passes the line of %s, and nobody is told", b.Name)
		l.w.Bed.Registry.Cut[b.Name], l.w.Bed.Registry.Dead[b.Name] = true, true
	}
}

// halfOpen makes a connection half-open: nobody notices, and nothing passes.
func (l *Links) halfOpen(n [4]int) {
	if b, ok := world.Pick(n[0], l.w.Bed.Running()); ok && b.Linked() {
		l.w.Shown.Calm = false
		l.w.Report.Say("the link of %s is half-open", b.Name)
		b.HalfOpen()
	}
}

// losesAll lets the broker lose whatever it gets.
func (l *Links) losesAll([4]int) {
	l.w.Shown.Calm = false
	l.w.Report.Say("the broker loses every message")
	l.w.Bed.Broker.Set(faultnet.Misdeeds{Drop: 1})
}

// weather lets the broker misbehave until fair weather.
func (l *Links) weather(n [4]int) {
	l.w.Shown.Calm = false
	l.w.Report.Say("the broker misbehaves")
	part := func(i int) float64 { return float64(n[i]%30) / 100 }
	l.w.Bed.Broker.Set(faultnet.Misdeeds{Drop: part(0), Duplicate: part(1), Reorder: part(2), Replay: part(3), Delay: time.Duration(n[0]%20) * time.Second})
}

// holdAcks lets the broker deliver as late as it likes, up to so many seconds.
func (l *Links) holdAcks(n [4]int) {
	l.w.Shown.Calm = false
	l.w.Report.Say("the broker holds messages for up to %d s", n[0])
	l.w.Bed.Broker.Set(faultnet.Misdeeds{Delay: time.Duration(n[0]) * time.Second})
}

// replayAcks says every answer of the registry again.
func (l *Links) replayAcks() {
	l.w.Report.Say("the broker says all answers again")
	for _, m := range l.w.Bed.Broker.Seen() {
		if strings.HasSuffix(m.Topic, "/down/ack") {
			l.w.Bed.Broker.Inject(m)
			synctest.Wait()
		}
	}
}

func (l *Links) fairWeather() {
	l.w.Report.Say("the broker behaves again")
	l.w.Bed.Broker.Set(faultnet.Misdeeds{})
}
