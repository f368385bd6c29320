package tree

import (
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// Each leaf of a tree is proved to be in it, by as many hashes as the tree is
// deep at most, and by nothing else: no other leaf, place, size, root or hash.
func TestInclusion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1100).Draw(t, "leaves")
		i := rapid.IntRange(0, n-1).Draw(t, "index")
		all := leaves(0, n)
		root := Range{}.AddAll(all).Root()
		proof, err := Inclusion(all, i)
		if err != nil || len(proof) > 11 || !Included(uint64(n), root, uint64(i), all[i], proof) {
			t.Fatalf("leaf %d of %d: %v by %d hashes", i, n, err, len(proof))
		}
		flipped := slices.Clone(proof)
		if len(flipped) > 0 {
			flipped[rapid.IntRange(0, len(flipped)-1).Draw(t, "hash")][3] ^= 1
			if Included(uint64(n), root, uint64(i), all[i], flipped) {
				t.Fatal("a changed proof is taken")
			}
		}
		if j := rapid.IntRange(0, n).Draw(t, "other"); j != i && Included(uint64(n), root, uint64(j), all[i], proof) {
			t.Fatalf("leaf %d stands at %d too", i, j)
		}
		if Included(uint64(n), root, uint64(i), leaf(n), proof) || Included(uint64(n), tlog.Hash{1}, uint64(i), all[i], proof) ||
			Included(uint64(n), root, uint64(i), all[i], append(slices.Clone(proof), tlog.Hash{})) {
			t.Fatal("another leaf, another root or a hash more is taken")
		}
	})
	if _, err := Inclusion(leaves(0, 3), 3); err == nil {
		t.Error("a leaf that is not there was proved")
	}
	if Included(1<<63, tlog.Hash{}, 0, tlog.Hash{}, nil) || Included(0, tlog.Hash{}, 0, tlog.Hash{}, nil) {
		t.Error("a tree of no size, or one that can't be counted")
	}
}
