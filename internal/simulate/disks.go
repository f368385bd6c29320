package simulate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"gatehouse/internal/simulate/testbed"
)

// diskFull fills a disk to the last block. What is kept back there for this goes
// with the next entries, and now and then somebody fills that up too.
func (w *world) diskFull(n [4]int) {
	names, all := w.bed.Disks()
	i := n[0] % len(all)
	if !all[i].Own {
		w.report.Say("the disk of %s can't be filled up here: that takes a file system of its own, which root may make", names[i])
		return
	}
	w.calm = false
	w.report.Say("the disk of %s is full%s", names[i], said(all[i].Fill()))
	b := w.bed.Gateway(names[i])
	switch {
	case names[i] == "the front":
		w.frontFull(n)
		return
	case names[i] == "the issuer":
		w.issuerFull(n)
		return
	case !b.Running():
		return
	}
	w.someoneSwipes(b, n[1])
	if n[2]%2 == 0 {
		time.Sleep(time.Minute)
		w.report.Say("the disk of %s is full again%s", b.Name, said(all[i].Fill()))
		w.someoneSwipes(b, n[3])
	}
	time.Sleep(20 * time.Minute) // a gateway here looks at its disk each quarter of an hour
	synctest.Wait()
	w.fullShown(b)
}

func (w *world) someoneSwipes(b *testbed.Gateway, n int) {
	if t, ok := w.someone(n); ok {
		w.hold(b, t, t.Cards[0])
	}
}

// fullShown is law W5 for a full disk: it shows while it lasts.
func (w *world) fullShown(b *testbed.Gateway) {
	s, err := b.Status()
	if err != nil {
		return
	}
	if !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "disk") || strings.Contains(p, "room") }) {
		w.report.Breach("W5", "the disk of %s is full, and its status does not say so (the log is degraded: %q)", b.Name, s.Journal.Degraded)
	}
	w.look()
}

// frontFull: entries that come to a front with a full disk wait at their gateway,
// and where they do the front says so.
func (w *world) frontFull(n [4]int) {
	for _, b := range w.bed.Running() {
		w.someoneSwipes(b, n[1])
	}
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	w.look()
	all, err := w.bed.Registry.API.Gateways(w.bed.Ctx, testbed.Building)
	if err != nil {
		return
	}
	s, err := w.bed.Registry.API.Status(w.bed.Ctx)
	for _, g := range all {
		if err == nil && g.Online && g.Behind > 0 && !slices.ContainsFunc(s.Problems, func(p string) bool { return strings.Contains(p, "disk") }) {
			w.report.Breach("W5", "the disk of the front is full, %d entries of %s wait, and its status does not say so", g.Behind, g.Gateway)
		}
	}
}

// issuerFull: what the operator does is done, or refused with a word about the disk.
func (w *world) issuerFull(n [4]int) {
	t, ok := w.someone(n[1])
	if !ok {
		return
	}
	err := w.stopOf(t)
	if err != nil && strings.Contains(err.Error(), "full") && !strings.Contains(said(err), "make room") {
		w.report.Breach("W5", "the disk of the issuer is full, and its refusal does not say what to do: %s", said(err))
	}
}

func (w *world) diskHasRoom(n [4]int) {
	names, all := w.bed.Disks()
	if i := n[0] % len(all); all[i].Full {
		w.report.Say("the disk of %s has room%s", names[i], said(all[i].Widen()))
	}
}

// diskSlow lets every commit of a gateway's log take as long as a worn card's.
func (w *world) diskSlow(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok {
		w.calm = false
		by := []time.Duration{80 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second, 20 * time.Second}[n[1]%4]
		w.report.Say("the disk of %s takes %v for each sync", b.Name, by)
		b.Disk.Slow.Store(int64(by))
	}
}

func (w *world) diskFast(n [4]int) {
	if b, ok := pick(n[0], w.bed.Gateways); ok && b.Disk.Slow.Load() > 0 {
		w.report.Say("the disk of %s is as fast as it was", b.Name)
		b.Disk.Slow.Store(0)
	}
}

// disksRight gives all disks room, and their speed.
func (w *world) disksRight() {
	for i := range w.bed.Gateways {
		w.diskFast([4]int{i})
	}
	_, all := w.bed.Disks()
	for i := range all {
		w.diskHasRoom([4]int{i})
	}
}

// flippable are files of a gateway in which a bit may flip.
var flippable = []string{"journal/epochs", "journal/acked", "journal/safe", "journal/tree.db", "journal/*-*.db", "grants/grants-a.db", "grants/grants-b.db",
	"grants/tenancies.json", "clock", "keys/building.key", "keys/gateway.key", "keys/client.crt", "keys/client.key", "keys/trust.cose", "keys/house.cose", "keys/registry.json"}

// flip turns one bit of a file while its gateway is off, as a worn card does.
func (w *world) flip(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok || w.ruined() {
		return
	}
	name := flippable[n[1]%len(flippable)]
	w.look()
	began := w.now()
	b.Stop()
	files, err := filepath.Glob(b.Disk.Path("state", name))
	if err == nil && len(files) > 0 && flipBit(files[0], n[2]) == nil {
		w.report.Say("a bit of %s of %s flips", name, b.Name)
		w.model.Minds[b.Name].Damaged = true
		w.lost(began, "a bit of "+name+" of "+b.Name+" flipped", "")
	}
	w.must(b.Name, b.Start())
}

func flipBit(path string, n int) error {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) == 0 {
		return os.ErrNotExist
	}
	raw[n%len(raw)] ^= 1 << (n % 8)
	return os.WriteFile(path, raw, 0o600)
}
