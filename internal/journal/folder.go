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
	safeName    = "safe"    // the same of what the registry can't lose
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
	spoilt       bool // one of its meta pages is damaged: to be rewritten all the same
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

// folder is what stands on the disk when the writer opens it.
type folder struct {
	files  []file // oldest epoch first, then by sequence
	epochs []epochLine
	bad    bool     // the epochs file was lost or is damaged: nobody knows which epoch is open
	aside  []string // names of files that were set aside
}

// readFolder lists the folder, puts the files of an epoch in place that was
// about to begin, and removes what a crash left half made; but nothing of the
// epoch that is being copied in this run (0 for none).
func readFolder(dir string, copying uint64) (folder, error) { return scanFolder(dir, copying, true) }

// scanFolder is readFolder; without tidy it only looks.
func scanFolder(dir string, copying uint64, tidy bool) (folder, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return folder{}, fmt.Errorf("read journal folder: %w", err)
	}
	fo := folder{}
	fo.epochs, fo.bad = readEpochs(dir)
	for _, n := range names {
		name := n.Name()
		path := filepath.Join(dir, name)
		final, isNext := strings.CutSuffix(strings.TrimSuffix(name, ".new"), nextSuffix)
		epoch, first, ok := parseName(final)
		switch {
		case !tidy && (isNext || !ok && !strings.Contains(name, asideMark)):
			continue
		case isNext && ok && name == final+nextSuffix && fo.knows(epoch):
			path = filepath.Join(dir, final)
			if err := durable.Rename(filepath.Join(dir, name), path); err != nil {
				return folder{}, fmt.Errorf("put the file of a new epoch in place: %w", err)
			}
		case isNext && ok && epoch == copying:
			continue
		case strings.Contains(name, asideMark):
			fo.aside = append(fo.aside, name)
			continue
		case isNext, strings.HasSuffix(name, packSuffix), strings.HasSuffix(name, ".db.new"):
			os.Remove(path) // best effort: whoever needs the name removes it again
			continue
		}
		if ok {
			fo.files = append(fo.files, file{epoch: epoch, first: first, end: noEnd, path: path, packed: true})
		}
	}
	fo.bad = fo.bad || len(fo.epochs) == 0 && len(fo.files) > 0
	fo.order()
	return fo, nil
}

func (fo *folder) knows(epoch uint64) bool {
	return slices.ContainsFunc(fo.epochs, func(e epochLine) bool { return e.epoch == epoch })
}

// order sorts the files. An epoch that the epochs file does not know (it was
// lost) counts as older than those it does, by the age of its file.
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
	var first []epochLine
	for _, f := range strange {
		first = append(first, epochLine{epoch: f.epoch, end: unknownMark})
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
	e := fo.epochs[place[f.epoch]]
	if i+1 < len(fo.files) && fo.files[i+1].epoch == f.epoch {
		end = fo.files[i+1].first
	}
	for _, first := range e.ends() { // the next one may be missing
		if first > f.first {
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

// current returns the file to go on with, if the newest epoch is open and its
// newest file is there.
func (fo *folder) current() (file, bool) {
	if len(fo.files) == 0 || len(fo.epochs) == 0 || fo.bad {
		return file{}, false
	}
	f, e := fo.files[len(fo.files)-1], fo.epochs[len(fo.epochs)-1]
	return f, e.epoch == f.epoch && e.end == openMark && f.end == noEnd
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

func readPosition(path string) (p Position, err error) {
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

func writePosition(path string, p Position) error {
	return durable.WriteFile(path, fmt.Appendf(nil, "%016x %d\n", p.Epoch, p.Sequence), 0o600)
}

// lockFolder holds the folder for this process.
func lockFolder(dir string) (*durable.Lock, error) {
	if err := durable.MakeDir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	return durable.TakeLock(filepath.Join(dir, lockName))
}
