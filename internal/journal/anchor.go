package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// anchor is the length of the journal at some time. It is kept with the gateway's grants, so that a
// journal that was deleted, or rolled back to an earlier copy, is noticed at the next start. It is
// written after what it names is durable, so that no power cut can make the journal fall behind it,
// and rarely: the loss of later entries can go unnoticed here.
type anchor struct {
	Number   uint64    // number of the anchor, ascending
	Position           // the end of the journal at that time
	Root     tlog.Hash // of the tree there
}

// headDetail is the size of an epoch's citation: epoch and size (8 bytes each, big-endian) and root
// (32).
const headDetail = 8 + 8 + tlog.HashSize

// head returns the citation of a place by the epoch that follows it.
func head(p Position, root tlog.Hash) []byte { return append(numbers(p.Epoch, p.Sequence), root[:]...) }

// numbers encodes each number in 8 bytes, big-endian.
func numbers(list ...uint64) (b []byte) {
	for _, n := range list {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (a anchor) detail() []byte { return head(a.Position, a.Root) }

// encode returns the bytes of the anchor; the last 8 are a checksum of the others.
func (a anchor) encode() []byte {
	b := append(numbers(a.Number), a.detail()...)
	sum := sha256.Sum256(b)
	return append(b, sum[:8]...)
}

// decodeAnchor reads what encode makes, and nothing else.
func decodeAnchor(b []byte) (a anchor, ok bool) {
	if len(b) != 8+headDetail+8 {
		return a, false
	}
	a = anchor{binary.BigEndian.Uint64(b), Position{Epoch: binary.BigEndian.Uint64(b[8:]), Sequence: binary.BigEndian.Uint64(b[16:])}, tlog.Hash(b[24:])}
	return a, bytes.Equal(a.encode(), b) && a.Epoch != 0
}

// newestAnchor returns the anchor with the highest number; zero: there is none.
func newestAnchor(all [][]byte) (newest anchor) {
	for _, b := range all {
		if a, ok := decodeAnchor(b); ok && a.Number >= newest.Number {
			newest = a
		}
	}
	return newest
}

var errNotAnchored = errors.New("not what the anchor in the grants' files says")

// compare looks for the place of an anchor in the files.
func (a anchor) compare(files []catalogue.File) error {
	path := ""
	for _, f := range files {
		if f.Epoch == a.Epoch && f.First <= a.Sequence {
			path = f.Path
		}
	}
	if path == "" {
		return fmt.Errorf("%w: nothing is there of epoch %016x, which had %s", errNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"))
	}
	return segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		if s.Size < a.Sequence {
			return fmt.Errorf("%w: epoch %016x had %s and has %d", errNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"), s.Size)
		}
		r, err := t.Tree(s.Start, a.Sequence)
		if err == nil && r.Root() != a.Root {
			err = fmt.Errorf("%w: epoch %016x has another root at %s", errNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"))
		}
		return err
	})
}

// anchorEvery is the pause between two anchors of an epoch that grows.
const anchorEvery = 10 * time.Minute

// anchors writes the anchor of a journal and compares with it.
type anchors struct {
	files *archive
	every time.Duration

	mu      sync.Mutex
	held    anchor
	at      time.Time // of the last write
	due     bool
	checked bool // the root was compared in this run
}

func newAnchors(files *archive) *anchors {
	a := &anchors{files: files, every: anchorEvery}
	if store := files.o.Anchors; store != nil {
		a.held = newestAnchor(store.Anchors())
	}
	return a
}

func (a *anchors) newest() anchor {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held
}

// soon makes the keeper's next round write an anchor.
func (a *anchors) soon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = true
}

// keep writes an anchor of the present place, if one is due. The place is durable: the catalogue
// has no other.
func (a *anchors) keep(ctx context.Context) error {
	a.check(ctx)
	now := a.files.cat.Load()
	at := now.Next()
	a.mu.Lock()
	held, wait := a.held, !a.due && a.held.Epoch == at.Epoch && time.Since(a.at) < a.every
	a.mu.Unlock()
	if a.files.o.Anchors == nil || at.Epoch == 0 || at == held.Position || wait {
		return nil
	}
	next := anchor{held.Number + 1, at, now.Tree.Root()}
	if err := a.files.o.Anchors.SetAnchor(next.encode()); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held, a.at, a.due = next, time.Now(), false
	return nil
}

// check compares, once in a run, the root of the tree at the anchor's size; its length was checked
// when the files were opened.
func (a *anchors) check(ctx context.Context) {
	a.mu.Lock()
	held, done := a.held, a.checked
	a.checked = true
	a.mu.Unlock()
	if done || held.Epoch == 0 {
		return
	}
	r, err := a.files.treeOf(ctx, held.Position)
	if err != nil || r.Root() == held.Root {
		return // entries that were appended again or properly deleted can't be compared
	}
	a.files.losses.tell(wire.ReasonOtherRoot, held.detail(), "some entries are not those that were there")
}

// setBack reports that the journal ends before its anchor, and returns what the next epoch has to
// cite.
func (a *anchors) setBack(held anchor) *ending {
	a.files.losses.tell(wire.ReasonSetBack, held.detail(), "it had entries that it has not any more: it was set back to an earlier copy, or its files were deleted")
	return &ending{epoch: held.Epoch, size: held.Sequence, root: held.Root, reason: wire.ReasonSetBack, elsewhere: true}
}

// lostEpoch returns what a new epoch cites where no epoch can go on; nil: no epoch is known.
func (a *anchors) lostEpoch(d catalogue.Directory) *ending {
	held := a.newest()
	if held.Epoch != 0 && !d.Knows(held.Epoch) {
		return a.setBack(held)
	}
	last := ending{epoch: d.Newest(), size: segment.NoEnd, reason: wire.ReasonDamaged}
	if last.epoch == 0 {
		return nil
	}
	if len(d.Missing()) > 0 && !d.Bad {
		last.reason = wire.ReasonMissing
	}
	if held.Epoch == last.epoch {
		last.size, last.root, last.elsewhere = held.Sequence, held.Root, true
	}
	return &last
}

// ending is what the first entry of an epoch says of the one before.
type ending struct {
	epoch   uint64
	size    uint64 // segment.NoEnd: unknown
	root    tlog.Hash
	reason  wire.Reason
	damaged string // path of the file to set aside
	// elsewhere: the size is not that of the files on this disk, whose end is unknown.
	elsewhere bool
	entry     *intake.Item // made once, however often the new epoch is tried
}

// first returns the first entry of the next epoch: its detail is the epoch before (8 bytes) and,
// where known, its size (8 bytes) and root (32).
func (e *ending) first(in *intake.Intake) *intake.Item {
	if e.entry == nil {
		detail := numbers(e.epoch)
		if e.size != segment.NoEnd {
			detail = head(Position{Epoch: e.epoch, Sequence: e.size}, e.root)
		}
		e.entry = in.Own(wire.Header{Kind: wire.KindEpoch, Reason: e.reason, Detail: detail})
	}
	return e.entry
}
