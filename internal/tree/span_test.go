package tree

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// spanOf is the proof of some leaves among all of a tree.
func spanOf(t *rapid.T, all []tlog.Hash, first, end int) Span {
	s, err := NewSpan(Range{}.AddAll(all[:first]), uint64(end), uint64(len(all)), func(at uint64, level int) (tlog.Hash, error) {
		return Range{}.AddAll(all[at : at+1<<level]).Root(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSpan: any consecutive leaves of a tree lead to its root and to nothing else, and each is
// proved as tlog proves it.
func TestSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 700).Draw(t, "leaves")
		first := rapid.IntRange(0, n).Draw(t, "first")
		end := rapid.IntRange(first, n).Draw(t, "end")
		all := leaves(0, n)
		root := Range{}.AddAll(all).Root()
		s := spanOf(t, all, first, end)
		if got, err := s.Root(s.Left.AddAll(all[first:end])); err != nil || got != root || len(s.Right) > 20 {
			t.Fatalf("leaves %d to %d of %d: %v, %v by %d hashes", first, end, n, got, err, len(s.Right))
		}
		if len(s.Right) > 0 {
			bad := s
			bad.Right = slices.Clone(s.Right)
			bad.Right[rapid.IntRange(0, len(bad.Right)-1).Draw(t, "hash")][5] ^= 1
			if got, _ := bad.Root(s.Left.AddAll(all[first:end])); got == root {
				t.Fatal("a changed hash leads to the same root")
			}
		}
		if end == first {
			return
		}
		index := uint64(rapid.IntRange(first, end-1).Draw(t, "index"))
		proof, err := s.Inclusion(all[first:end], index)
		want, _ := Inclusion(all, int(index))
		if err != nil || !slices.Equal(proof, want) {
			t.Fatalf("leaf %d in %d to %d of %d: %d hashes, %v; want %d", index, first, end, n, len(proof), err, len(want))
		}
	})
}

// TestSubtree: a range has the roots over what it is made of and no others, and what is behind one of
// them is the range of these leaves alone.
func TestSubtree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "leaves")
		all := leaves(0, n)
		r, begins := Range{}.AddAll(all), map[uint64]int{}
		for first, level := range subtrees(0, uint64(n)) {
			begins[first] = level
		}
		first := rapid.IntRange(0, n+5).Draw(t, "first")
		for level := range 10 {
			root, ok := r.Subtree(uint64(first), level)
			if want, is := begins[uint64(first)]; ok != (is && want == level) {
				t.Fatalf("of %d leaves, 2^%d from %d on: %v", n, level, first, ok)
			} else if ok && root != (Range{}.AddAll(all[first:first+1<<level]).Root()) {
				t.Fatalf("of %d leaves, 2^%d from %d on: another root", n, level, first)
			}
		}
		behind, ok := r.From(uint64(first))
		if _, is := begins[uint64(first)]; ok != (is || first == n) {
			t.Fatalf("of %d leaves those from %d on: %v", n, first, ok)
		}
		if ok && (behind.Size() != uint64(n-first) || behind.Root() != Range{}.AddAll(all[first:]).Root() || behind.Add(leaf(n)).Root() != Range{}.AddAll(append(slices.Clone(all[first:]), leaf(n))).Root()) {
			t.Fatalf("of %d leaves those from %d on are another tree", n, first)
		}
	})
}

// TestSpanRefuses: what can't be a proof of these leaves is told and is no panic.
func TestSpanRefuses(t *testing.T) {
	all := leaves(0, 9)
	none := func(uint64, int) (tlog.Hash, error) { return tlog.Hash{}, nil }
	if _, err := NewSpan(Range{}.AddAll(all), 8, 9, none); err == nil {
		t.Error("an end before the first leaf")
	}
	if _, err := NewSpan(Range{}, 10, 9, none); err == nil {
		t.Error("an end behind the tree")
	}
	gone := errors.New("gone")
	if _, err := NewSpan(Range{}, 8, 9, func(uint64, int) (tlog.Hash, error) { return tlog.Hash{}, gone }); !errors.Is(err, gone) {
		t.Errorf("a subtree that is gone: %v", err)
	}
	s, _ := NewSpan(Range{}, 4, 9, none)
	for name, bad := range map[string]Span{"a hash too few": {Size: 9, End: 4, Right: s.Right[1:]}, "a hash too many": {Size: 9, End: 4, Right: append(slices.Clone(s.Right), tlog.Hash{})},
		"an end behind the size": {Size: 3, End: 4}, "a left behind the end": {Left: Range{}.AddAll(all), Size: 9, End: 4, Right: s.Right}} {
		if _, err := bad.Root(Range{}.AddAll(all[:4])); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Root(Range{}.AddAll(all[:3])); !errors.Is(err, ErrMalformed) {
		t.Errorf("a leaf too few: %v", err)
	}
	if _, err := s.Inclusion(all[:4], 4); err == nil {
		t.Error("a leaf that is none of the span's")
	}
}
