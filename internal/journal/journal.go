// Package journal is the append-only log of a gateway: every entry durable
// before a door relies on it, hashed into an RFC 6962 tree, kept in bbolt files
// of bounded size, and never in the way of the door. docs/journal.md has the
// bytes.
//
// Entries are given to Append or Queue and wait in the intake; one goroutine, the
// writer, commits all that wait in one transaction to the newest segment; another, the
// keeper, does what may wait. Readers go by the catalogue and hold up neither. A sick
// disk never ends Run and never blocks Append for longer than its context: entries wait
// in a bounded queue, and the journal says that it is degraded until the disk is well.
//
// The package refuses to rewrite an entry, to repair a damaged file (it is set
// aside whole), to delete anything while the clock is not trusted, and to tell
// a reader of an entry that is not durable yet.
package journal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/disk"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/erasing"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// Journal is the log. All methods are safe for concurrent use, also before Run
// and after it.
type Journal struct {
	in      *intake.Intake
	cat     *catalogue.Current
	files   *archive
	anchors *anchors
	hints   *hints.File
	space   *space
	tails   chan *tail       // to the writer, from one NewEpoch at a time
	moving  sync.Mutex       // held by NewEpoch
	retry   *backoff.Backoff // between attempts on a sick disk
}

// Open makes the journal of a directory and gives this run its boot number. It
// starts nothing, and a sick disk is no error: if the little file with the
// number of the last run can't be read or written, the number is a random one
// above 2^32, so that it can't meet an earlier one. An error is a mistake in o.
func Open(o Options) (*Journal, error) {
	if o.Dir == "" || o.Clock == nil {
		return nil, errors.New("open journal: no directory or no clock")
	}
	o = o.withDefaults()
	boot, err := intake.NextBoot(o.Dir)
	if err != nil {
		o.Log.Error().Err(err).Uint64("boot", boot).Msg("journal: boot number is a random one")
	}
	in := intake.New(boot, o.Queue, o.Clock, o.Log)
	files := &archive{o: o, in: in, losses: losses{o.Dir, in, o.Log}, work: make(chan struct{}, 1),
		ahead: ahead.Size, fault: func(string) error { return nil }}
	files.forgetting, err = erasing.OpenQueue(o.Dir)
	files.report("read what is to be forgotten: the order has to be given again", err)
	heard, cat, err := hints.Open(o.Dir)
	files.report("read what the registry has; it is asked again", err)
	files.cat = cat
	j := &Journal{
		in: in, cat: files.cat, files: files, anchors: newAnchors(files), hints: heard, tails: make(chan *tail, 1),
		retry: backoff.New(100*time.Millisecond, 30*time.Second),
	}
	j.space = &space{files: files, anchors: j.anchors, hints: heard, free: disk.Space}
	in.Note(wire.Header{Kind: wire.KindBoot, Detail: o.Boot})
	return j, nil
}

// Run writes entries until ctx ends; then it writes what is queued, waits for
// its other goroutine, closes its files and returns nil. It never returns
// because of a sick disk: it tries again. What can't be written when ctx ends
// is logged and lost. Call it once.
func (j *Journal) Run(ctx context.Context) error {
	w := &writer{files: j.files, anchors: j.anchors, space: j.space, tails: j.tails, retry: j.retry, buffer: j.files.newBuffer()}
	k := &keeper{files: j.files, anchors: j.anchors, hints: j.hints, space: j.space, eraser: erasing.New(j.files.erasing(j.hints))}
	var keeping sync.WaitGroup
	keeping.Go(func() { k.run(ctx) })
	w.loop(ctx)
	keeping.Wait()
	w.loop(ctx) // entries of the keeper
	j.anchors.soon()
	j.files.report("keep an anchor", j.anchors.keep(context.WithoutCancel(ctx)))
	j.files.report("save hints", j.hints.Save())
	w.close()
	return nil
}

// Append writes one entry; boot number, counter and times of h are filled in.
// Nil means durable. If ctx ends first the entry stays queued (ErrQueued), and
// if that was its deadline the journal is degraded until a commit succeeds:
// then Append returns at once with ErrDegraded. The Ref names the entry in all
// these cases. Other errors: a malformed entry, or ErrDropped; nothing is
// queued then.
func (j *Journal) Append(ctx context.Context, h wire.Header, who wire.Who) (wire.Ref, error) {
	it, err := j.in.Append(ctx, h, who)
	return it.Ref, err
}

// Record writes one entry as Append does and waits for nothing: written gets the outcome, once, and
// must have room for it. An error says at once that there is nothing to wait for, and
// written gets nothing then: ErrDegraded (the entry is queued), a malformed entry, or
// ErrDropped; without a Ref there is no entry.
func (j *Journal) Record(h wire.Header, who wire.Who, written chan<- journaled.Written) (wire.Ref, error) {
	return j.in.Record(h, who, written)
}

// Late says that nobody waits any longer for an entry that was recorded: it stays queued, and the
// journal is degraded until a commit succeeds. False: there is an outcome, and the channel has it.
func (j *Journal) Late(ref wire.Ref) bool { return j.in.Late(ref) }

// Queue writes one entry without waiting for it. A malformed entry is logged
// and counts as nothing: its Ref is zero, as is that of a dropped one.
func (j *Journal) Queue(h wire.Header, who wire.Who) wire.Ref { return j.in.Queue(h, who) }

// Entries returns up to n durable entries from a position on, and the position
// after them; none, when there are no more yet (see Changed) or Run has not opened the
// files. It goes on over the ends of files and epochs: the first entry may stand later
// than from where something was deleted or set aside, or was appended again by
// NewEpoch. A closed file that nobody has read in this run is verified first; one that
// turns out damaged is skipped. ErrGone: from is in an epoch that is not here. It does
// not hold up the writer; ask for a few hundred at a time.
func (j *Journal) Entries(ctx context.Context, from Position, n int) ([]Entry, Position, error) {
	return j.files.entries(ctx, from, n)
}

// Read is Entries with what is made of them left to another; the position is from where there are none.
func (j *Journal) Read(ctx context.Context, from Position, n int, to journaled.Taker) (Position, error) {
	return j.files.read(ctx, from, n, to)
}

// Root returns the root of the tree (RFC 6962) over the first p.Sequence entries of an epoch: that
// of Range.
func (j *Journal) Root(ctx context.Context, p Position) (tlog.Hash, error) {
	r, err := j.files.treeOf(ctx, p)
	return r.Root(), err
}

// Range returns the compact range over the first p.Sequence entries of an epoch, from
// the files' own trees, the leaf tiles and the last entries: some milliseconds; up to
// 0.1 s more where tree.db was lost, the time of one verification where nobody has read
// the file in this run, and 0.1 s for each million entries that were deleted. ErrGone:
// the epoch or the leaves are not here. ErrAhead: the epoch ends before.
func (j *Journal) Range(ctx context.Context, p Position) (tree.Range, error) {
	return j.files.treeOf(ctx, p)
}

// Forget has the who parts erased that of is true for, of entries that are durable now: from every file, soon, by no clock,
// also what the registry does not have, and what is preserved when that has ended. order is the SHA-256 of the paper that
// allows it: the log has it, and nothing that says of whom. Nil means that no stop and no power cut keeps them. It reads the
// whole log.
func (j *Journal) Forget(ctx context.Context, order wire.Hash, of func(wire.Header, wire.Who) bool) error {
	if _, err := j.in.Append(ctx, wire.Header{Kind: wire.KindSpace, Reason: wire.ReasonForget, Detail: order[:]}, wire.Who{}); err != nil {
		return fmt.Errorf("journal the order to forget: %w", err)
	}
	var found []wire.Ref
	err := each(ctx, j.files, func(e Entry) error {
		if len(e.Who) == 0 {
			return nil
		}
		h, err := wire.DecodeHeader(e.Header)
		if err != nil {
			return err
		}
		if who, err := wire.DecodeWho(e.Who); err != nil || !of(h, who) {
			return err
		}
		found = append(found, wire.Ref{Boot: h.Boot, Counter: h.Counter})
		return nil
	})
	if err == nil {
		err = j.files.forgetting.Add(found)
	}
	poke(j.files.work)
	return err
}

// Lost returns what the journal found to be lost or changed, a sentence each,
// until somebody removes LostFile. It counts and names nothing: how many entries
// there were is nobody's business who reads a status. The entries have it.
func (j *Journal) Lost() []string { return j.files.losses.list() }

// LostFile is the file that Lost reads.
func (j *Journal) LostFile() string { return j.files.losses.file() }

// Status is a view of the journal at one moment.
type Status struct {
	Position           // of the next entry; its sequence is the size of the tree
	Root     tlog.Hash // of the tree at that size
	Oldest   Position  // of the oldest entry that is still there
	Acked    Position  // everything before it is at the registry
	intake.State
	Usage
}

// Status returns the state of the journal.
func (j *Journal) Status() Status {
	in := j.in.State() // before the catalogue: what is queued no more is in it
	now := j.cat.Load()
	return Status{now.Next(), now.Tree.Root(), now.Oldest(), now.Acked, in, j.space.usage()}
}

// Head returns where the journal stands.
func (j *Journal) Head() journaled.Head {
	now := j.cat.Load()
	return journaled.Head{Position: now.Next(), Root: wire.Hash(now.Tree.Root()), Oldest: now.Oldest(), Boot: j.in.State().Boot}
}

// Before returns where the epoch before another one ends; ok: there is one that has entries.
func (j *Journal) Before(epoch uint64) (end Position, ok bool) { return j.cat.Load().Before(epoch) }

// Changed returns a channel that is closed when the next entries are durable.
// Take it before reading, so that nothing falls between.
func (j *Journal) Changed() <-chan struct{} { return j.cat.Load().Changed }

// Acked returns the cursor of the uplink: all entries before it are at the
// registry. Zero before the first Ack. The end of an epoch and the start of the
// next are the same place; it is given as the latter once the files are open.
func (j *Journal) Acked() Position { return j.cat.Load().Acked }

// Ack moves the cursor of the uplink. It only moves forward: a place in an earlier
// epoch, or earlier in the same, is an error. ErrAhead: this journal has not written so
// far, or has appended it again since (see NewEpoch). ErrGone: the epoch is not here.
// The disk gets it within five minutes and 1,000 entries, and at the end of Run: until
// then a crash sets it back.
func (j *Journal) Ack(p Position) error {
	var err error
	j.cat.Change(func(c *catalogue.Catalogue) {
		if err = c.CheckAck(p); err == nil {
			c.Acked = c.Settle(p)
		}
	})
	if err != nil {
		return fmt.Errorf("move cursor of the uplink to %d in epoch %016x: %w", p.Sequence, p.Epoch, err)
	}
	j.heard()
	return nil
}

// Safe takes the registry's word that it can't lose what is before p any more. It
// moves forward only, and gets to the disk as the cursor does.
func (j *Journal) Safe(p Position) {
	j.cat.Change(func(c *catalogue.Catalogue) {
		if c.MovesSafe(p) {
			c.Safe = p
		}
	})
	j.heard()
}

// SetCosigned keeps the newest checkpoint that a witness cosigned, a signed note; it
// gets to the disk as the cursor does.
func (j *Journal) SetCosigned(note string) {
	j.cat.Change(func(c *catalogue.Catalogue) { c.Cosigned = note })
	j.heard()
}

// Cosigned returns the note of SetCosigned, also of an earlier run; empty: none.
func (j *Journal) Cosigned() string { return j.cat.Load().Cosigned }

// heard lets the keeper save hints that are due.
func (j *Journal) heard() {
	if j.hints.IsDue() {
		poke(j.files.work)
	}
}

// random64 returns a number that is not 0.
func random64() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return max(binary.BigEndian.Uint64(b[:]), 1)
}
