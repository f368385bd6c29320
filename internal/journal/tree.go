package journal

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// frontier is the compact range of an RFC 6962 tree: the roots of the perfect
// subtrees that its leaves make up, largest first. It is all that is needed to
// go on and to know the root. Its hashes are not changed in place by add, so
// a copy of the struct stays valid.
type frontier struct {
	size   uint64
	hashes []tlog.Hash
}

// add returns the frontier with one more leaf.
func (f frontier) add(leaf tlog.Hash) frontier {
	return f.addSubtree(leaf, 0)
}

// addSubtree adds the root of 2^level leaves; size must be a multiple of that.
func (f frontier) addSubtree(h tlog.Hash, level int) frontier {
	hashes := slices.Clip(f.hashes)
	for s := f.size >> level; s&1 == 1; s >>= 1 {
		last := len(hashes) - 1
		h = tlog.NodeHash(hashes[last], h)
		hashes = hashes[:last:last]
	}
	return frontier{f.size + 1<<level, append(hashes, h)}
}

// root returns the hash of the tree; that of no leaves is SHA-256 of nothing.
func (f frontier) root() tlog.Hash {
	if len(f.hashes) == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	last := len(f.hashes) - 1
	h := f.hashes[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(f.hashes[i], h)
	}
	return h
}

// encode returns size (8 bytes, big-endian), then the hashes.
func (f frontier) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, f.size)
	for _, h := range f.hashes {
		b = append(b, h[:]...)
	}
	return b
}

func decodeFrontier(b []byte) (frontier, error) {
	if len(b) < 8 {
		return frontier{}, fmt.Errorf("tree frontier of %d bytes", len(b))
	}
	f := frontier{size: binary.BigEndian.Uint64(b)}
	b = b[8:]
	n := 0
	for s := f.size; s != 0; s &= s - 1 {
		n++
	}
	if len(b) != n*tlog.HashSize {
		return frontier{}, fmt.Errorf("tree frontier of %d leaves with %d bytes of hashes", f.size, len(b))
	}
	for ; len(b) > 0; b = b[tlog.HashSize:] {
		f.hashes = append(f.hashes, tlog.Hash(b[:tlog.HashSize]))
	}
	return f, nil
}
