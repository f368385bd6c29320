package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/amount"
	"gatehouse/internal/journal/catalogue"
	"gatehouse/internal/journal/segment"
)

// anchor is how far the journal was at some time. It is kept with other files
// (the gateway's grants), so that a journal that was deleted, or set back to an
// earlier copy, shows at the next start. It is written after what it names is
// durable, so that no power cut can make the journal fall behind it; and rarely,
// so that it costs nothing: what was written after it can go unnoticed here.
type anchor struct {
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

// headDetail is the size of what an epoch cites: epoch and size (8 bytes each,
// big-endian) and root (32).
const headDetail = 8 + 8 + tlog.HashSize

// head returns what an epoch that follows a place cites of it.
func head(p Position, root tlog.Hash) []byte { return append(numbers(p.Epoch, p.Sequence), root[:]...) }

// numbers returns each in 8 bytes, big-endian.
func numbers(list ...uint64) (b []byte) {
	for _, n := range list {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func (a anchor) detail() []byte { return head(a.position(), a.Root) }

func (a anchor) position() Position { return Position{Epoch: a.Epoch, Sequence: a.Size} }

// encode returns its bytes; the last 8 are a sum over the others.
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
	a = anchor{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:]), tlog.Hash(b[24:])}
	return a, bytes.Equal(a.encode(), b) && a.Epoch != 0
}

// newestAnchor returns the one with the highest number; zero: there is none.
func newestAnchor(all [][]byte) (newest anchor) {
	for _, b := range all {
		if a, ok := decodeAnchor(b); ok && a.Number >= newest.Number {
			newest = a
		}
	}
	return newest
}

var errNotAnchored = errors.New("not what the anchor in the grants' files says")

// compare looks for what an anchor names among the files.
func (a anchor) compare(files []catalogue.File) error {
	path := ""
	for _, f := range files {
		if f.Epoch == a.Epoch && f.First <= a.Size {
			path = f.Path
		}
	}
	if path == "" {
		return fmt.Errorf("%w: nothing is there of epoch %016x, which had %s", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"))
	}
	return segment.View(path, func(t segment.Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		if s.Size < a.Size {
			return fmt.Errorf("%w: epoch %016x had %s and has %d", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"), s.Size)
		}
		r, err := t.Tree(s.Start, a.Size)
		if err == nil && r.Root() != a.Root {
			err = fmt.Errorf("%w: epoch %016x has another root at %s", errNotAnchored, a.Epoch, amount.Of(a.Size, "entry"))
		}
		return err
	})
}
