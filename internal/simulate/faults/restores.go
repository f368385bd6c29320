package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer"
	"gatehouse/internal/simulate/laws"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/virtual"
	"gatehouse/internal/simulate/world"
)

func (l *Losses) restore(theIssuer, theFront bool) {
	if l.w.Ruined() || !l.w.Bed.Registry.Issuer.Disk.HasImage("backup") {
		return
	}
	l.w.Look()
	began := l.w.Now()
	var signs []string
	put := func(p *testbed.Part, file string) {
		l.w.Report.Say("%s is restored from the backup", file)
		another, err := putBack(p.Disk, file)
		l.w.Must(file, err)
		if another {
			signs = append(signs, laws.DatabaseSign(file))
		}
	}
	if theFront {
		l.w.Bed.Registry.StopFront()
		put(&l.w.Bed.Registry.Front, api.FileDatabase)
		l.w.Erased.PutBack(l.w.Now())
	}
	if theIssuer {
		l.w.Bed.Registry.Issuer.End()
		put(&l.w.Bed.Registry.Issuer, issuer.FileDatabase)
		l.w.Model.Minds["issuer"] = l.w.Model.Images["issuer"].Clone()
	}
	if theFront {
		l.w.Must("the front", l.w.Bed.Registry.StartFront())
	}
	if theIssuer {
		l.w.Must("the issuer", l.w.Bed.Registry.StartIssuer())
	}
	switch {
	case len(signs) == 0: // nothing is lost, and nothing is to be said
	case theFront && theIssuer:
		l.w.Lost(began, "front.db and issuer.db are of the last backup", signs...)
	case theFront:
		l.w.Lost(began, "front.db is of the last backup", signs...)
	default:
		l.w.Lost(began, "issuer.db is of the last backup", signs...)
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
func (l *Losses) oldImage(n [4]int) {
	b, ok := world.Pick(n[0], l.w.Bed.Running())
	if !ok || l.w.Ruined() || !b.Disk.HasImage("backup") {
		return
	}
	l.w.Look()
	began := l.w.Now()
	l.w.Report.Say("%s gets an old image of its card", b.Name)
	had := b.Entries()
	l.w.Must(b.Name, b.SetBack("backup"))
	l.w.Erased.Another(b.Name)
	l.w.Model.Minds[b.Name] = l.w.Model.Images[b.Name].Clone()
	signs := l.setBackSigns(b, had)
	l.w.Boot(b)
	l.w.Lost(began, b.Name+" runs an old image of its card", signs...)
}

// setBackSigns are those of a gateway whose disk had entries that it has no more, and the registry
// has. Of what nobody has heard nobody can say that it is gone, and what was gone before was told.
func (l *Losses) setBackSigns(b *testbed.Gateway, had []testbed.Entry) []string {
	received, err := l.w.Received()
	if err != nil {
		return nil
	}
	gone := map[testbed.Spot]bool{}
	for _, e := range had {
		gone[e.At] = received[b.Name][e.At] > 0
	}
	for _, e := range b.Entries() {
		gone[e.At] = false
	}
	if !slices.Contains(slices.Collect(maps.Values(gone)), true) {
		return nil
	}
	return laws.SetBackSigns(b.Name)
}
