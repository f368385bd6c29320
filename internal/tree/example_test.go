package tree_test

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/tree"
)

// A log grows by its leaves alone, and one of them is proved to be in it.
func ExampleRange() {
	var log tree.Range
	var leaves []tlog.Hash
	for _, entry := range []string{"the door was opened", "the door was closed", "the door was forced"} {
		leaf := tree.LeafHash([]byte(entry), nil)
		leaves, log = append(leaves, leaf), log.Add(leaf)
	}
	proof, err := tree.Inclusion(leaves, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("entries:", log.Size(), "hashes of the proof:", len(proof))
	fmt.Println("the second is in it:", tree.Included(log.Size(), log.Root(), 1, leaves[1], proof))
	fmt.Println("the third in its place:", tree.Included(log.Size(), log.Root(), 1, leaves[2], proof))
	// Output:
	// entries: 3 hashes of the proof: 2
	// the second is in it: true
	// the third in its place: false
}
