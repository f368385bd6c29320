package signedlist

import (
	"cmp"
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Rank is the order of lists: first by the epoch of the issuer's role, which only the root can
// raise, then by number. So the root's next epoch is above any number that a thief of the last key
// has used up.
type Rank struct{ Epoch, Number uint64 }

// Compare is negative if r is before o.
func (r Rank) Compare(o Rank) int {
	return cmp.Or(cmp.Compare(r.Epoch, o.Epoch), cmp.Compare(r.Number, o.Number))
}

// MaxStep is how far the number of a list may be beyond the active one's: a registry does not make
// a million lists while a gateway is away.
const MaxStep = 1 << 20

// Reaches reports whether a list of rank o is not too far ahead of one of rank r. An issuer of a
// later epoch may continue the numbers or begin anew.
func (r Rank) Reaches(o Rank) bool {
	return r.Number > math.MaxUint64-MaxStep || o.Number <= r.Number+MaxStep
}

// Rank returns the list's own.
func (l *List) Rank() Rank { return Rank{l.Signer.Epoch, l.Manifest.Version} }

// Descends reports whether next follows the active list (nil: none). A building's lists are a log:
// a list that names the active one as the one before, or proves that it is among the earlier ones,
// includes all that was said here. Any other comes from a registry that was rolled back, or from
// another line of lists.
//
// Format 1 has no log: from a registry that speaks only that, a newer list is taken by its number.
// Where the root has taken back the key of the active list, the new issuer's list begins another
// line, by the root's word.
func Descends(before, next *List, p grantlist.Proof, registry bool, issuers []wire.Key) bool {
	if before == nil || next.Manifest.Previous == before.Hash || before.SignedBy(issuers) == nil {
		return true
	}
	if next.Manifest.Format == wire.ListFormat {
		return registry && before.Manifest.Format == wire.ListFormat
	}
	hashes := make([]tlog.Hash, len(p.Hashes))
	for i, h := range p.Hashes {
		hashes[i] = tlog.Hash(h)
	}
	m := &next.Manifest
	return tree.Included(m.Earlier, tlog.Hash(m.Log), p.Index, tree.LeafHash(before.Hash[:], nil), hashes)
}
