// Package tree has the compact range of an RFC 6962 Merkle tree: what has to be
// kept of a log to append to it and to know its root, some 40 hashes whatever
// the size. The journal of a gateway, its uplink and the central registry
// compute the same root with it.
//
// It hashes nodes as golang.org/x/mod/sumdb/tlog does, and proves and checks that
// a leaf is in a tree. It refuses to remove a leaf, and to read what Encode does
// not write. A Range is a value: no method changes it, so copies stay valid and
// all methods are safe for concurrent use.
package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrMalformed means bytes that are not the encoding of a Range.
var ErrMalformed = errors.New("malformed tree range")

// Range is the compact range over the first Size leaves of a log: the roots of
// the perfect subtrees that they make up, largest first. The zero Range has no
// leaves.
type Range struct {
	size   uint64
	hashes []tlog.Hash
}

// leafOnStack is the largest leaf that is hashed without an allocation.
const leafOnStack = 256

// LeafHash returns the hash of the leaf whose bytes are a, then b: that of
// tlog.RecordHash, without a copy.
func LeafHash(a, b []byte) tlog.Hash {
	var buffer [1 + leafOnStack]byte // 0x00: RFC 6962, section 2.1
	return sha256.Sum256(append(append(buffer[:1], a...), b...))
}

// Size returns the number of leaves.
func (r Range) Size() uint64 { return r.size }

// Add returns the range with one more leaf, given by its hash
// (tlog.RecordHash).
func (r Range) Add(leaf tlog.Hash) Range { return r.AddSubtree(leaf, 0) }

// AddSubtree returns the range with 2^level more leaves, given by the root over
// them. It panics if Size is not a multiple of 2^level: such leaves have no
// node of their own in the tree.
func (r Range) AddSubtree(root tlog.Hash, level int) Range {
	if r.size&(1<<level-1) != 0 {
		panic(fmt.Sprintf("tree range of %d leaves can't take a subtree of level %d", r.size, level))
	}
	hashes := append(make([]tlog.Hash, 0, len(r.hashes)+1), r.hashes...)
	return Range{r.size + 1<<level, push(hashes, r.size>>level, root)}
}

// AddAll returns the range with more leaves, in order: the same as Add for
// each, with one allocation for all.
func (r Range) AddAll(leaves []tlog.Hash) Range {
	if len(leaves) == 0 {
		return r
	}
	hashes := append(make([]tlog.Hash, 0, len(r.hashes)+bits.Len(uint(len(leaves)))+1), r.hashes...)
	for _, leaf := range leaves {
		hashes = push(hashes, r.size, leaf)
		r.size++
	}
	return Range{r.size, hashes}
}

// push adds a node to the right of n others of its level: every set bit at the
// end of n is a left sibling that it joins. It changes hashes in place.
func push(hashes []tlog.Hash, n uint64, h tlog.Hash) []tlog.Hash {
	for ; n&1 == 1; n >>= 1 {
		last := len(hashes) - 1
		h = tlog.NodeHash(hashes[last], h)
		hashes = hashes[:last]
	}
	return append(hashes, h)
}

// Root returns the root of the tree; that of no leaves is SHA-256 of nothing.
func (r Range) Root() tlog.Hash {
	last := len(r.hashes) - 1
	if last < 0 {
		h, _ := tlog.TreeHash(0, nil) // has no error for 0
		return h
	}
	h := r.hashes[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(r.hashes[i], h)
	}
	return h
}

// Encode returns the size (8 bytes, big-endian), then the hashes (32 bytes
// each, largest subtree first). How many there are follows from the size.
func (r Range) Encode() []byte {
	b := make([]byte, 0, 8+len(r.hashes)*tlog.HashSize)
	b = binary.BigEndian.AppendUint64(b, r.size)
	for _, h := range r.hashes {
		b = append(b, h[:]...)
	}
	return b
}

// Decode reads what Encode wrote; all else is ErrMalformed, and so are more
// than 2^63-1 leaves. It can't know whether the hashes are those of a log.
func Decode(b []byte) (Range, error) {
	if len(b) < 8 {
		return Range{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	r := Range{size: binary.BigEndian.Uint64(b)}
	if r.size > math.MaxInt64 {
		return Range{}, fmt.Errorf("%w: %d leaves", ErrMalformed, r.size)
	}
	b = b[8:]
	n := bits.OnesCount64(r.size)
	if len(b) != n*tlog.HashSize {
		return Range{}, fmt.Errorf("%w: %d leaves with %d bytes of hashes", ErrMalformed, r.size, len(b))
	}
	for ; len(b) > 0; b = b[tlog.HashSize:] {
		r.hashes = append(r.hashes, tlog.Hash(b[:tlog.HashSize]))
	}
	return r, nil
}

// Inclusion returns the RFC 6962 proof that leaf index is in the tree over these
// leaves, given by their hashes. It hashes all of them: it is for logs of some
// thousand leaves, that are kept as a list.
func Inclusion(leaves []tlog.Hash, index int) ([]tlog.Hash, error) {
	if index < 0 || index >= len(leaves) {
		return nil, fmt.Errorf("prove leaf %d of %d: there is none", index, len(leaves))
	}
	var stored []tlog.Hash // in tlog's order
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = stored[index]
		}
		return out, nil
	})
	for i, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), leaf, read)
		if err != nil {
			return nil, fmt.Errorf("prove leaf %d of %d: %w", index, len(leaves), err)
		}
		stored = append(stored, more...)
	}
	proof, err := tlog.ProveRecord(int64(len(leaves)), int64(index), read)
	if err != nil {
		return nil, fmt.Errorf("prove leaf %d of %d: %w", index, len(leaves), err)
	}
	return proof, nil
}

// Included reports whether the proof shows leaf index, of this hash, in the tree
// of size leaves with this root.
func Included(size uint64, root tlog.Hash, index uint64, leaf tlog.Hash, proof []tlog.Hash) bool {
	if size > math.MaxInt64 || index >= size {
		return false
	}
	return tlog.CheckRecord(proof, int64(size), root, int64(index), leaf) == nil
}
