package journal

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// open takes the folder and goes on with its newest file, or begins an epoch.
func (w *writer) open(ctx context.Context) error {
	w.j.index.Lock()
	defer w.j.index.Unlock()
	return w.openIndexed(ctx)
}

// openIndexed is open for a caller that holds index.
func (w *writer) openIndexed(ctx context.Context) error {
	if w.lock == nil {
		lock, err := lockFolder(w.j.o.Dir)
		if err != nil {
			return err
		}
		w.lock = lock
	}
	if err := w.j.injected("open"); err != nil {
		return err
	}
	fo, err := readFolder(w.j.o.Dir, w.j.copyingNow())
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			w.unlock() // it went with the folder; the next try makes both
		}
		return err
	}
	w.j.noteIndex(fo)
	last, ok := fo.current()
	if ok && w.cite != nil && last.epoch == w.begun {
		w.cite, w.begun = nil, 0 // it has begun, as far as the disk is concerned
	}
	if !ok || w.cite != nil {
		return w.begin(fo)
	}
	err = w.resume(ctx, fo, last)
	if errors.Is(err, durable.ErrDamaged) {
		w.j.o.Log.Error().Err(err).Msg("journal: newest file is damaged")
		w.cite = &ending{epoch: last.epoch, size: noEnd, reason: wire.ReasonDamaged, damaged: last.path}
		return w.begin(fo)
	}
	return err
}

// resume goes on with the newest file.
func (w *writer) resume(ctx context.Context, fo folder, last file) error {
	// What was begun is finished although ctx ended: the entries that wait need a file.
	err := w.j.o.Verify(context.WithoutCancel(ctx), last.path)
	sure := !errors.Is(err, ErrOneMeta)
	if err != nil && sure {
		return err
	}
	db, err := openSegment(last.path, false)
	if err != nil {
		return err
	}
	var s segment
	err = guardedView(last.path, db, func(tx *bolt.Tx) (err error) {
		if s, err = readSegment(tx); err == nil {
			w.tree, err = growTree(tx, s, w.j.path(treeName))
		}
		if err == nil && s.made == 0 {
			s.made = firstTrusted(tx, s)
		}
		return err
	})
	if err != nil {
		closeUnlessFaulted(db, err)
		return err
	}
	if a := w.j.anchors.newest(); a.Epoch == last.epoch && a.Size > w.tree.Size() || a.Epoch != 0 && !fo.knows(a.Epoch) {
		db.Close()
		w.cite = w.j.setBack(a)
		return w.begin(fo)
	}
	if !sure {
		// The last commit may be gone, and somebody may have seen it: numbers
		// are not given twice. What is there stays, and can be read.
		w.j.tellLoss(wire.ReasonDamaged, []byte(filepath.Base(last.path)), "a file was damaged: its last entries may be missing")
		db.Close()
		w.cite = &ending{epoch: last.epoch, size: w.tree.Size(), root: w.tree.Root(), reason: wire.ReasonDamaged}
		return w.begin(fo)
	}
	w.use(adopted(fo.files[:len(fo.files)-1]), db, last, s.made)
	poke(w.j.work)
	return nil
}

// begin ends the open epoch, sets its damaged file aside, and begins a new
// epoch whose first entry cites the old.
func (w *writer) begin(fo folder) error {
	if w.cite == nil {
		w.cite = w.j.lostEpoch(fo)
	}
	epoch, size := random64(), uint64(noEnd)
	if w.cite != nil && !w.cite.elsewhere {
		size = w.cite.size
	}
	stamp := w.j.o.Clock()
	s := segment{epoch: epoch}
	if stamp.Trusted {
		s.made = stamp.Wall
	}
	var first [][]byte
	var start tree.Range
	if w.cite != nil {
		if w.cite.entry == nil {
			w.cite.entry = w.j.epochEntry(*w.cite)
		}
		first, start = append(first, w.cite.entry.stored), start.Add(w.cite.entry.leaf)
	}
	f := file{epoch: epoch, path: w.j.path(fileName(epoch, 0))}
	if err := createSegment(f.path+nextSuffix, s, first); err != nil {
		return err
	}
	w.begun = epoch
	if err := fo.endEpochs(w.j.o.Dir, size, f); err != nil {
		return err
	}
	w.setDamagedAside(&fo)
	if err := durable.Rename(f.path+nextSuffix, f.path); err != nil {
		return err
	}
	path := f.path
	db, err := openSegment(path, false)
	if err != nil {
		return err
	}
	level := zerolog.InfoLevel // the first of a new journal
	if w.cite != nil {
		level = zerolog.WarnLevel
	}
	w.j.o.Log.WithLevel(level).Str("file", filepath.Base(path)).Msg("journal: new epoch")
	w.cite, w.begun, w.tree = nil, 0, start
	w.use(adopted(fo.files), db, f, s.made)
	poke(w.j.work)
	return nil
}

// setDamagedAside renames the damaged file of the ended epoch. If the disk
// refuses, the epoch has ended all the same and the file is looked at again
// before anybody reads it.
func (w *writer) setDamagedAside(fo *folder) {
	if w.cite == nil || w.cite.damaged == "" {
		return
	}
	for i, f := range fo.files {
		if f.path == w.cite.damaged && w.j.setAside(f.path) {
			fo.files = append(fo.files[:i:i], fo.files[i+1:]...)
			break
		}
	}
	w.cite.damaged = ""
}

// forget takes a file out of the list. The caller holds mu.
func (j *Journal) forget(path string) {
	j.files = slices.DeleteFunc(slices.Clone(j.files), func(f file) bool { return f.path == path })
}

// adopted gives the closed files that were found on the disk, with what this
// run knows of them. The newest of them may still have slack.
func adopted(found []file) func([]file) []file {
	return func(known []file) []file {
		files := slices.Clone(found)
		for i := range files {
			for _, old := range known {
				if old.path == files[i].path {
					files[i].checked, files[i].packed = old.checked, old.packed
				}
			}
		}
		if n := len(files); n > 0 && !files[n-1].checked {
			files[n-1].packed = false
		}
		return files
	}
}

// epochEntry makes the first entry of an epoch: detail is the epoch before (8
// bytes), and where known its size (8 bytes) and root (32).
func (j *Journal) epochEntry(old ending) *item {
	j.mu.Lock()
	defer j.mu.Unlock()
	detail := key(old.epoch)
	if old.size != noEnd {
		detail = append(append(detail, key(old.size)...), old.root[:]...)
	}
	stamp := j.o.Clock()
	it := &item{header: wire.Header{
		Boot: j.boot, Counter: j.counter, BootTime: stamp.BootTime, Wall: stamp.Wall, Clock: stamp.Quality,
		Kind: wire.KindEpoch, Reason: old.reason, Detail: detail,
	}}
	it.ref = wire.Ref{Boot: j.boot, Counter: j.counter}
	j.counter++
	if err := it.seal(); err != nil {
		panic(err) // every field is ours
	}
	return it
}
