package journal

import (
	"context"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/intake"
	"gatehouse/internal/journal/segment"
	"gatehouse/sync/wire"
)

// anchorEvery is the pause between two anchors of an epoch that grows.
const anchorEvery = 10 * time.Minute

// anchors writes the anchor of a journal and compares with it.
type anchors struct {
	files *archive
	every time.Duration

	mu      sync.Mutex
	held    audit.Anchor
	at      time.Time // of the last write
	due     bool
	checked bool // the root was compared in this run
}

func newAnchors(files *archive) *anchors {
	a := &anchors{files: files, every: anchorEvery}
	if store := files.o.Anchors; store != nil {
		a.held = audit.Newest(store.Anchors())
	}
	return a
}

func (a *anchors) newest() audit.Anchor {
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
	next := audit.Anchor{Number: held.Number + 1, Position: at, Root: now.Tree.Root()}
	if err := a.files.o.Anchors.SetAnchor(next.Encode()); err != nil {
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
	a.files.losses.tell(wire.ReasonOtherRoot, held.Detail(), "some entries are not those that were there")
}

// rolledBack reports that the journal ends before its anchor, and returns what the next epoch has to
// cite.
func (a *anchors) rolledBack(held audit.Anchor) *ending {
	a.files.losses.tell(wire.ReasonSetBack, held.Detail(), "it had entries that it has not any more: it was rolled back to an earlier copy, or its files were deleted")
	return &ending{epoch: held.Epoch, size: held.Sequence, root: held.Root, reason: wire.ReasonSetBack, elsewhere: true}
}

// lostEpoch returns what a new epoch cites where no epoch can go on; nil: no epoch is known.
func (a *anchors) lostEpoch(d catalogue.Directory) *ending {
	held := a.newest()
	if held.Epoch != 0 && !d.Knows(held.Epoch) {
		return a.rolledBack(held)
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
		detail := audit.Numbers(e.epoch)
		if e.size != segment.NoEnd {
			detail = audit.Head(Position{Epoch: e.epoch, Sequence: e.size}, e.root)
		}
		e.entry = in.Own(wire.Header{Kind: wire.KindEpoch, Reason: e.reason, Detail: detail})
	}
	return e.entry
}
