package tree

import (
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// Inclusion returns the RFC 6962 proof that leaf index is in the tree over these
// leaves, given by their hashes. It hashes all of them: it is for logs of some
// thousand leaves, that are kept as a list.
func Inclusion(leaves []tlog.Hash, index int) ([]tlog.Hash, error) {
	if index < 0 || index >= len(leaves) {
		return nil, fmt.Errorf("prove leaf %d of %d: there is none", index, len(leaves))
	}
	var stored stored
	for i, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, &stored)
		if err != nil {
			return nil, fmt.Errorf("prove leaf %d of %d: %w", index, len(leaves), err)
		}
		stored = append(stored, more...)
	}
	proof, err := tlog.ProveRecord(int64(len(leaves)), int64(index), &stored)
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d of %d: %w", index, len(leaves), err)
	}
	return proof, nil
}

// stored has the hashes of a tree in tlog's order.
type stored []tlog.Hash

// ReadHashes is tlog.HashReader's.
func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = (*s)[index]
	}
	return out, nil
}

// Included reports whether the proof shows leaf index, of this hash, in the tree
// of size leaves with this root.
func Included(size uint64, root tlog.Hash, index uint64, leaf tlog.Hash, proof []tlog.Hash) bool {
	if size > math.MaxInt64 || index >= size {
		return false
	}
	return tlog.CheckRecord(proof, int64(size), root, int64(index), leaf) == nil
}
