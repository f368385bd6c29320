package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

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

// What a journal has at a place that is known from elsewhere, if it is not that.
var (
	errAbsent    = errors.New("no file of its epoch")
	errShort     = errors.New("the journal ends before")
	errOtherRoot = errors.New("other entries")
)

// known returns the good ones of the first n files.
func (c *Check) known(n int) (list []catalogue.File) {
	for i, f := range c.files[:n] {
		if c.good[i].Epoch != 0 {
			list = append(list, f)
		}
	}
	return list
}

// compare looks for the place of an anchor in files that were verified, and in the frames of the write-ahead file. It
// returns how many entries of that epoch there are at most up to there.
func (a Anchor) compare(files []catalogue.File, frames []ahead.Frame) (has uint64, err error) {
	path := ""
	for _, f := range files {
		if f.Epoch == a.Epoch && f.First <= a.Sequence {
			path = f.Path
		}
	}
	if path == "" {
		return 0, errAbsent
	}
	err = segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		root := s.Root
		if has = s.Size; has != a.Sequence { // that of all entries was verified
			r, err := t.Tree(s.Start, min(s.Size, a.Sequence))
			if err == nil {
				r, err = grow(r, a.Position, frames)
			}
			if err != nil {
				return err
			}
			has, root = r.Size(), r.Root()
		}
		switch {
		case has < a.Sequence:
			return errShort
		case root != a.Root:
			return errOtherRoot
		}
		return nil
	})
	return has, err
}

// anchor compares the journal with what the grants' files say of it.
func (c *Check) anchor(a Anchor) {
	if a.Epoch == 0 {
		c.tell(Note, "anchor_none")
		return
	}
	c.compare(a, "anchor")
}

// compare tells whether the journal has what is known from elsewhere. The keys of its words begin with prefix.
func (c *Check) compare(a Anchor, prefix string) {
	files := c.known(len(c.files))
	has, err := a.compare(files, c.frames)
	switch {
	case err == nil:
		c.tell(Note, prefix+"_good", hex(a.Epoch), a.Sequence)
	case errors.Is(err, errOtherRoot):
		c.tell(Damage, prefix+"_other", hex(a.Epoch), a.Sequence)
	case len(files) < len(c.files) && (errors.Is(err, errAbsent) || errors.Is(err, errShort)): // it may stand in one that is not good
		c.tell(Unchecked, prefix+"_unknown", hex(a.Epoch), a.Sequence)
	case errors.Is(err, errAbsent):
		c.tell(Damage, prefix+"_absent", hex(a.Epoch), a.Sequence)
	case errors.Is(err, errShort):
		c.tell(Damage, prefix+"_short", hex(a.Epoch), a.Sequence, has)
	default:
		c.tell(Unchecked, "unreadable", c.Dir, err)
	}
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
