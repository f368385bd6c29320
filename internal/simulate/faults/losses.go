package faults

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/office"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
)

// Losses are what is destroyed, rolled back or replaced.
type Losses struct {
	w     *world.World
	hints *office.Hints
}

// NewLosses are those to which nothing has happened yet.
func NewLosses(w *world.World, hints *office.Hints) *Losses { return &Losses{w, hints} }

// Events are what happens, by the names that plans have for it.
func (l *Losses) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"restore issuer": func([4]int) { l.restore(true, false) },
		"restore front":  func([4]int) { l.restore(false, true) },
		"restore both":   func([4]int) { l.restore(true, true) },
		"old image":      l.oldImage,
		"lose file":      l.loseFile,
		"lose this file": l.loseNamed,
		"flip":           l.flip,
		"new machine":    l.newMachine,
	}
}

// loseFile loses one file of a gateway while it is off.
func (l *Losses) loseFile(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Running())
	if !ok || l.w.Ruined() {
		return
	}
	name, how := plan.GatewayFiles[n[1]%len(plan.GatewayFiles)], plan.Harm(n[2]%3)
	l.loseFileOf(b, name, how)
}

// loseNamed loses a named file of a gateway.
func (l *Losses) loseNamed(n [4]int) {
	l.loseFileOf(l.w.Bed.Gateways[n[0]], append(plan.GatewayFiles, plan.OldestOfLog)[n[1]], plan.Harm(n[2]))
}

// oldest is that of a gateway's log which was written to least lately; none: there is
// but one.
func oldest(b *testbed.Gateway) []string {
	all, _ := filepath.Glob(b.Disk.Path("state", "journal/*-*.db"))
	age := func(path string) time.Duration {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return time.Since(info.ModTime())
	}
	if len(all) < 2 {
		return nil
	}
	return []string{slices.MaxFunc(all, func(a, b string) int { return cmp.Compare(age(a), age(b)) })}
}

func (l *Losses) loseFileOf(b *testbed.Gateway, name string, how plan.Harm) {
	l.w.Look()
	began := l.w.Now()
	b.Stop()
	files, err := filepath.Glob(b.Disk.Path("state", name))
	slices.Sort(files)
	if name == plan.OldestOfLog {
		files = oldest(b)
	}
	if name == "journal/*.db" {
		files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "tree.db" })
	}
	if info, err := os.Stat(b.Disk.Path("state", name)); err == nil && info.IsDir() {
		how = plan.Deleted
	}
	done := 0
	for _, f := range files {
		if err := harm(f, how); err == nil {
			done++
		}
	}
	if err != nil || done == 0 {
		l.w.Must(b.Name, b.Start())
		return
	}
	l.w.Report.Say("%s of %s is %s", name, b.Name, how)
	l.w.Model.Minds[b.Name].Damaged = true
	l.w.Lost(began, name+" of "+b.Name+" was "+how.String(), laws.SignsOf(b.Name, name)...)
	l.w.Must(b.Name, b.Start())
	l.w.Look()
}

// harm deletes a file or a directory, or empties or spoils a file.
func harm(path string, how plan.Harm) error {
	switch how {
	case plan.Deleted:
		return os.RemoveAll(path)
	case plan.Emptied:
		return os.Truncate(path, 0)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := range raw {
		raw[i] ^= byte(i*37 + 11)
	}
	return os.WriteFile(path, raw, 0o600)
}

// flippable are files of a gateway in which a bit may flip.
var flippable = []string{"journal/epochs", "journal/hints", "journal/tree.db", "journal/*-*.db", "grants/grants-a.db", "grants/grants-b.db",
	"grants/tenancies.json", "clock", "keys/building.key", "keys/gateway.key", "keys/client.crt", "keys/client.key", "keys/trust.cose", "keys/house.cose", "keys/registry.json"}

// flip turns one bit of a file while its gateway is off, as a worn card does.
func (l *Losses) flip(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Running())
	if !ok || l.w.Ruined() {
		return
	}
	name := flippable[n[1]%len(flippable)]
	l.w.Look()
	began := l.w.Now()
	b.Stop()
	files, err := filepath.Glob(b.Disk.Path("state", name))
	if err == nil && len(files) > 0 {
		harmless, err := flipBit(files[0], n[2])
		switch {
		case err != nil:
		case harmless:
			l.w.Report.Say("a bit of %s of %s flips where it holds nothing", name, b.Name)
			l.w.Lost(began, "")
		default:
			l.w.Report.Say("a bit of %s of %s flips", name, b.Name)
			l.w.Model.Minds[b.Name].Damaged = true
			l.w.Lost(began, "a bit of "+name+" of "+b.Name+" flipped", "")
		}
	}
	l.w.Must(b.Name, b.Start())
}

// flipBit turns a bit of a file, and reports whether nobody reads that.
func flipBit(path string, n int) (harmless bool, err error) {
	raw, err := os.ReadFile(path)
	if err != nil || len(raw) == 0 {
		return false, os.ErrNotExist
	}
	harmless = holdsNothing(raw, n%len(raw))
	raw[n%len(raw)] ^= 1 << (n % 8)
	return harmless, os.WriteFile(path, raw, 0o600)
}

// newMachine puts a new machine in the place of a gateway.
func (l *Losses) newMachine(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Gateways)
	if !ok || l.w.Ruined() {
		return
	}
	l.w.Look()
	l.hints.Replace(b)
}
