package catalogue

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire/journaled"
)

// The epochs file lists the epochs, where each ended, and its files: a named file that does not
// exist was taken away. A file exists before it is named, and is no longer named before it is
// deleted, so that no power cut looks like a loss. Its last line is a checksum of the others.

// EpochsName is the name of the epochs file.
const EpochsName = "epochs"

const (
	openMark    = "open"    // end of the epoch that is written to
	unknownMark = "unknown" // end of an epoch whose last file was damaged
	sumWord     = "sum"
	asideMark   = ".bad-" // in the names of files that were set aside
)

type epochLine struct {
	epoch  uint64
	end    string   // openMark, unknownMark or a size
	firsts []uint64 // first sequences of its files, ascending; none in files of an older program
	gone   []uint64 // first sequences of missing files that were reported; they only mark where others end
}

func (e epochLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%016x %s", e.epoch, e.end)
	for _, first := range e.firsts {
		fmt.Fprintf(&b, " %d", first)
	}
	for _, first := range e.gone {
		fmt.Fprintf(&b, " -%d", first)
	}
	return b.String() + "\n"
}

// parseEpochLine parses exactly the output of String.
func parseEpochLine(line string) (e epochLine, ok bool) {
	words := strings.Split(line, " ")
	if len(words) < 2 {
		return e, false
	}
	e.epoch, _ = strconv.ParseUint(words[0], 16, 64)
	e.end = words[1]
	if _, err := strconv.ParseUint(e.end, 10, 64); err != nil && e.end != openMark && e.end != unknownMark {
		return e, false
	}
	for _, w := range words[2:] {
		list := &e.firsts
		if strings.HasPrefix(w, "-") {
			list = &e.gone
		}
		first, _ := strconv.ParseUint(strings.TrimPrefix(w, "-"), 10, 64)
		*list = append(*list, first)
	}
	return e, e.epoch != 0 && e.String() == line+"\n"
}

// readEpochs reads the epochs file. bad: it is not what was written; the lines are then those that
// could be parsed, for the order of the other files. No lines and not bad: there is no such file.
func readEpochs(dir string) (list []epochLine, bad bool) {
	b, err := os.ReadFile(filepath.Join(dir, EpochsName))
	if err != nil {
		return nil, !errors.Is(err, fs.ErrNotExist)
	}
	text, sum, summed := strings.Cut(string(b), sumWord+" ")
	bad = summed && sum != sumOf(text) || len(b) == 0
	for line := range strings.Lines(text) {
		e, ok := parseEpochLine(strings.TrimSuffix(line, "\n"))
		if !ok || slices.ContainsFunc(list, func(o epochLine) bool { return o.epoch == e.epoch }) {
			bad = true
			continue
		}
		list = append(list, e)
	}
	return list, bad
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%016x\n", binary.BigEndian.Uint64(sum[:]))
}

func storeEpochs(dir string, list []epochLine) error {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(e.String())
	}
	text := b.String()
	return durable.WriteFile(filepath.Join(dir, EpochsName), []byte(text+sumWord+" "+sumOf(text)), 0o600)
}

// EndEpochs ends the open epoch and adds the next one, durably, so that no crash continues an epoch
// that was given up. size may be segment.NoEnd.
func (d *Directory) EndEpochs(size uint64, next File) error {
	list := slices.Clone(d.epochs)
	for i := range list {
		if list[i].end == openMark {
			list[i].end = endMark(size)
		}
	}
	return d.writeEpochs(list, next)
}

// CutEpochs ends an epoch at a place and those after it with nothing, because their entries are in
// the files of the next epoch again.
func (d *Directory) CutEpochs(from journaled.Position, next []File) error {
	list := slices.Clone(d.epochs)
	at := slices.IndexFunc(list, func(e epochLine) bool { return e.epoch == from.Epoch })
	for i := at; i < len(list); i++ {
		list[i].end = "0"
	}
	list[at].end = endMark(from.Sequence)
	return d.writeEpochs(list, next...)
}

func endMark(size uint64) string {
	if size == segment.NoEnd {
		return unknownMark
	}
	return strconv.FormatUint(size, 10)
}

// writeEpochs replaces the epochs file: those of the epochs so far that have files, or are to have
// some, then the next one, open. After an error the new file may be there or not.
func (d *Directory) writeEpochs(sofar []epochLine, next ...File) error {
	var list []epochLine
	for _, e := range sofar {
		e.firsts = d.firstsOf(e)
		if len(e.firsts) > 0 && e.epoch != next[0].Epoch {
			list = append(list, e)
		}
	}
	last := epochLine{epoch: next[0].Epoch, end: openMark}
	for _, f := range next {
		last.firsts = append(last.firsts, f.First)
	}
	list = append(list, last)
	if err := storeEpochs(d.path, list); err != nil {
		return err
	}
	d.epochs, d.Bad = list, false
	d.order()
	return nil
}

// firstsOf returns the files that an epoch has or should have.
func (d *Directory) firstsOf(e epochLine) []uint64 {
	firsts := slices.Clone(e.firsts)
	for _, f := range d.Files {
		if f.Epoch == e.epoch {
			firsts = append(firsts, f.First)
		}
	}
	slices.Sort(firsts)
	return slices.Compact(firsts)
}

// ends returns where files of an epoch may end.
func (e epochLine) ends() []uint64 { return append(slices.Clip(e.firsts), e.gone...) }

func (d *Directory) has(name string) bool {
	return slices.ContainsFunc(d.Files, func(f File) bool { return filepath.Base(f.Path) == name })
}

// isAside reports whether a file of this name was set aside.
func (d *Directory) isAside(name string) bool {
	return slices.ContainsFunc(d.Aside, func(aside string) bool { return strings.HasPrefix(aside, name+asideMark) })
}

// Missing returns the names of files that should be there, and are neither there
// nor set aside.
func (d *Directory) Missing() (names []string) {
	for _, e := range d.epochs {
		for _, first := range e.firsts {
			if name := segment.Name(e.epoch, first); !d.isAside(name) && !d.has(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// StoreNames makes the epochs file name the existing files. A file that is about to be deleted
// (leaves; empty: none) is no longer named; a missing file that was set aside, or is among the
// reported losses, is named as gone. It writes nothing where nothing changes, or where the epochs
// file is lost.
func (d *Directory) StoreNames(leaves string, lost []string) error {
	if d.Bad || len(d.epochs) == 0 {
		return nil
	}
	changed := false
	var list []epochLine
	for _, e := range d.epochs {
		was, all := e.firsts, d.firstsOf(e)
		e.firsts = nil
		for _, first := range all {
			switch name := segment.Name(e.epoch, first); {
			case name == leaves:
			case !d.has(name) && (slices.Contains(lost, name) || d.isAside(name)):
				e.gone = append(e.gone, first)
			default:
				e.firsts = append(e.firsts, first)
			}
		}
		ended := len(e.firsts) == 0 && e.end != openMark
		changed = changed || ended || !slices.Equal(was, e.firsts)
		if !ended {
			list = append(list, e)
		}
	}
	if !changed {
		return nil
	}
	return storeEpochs(d.path, list)
}

// Rebuild writes the epochs file of a directory again, from the files of this run, after it was
// deleted or changed while the journal was open.
func Rebuild(dir string, files []File) error {
	var list []epochLine
	for i, f := range files {
		if i == 0 || files[i-1].Epoch != f.Epoch {
			list = append(list, epochLine{epoch: f.Epoch})
		}
		e := &list[len(list)-1]
		e.firsts = append(e.firsts, f.First)
		if i+1 < len(files) && files[i+1].Epoch == f.Epoch && f.End < files[i+1].First {
			e.gone = append(e.gone, f.End)
		}
		e.end = endMark(f.End)
		if i == len(files)-1 {
			e.end = openMark
		}
	}
	if len(list) == 0 {
		return nil
	}
	return storeEpochs(dir, list)
}
