package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

const (
	batchMax  = 1000 // entries of one commit
	pokeEvery = 256  // entries after which the keeper has a look
	laterBy   = 1000 // entries after which a refused rotation is tried again
)

// Run writes entries until ctx ends; then it writes what is queued, waits for
// its other goroutine, closes its files and returns nil. It never returns
// because of a sick disk: it tries again. What can't be written when ctx ends
// is logged and lost. Call it once.
func (j *Journal) Run(ctx context.Context) error {
	w := &writer{j: j}
	var keeper sync.WaitGroup
	keeper.Go(func() { j.keep(ctx) })
	w.loop(ctx)
	keeper.Wait()
	w.loop(ctx) // what the keeper had to say
	j.anchors.soon()
	if err := j.keepAnchor(context.WithoutCancel(ctx)); err != nil {
		j.o.Log.Error().Err(err).Msg("journal: can't keep an anchor")
	}
	w.close()
	return nil
}

// writer is the one goroutine that commits.
type writer struct {
	j     *Journal
	lock  *durable.Lock // of the folder
	db    *bolt.DB
	f     file
	made  int64       // ms, by a trusted clock; 0 while there was none
	tree  tree.Range  // as committed; its size is the next sequence
	later uint64      // sequence before which no rotation is tried
	cite  *ending     // set when the open epoch was given up
	begun uint64      // epoch of which nobody knows if it began; 0: none
	info  os.FileInfo // of the current file, to see that it is still there
}

// ending is what the first entry of an epoch tells of the one before.
type ending struct {
	epoch   uint64
	size    uint64 // noEnd where it is not known
	root    tlog.Hash
	reason  wire.Reason
	damaged string // path of the file to set aside
	// elsewhere: the size is not that of what is on this disk, which ends where
	// nobody knows.
	elsewhere bool
	entry     *item // made once, however often the new epoch has to be tried
}

// loop commits until ctx ends and nothing is left to write.
func (w *writer) loop(ctx context.Context) {
	for {
		batch := w.take(ctx)
		if len(batch) == 0 {
			return
		}
		if !w.persist(ctx, batch) {
			w.j.o.Log.Error().Int("entries", w.giveUp()).Msg("journal: stopped before these entries could be written")
			return
		}
	}
}

// take waits for entries; none means that ctx ended.
func (w *writer) take(ctx context.Context) []*item {
	j := w.j
	for {
		j.mu.Lock()
		batch, suspect, m := j.queue.take(batchMax), j.suspect, j.move
		j.inflight, j.suspect, j.move = batch, false, nil
		j.mu.Unlock()
		if suspect && w.db != nil {
			w.giveUpFile(fmt.Errorf("read %s: %w", w.f.path, durable.ErrFault))
			if err := w.open(ctx); err != nil {
				w.j.o.Log.Error().Err(err).Msg("journal: no new epoch yet")
			}
		}
		if m != nil {
			m.done <- w.move(ctx, m)
		}
		if len(batch) > 0 {
			return batch
		}
		w.rotateOld()
		select {
		case <-j.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

// persist writes a batch, however often it takes. The first failure is
// followed by another try at once, in a new file, before anybody is told. It
// returns false when ctx ended first.
func (w *writer) persist(ctx context.Context, batch []*item) bool {
	for _, it := range batch {
		if it.stored != nil {
			continue
		}
		if err := it.seal(); err != nil {
			panic(err) // the journal's own entries
		}
	}
	retry := backoff.New(w.j.retryMin, w.j.retryMax)
	for again := false; ; again = true { // the second attempt comes at once
		err := w.write(ctx, batch)
		if err == nil {
			return true
		}
		reason := w.fail(err)
		if again {
			w.j.mu.Lock()
			w.j.degrade(reason, err)
			w.j.mu.Unlock()
			if ctx.Err() != nil {
				return false
			}
			retry.Wait(ctx)
		}
	}
}

// giveUp empties the queue and returns how many entries that loses.
func (w *writer) giveUp() int {
	j := w.j
	j.mu.Lock()
	defer j.mu.Unlock()
	n := len(j.inflight) + j.queue.len()
	for _, it := range append(j.inflight, j.queue.take(j.queue.len())...) {
		it.finish(ErrDegraded)
	}
	j.inflight = nil
	return n
}

// write makes a batch durable and tells everybody.
func (w *writer) write(ctx context.Context, batch []*item) error {
	if w.db != nil && w.removed() {
		w.giveUpFile(fmt.Errorf("%s was removed: %w", w.f.path, fs.ErrNotExist))
		w.unlock() // it may have gone with the folder
	}
	if w.db == nil {
		if err := w.open(ctx); err != nil {
			return err
		}
	}
	if w.due() {
		if err := w.rotate(); err != nil {
			w.later = w.tree.Size() + laterBy
			w.j.o.Log.Error().Err(err).Msg("journal: can't begin a new file, going on with the old one")
		}
	}
	end, err := w.commit(batch)
	if err != nil {
		return err
	}
	before := w.tree.Size()
	w.tree = end
	j := w.j
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, it := range batch {
		it.finish(nil)
	}
	j.inflight = nil
	j.next, j.tree = end.Size(), end
	close(j.changed)
	j.changed = make(chan struct{})
	j.recovered()
	if before/pokeEvery != end.Size()/pokeEvery {
		poke(j.work)
	}
	return nil
}

// removed says whether the current file is no longer where it was: what is
// written to it then is lost with this process.
func (w *writer) removed() bool {
	info, err := os.Stat(w.f.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, w.info)
}

// commit writes a batch in one transaction. An error means that it may be
// there or not.
func (w *writer) commit(batch []*item) (tree.Range, error) {
	stored, leaves := make([][]byte, len(batch)), make([]tlog.Hash, len(batch))
	for i, it := range batch {
		stored[i], leaves[i] = it.stored, it.leaf
	}
	end := w.tree.AddAll(leaves)
	if w.j.o.Sync != nil {
		w.j.o.Sync()
	}
	if err := w.j.injected("commit"); err != nil {
		return end, err
	}
	err := durable.Guard("write "+w.f.path, func() error {
		return w.db.Update(func(tx *bolt.Tx) error {
			if err := putEntries(tx, w.tree.Size(), stored); err != nil {
				return err
			}
			return putHead(tx, end)
		})
	})
	if err == nil {
		err = w.j.injected("committed")
	}
	return end, err
}

func (j *Journal) injected(point string) error {
	if j.fault == nil {
		return nil
	}
	return j.fault(point)
}

// due says whether the current file is full or old enough.
func (w *writer) due() bool {
	first, next := w.f.first, w.tree.Size()
	if next == first || next < w.later {
		return false
	}
	stamp := w.j.o.Clock()
	if stamp.Trusted && (w.made == 0 || stamp.Wall < w.made) { // it was not trusted, or ahead
		w.made = stamp.Wall
	}
	old := stamp.Trusted && time.Duration(stamp.Wall-w.made)*time.Millisecond >= w.j.o.MaxAge
	return next-first >= w.j.o.MaxEntries || old
}

// rotateOld closes a file that is old enough although nothing is written: what
// names people in it has to go in time.
func (w *writer) rotateOld() {
	if w.db == nil || w.removed() || !w.due() {
		return
	}
	if err := w.rotate(); err != nil {
		w.later = w.tree.Size() + 1 // with the next entry
		w.j.o.Log.Error().Err(err).Msg("journal: can't begin a new file, going on with the old one")
	}
}

// rotate begins the next file of the epoch.
func (w *writer) rotate() error {
	w.j.index.Lock()
	defer w.j.index.Unlock()
	if err := w.j.injected("create"); err != nil {
		return err
	}
	stamp := w.j.o.Clock()
	s := segment{epoch: w.f.epoch, start: w.tree}
	if stamp.Trusted {
		s.made = stamp.Wall
	}
	path := w.j.path(fileName(s.epoch, s.start.Size()))
	if err := createSegment(path, s, nil); err != nil {
		return err
	}
	db, err := openSegment(path, false)
	if err != nil {
		return err
	}
	old := w.db
	closed := func(files []file) []file {
		files[len(files)-1].end = s.start.Size()
		return files
	}
	w.use(closed, db, file{epoch: s.epoch, first: s.start.Size(), path: path}, s.made)
	old.Close() // waits for readers, who are quick
	w.j.anchors.soon()
	poke(w.j.work) // names the file in the epochs file, too
	return nil
}

// use makes db the current file, after the closed ones that closed makes of
// those that were there.
func (w *writer) use(closed func([]file) []file, db *bolt.DB, f file, made int64) {
	f.end, f.checked = noEnd, true
	w.info, _ = os.Stat(f.path) // without it, it counts as removed
	w.db, w.f, w.made, w.later = db, f, made, 0
	if w.j.noSync {
		db.NoSync = true
	}
	j := w.j
	j.mu.Lock()
	defer j.mu.Unlock()
	j.files = append(slices.Clip(closed(slices.Clone(j.files))), f)
	j.cur, j.next, j.tree, j.suspect = db, w.tree.Size(), w.tree, false
	j.acked = j.settle(j.acked)
}

// fail closes and gives up whatever err leaves in doubt, and says why.
func (w *writer) fail(err error) wire.Reason {
	if w.db != nil {
		if !errors.Is(err, syscall.ENOSPC) || w.visible() {
			w.giveUpFile(err)
		}
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		w.j.dropBallast()
		return wire.ReasonDiskFull
	case errors.Is(err, durable.ErrDamaged):
		return wire.ReasonDamaged
	}
	return wire.ReasonIO
}

// visible says whether a commit that failed can be read all the same. Then
// nobody knows whether it lasts, and the file can't be written on.
func (w *writer) visible() bool {
	seen := true
	err := guardedView(w.f.path, w.db, func(tx *bolt.Tx) error {
		k, _ := tx.Bucket(bucketEntries).Cursor().Last()
		seen = len(k) == 8 && binary.BigEndian.Uint64(k) >= w.tree.Size()
		return nil
	})
	return err != nil || seen
}

// giveUpFile ends the epoch at what was acknowledged: the next try opens a new
// one, which cites it. A damaged file is set aside then; another stays, to be
// verified before anybody reads it.
func (w *writer) giveUpFile(err error) {
	w.cite = &ending{epoch: w.f.epoch, size: w.tree.Size(), root: w.tree.Root(), reason: wire.ReasonIO}
	if errors.Is(err, durable.ErrDamaged) {
		w.cite.reason, w.cite.damaged = wire.ReasonDamaged, w.f.path
	}
	j := w.j
	j.mu.Lock()
	j.cur = nil
	if last := len(j.files) - 1; w.cite.damaged != "" {
		j.files = j.files[:last:last]
	} else {
		j.files[last].end, j.files[last].checked, j.files[last].packed = w.tree.Size(), false, false
	}
	j.mu.Unlock()
	closeUnlessFaulted(w.db, err)
	w.db = nil
}

func (w *writer) close() {
	w.j.mu.Lock()
	w.j.cur = nil
	w.j.mu.Unlock()
	if w.db != nil {
		w.db.Close()
	}
	if w.lock != nil {
		w.unlock()
	}
}

// unlock lets go of the folder.
func (w *writer) unlock() {
	w.lock.Free()
	w.lock = nil
}
