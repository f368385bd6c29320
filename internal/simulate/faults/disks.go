package faults

import (
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/office"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Disks fill up and get slow.
type Disks struct {
	w  *world.World
	op *office.Operator
}

// NewDisks are those to which nothing has happened yet.
func NewDisks(w *world.World, op *office.Operator) *Disks { return &Disks{w, op} }

// Events are what happens, by the names that plans have for it.
func (d *Disks) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"disk full":     d.full,
		"disk has room": func(n [4]int) { d.empty(n[0]) },
		"disk slow":     d.slow,
		"disk fast":     func(n [4]int) { d.fast(n[0]) },
	}
}

// full fills a disk to the last block. What is kept back there for this goes
// with the next entries, and now and then somebody fills that up too.
func (d *Disks) full(n [4]int) {
	names, all := d.w.Bed.Disks()
	i := n[0] % len(all)
	if !all[i].Own {
		d.w.Report.Say("the disk of %s can't be filled up here: that takes a file system of its own, which root may make", names[i])
		return
	}
	d.w.Shown.Calm = false
	d.w.Report.Say("the disk of %s is full%s", names[i], world.Said(all[i].Fill()))
	b := d.w.Bed.Gateway(names[i])
	switch {
	case names[i] == "the front":
		d.frontFull(n)
		return
	case names[i] == "the issuer":
		d.issuerFull(n)
		return
	case !b.Running():
		return
	}
	d.w.SomeoneSwipes(b, n[1])
	if n[2]%2 == 0 {
		time.Sleep(time.Minute)
		d.w.Report.Say("the disk of %s is full again%s", b.Name, world.Said(all[i].Fill()))
		d.w.SomeoneSwipes(b, n[3])
	}
	time.Sleep(20 * time.Minute) // a gateway here looks at its disk each quarter of an hour
	synctest.Wait()
	d.fullShown(b)
}

// fullShown is law W5 for a full disk: it shows while it lasts.
func (d *Disks) fullShown(b *testbed.Gateway) {
	s, err := b.Status()
	if err != nil {
		return
	}
	if !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "disk") || strings.Contains(p, "room") }) {
		d.w.Report.Breach("W5", "the disk of %s is full, and its status does not say so (the log is degraded: %q)", b.Name, s.Journal.Degraded)
	}
	d.w.Look()
}

// frontFull holds swipes while the disk of the front is full: their entries wait at the
// gateways, and where they do the front says so.
func (d *Disks) frontFull(n [4]int) {
	for _, b := range d.w.Bed.Running() {
		d.w.SomeoneSwipes(b, n[1])
	}
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	d.w.Look()
	all, err := d.w.Bed.Registry.API.Gateways(d.w.Bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	s, err := d.w.Bed.Registry.API.Status(d.w.Bed.Ctx)
	for _, g := range all {
		if err == nil && g.Online && g.Behind > 0 && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "disk") }) {
			d.w.Report.Breach("W5", "the disk of the front is full, %d entries of %s wait, and its status does not say so", g.Behind, g.Gateway)
		}
	}
}

// issuerFull lets the operator act: that is done, or refused with a word about the disk.
func (d *Disks) issuerFull(n [4]int) {
	t, ok := d.w.Someone(n[1])
	if !ok {
		return
	}
	err := d.op.Suspend(t)
	if err != nil && strings.Contains(err.Error(), "full") && !strings.Contains(world.Said(err), "make room") {
		d.w.Report.Breach("W5", "the disk of the issuer is full, and its refusal does not say what to do: %s", world.Said(err))
	}
}

func (d *Disks) empty(n int) {
	names, all := d.w.Bed.Disks()
	if i := n % len(all); all[i].Full {
		d.w.Report.Say("the disk of %s has room%s", names[i], world.Said(all[i].Widen()))
	}
}

// slow lets every commit of a gateway's log take as long as a worn card's.
func (d *Disks) slow(n [4]int) {
	if b, ok := world.Pick(n[0], d.w.Bed.Gateways); ok {
		d.w.Shown.Calm = false
		by := []time.Duration{80 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second, 20 * time.Second}[n[1]%4]
		d.w.Report.Say("the disk of %s takes %v for each sync", b.Name, by)
		b.Disk.Slow.Store(int64(by))
	}
}

func (d *Disks) fast(n int) {
	if b, ok := world.Pick(n, d.w.Bed.Gateways); ok && b.Disk.Slow.Load() > 0 {
		d.w.Report.Say("the disk of %s is as fast as it was", b.Name)
		b.Disk.Slow.Store(0)
	}
}

// Right gives all disks space, and their speed.
func (d *Disks) Right() {
	for i := range d.w.Bed.Gateways {
		d.fast(i)
	}
	_, all := d.w.Bed.Disks()
	for i := range all {
		d.empty(i)
	}
}
