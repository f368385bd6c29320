package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/sync/wire"
)

// Anchor says how far the journal was at some time. It is kept with other files
// (the gateway's grants), so that a journal that was deleted, or set back to an
// earlier copy, shows at the next start. It is written after what it names is
// durable, so that no power cut can make the journal fall behind it; and rarely,
// so that it costs nothing: what was written after it can go unnoticed here.
type Anchor struct {
	Number uint64 // of those that were kept, ascending
	Epoch  uint64
	Size   uint64    // entries of that epoch
	Root   tlog.Hash // of the tree over them
}

// AnchorStore keeps anchors elsewhere; *keyring.Keyring does, in both files of
// the grants. Safe for concurrent use.
type AnchorStore interface {
	// Anchors returns what is kept, in no order; broken ones do no harm.
	Anchors() [][]byte
	// SetAnchor keeps one in place of those before, durably.
	SetAnchor([]byte) error
}

const (
	anchorSize = 8 + 8 + headSize + 8
	// anchorEvery is the pause between two anchors of an epoch that grows.
	anchorEvery = 10 * time.Minute
)

// Encode returns its bytes; the last 8 are a sum over the others.
func (a Anchor) Encode() []byte {
	b := append(append(append(key(a.Number), key(a.Epoch)...), key(a.Size)...), a.Root[:]...)
	sum := sha256.Sum256(b)
	return append(b, sum[:8]...)
}

// DecodeAnchor reads what Encode makes, and nothing else.
func DecodeAnchor(b []byte) (a Anchor, ok bool) {
	if len(b) != anchorSize {
		return a, false
	}
	a = Anchor{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), tlog.Hash(b[24:])}
	return a, bytes.Equal(a.Encode(), b) && a.Epoch != 0
}

// NewestAnchor returns the one with the highest number; zero: there is none.
func NewestAnchor(all [][]byte) (newest Anchor) {
	for _, b := range all {
		if a, ok := DecodeAnchor(b); ok && a.Number >= newest.Number {
			newest = a
		}
	}
	return newest
}

// anchors is what a journal knows of its anchor.
type anchors struct {
	store AnchorStore // nil: nowhere to keep any
	every time.Duration

	mu      sync.Mutex
	held    Anchor
	at      time.Time // it was kept
	due     bool
	checked bool // the root was compared in this run
}

func (a *anchors) load(store AnchorStore) {
	if a.store, a.every = store, anchorEvery; store != nil {
		a.held = NewestAnchor(store.Anchors())
	}
}

func (a *anchors) newest() Anchor {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held
}

// soon asks for an anchor with the keeper's next round.
func (a *anchors) soon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.due = true
}

// next returns the anchor of a place if it is time for one.
func (a *anchors) next(at Position, root tlog.Hash) (Anchor, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := !a.due && a.held.Epoch == at.Epoch && time.Since(a.at) < a.every
	if a.store == nil || at.Epoch == 0 || at.Epoch == a.held.Epoch && at.Sequence == a.held.Size || wait {
		return Anchor{}, false
	}
	return Anchor{a.held.Number + 1, at.Epoch, at.Sequence, root}, true
}

// keepAnchor keeps where the journal is, if it is time to. What it names is
// durable: Status knows of nothing else.
func (j *Journal) keepAnchor(ctx context.Context) error {
	j.checkAnchor(ctx)
	s := j.Status()
	next, ok := j.anchors.next(s.Position, s.Root)
	if !ok {
		return nil
	}
	if err := j.anchors.store.SetAnchor(next.Encode()); err != nil {
		return err
	}
	j.anchors.mu.Lock()
	defer j.anchors.mu.Unlock()
	j.anchors.held, j.anchors.at, j.anchors.due = next, time.Now(), false
	return nil
}

// checkAnchor compares, once in a run, the tree at the anchor's size: that there
// is as much of it was seen when the files were opened.
func (j *Journal) checkAnchor(ctx context.Context) {
	j.anchors.mu.Lock()
	a, done := j.anchors.held, j.anchors.checked
	j.anchors.checked = true
	j.anchors.mu.Unlock()
	if done || a.Epoch == 0 {
		return
	}
	root, err := j.Root(ctx, Position{a.Epoch, a.Size})
	if err != nil || root == a.Root {
		return // what was appended again or deleted in order can't be compared
	}
	j.tellLoss(wire.ReasonOtherRoot, a.detail(), "some entries are not those that were there")
}

func (a Anchor) detail() []byte { return append(append(key(a.Epoch), key(a.Size)...), a.Root[:]...) }

// setBack says that the journal ends before its anchor, and returns what the next
// epoch has to cite.
func (j *Journal) setBack(a Anchor) *ending {
	j.tellLoss(wire.ReasonSetBack, a.detail(), "it had entries that it has not any more: it was set back to an earlier copy, or its files were deleted")
	return &ending{epoch: a.Epoch, size: a.Size, root: a.Root, reason: wire.ReasonSetBack, elsewhere: true}
}

// lostEpoch returns what a new epoch cites where none can go on; nil where there
// never was one, as far as anybody knows.
func (j *Journal) lostEpoch(fo folder) *ending {
	a := j.anchors.newest()
	if a.Epoch != 0 && !fo.knows(a.Epoch) {
		return j.setBack(a)
	}
	if len(fo.epochs) == 0 {
		return nil
	}
	last := ending{epoch: fo.epochs[len(fo.epochs)-1].epoch, size: noEnd, reason: wire.ReasonDamaged}
	if len(fo.missing()) > 0 && !fo.bad {
		last.reason = wire.ReasonMissing
	}
	if a.Epoch == last.epoch {
		last.size, last.root, last.elsewhere = a.Size, a.Root, true
	}
	return &last
}

// noteIndex tells that the epochs file was lost or is damaged. The next epoch
// makes a new one.
func (j *Journal) noteIndex(fo folder) {
	if !fo.bad || j.indexTold.Swap(true) {
		return
	}
	aside, err := durable.SetAside(j.path(epochsName))
	if errors.Is(err, fs.ErrNotExist) {
		j.tellLoss(wire.ReasonMissing, []byte(epochsName), "the file "+epochsName+", which says what epochs there are, is missing")
		return
	}
	if err != nil {
		j.o.Log.Error().Err(err).Msg("journal: can't set a damaged file aside")
	}
	j.tellLoss(wire.ReasonDamaged, []byte(epochsName), "the file "+epochsName+", which says what epochs there are, was damaged: "+aside)
}

// lostName is a file with a line for each loss that somebody should see to. It
// lies there until whoever did removes it.
const (
	lostName = "lost"
	maxLost  = 32 // lines
)

// tellLoss journals a loss, logs it, and writes it down for the status.
func (j *Journal) tellLoss(why wire.Reason, detail []byte, text string) {
	j.o.Log.Error().Str("reason", why.String()).Msg("journal: " + text)
	j.writeDown(text)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(wire.Header{Kind: wire.KindDamaged, Reason: why, Detail: detail[:min(len(detail), 64)]})
}

func (j *Journal) writeDown(text string) {
	lost := j.Lost()
	if slices.Contains(lost, text) || len(lost) >= maxLost {
		return
	}
	all := strings.Join(append(lost, text), "\n") + "\n"
	if err := durable.WriteFile(j.path(lostName), []byte(all), 0o600); err != nil {
		j.o.Log.Error().Err(err).Msg("journal: a loss can't be written down; the entry says it")
	}
}

// Lost returns what the journal found to be lost or changed, a sentence each,
// until somebody removes LostFile. It counts and names nothing: how many entries
// there were is nobody's business who reads a status. The entries have it.
func (j *Journal) Lost() (lines []string) {
	b, err := os.ReadFile(j.LostFile())
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// LostFile is the file that Lost reads.
func (j *Journal) LostFile() string { return j.path(lostName) }

// survey looks for files that should be there and are not, tells of each once,
// and makes the epochs file name what there is.
func (k *keeper) survey(ctx context.Context) error {
	k.mu.Lock()
	open := k.cur != nil
	k.mu.Unlock()
	if !open {
		return nil // the writer looks when it opens the files
	}
	fo, err := k.scan()
	if err != nil {
		return err
	}
	if fo.bad {
		k.noteIndex(fo)
		return k.rebuildIndex()
	}
	lost := map[string]bool{}
	for _, name := range fo.missing() {
		lost[name] = true
		k.mu.Lock()
		k.forget(k.path(name))
		k.mu.Unlock()
		k.o.Log.Error().Str("file", name).Msg("journal: a file is missing")
		k.writeDown("files with entries are missing: they were deleted, or the disk lost them")
		// It counts as told when the entry is durable.
		if _, err := k.Append(ctx, wire.Header{Kind: wire.KindDamaged, Reason: wire.ReasonMissing, Detail: []byte(name)}, wire.Who{}); err != nil {
			return err
		}
	}
	for _, name := range fo.aside { // told when it was set aside
		name, _, _ = strings.Cut(name, asideMark)
		lost[name] = true
	}
	return k.nameFiles(func(name string) naming {
		if lost[name] && !fo.has(name) {
			return wentLost
		}
		return named
	})
}

func (j *Journal) scan() (folder, error) {
	j.index.Lock()
	defer j.index.Unlock()
	return scanFolder(j.o.Dir, 0, false)
}
