package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// record runs a writer to its end under strace.
func record(t *testing.T, sin string) recording {
	t.Helper()
	rec, dir := traced(t, func(dir string) []string { return writerEnv(dir, 16, 90, sin) })
	needErased(t, dir)
	if len(rec.acks) != 90 || len(rec.names) < 10 || len(rec.data) < 300 {
		t.Fatalf("the record has %d acks, %d changes of names, %d of data", len(rec.acks), len(rec.names), len(rec.data))
	}
	return rec
}

// traced runs this binary under strace to its end, as the program that an environment for a journal's directory says, and
// returns what it did there.
func traced(t *testing.T, env func(dir string) []string) (rec recording, dir string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(dir, 0o700); err != nil { // the directory itself is the package's business, not the crash's
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command("strace", "-f", "-qq", "-xx", "-s", "1000000", "-o", log, "-e",
		"trace=openat,close,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat", self)
	cmd.Env = env(dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("record a writer: %v\n%s", err, out)
	}
	return parseTrace(t, log, dir), dir
}

// needErased fails where no file was rewritten without its who parts: then no cut comes beside that.
func needErased(t *testing.T, dir string) {
	t.Helper()
	erased := 0
	for _, path := range files(t, dir, "*-*.db") {
		r, err := segment.Verify(path)
		if err != nil {
			t.Fatal(err)
		}
		erased += r.Erased
	}
	if erased == 0 {
		t.Fatal("no file was rewritten without its who parts")
	}
}

// ackedAt returns what somebody had been told when the power went.
func (r *recording) ackedAt(at int) []wire.Ref {
	var acks []wire.Ref
	for _, o := range r.acks {
		if o.start <= at {
			acks = append(acks, o.ack)
		}
	}
	return acks
}

func writeImage(dir string, files map[string][]byte) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(dir, name)
		whole := len(bytes.TrimRight(data, "\x00")) // files grow by zeros: leave them a hole
		if err := os.WriteFile(path, data[:whole], 0o600); err != nil {
			return err
		}
		if err := os.Truncate(path, int64(len(data))); err != nil {
			return err
		}
	}
	return nil
}

// known are the names of entries that were decoded before, by their bytes as stored: the
// images of one recording have the same ones. For one goroutine.
type known map[string]wire.Ref

func (k known) ref(stored []byte) (wire.Ref, error) {
	if ref, ok := k[string(stored)]; ok {
		return ref, nil
	}
	e, err := journaled.Decode(stored)
	if err != nil {
		return wire.Ref{}, err
	}
	h, err := wire.DecodeHeader(e.Header)
	if err != nil {
		return wire.Ref{}, err
	}
	ref := wire.Ref{Boot: h.Boot, Counter: h.Counter}
	k[string(stored)] = ref
	return ref, nil
}

// lookAt verifies each entry file of an image, which includes bbolt's own
// check, and looks for what was acknowledged. It writes nothing.
func (k known) lookAt(dir string, acks []wire.Ref) error {
	fo, err := catalogue.Tidy(dir, 0)
	if err != nil {
		return err
	}
	if err := quiet(dir, fo); err != nil {
		return err
	}
	if _, err := hints.Saved(dir); err != nil {
		return err
	}
	got := map[wire.Ref]int{}
	var next Position
	for _, f := range fo.Files {
		if _, err := segment.Verify(f.Path); err != nil {
			return err
		}
		if f.End <= f.First {
			continue // all of it stands again in a later epoch
		}
		if f.Epoch != next.Epoch {
			next = place(f.Epoch, 0)
		}
		if f.First != next.Sequence {
			return fmt.Errorf("%s where entry %d was expected", f.Path, next.Sequence)
		}
		err := segment.View(f.Path, func(t segment.Tx) error {
			s, err := t.Segment()
			if err != nil {
				return err
			}
			if f.End != segment.NoEnd && s.Size < f.End {
				return fmt.Errorf("%s ends at %d, not at %d", f.Path, s.Size, f.End)
			}
			next.Sequence = min(s.Size, f.End)
			return t.Each(f.First, next.Sequence, int(s.Size), func(_ uint64, stored []byte) error {
				ref, err := k.ref(stored)
				got[ref]++
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	if next.Sequence, err = k.lookAhead(dir, next, got); err != nil {
		return err
	}
	for _, ref := range acks {
		if got[ref] != 1 {
			return fmt.Errorf("entry %v was acknowledged and is there %d times: %w", ref, got[ref], errLost)
		}
	}
	return nil
}

// lookAhead counts the entries of the write-ahead file behind those of the entry files, and returns
// where they end. None of them may be missing.
func (k known) lookAhead(dir string, at Position, got map[wire.Ref]int) (uint64, error) {
	frames, err := ahead.Read(filepath.Join(dir, ahead.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return at.Sequence, nil
	}
	if err != nil && !errors.Is(err, durable.ErrDamaged) { // it was being emptied, or the next says so
		return at.Sequence, err
	}
	for _, f := range frames {
		if f.Epoch != at.Epoch || f.End() <= at.Sequence {
			continue
		}
		if f.First > at.Sequence {
			return at.Sequence, fmt.Errorf("the write-ahead file goes on at %d where %d was expected: %w", f.First, at.Sequence, errLost)
		}
		for _, stored := range f.Stored[at.Sequence-f.First:] {
			ref, err := k.ref(stored)
			if err != nil {
				return at.Sequence, err
			}
			got[ref]++
			at.Sequence++
		}
	}
	return at.Sequence, nil
}

// shm is memory where there is some: images need no disk.
func shm(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "journal")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// quiet returns what would raise an alarm at the next start: the epochs file is not
// what was written, names a file that is not there, or the anchor is ahead of the
// entries.
func quiet(dir string, fo catalogue.Directory) error {
	a := audit.Newest(besides(dir).Anchors())
	size, known := uint64(0), false
	for _, f := range fo.Files {
		if f.Epoch != a.Epoch {
			continue
		}
		known = true
		err := segment.View(f.Path, func(t segment.Tx) error {
			s, err := t.Segment()
			size = s.Size
			return err
		})
		if err != nil {
			return err
		}
	}
	frames, _ := ahead.Read(filepath.Join(dir, ahead.Name)) // lookAt sees to its errors
	for _, f := range frames {
		if f.Epoch == a.Epoch && f.First <= size {
			size = max(size, f.End())
		}
	}
	_, goesOn := fo.Current()
	switch lost := fo.Missing(); {
	case fo.Bad, len(lost) > 0, len(fo.Files) > 0 && !goesOn:
		return fmt.Errorf("epochs file bad: %t, missing %v, goes on: %t", fo.Bad, lost, goesOn)
	case a.Epoch != 0 && (!known || size < a.Sequence):
		return fmt.Errorf("anchored %d entries of epoch %016x, there are %d", a.Sequence, a.Epoch, size)
	}
	return nil
}

func TestReplay(t *testing.T) {
	needStrace(t)
	images := 1200
	if full() {
		images = 50_000
	} else if testing.Short() {
		images = 200
	}
	rec := record(t, "")
	if n := rec.putInPlace("anchor"); n < 3 {
		t.Fatalf("the record has %d anchors", n)
	}
	if n := rec.inPlace(hints.Name); n < 3 {
		t.Fatalf("the record has %d writes of hints", n)
	}
	base := shm(t)
	var n, started atomic.Int64
	var workers sync.WaitGroup
	for w := range 2 {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 2026))
			dir, entries := filepath.Join(base, fmt.Sprint(w)), known{}
			for i := n.Add(1); i <= int64(images) && !t.Failed(); i = n.Add(1) {
				at := rng.IntN(rec.lines)
				acks := rec.ackedAt(at)
				err := writeImage(dir, rec.image(at, rng))
				if err == nil {
					err = entries.lookAt(dir, acks)
				}
				if err == nil && i%50 == 0 { // and now with the whole journal
					started.Add(1)
					err = survive(dir, acks)
				}
				if err != nil {
					t.Errorf("worker %d, image %d, power cut at line %d: %v", w, i, at, err)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d images of %d calls, %d of them also started, %d acknowledged entries, 0 lost",
		images, rec.lines, started.Load(), len(rec.acks))
	seesNames(t, rec)
	seesTorn(t, rec)
}

// seesNames: a directory that is never synced is caught too.
func seesNames(t *testing.T, rec recording) {
	rec.dirs = nil
	dir, entries := filepath.Join(shm(t), "image"), known{}
	rng := rand.New(rand.NewPCG(8, 2026))
	for range 300 {
		at := rng.IntN(rec.lines)
		if err := writeImage(dir, rec.image(at, rng)); err != nil {
			t.Fatal(err)
		}
		if err := entries.lookAt(dir, rec.ackedAt(at)); err != nil {
			return
		}
	}
	t.Error("a directory that is never synced was not caught")
}

// seesTorn: a reader that takes a torn frame of the write-ahead file for whole, since it does not
// compare its sum, is caught.
func seesTorn(t *testing.T, rec recording) {
	dir, entries := filepath.Join(shm(t), "image"), known{}
	rng := rand.New(rand.NewPCG(9, 2026))
	for range 3000 {
		at := rng.IntN(rec.lines)
		if err := writeImage(dir, rec.image(at, rng)); err != nil {
			t.Fatal(err)
		}
		if !sealTorn(t, filepath.Join(dir, ahead.Name)) {
			continue
		}
		if err := entries.lookAt(dir, rec.ackedAt(at)); err != nil {
			return
		}
	}
	t.Error("a torn frame whose sum is not compared was not caught")
}

// sealTorn gives the first bad frame of a write-ahead file a right sum; it reports whether there is one.
func sealTorn(t *testing.T, path string) bool {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	frames, _ := ahead.Read(path)
	at, before := 0, make([]byte, 16)
	size := func() int { return (40 + int(binary.BigEndian.Uint32(b[at+4:])) + 16 + 7) / 8 * 8 }
	for range frames {
		at += size()
		before = b[at-16 : at]
	}
	if at+40 > len(b) || string(b[at:at+4]) != "GHf1" || at+size() > len(b) || !bytes.Equal(b[at+24:at+40], before) {
		return false
	}
	end := at + size()
	sum := sha256.Sum256(b[at : end-16])
	copy(b[end-16:end], sum[:])
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}

// childImage looks at an image whose pages may be anything.
func childImage() {
	var acks []wire.Ref
	for _, s := range strings.Fields(os.Getenv("GATEHOUSE_JOURNAL_ACKS")) {
		var ref wire.Ref
		fmt.Sscanf(s, "%d/%d", &ref.Boot, &ref.Counter)
		acks = append(acks, ref)
	}
	if err := (known{}).lookAt(os.Getenv(envDir), acks); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// A writer that does not sync must be caught at once, and so must one that tells too early, and a card
// that says of what it has in memory that it is stored.
func TestReplayControl(t *testing.T) {
	for sin, what := range map[string]string{"nosync": "does not sync", "late": "tells before the sync", "lies": "runs on a card that lies"} {
		t.Run(sin, func(t *testing.T) { replayControl(t, sin, what) })
	}
}

func replayControl(t *testing.T, sin, what string) {
	needStrace(t)
	rec := record(t, sin)
	if sin == "lies" {
		rec.dirs, rec.data = nil, slices.DeleteFunc(rec.data, func(o op) bool { return strings.HasSuffix(o.call, "sync") })
	}
	dir := filepath.Join(shm(t), "image")
	rng := rand.New(rand.NewPCG(7, 2026))
	for i := range 400 {
		at := rng.IntN(rec.lines)
		if err := writeImage(dir, rec.image(at, rng)); err != nil {
			t.Fatal(err)
		}
		var acks []string
		for _, ref := range rec.ackedAt(at) {
			acks = append(acks, fmt.Sprintf("%d/%d", ref.Boot, ref.Counter))
		}
		cmd := child(t, "image")
		cmd.Env = append(cmd.Env, envDir+"="+dir, "GATEHOUSE_JOURNAL_ACKS="+strings.Join(acks, " "))
		if out, err := cmd.CombinedOutput(); err != nil && len(acks) > 0 {
			t.Logf("caught at image %d: %v: %s", i, err, out)
			return
		}
	}
	t.Fatalf("a writer that %s was not caught", what)
}

// inPlace counts the writes to a file under its final name.
func (r *recording) inPlace(name string) (n int) {
	inodes := map[int]bool{}
	for _, o := range r.names {
		if o.call == "create" && o.name == name+".new" {
			inodes[o.inode] = true
		}
	}
	for _, o := range r.data {
		if o.call == "write" && o.offset%4096 == 0 && len(o.data) == 4096 && inodes[o.inode] {
			n++
		}
	}
	return n
}

// putInPlace counts how often a file was renamed to a name.
func (r *recording) putInPlace(name string) (n int) {
	for _, o := range r.names {
		if o.call == "renameat" && o.to == name {
			n++
		}
	}
	return n
}
