// Package faults is what goes wrong of itself. Each kind of fault is a row of a table beside
// what it does; how often it comes is the plan's business.
package faults

import (
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire"
)

// Machines are started again, switched off, or lose their power.
type Machines struct {
	w *world.World
}

// NewMachines are those to which nothing has happened yet.
func NewMachines(w *world.World) *Machines { return &Machines{w} }

// Events are what happens, by the names that plans have for it.
func (m *Machines) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"restart":      m.restart,
		"power cut":    m.powerCut,
		"off":          m.off,
		"on":           m.on,
		"front again":  m.frontAgain,
		"issuer again": func([4]int) { m.w.RestartIssuer() },
		"front off":    m.frontOff,
		"front on":     func([4]int) { m.FrontOn() },
		"old version":  m.oldVersion,
	}
}

// restart ends a gateway's daemon in order and starts it again.
func (m *Machines) restart(n [4]int) {
	if b, ok := world.Pick(n[0], m.w.Bed.Running()); ok {
		m.w.Report.Say("%s is started again", b.Name)
		b.Stop()
		m.w.Must(b.Name, b.Start())
	}
}

// powerCut takes the power from a gateway for a moment.
func (m *Machines) powerCut(n [4]int) {
	if b, ok := world.Pick(n[0], m.w.Bed.Running()); ok {
		m.w.Report.Say("%s loses its power", b.Name)
		m.w.Shown.Calm = m.w.Shown.Calm && b.Clock.Battery // without one it says so until a time server answers
		m.w.Must(b.Name, b.CutPower())
		m.w.Boot(b)
	}
}

// off switches a gateway off, and on switches it on.
func (m *Machines) off(n [4]int) {
	if b, ok := world.Pick(n[0], m.w.Bed.Gateways); ok && b.Running() {
		m.w.Report.Say("%s is switched off", b.Name)
		m.w.Shown.Away[b.Name] = true
		m.w.Must(b.Name, b.CutPower())
	}
}

func (m *Machines) on(n [4]int) {
	if b, ok := world.Pick(n[0], m.w.Bed.Gateways); ok && !b.Running() {
		m.w.Report.Say("%s is switched on", b.Name)
		m.w.Boot(b)
	}
}

// frontAgain ends the front and starts it again.
func (m *Machines) frontAgain([4]int) {
	m.w.Report.Say("the front is started again")
	m.w.Bed.Registry.StopFront()
	m.w.Must("the front", m.w.Bed.Registry.StartFront())
}

func (m *Machines) frontOff([4]int) {
	if m.w.Bed.Registry.Front.Running() {
		m.w.Shown.Calm = false
		m.w.Report.Say("the front is switched off")
		m.w.Bed.Registry.StopFront()
	}
}

// FrontOn switches the front on, if it is off.
func (m *Machines) FrontOn() {
	if !m.w.Bed.Registry.Front.Running() {
		m.w.Report.Say("the front is switched on")
		m.w.Must("the front", m.w.Bed.Registry.StartFront())
	}
}

// oldVersion starts a gateway as a program of a version before, which knows fewer formats.
func (m *Machines) oldVersion(n [4]int) {
	if b, ok := world.Pick(n[0], m.w.Bed.Running()); ok {
		b.Formats = 1 + uint64(n[1])%(wire.Formats-1)
		m.w.Report.Say("%s runs a version before, which knows formats 1 to %d", b.Name, b.Formats)
		b.Stop()
		m.w.Must(b.Name, b.Start())
	}
}
