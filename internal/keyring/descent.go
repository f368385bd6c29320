package keyring

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"

	"golang.org/x/mod/sumdb/tlog"
)

// A building's lists are a log. One that names the list in force as the one
// before, or proves that it is among the earlier ones, knows all that was said
// here, and its word on everything counts. Any other comes from a registry that
// was set back, or from another line of lists: what it takes counts, and what it
// does not say ends nobody.

// ErrTooFar stands beside ErrRefused: a list whose number is far beyond the one
// in force, so that no list of the registry could ever follow it.
var ErrTooFar = errors.New("its number is too far ahead")

// ErrUnproved: the list does not prove that it descends from the one in force. Of
// it, only what it takes is in force.
var ErrUnproved = errors.New("does not descend from the list in force")

// rank is how lists compare: first by the epoch of the issuer's role, which only
// the root can raise, then by number. So the root's next epoch is above whatever
// number a thief of the last one's key has used up.
type rank struct{ epoch, number uint64 }

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.epoch, o.epoch), cmp.Compare(r.number, o.number))
}

// maxStep is how far the number of a list may be beyond the one in force: a
// registry makes no million lists while a gateway is away.
const maxStep = 1 << 20

// reaches reports whether a list of rank o is not too far ahead of one of rank r.
// An issuer of a later epoch may go on from its number or begin anew.
func (r rank) reaches(o rank) bool {
	return r.number > math.MaxUint64-maxStep || o.number <= r.number+maxStep
}

func (l *list) rank() rank { return rank{l.signer.Epoch, l.manifest.Version} }

// descends reports whether next follows the list in force (nil: none). Format 1
// has no log: of a registry that speaks nothing else, a newer list is taken by its
// number, and what is over stays so by its tombstone. Where the root has taken
// back the key of the list in force, the new issuer's list is the beginning of
// another line: the root's word. It is pure.
func descends(before, next *list, p grantlist.Proof, registry bool, issuers []wire.Key) bool {
	if before == nil || next.manifest.Previous == before.hash || !signedBy(before, issuers) {
		return true
	}
	if next.manifest.Format == wire.ListFormat {
		return registry && before.manifest.Format == wire.ListFormat
	}
	hashes := make([]tlog.Hash, len(p.Hashes))
	for i, h := range p.Hashes {
		hashes[i] = tlog.Hash(h)
	}
	m := &next.manifest
	return tree.Included(m.Earlier, tlog.Hash(m.Log), p.Index, tree.LeafHash(before.hash[:], nil), hashes)
}

func signedBy(l *list, keys []wire.Key) bool {
	for _, key := range keys {
		if key.Epoch == l.signer.Epoch && wire.IDOf(key.Public) == l.signer.KeyID {
			return true
		}
	}
	return false
}

// newer checks that a list may come after what was ever in force, by its rank.
func (k *Keyring) newer(next *list) error {
	if k.list == nil && k.marks.admit(next) {
		return nil // the very list that was lost, or a newer one
	}
	was := k.marks.rank()
	if k.list != nil && k.list.rank().compare(was) > 0 {
		was = k.list.rank()
	}
	switch r := next.rank(); {
	case r.compare(was) <= 0:
		return fmt.Errorf("%w: %w: version %d was applied", ErrConflict, ErrRolledBack, was.number)
	case !was.reaches(r):
		return fmt.Errorf("%w: %w: version %d after %d, at most %d more", ErrRefused, ErrTooFar, r.number, was.number, maxStep)
	}
	return nil
}
