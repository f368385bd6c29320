package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire/journaled"
)

// Anchor is the length of the journal at some time. It is kept with the gateway's grants, so that a
// journal that was deleted, or rolled back to an earlier copy, is noticed at the next start. It is
// written after what it names is durable, so that no power cut can make the journal fall behind it,
// and rarely: the loss of later entries can go unnoticed here.
type Anchor struct {
	Number             uint64    // number of the anchor, ascending
	journaled.Position           // the end of the journal at that time
	Root               tlog.Hash // of the tree there
}

// HeadSize is the size of an epoch's citation: epoch and size (8 bytes each, big-endian) and root
// (32).
const HeadSize = 8 + 8 + tlog.HashSize

// Head returns the citation of a place by the epoch that follows it.
func Head(p journaled.Position, root tlog.Hash) []byte {
	return append(Numbers(p.Epoch, p.Sequence), root[:]...)
}

// Numbers encodes each number in 8 bytes, big-endian.
func Numbers(list ...uint64) (b []byte) {
	for _, n := range list {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

// Detail returns the citation of the place by an epoch that follows.
func (a Anchor) Detail() []byte { return Head(a.Position, a.Root) }

// Encode returns the bytes of the anchor; the last 8 are a checksum of the others.
func (a Anchor) Encode() []byte {
	b := append(Numbers(a.Number), a.Detail()...)
	sum := sha256.Sum256(b)
	return append(b, sum[:8]...)
}

// Decode reads what Encode makes, and nothing else.
func Decode(b []byte) (a Anchor, ok bool) {
	if len(b) != 8+HeadSize+8 {
		return a, false
	}
	a = Anchor{binary.BigEndian.Uint64(b), journaled.Position{Epoch: binary.BigEndian.Uint64(b[8:]), Sequence: binary.BigEndian.Uint64(b[16:])}, tlog.Hash(b[24:])}
	return a, bytes.Equal(a.Encode(), b) && a.Epoch != 0
}

// Newest returns the anchor with the highest number; zero: there is none.
func Newest(all [][]byte) (newest Anchor) {
	for _, b := range all {
		if a, ok := Decode(b); ok && a.Number >= newest.Number {
			newest = a
		}
	}
	return newest
}

// ErrNotAnchored means that the journal has not what an anchor names.
var ErrNotAnchored = errors.New("not what the anchor in the grants' files says")

// compare looks for the place of an anchor in the files, and in the frames of the write-ahead file.
func (a Anchor) compare(files []catalogue.File, frames []ahead.Frame) error {
	path := ""
	for _, f := range files {
		if f.Epoch == a.Epoch && f.First <= a.Sequence {
			path = f.Path
		}
	}
	if path == "" {
		return fmt.Errorf("%w: nothing is there of epoch %016x, which had %s", ErrNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"))
	}
	return segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		r, err := t.Tree(s.Start, min(s.Size, a.Sequence))
		if err == nil && s.Size < a.Sequence {
			r, err = grow(r, a.Position, frames)
		}
		if err == nil && r.Size() < a.Sequence {
			return fmt.Errorf("%w: epoch %016x had %s and has %d", ErrNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"), r.Size())
		}
		if err == nil && r.Root() != a.Root {
			err = fmt.Errorf("%w: epoch %016x has another root at %s", ErrNotAnchored, a.Epoch, amount.Of(a.Sequence, "entry"))
		}
		return err
	})
}

// grow returns r with the entries of frames that follow it, as far as to.
func grow(r tree.Range, to journaled.Position, frames []ahead.Frame) (tree.Range, error) {
	for _, f := range frames {
		for r.Size() >= f.First && r.Size() < min(f.End(), to.Sequence) && f.Epoch == to.Epoch {
			e, err := journaled.Decode(f.Stored[r.Size()-f.First])
			if err != nil {
				return r, fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, r.Size(), err)
			}
			r = r.Add(tlog.RecordHash(e.Leaf()))
		}
	}
	return r, nil
}
