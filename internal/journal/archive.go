package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"

	"github.com/rs/zerolog"
)

// Names in the directory of a journal, besides the entry files, tree.db and the epochs file.
const (
	lockName    = "writer"  // held by the process that writes
	ballastName = "ballast" // zeros, given up when the disk is full
)

// archive is the set of files of a journal: each is verified before its first use in a run, and a
// damaged one is set aside. Safe for concurrent use. The file that is being written belongs to the
// writer.
type archive struct {
	o      Options
	in     *intake.Intake
	cat    *catalogue.Current
	losses losses
	work   chan struct{} // to the keeper
	index  sync.Mutex    // held while the epochs file is read or changed
	upkeep sync.Mutex    // held while closed files are moved, rewritten or deleted

	forgetting *erasing.Queue // what is to be forgotten

	turn      atomic.Bool              // the open file is to be closed soon
	copying   atomic.Uint64            // the epoch that NewEpoch makes, or 0; its files do not count yet
	indexTold atomic.Bool              // the fault of the epochs file was reported
	noSync    bool                     // for tests that must lose entries
	lateSync  bool                     // the same, for the write-ahead file alone
	ahead     int64                    // bytes of the write-ahead file; 0, for tests: there is none
	fault     func(point string) error // faults of a disk, for tests
}

func (a *archive) path(name string) string { return filepath.Join(a.o.Dir, name) }

func (a *archive) tiles() segment.Tiles { return segment.Tiles{Path: a.path(segment.TreeName)} }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (a *archive) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		a.o.Log.Error().Err(err).Msg("journal: can't " + what)
	}
}

// view runs read on a file: the one that is being written, or a closed one that is verified first.
func (a *archive) view(ctx context.Context, f catalogue.File, read func(segment.Tx) error) error {
	if now := a.cat.Load(); now.Open != nil && now.Last().Path == f.Path {
		return now.Open.View(read)
	}
	if err := a.check(ctx, f); err != nil {
		return err
	}
	return segment.View(f.Path, read)
}

// check verifies a closed file once in a run.
func (a *archive) check(ctx context.Context, f catalogue.File) error {
	if f.Checked {
		return nil
	}
	err := a.o.Verify(ctx, f.Path)
	if errors.Is(err, segment.ErrOneMeta) {
		if err = fmt.Errorf("%w: %w", durable.ErrDamaged, err); a.isEnough(f) {
			err = nil
		}
	}
	if err == nil {
		a.mark(f, func(f *catalogue.File) { f.Checked = true })
	}
	return err
}

// checkClosed is check for the keeper: a damaged file is set aside.
func (a *archive) checkClosed(ctx context.Context, f catalogue.File) error {
	err := a.check(ctx, f)
	if errors.Is(err, durable.ErrDamaged) {
		a.isDamaged(f)
	}
	return err
}

func (a *archive) mark(f catalogue.File, change func(*catalogue.File)) {
	a.cat.Change(func(c *catalogue.Catalogue) { c.Mark(f.Path, change) })
}

// isEnough reports whether a closed file with one damaged meta page has all its entries. The damage
// is reported, and the file is rewritten.
func (a *archive) isEnough(f catalogue.File) bool {
	s, err := segment.Read(f.Path)
	if err != nil || f.End != segment.NoEnd && s.Size < f.End {
		return false
	}
	a.mark(f, func(f *catalogue.File) { f.Packed, f.Spoilt = false, true })
	a.losses.tell(wire.ReasonDamaged, []byte(filepath.Base(f.Path)), "a file was damaged; its entries are all there")
	poke(a.work)
	return true
}

// isGone removes a deleted closed file from the catalogue; the keeper reports it.
func (a *archive) isGone(f catalogue.File, last bool) {
	if _, err := os.Stat(f.Path); last || !errors.Is(err, fs.ErrNotExist) {
		return
	}
	a.upkeep.Lock() // not while it is rewritten
	defer a.upkeep.Unlock()
	if _, err := os.Stat(f.Path); errors.Is(err, fs.ErrNotExist) {
		a.forget(f.Path)
		poke(a.work)
	}
}

func (a *archive) forget(path string) {
	a.cat.Change(func(c *catalogue.Catalogue) { c.Forget(path) })
}

// isDamaged sets a damaged closed file aside.
func (a *archive) isDamaged(f catalogue.File) {
	a.upkeep.Lock()
	defer a.upkeep.Unlock()
	a.setAside(f.Path)
}

// isSuspect makes the writer give its file up. If it has another by now that may have the same name.
func (a *archive) isSuspect(at catalogue.Place) {
	a.cat.Change(func(c *catalogue.Catalogue) {
		if c.Open == at.Open {
			c.Mark(at.File.Path, func(f *catalogue.File) { f.Suspect = true })
		}
	})
	a.in.Poke()
}

// setAside renames a damaged file that nobody writes to, and records that.
func (a *archive) setAside(path string) bool {
	aside, err := durable.SetAside(path)
	if a.report("set a damaged file aside", err); err != nil {
		return false
	}
	a.o.Log.Error().Str("file", aside).Msg("journal: damaged file set aside")
	a.forget(path)
	a.losses.note(wire.ReasonDamaged, []byte(filepath.Base(aside)))
	return true
}

// create makes and opens the next file of an epoch, with its first entries, under its name and a
// suffix.
func (a *archive) create(epoch uint64, start tree.Range, suffix string, first [][]byte) (*segment.Writer, catalogue.File, error) {
	f := catalogue.File{Epoch: epoch, First: start.Size(), End: segment.NoEnd, Made: a.o.Clock().Made(), Checked: true}
	f.Path = a.path(segment.Name(f.Epoch, f.First))
	path := f.Path + suffix
	if err := segment.Create(path, segment.Segment{Epoch: epoch, Start: start, Made: f.Made}, first); err != nil {
		return nil, f, err
	}
	file, err := segment.OpenWriter(path)
	return file, f, err
}

// rewrite rewrites a closed file without slack, and without the who parts that are to go. The caller holds upkeep, which
// is free while it pauses.
func (a *archive) rewrite(ctx context.Context, f catalogue.File, erase func(journaled.Stored) bool) error {
	check := func(path string) error {
		if a.o.Sync != nil {
			a.upkeep.Unlock() // as in any pause
			a.o.Sync()
			a.upkeep.Lock()
		}
		return a.o.Verify(ctx, path)
	}
	return segment.Rewriting{Path: f.Path, End: f.End, Erase: erase, Held: &a.upkeep, Check: check}.Run(ctx)
}

// erasing is what the eraser works with.
func (a *archive) erasing(heard *hints.File) erasing.Options {
	return erasing.Options{
		Queue: a.forgetting, Dir: a.o.Dir, After: a.o.EraseAfter, Uplink: a.o.Uplink, Clock: a.o.Clock, Files: a.cat.Load, Check: a.checkClosed,
		Rewrite: func(ctx context.Context, f catalogue.File, erase func(journaled.Stored) bool) error {
			a.upkeep.Lock()
			defer a.upkeep.Unlock()
			return a.rewrite(ctx, f, erase)
		},
		Append: func(ctx context.Context, h wire.Header) error {
			_, err := a.in.Append(ctx, h, wire.Who{})
			return err
		},
		SaveHints: heard.Save, Preserved: a.o.Preserved, Brief: a.o.Brief, Learned: a.o.Learned, Log: a.o.Log, Each: func(ctx context.Context, do func(Entry) error) error { return each(ctx, a, do) },
		Turn:    func() { a.turn.Store(true); a.in.Poke() },
		Again:   func() { poke(a.work) },
		Copying: func() bool { return a.copying.Load() != 0 },
	}
}

func (a *archive) remove(path string) error {
	// A file that is named and not there was taken away.
	a.report("name a file no more", a.storeNames(filepath.Base(path), nil))
	a.upkeep.Lock()
	defer a.upkeep.Unlock()
	a.forget(path)
	return os.Remove(path)
}

// scan looks at the directory.
func (a *archive) scan() (catalogue.Directory, error) {
	a.index.Lock()
	defer a.index.Unlock()
	return catalogue.Scan(a.o.Dir)
}

// storeNames makes the epochs file name the existing files, except one that is about to be deleted;
// lost files were reported.
func (a *archive) storeNames(leaves string, lost []string) error {
	a.index.Lock()
	defer a.index.Unlock()
	d, err := catalogue.Scan(a.o.Dir)
	if err != nil {
		return err
	}
	return d.StoreNames(leaves, lost)
}

// rebuildIndex writes the epochs file again after it was deleted or changed while the journal was
// open.
func (a *archive) rebuildIndex() error {
	a.index.Lock()
	defer a.index.Unlock()
	files := a.cat.Load().Files
	err := catalogue.Rebuild(a.o.Dir, files)
	if err == nil && len(files) > 0 {
		a.indexTold.Store(false)
	}
	return err
}

// noteIndex reports that the epochs file was lost or is damaged. The next epoch makes a new one.
func (a *archive) noteIndex(d catalogue.Directory) {
	if !d.Bad || a.indexTold.Swap(true) {
		return
	}
	const name = catalogue.EpochsName
	aside, err := durable.SetAside(a.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		a.losses.tell(wire.ReasonMissing, []byte(name), "the file "+name+", which says what epochs there are, is missing")
		return
	}
	a.report("set a damaged file aside", err)
	a.losses.tell(wire.ReasonDamaged, []byte(name), "the file "+name+", which says what epochs there are, was damaged: "+aside)
}

// lostName is a file with a line for each loss that somebody should see to. It stays until that
// person removes it.
const (
	lostName = "lost"
	maxLost  = 32 // lines
)

// losses records and reports what was lost or changed in the journal.
type losses struct {
	dir string
	in  *intake.Intake
	log zerolog.Logger
}

func (l losses) file() string { return filepath.Join(l.dir, lostName) }

// list returns the losses of the file, a sentence each.
func (l losses) list() []string {
	b, _ := os.ReadFile(l.file())
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' })
}

// tell records a loss, logs it, and writes it into the file for the status.
func (l losses) tell(why wire.Reason, detail []byte, text string) {
	l.log.Error().Str("reason", why.String()).Msg("journal: " + text)
	l.writeDown(text)
	l.note(why, detail)
}

// note records a loss.
func (l losses) note(why wire.Reason, detail []byte) {
	l.in.Note(wire.Header{Kind: wire.KindDamaged, Reason: why, Detail: detail[:min(len(detail), 64)]})
}

func (l losses) writeDown(text string) {
	lost := l.list()
	if slices.Contains(lost, text) || len(lost) >= maxLost {
		return
	}
	all := strings.Join(append(lost, text), "\n") + "\n"
	if err := durable.WriteFile(l.file(), []byte(all), 0o600); err != nil {
		l.log.Error().Err(err).Msg("journal: a loss can't be written down; the entry says it")
	}
}
