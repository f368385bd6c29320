// Package catalogue is which entry files a journal has, in which order, and where
// the entries of each end that count: on the disk (Directory, with the epochs file)
// and in memory (Catalogue, an immutable value that readers load without a lock).
//
// It decides by that alone what comes before what: which file has an entry, whether
// the uplink's cursor may move, which file goes first when space is short. It refuses
// to take a file for whole whose epochs file is damaged, and reads no entry.
package catalogue

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/segment"
)

// NextSuffix is that of a file of an epoch that begins when the epochs file names it.
const NextSuffix = ".next"

// Directory is the content of a journal's directory: the entry files and the epochs file.
type Directory struct {
	Files  []File // oldest epoch first, then by sequence
	epochs []epochLine
	Bad    bool     // the epochs file was lost or is damaged: the open epoch is unknown
	Aside  []string // names of files that were set aside
	path   string
}

// Tidy lists a directory, and completes the files of an epoch that was about to begin. It removes those
// of an epoch that did not, except of the one that is being copied in this run (0: none).
func Tidy(path string, copying uint64) (Directory, error) { return scan(path, copying, true) }

// Scan lists a directory and changes nothing.
func Scan(path string) (Directory, error) { return scan(path, 0, false) }

func scan(path string, copying uint64, tidy bool) (Directory, error) {
	names, err := os.ReadDir(path)
	if err != nil {
		return Directory{}, fmt.Errorf("read journal directory: %w", err)
	}
	d := Directory{path: path}
	d.epochs, d.Bad = readEpochs(path)
	for _, n := range names {
		name := n.Name()
		if strings.Contains(name, asideMark) {
			d.Aside = append(d.Aside, name)
			continue
		}
		if tidy {
			if name, err = d.tidy(name, copying); err != nil {
				return Directory{}, err
			}
		}
		if epoch, first, ok := segment.ParseName(name); ok {
			d.Files = append(d.Files, File{Epoch: epoch, First: first, End: segment.NoEnd, Path: filepath.Join(path, name), Packed: true})
		}
	}
	d.Bad = d.Bad || len(d.epochs) == 0 && len(d.Files) > 0
	d.order()
	return d, nil
}

// tidy completes or removes a file that a crash left unfinished, and returns its name after that.
func (d *Directory) tidy(name string, copying uint64) (string, error) {
	final, isNext := strings.CutSuffix(strings.TrimSuffix(name, ".new"), NextSuffix)
	epoch, _, ok := segment.ParseName(final)
	switch path := filepath.Join(d.path, name); {
	case isNext && ok && name == final+NextSuffix && d.Knows(epoch):
		if err := durable.Rename(path, filepath.Join(d.path, final)); err != nil {
			return "", fmt.Errorf("put the file of a new epoch in place: %w", err)
		}
		return final, nil
	case isNext && ok && epoch == copying:
	case isNext:
		os.Remove(path) // best effort: it is removed again when its name is needed
	}
	return name, nil
}

// Sweep removes the files that a crash left half made or half rewritten: they have who parts. Call it
// before anything is made or rewritten in this run.
func Sweep(path string) {
	for _, pattern := range []string{"*.db.new", "*.db" + segment.PackSuffix, "*.db" + segment.PackSuffix + ".new"} {
		left, _ := filepath.Glob(filepath.Join(path, pattern)) // an error is one of the pattern
		for _, name := range left {
			os.Remove(name) // best effort: it is removed again when its name is needed
		}
	}
}

// Knows reports whether an epoch is in the epochs file, or has files.
func (d *Directory) Knows(epoch uint64) bool {
	return slices.ContainsFunc(d.epochs, func(e epochLine) bool { return e.epoch == epoch })
}

// EndOf returns the first sequence after the entries of an epoch that can be read in those of its
// files that are good.
func (d *Directory) EndOf(epoch uint64, good func(path string) bool) (end uint64) {
	for _, f := range d.Files {
		if f.Epoch != epoch || !good(f.Path) {
			continue
		}
		if s, err := segment.Read(f.Path); err == nil {
			end = max(end, min(s.Size, f.End))
		}
	}
	return end
}

// Newest returns the newest epoch; 0: none is known.
func (d *Directory) Newest() uint64 {
	if len(d.epochs) == 0 {
		return 0
	}
	return d.epochs[len(d.epochs)-1].epoch
}

// order sorts the files. An epoch that is missing from the (lost) epochs file counts as older than
// those in it, by the age of its file.
func (d *Directory) order() {
	var strange []File
	for _, f := range d.Files {
		if !d.Knows(f.Epoch) && !slices.ContainsFunc(strange, func(s File) bool { return s.Epoch == f.Epoch }) {
			strange = append(strange, f)
		}
	}
	slices.SortStableFunc(strange, func(a, b File) int { return cmp.Compare(modTime(a.Path), modTime(b.Path)) })
	var first []epochLine
	for _, f := range strange {
		first = append(first, epochLine{epoch: f.Epoch, end: unknownMark})
	}
	d.epochs = append(first, d.epochs...)
	place := map[uint64]int{}
	for i, e := range d.epochs {
		place[e.epoch] = i
	}
	slices.SortFunc(d.Files, func(a, b File) int {
		return cmp.Or(cmp.Compare(place[a.Epoch], place[b.Epoch]), cmp.Compare(a.First, b.First))
	})
	for i := range d.Files {
		d.Files[i].End = d.endOf(i, place)
	}
}

// endOf returns where the entries of a file end that count. It may be before the file's first
// entry: all of it was appended again in a later epoch.
func (d *Directory) endOf(i int, place map[uint64]int) uint64 {
	f, end := d.Files[i], uint64(segment.NoEnd)
	e := d.epochs[place[f.Epoch]]
	if i+1 < len(d.Files) && d.Files[i+1].Epoch == f.Epoch {
		end = d.Files[i+1].First
	}
	for _, first := range e.ends() { // the next file may be missing
		if first > f.First {
			end = min(end, first)
		}
	}
	if size, err := strconv.ParseUint(e.end, 10, 64); err == nil {
		end = min(end, size)
	}
	return end
}

func modTime(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.ModTime().UnixNano()
}

// Current returns the file to continue, if the newest epoch is open and its newest file is there.
func (d *Directory) Current() (File, bool) {
	if len(d.Files) == 0 || len(d.epochs) == 0 || d.Bad {
		return File{}, false
	}
	f, e := d.Files[len(d.Files)-1], d.epochs[len(d.epochs)-1]
	return f, e.epoch == f.Epoch && e.end == openMark && f.End == segment.NoEnd
}
