package tree

import (
	"fmt"
	"iter"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Span proves that consecutive leaves stand in a tree: it has what lies to the left and to the
// right of them, some 40 hashes at most on each side.
type Span struct {
	Left  Range       // of the leaves before the first one
	End   uint64      // of the leaves: the index after the last one
	Size  uint64      // of the tree
	Right []tlog.Hash // roots of the perfect subtrees behind the leaves, from left to right
}

// NewSpan makes the proof of the leaves from left.Size() to end in a tree of size leaves; subtree
// returns the root over 2^level leaves from first on.
func NewSpan(left Range, end, size uint64, subtree func(first uint64, level int) (tlog.Hash, error)) (Span, error) {
	s := Span{Left: left, End: end, Size: size}
	if left.Size() > end || end > size {
		return Span{}, fmt.Errorf("prove leaves %d to %d of %d: there are none", left.Size(), end, size)
	}
	for first, level := range subtrees(end, size) {
		root, err := subtree(first, level)
		if err != nil {
			return Span{}, fmt.Errorf("prove leaves %d to %d of %d: %w", left.Size(), end, size, err)
		}
		s.Right = append(s.Right, root)
	}
	return s, nil
}

// Subtree returns the root over the 2^level leaves from first on; ok where it is one of those that r is
// made of.
func (r Range) Subtree(first uint64, level int) (root tlog.Hash, ok bool) {
	if r.size>>level&1 == 0 || r.size>>level-1 != first>>level || first&(1<<level-1) != 0 {
		return root, false
	}
	return r.hashes[bits.OnesCount64(first)], true
}

// From returns the range over the leaves from first on alone, as if they were a log; ok where first is
// where one of the perfect subtrees begins that r is made of.
func (r Range) From(first uint64) (behind Range, ok bool) {
	if first > r.size || first&^r.size != 0 || first != 0 && r.size-first >= first&-first {
		return behind, false
	}
	return Range{r.size - first, r.hashes[bits.OnesCount64(first):]}, true
}

// Behind returns how many hashes Right must have.
func (s Span) Behind() (n int) {
	for range subtrees(s.End, s.Size) {
		n++
	}
	return n
}

// subtrees yields the largest perfect subtrees of a tree that make up the leaves from first to
// size.
func subtrees(first, size uint64) iter.Seq2[uint64, int] {
	return func(yield func(uint64, int) bool) {
		for first < size {
			level := bits.Len64(size-first) - 1
			if first > 0 {
				level = min(level, bits.TrailingZeros64(first))
			}
			if !yield(first, level) {
				return
			}
			first += 1 << level
		}
	}
}

// Root returns the root of the tree, given the range through the last leaf of the span, which is
// Left with these leaves added.
func (s Span) Root(through Range) (tlog.Hash, error) {
	if through.Size() != s.End || s.Left.Size() > s.End || s.End > s.Size || len(s.Right) != s.Behind() {
		return tlog.Hash{}, fmt.Errorf("%w: a proof of leaves %d to %d in %d with %d hashes behind them, for %d leaves", ErrMalformed, s.Left.Size(), s.End, s.Size, len(s.Right), through.Size())
	}
	i := 0
	for _, level := range subtrees(s.End, s.Size) {
		through = through.AddSubtree(s.Right[i], level)
		i++
	}
	return through.Root(), nil
}

// nodes are the hashes that a Span and its leaves have.
type nodes struct {
	known  map[[2]uint64]tlog.Hash // left and right of the leaves, by those that each is over
	first  uint64
	leaves []tlog.Hash
}

// Inclusion returns the RFC 6962 proof that leaf index, one of the span's, is in the tree. leaves
// are the hashes of all of the span's.
func (s Span) Inclusion(leaves []tlog.Hash, index uint64) ([]tlog.Hash, error) {
	first := s.Left.Size()
	if uint64(len(leaves)) != s.End-first || index < first || index >= s.End || len(s.Right) != s.Behind() {
		return nil, fmt.Errorf("prove leaf %d of leaves %d to %d: it is none of them", index, first, s.End)
	}
	k := nodes{map[[2]uint64]tlog.Hash{}, first, leaves}
	at, n := uint64(0), 0
	for _, h := range s.Left.hashes {
		width := uint64(1) << (bits.Len64(first-at) - 1)
		k.known[[2]uint64{at, at + width}] = h
		at += width
	}
	for at, level := range subtrees(s.End, s.Size) {
		k.known[[2]uint64{at, at + 1<<level}] = s.Right[n]
		n++
	}
	return k.path(0, s.Size, index), nil
}

// path returns the siblings of a leaf below the node over the leaves from lo to hi, the deepest
// first.
func (k nodes) path(lo, hi, index uint64) []tlog.Hash {
	if hi-lo == 1 {
		return nil
	}
	middle := lo + split(hi-lo)
	if index < middle {
		return append(k.path(lo, middle, index), k.over(middle, hi))
	}
	return append(k.path(middle, hi, index), k.over(lo, middle))
}

// over returns the node over the leaves from lo to hi: known, or made of its halves.
func (k nodes) over(lo, hi uint64) tlog.Hash {
	if h, ok := k.known[[2]uint64{lo, hi}]; ok {
		return h
	}
	if hi-lo == 1 {
		return k.leaves[lo-k.first]
	}
	middle := lo + split(hi-lo)
	return tlog.NodeHash(k.over(lo, middle), k.over(middle, hi))
}

// split returns how many of n leaves, more than one, are below the left child: the largest power
// of two below n.
func split(n uint64) uint64 { return 1 << (bits.Len64(n-1) - 1) }
