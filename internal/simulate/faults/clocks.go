package faults

import (
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/world"
)

// Clocks are those of all machines, which are set wrong and right again.
type Clocks struct {
	w *world.World
}

// NewClocks are those to which nothing has happened yet.
func NewClocks(w *world.World) *Clocks { return &Clocks{w} }

// Events are what happens, by the names that plans have for it.
func (k *Clocks) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"clock wrong":    k.wrong,
		"set clock":      k.set,
		"no time server": k.noServer,
		"clocks right":   func([4]int) { k.Right() },
	}
}

// wrong sets one clock wrong, as long as all others are right: one wrong
// source at once is what the laws stand.
func (k *Clocks) wrong(n [4]int) {
	for _, c := range k.w.Bed.Clocks() {
		if !c.Clock.Right() {
			return
		}
	}
	k.w.Shown.Calm = false
	c, _ := world.Pick(n[0], k.w.Bed.Clocks())
	by := plan.Wrongs[n[1]%len(plan.Wrongs)]
	server := n[2]%3 > 0
	c.Clock.Set(by, server)
	word := "without a time server"
	if server {
		word = "and its time server says so"
	}
	k.w.Report.Say("the clock of %s is wrong by %v, %s", c.Name, by, word)
}

// set sets a named clock wrong, whatever the others show.
func (k *Clocks) set(n [4]int) {
	c, _ := world.Pick(n[0], k.w.Bed.Clocks())
	k.w.Shown.Calm = false
	c.Clock.Set(plan.Wrongs[n[1]%len(plan.Wrongs)], n[2] > 0)
	k.w.Report.Say("the clock of %s is wrong by %v", c.Name, plan.Wrongs[n[1]%len(plan.Wrongs)])
}

// noServer takes the time server from a gateway whose clock is right.
func (k *Clocks) noServer(n [4]int) {
	b, _ := world.Pick(n[0], k.w.Bed.Gateways)
	k.w.Shown.Calm = false
	b.Clock.Set(0, false)
	k.w.Report.Say("no time server keeps the clock of %s any more", b.Name)
}

// Right sets all clocks right, each with a time server.
func (k *Clocks) Right() {
	for _, c := range k.w.Bed.Clocks() {
		if !c.Clock.Right() {
			k.w.Report.Say("the clock of %s is right again", c.Name)
			c.Clock.Set(0, true)
		}
	}
}
