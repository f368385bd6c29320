package simulate

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
)

// ruined reports whether something was destroyed lately: one loss at once is
// what the laws stand.
func (w *world) ruined() bool {
	return !w.plan.Named && w.lastLoss != 0 && w.now()-w.lastLoss < 12*time.Hour
}

// lost notes a loss that began then, and what has to say so.
func (w *world) lost(began time.Duration, what string, signs ...string) {
	w.lastLoss, w.calm = w.now(), false
	w.losses = append(w.losses, loss{what, began, signs})
	w.model.Forget()
}

// restoreIssuer and restoreFront put the last backup in the place of a database,
// as the docs say: the process is stopped, the file copied, the process started.
func (w *world) restoreIssuer([4]int) { w.restore(true, false) }
func (w *world) restoreFront([4]int)  { w.restore(false, true) }
func (w *world) restoreBoth([4]int)   { w.restore(true, true) }

func (w *world) restore(theIssuer, theFront bool) {
	if w.ruined() || !w.bed.Registry.Issuer.Disk.HasImage("backup") {
		return
	}
	w.look()
	began := w.now()
	var signs []string
	put := func(p *testbed.Part, file string) {
		w.report.Say("%s is restored from the backup", file)
		another, err := putBack(p.Disk, file)
		w.must(file, err)
		if another {
			signs = append(signs, databaseSign(file))
		}
	}
	if theFront {
		w.bed.Registry.StopFront()
		put(&w.bed.Registry.Front, api.FileDatabase)
	}
	if theIssuer {
		w.bed.Registry.Issuer.End()
		put(&w.bed.Registry.Issuer, issuer.FileDatabase)
		w.model.Minds["issuer"] = w.model.Images["issuer"].Clone()
	}
	if theFront {
		w.must("the front", w.bed.Registry.StartFront())
	}
	if theIssuer {
		w.must("the issuer", w.bed.Registry.StartIssuer())
	}
	switch {
	case len(signs) == 0: // nothing is lost, and nothing is to be said
	case theFront && theIssuer:
		w.lost(began, "front.db and issuer.db are of the last backup", signs...)
	case theFront:
		w.lost(began, "front.db is of the last backup", signs...)
	default:
		w.lost(began, "issuer.db is of the last backup", signs...)
	}
}

// putBack copies a database of the backup over the one that is there, and reports whether
// that is another one: a process that was off during the backup has the very same.
func putBack(d *virtual.Disk, file string) (another bool, err error) {
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(d.Path(file + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	there, err := os.ReadFile(d.Path(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	b, err := os.ReadFile(filepath.Join(d.ImageDir("backup"), file))
	if err != nil {
		return false, err
	}
	return !bytes.Equal(b, there), os.WriteFile(d.Path(file), b, 0o600)
}

// oldImage puts yesterday's image into a gateway.
func (w *world) oldImage(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok || w.ruined() || !b.Disk.HasImage("backup") {
		return
	}
	w.look()
	began := w.now()
	w.report.Say("%s gets an old image of its card", b.Name)
	w.must(b.Name, b.SetBack("backup"))
	w.model.Minds[b.Name] = w.model.Images[b.Name].Clone()
	signs := w.setBackSigns(b)
	w.bootBox(b)
	w.lost(began, b.Name+" runs an old image of its card", signs...)
}

// loseFile loses one file of a gateway while it is off.
func (w *world) loseFile(n [4]int) {
	b, ok := pick(n[0], w.bed.Running())
	if !ok || w.ruined() {
		return
	}
	name, how := plan.GatewayFiles[n[1]%len(plan.GatewayFiles)], plan.Harm(n[2]%3)
	w.loseFileOf(b, name, how)
}

// loseNamed loses a named file of a gateway.
func (w *world) loseNamed(n [4]int) {
	w.loseFileOf(w.bed.Gateways[n[0]], append(plan.GatewayFiles, plan.OldestOfLog)[n[1]], plan.Harm(n[2]))
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

func (w *world) loseFileOf(b *testbed.Gateway, name string, how plan.Harm) {
	w.look()
	began := w.now()
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
		w.must(b.Name, b.Start())
		return
	}
	w.report.Say("%s of %s is %s", name, b.Name, how)
	w.model.Minds[b.Name].Damaged = true
	w.lost(began, name+" of "+b.Name+" was "+how.String(), signsOf(b.Name, name)...)
	w.must(b.Name, b.Start())
	w.look()
}

// newMachine puts a new machine in the place of a gateway.
func (w *world) newMachine(n [4]int) {
	b, ok := pick(n[0], w.bed.Gateways)
	if !ok || w.ruined() {
		return
	}
	w.look()
	w.replaceBox(b)
}

func (w *world) replaceBox(b *testbed.Gateway) {
	began := w.now()
	w.report.Say("%s is replaced by a new machine", b.Name)
	b.Stop()
	w.must(b.Name, b.Disk.Fresh())
	if err := os.MkdirAll(b.Disk.Path("state"), 0o700); err != nil {
		w.must(b.Name, err)
	}
	b.Clock.Set(0, true)
	w.model.Minds[b.Name] = &model.Mind{Knows: map[int]bool{}}
	err := b.EnrolPatiently()
	w.must(b.Name, err)
	w.must(b.Name, b.Start())
	if err == nil { // else its status asks for the same again
		w.follow()
	}
	w.lost(began, b.Name+" is a new machine")
	w.entries[b.Name] = map[testbed.Spot]noted{}
}

// enrolAnew moves a gateway's keys away, or those that its status names, and enrols it
// with a new token, as that says where they can't be read or nothing that the registry
// says can be believed.
func (w *world) enrolAnew(b *testbed.Gateway, files []string) {
	began := w.now()
	b.Stop()
	what, signs := "its keys", []string{""}
	if len(files) > 0 { // the loss is that of the file, of which its status has spoken
		what, signs = strings.Join(files, " and "), nil
	} else {
		files = []string{""}
	}
	var err error
	for _, file := range files {
		path := b.Disk.Path("state", "keys", file)
		_ = os.RemoveAll(path + ".aside")
		err = errors.Join(err, os.Rename(path, path+".aside"))
	}
	if err == nil {
		err = b.EnrolPatiently()
	}
	w.report.Say("%s has %s moved away and is enrolled anew%s", b.Name, what, said(err))
	w.lost(began, b.Name+" was enrolled anew", signs...)
	w.must(b.Name, b.Start())
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
