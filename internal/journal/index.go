package journal

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
)

// The epochs file says which epochs there are, where each ended, and which files
// it has: a file that it names and that is not there was taken away. A file is
// there before it is named, and is named no more before it is deleted, so that no
// power cut looks like a loss. Its last line is a sum over the others.

const (
	sumWord   = "sum"
	asideMark = ".bad-" // in the names of files that were set aside
)

// epochLine is a line of the epochs file.
type epochLine struct {
	epoch  uint64
	end    string   // openMark, unknownMark or a size
	firsts []uint64 // first sequences of its files, ascending; none in files of an older program
	gone   []uint64 // the same of those that are gone and told of: where others end, and no more
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

// parseEpochLine takes exactly what String makes.
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

// readEpochs reads the epochs file. bad: it is not what was written; then the
// lines are those that could be one, for the order of what else is found. None
// and not bad: there is no such file.
func readEpochs(dir string) (list []epochLine, bad bool) {
	b, err := os.ReadFile(filepath.Join(dir, epochsName))
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
	return durable.WriteFile(filepath.Join(dir, epochsName), []byte(text+sumWord+" "+sumOf(text)), 0o600)
}

// endEpochs marks the open epoch as ended and adds the next one, durably, so
// that no crash lets an epoch go on that was given up. size may be noEnd.
func (fo *folder) endEpochs(dir string, size uint64, next file) error {
	return fo.writeEpochs(dir, []file{next}, func(_ int, end string) string {
		switch {
		case end != openMark:
			return end
		case size == noEnd:
			return unknownMark
		}
		return strconv.FormatUint(size, 10)
	})
}

// cutEpochs ends an epoch at a place, and those after it with nothing: what
// stands there stands again in the next one, whose files these are.
func (fo *folder) cutEpochs(dir string, from Position, next []file) error {
	at := slices.IndexFunc(fo.epochs, func(e epochLine) bool { return e.epoch == from.Epoch })
	return fo.writeEpochs(dir, next, func(i int, end string) string {
		switch {
		case i < at:
			return end
		case i == at:
			return strconv.FormatUint(from.Sequence, 10)
		}
		return "0"
	})
}

// writeEpochs replaces the epochs file: each epoch that has files, or is to have
// some, with the end that it gets, then the next one, open. With an error it may
// be there or not.
func (fo *folder) writeEpochs(dir string, next []file, end func(i int, old string) string) error {
	var list []epochLine
	for i, e := range fo.epochs {
		e.firsts, e.end = fo.firstsOf(e), end(i, e.end)
		if len(e.firsts) > 0 && e.epoch != next[0].epoch {
			list = append(list, e)
		}
	}
	last := epochLine{epoch: next[0].epoch, end: openMark}
	for _, f := range next {
		last.firsts = append(last.firsts, f.first)
	}
	list = append(list, last)
	if err := storeEpochs(dir, list); err != nil {
		return err
	}
	fo.epochs, fo.bad = list, false
	fo.order()
	return nil
}

// firstsOf returns the files that an epoch has or should have.
func (fo *folder) firstsOf(e epochLine) []uint64 {
	firsts := slices.Clone(e.firsts)
	for _, f := range fo.files {
		if f.epoch == e.epoch {
			firsts = append(firsts, f.first)
		}
	}
	slices.Sort(firsts)
	return slices.Compact(firsts)
}

// ends returns where files of an epoch may end.
func (e epochLine) ends() []uint64 { return append(slices.Clip(e.firsts), e.gone...) }

func (fo *folder) has(name string) bool {
	return slices.ContainsFunc(fo.files, func(f file) bool { return filepath.Base(f.path) == name })
}

// missing returns the names of files that should be there, and are neither there
// nor set aside.
func (fo *folder) missing() (names []string) {
	aside := map[string]bool{}
	for _, name := range fo.aside {
		name, _, _ = strings.Cut(name, asideMark)
		aside[name] = true
	}
	for _, e := range fo.epochs {
		for _, first := range e.firsts {
			if name := fileName(e.epoch, first); !aside[name] && !fo.has(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// what becomes of a file in the epochs file.
type naming int

const (
	named    naming = iota
	unnamed         // it goes in order
	wentLost        // it is gone, and was told of
)

// nameFiles makes the epochs file name the files that are there, as fate says. It
// writes nothing where it does so already.
func (j *Journal) nameFiles(fate func(name string) naming) error {
	j.index.Lock()
	defer j.index.Unlock()
	fo, err := scanFolder(j.o.Dir, 0, false)
	if err != nil || fo.bad || len(fo.epochs) == 0 {
		return err
	}
	changed := false
	var list []epochLine
	for _, e := range fo.epochs {
		was, all := e.firsts, fo.firstsOf(e)
		e.firsts = nil
		for _, first := range all {
			switch fate(fileName(e.epoch, first)) {
			case named:
				e.firsts = append(e.firsts, first)
			case wentLost:
				e.gone = append(e.gone, first)
			}
		}
		changed = changed || !slices.Equal(was, e.firsts)
		if len(e.firsts) > 0 || e.end == openMark {
			list = append(list, e)
		} else {
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return storeEpochs(j.o.Dir, list)
}

// rebuildIndex writes the epochs file anew, from what this run knows: it was
// deleted or changed while the journal was open.
func (j *Journal) rebuildIndex() error {
	j.index.Lock()
	defer j.index.Unlock()
	j.mu.Lock()
	files := slices.Clone(j.files)
	j.mu.Unlock()
	var list []epochLine
	for i, f := range files {
		if i == 0 || files[i-1].epoch != f.epoch {
			list = append(list, epochLine{epoch: f.epoch})
		}
		e := &list[len(list)-1]
		e.firsts = append(e.firsts, f.first)
		if i+1 < len(files) && files[i+1].epoch == f.epoch && f.end < files[i+1].first {
			e.gone = append(e.gone, f.end)
		}
		switch {
		case i == len(files)-1:
			e.end = openMark
		case f.end == noEnd:
			e.end = unknownMark
		default:
			e.end = strconv.FormatUint(f.end, 10)
		}
	}
	if len(list) == 0 {
		return nil
	}
	err := storeEpochs(j.o.Dir, list)
	if err == nil {
		j.indexTold.Store(false)
	}
	return err
}
