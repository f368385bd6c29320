package journal

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/durable"
)

// Names in the folder of a journal, beside the entry files.
const (
	bootName    = "boot"    // number of the last run, decimal
	ackedName   = "acked"   // cursor of the uplink: epoch in hex, sequence
	epochsName  = "epochs"  // one line an epoch, oldest first: epoch in hex, then where it ended
	treeName    = "tree.db" // leaf hashes
	lockName    = "lock"    // held by the process that writes
	ballastName = "ballast" // zeros, given up when the disk is full
	packSuffix  = ".pack"   // of a rewritten file that is not yet in place
	nextSuffix  = ".next"   // of a file of an epoch that begins when the epochs file names it
	openMark    = "open"    // end of the epoch that is written to
	unknownMark = "unknown" // end of an epoch whose last file was damaged
	noEnd       = math.MaxUint64
)

// file is one bbolt file of the journal.
type file struct {
	epoch, first uint64
	end          uint64 // entries from here on do not count; noEnd where all do
	path         string
	checked      bool // written or verified in this run
	packed       bool // rewritten without slack, or not worth a look
}

func fileName(epoch, first uint64) string { return fmt.Sprintf("%016x-%020d.db", epoch, first) }

// parseName reads a file's name; ok only for exactly what fileName makes.
func parseName(name string) (epoch, first uint64, ok bool) {
	if len(name) != 16+1+20+3 {
		return 0, 0, false
	}
	epoch, err := strconv.ParseUint(name[:16], 16, 64)
	if err != nil {
		return 0, 0, false
	}
	first, err = strconv.ParseUint(name[17:37], 10, 64)
	return epoch, first, err == nil && name == fileName(epoch, first)
}

// epochEnd is a line of the epochs file.
type epochEnd struct {
	epoch uint64
	end   string // openMark, unknownMark or a size
}

// folder is what stands on the disk when the writer opens it.
type folder struct {
	files  []file // oldest epoch first, then by sequence
	epochs []epochEnd
}

// readFolder lists the folder, puts the files of an epoch in place that was
// about to begin, and removes what a crash left half made; but nothing of the
// epoch that is being copied in this run (0 for none).
func readFolder(dir string, copying uint64) (folder, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return folder{}, fmt.Errorf("read journal folder: %w", err)
	}
	fo := folder{epochs: readEpochs(dir)}
	for _, n := range names {
		name := n.Name()
		path := filepath.Join(dir, name)
		final, isNext := strings.CutSuffix(strings.TrimSuffix(name, ".new"), nextSuffix)
		epoch, first, ok := parseName(final)
		switch {
		case isNext && ok && name == final+nextSuffix && fo.knows(epoch):
			path = filepath.Join(dir, final)
			if err := durable.Rename(filepath.Join(dir, name), path); err != nil {
				return folder{}, fmt.Errorf("put the file of a new epoch in place: %w", err)
			}
		case isNext && ok && epoch == copying:
			continue
		case isNext, strings.HasSuffix(name, packSuffix), strings.HasSuffix(name, ".db.new"):
			os.Remove(path) // best effort: whoever needs the name removes it again
			continue
		}
		if ok {
			fo.files = append(fo.files, file{epoch: epoch, first: first, end: noEnd, path: path, packed: true})
		}
	}
	fo.order()
	return fo, nil
}

func (fo *folder) knows(epoch uint64) bool {
	return slices.ContainsFunc(fo.epochs, func(e epochEnd) bool { return e.epoch == epoch })
}

// order sorts the files and drops epochs that have none. An epoch that the
// epochs file does not know (it was lost) counts as older than those it does,
// by the age of its file.
func (fo *folder) order() {
	known := map[uint64]bool{}
	for _, e := range fo.epochs {
		known[e.epoch] = true
	}
	var strange []file
	for _, f := range fo.files {
		if !known[f.epoch] {
			known[f.epoch] = true
			strange = append(strange, f)
		}
	}
	slices.SortStableFunc(strange, func(a, b file) int { return cmp.Compare(modTime(a.path), modTime(b.path)) })
	var first []epochEnd
	for i, f := range strange {
		end := unknownMark
		if i == len(strange)-1 && len(fo.epochs) == 0 {
			end = openMark
		}
		first = append(first, epochEnd{f.epoch, end})
	}
	fo.epochs = append(first, fo.epochs...)
	place := map[uint64]int{}
	for i, e := range fo.epochs {
		place[e.epoch] = i
	}
	slices.SortFunc(fo.files, func(a, b file) int {
		return cmp.Or(cmp.Compare(place[a.epoch], place[b.epoch]), cmp.Compare(a.first, b.first))
	})
	for i := range fo.files {
		fo.files[i].end = fo.endOf(i, place)
	}
}

// endOf may lie before the first entry of a file: all of it was appended again
// in a later epoch.
func (fo *folder) endOf(i int, place map[uint64]int) uint64 {
	f, end := fo.files[i], uint64(noEnd)
	if i+1 < len(fo.files) && fo.files[i+1].epoch == f.epoch {
		end = fo.files[i+1].first
	}
	if size, err := strconv.ParseUint(fo.epochs[place[f.epoch]].end, 10, 64); err == nil {
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

// current returns the file to go on with, if the newest epoch is open and has one.
func (fo *folder) current() (file, bool) {
	if len(fo.files) == 0 || len(fo.epochs) == 0 {
		return file{}, false
	}
	f, e := fo.files[len(fo.files)-1], fo.epochs[len(fo.epochs)-1]
	return f, e.epoch == f.epoch && e.end == openMark
}

// endEpochs marks the open epoch as ended and adds the next one, durably, so
// that no crash lets an epoch go on that was given up. size may be noEnd.
func (fo *folder) endEpochs(dir string, size, next uint64) error {
	return fo.writeEpochs(dir, next, func(_ int, end string) string {
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
// stands there stands again in the next one, which begins with this.
func (fo *folder) cutEpochs(dir string, from Position, next uint64) error {
	at := slices.IndexFunc(fo.epochs, func(e epochEnd) bool { return e.epoch == from.Epoch })
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

// writeEpochs replaces the epochs file: each epoch that has files with the end
// that it gets, then the next one, open. With an error it may be there or not.
func (fo *folder) writeEpochs(dir string, next uint64, end func(i int, old string) string) error {
	has := map[uint64]bool{}
	for _, f := range fo.files {
		has[f.epoch] = true
	}
	var list []epochEnd
	var b strings.Builder
	for i, e := range append(slices.Clip(fo.epochs), epochEnd{next, openMark}) {
		if e.epoch != next {
			e.end = end(i, e.end)
		}
		if has[e.epoch] || e.epoch == next {
			list = append(list, e)
			fmt.Fprintf(&b, "%016x %s\n", e.epoch, e.end)
		}
	}
	if err := durable.WriteFile(filepath.Join(dir, epochsName), []byte(b.String()), 0o600); err != nil {
		return err
	}
	fo.epochs = list
	fo.order()
	return nil
}

// readEpochs reads what it can: the file only orders, and the entries that
// begin each epoch tell the same.
func readEpochs(dir string) []epochEnd {
	b, err := os.ReadFile(filepath.Join(dir, epochsName))
	if err != nil {
		return nil
	}
	var list []epochEnd
	for line := range strings.Lines(string(b)) {
		hex, end, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		epoch, err := strconv.ParseUint(hex, 16, 64)
		if err != nil || slices.ContainsFunc(list, func(e epochEnd) bool { return e.epoch == epoch }) {
			continue
		}
		list = append(list, epochEnd{epoch, end})
	}
	return list
}

// nextBoot returns the number of this run: one more than the last. With an
// error it is random and above 2^32, and maybe not written down.
func nextBoot(dir string) (uint64, error) {
	random := 1<<32 + random64()>>16
	path := filepath.Join(dir, bootName)
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return random, err
	}
	b, err := os.ReadFile(path)
	var last uint64
	switch {
	case err == nil:
		if last, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 63); err != nil {
			return random, fmt.Errorf("read %s: not a number", path)
		}
	case errors.Is(err, fs.ErrNotExist):
		if old, _ := filepath.Glob(filepath.Join(dir, "*.db*")); len(old) > 0 {
			return random, fmt.Errorf("%s is missing beside entries", path)
		}
	default:
		return random, err
	}
	if err := durable.WriteFile(path, strconv.AppendUint(nil, last+1, 10), 0o600); err != nil {
		return random, err
	}
	return last + 1, nil
}

func random64() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:]) // never fails: it ends the program instead
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

func readAcked(dir string) (p Position, err error) {
	path := filepath.Join(dir, ackedName)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if _, err := fmt.Sscanf(string(b), "%x %d\n", &p.Epoch, &p.Sequence); err != nil {
		return Position{}, fmt.Errorf("read %s: %w", path, err)
	}
	return p, nil
}

func writeAcked(dir string, p Position) error {
	return durable.WriteFile(filepath.Join(dir, ackedName), fmt.Appendf(nil, "%016x %d\n", p.Epoch, p.Sequence), 0o600)
}

// lockFolder holds the folder for this process.
func lockFolder(dir string) (*durable.Lock, error) {
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	return durable.TakeLock(filepath.Join(dir, lockName))
}
