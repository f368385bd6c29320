package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// A thief of the issuer's key, or a slip at the registry, must not empty a house
// at one stroke. So a gateway lets one issuer end few tenancies a day, and takes
// more only with the signature of a second one. A house by itself has one
// authority, the landlord, and no such limit.

// ErrSecondNeeded means a list that ends more tenancies than one issuer may; the
// one in force stays.
var ErrSecondNeeded = errors.New("a second issuer's signature is needed")

const (
	alwaysAllowed = 3            // tenancies within a day, in however small a house
	allowedPart   = 10           // and of a larger one every tenth
	dayOfTime     = 24 * 60 * 60 // s
)

// removal says how many tenancies a list has ended.
type removal struct {
	Issued    uint32 `json:"issued"`
	Tenancies int    `json:"tenancies"`
}

// limit counts the tenancies that next ends, with those that lists issued within
// the day before have ended, and asks for a second signature where they are too
// many. The day is that of signed time; a list that follows one of days ago may
// end as many as lists on each of these days might have.
func (k *Keyring) limit(next *list, second []byte) error {
	if k.registry.Load() == nil || k.list == nil {
		return nil
	}
	before := 0
	for _, r := range k.marks.Removed {
		if int64(r.Issued) > int64(next.manifest.Issued)-dayOfTime {
			before += r.Tenancies
		}
	}
	next.removed = k.removed(next)
	sum := before + next.removed
	if sum <= alwaysAllowed {
		return nil
	}
	all := len(tenancies(k.list.grants.All(), next.horizon())) + before
	days := 1 + int(max(0, int64(next.manifest.Issued)-int64(k.list.manifest.Issued))/dayOfTime)
	if sum <= max(alwaysAllowed, all/allowedPart)*days {
		return nil
	}
	if err := k.checkSecond(next, second); err != nil {
		return fmt.Errorf("%w: it ends %d of %d tenancies within a day: %w", ErrSecondNeeded, sum, all, err)
	}
	next.removed = 0 // two have answered for them
	return nil
}

// horizon is the time by which a tenancy must be over to count as ended: a term
// that is pulled to the next minute ends it as surely as a revocation.
func (l *list) horizon() int64 { return int64(l.manifest.Issued) + dayOfTime }

// removed counts the tenancies that open beyond the horizon by the list in force
// and not by next. Those whose end was recorded at the building don't count.
func (k *Keyring) removed(next *list) int {
	gone := tenancies(differing(k.list, next), next.horizon())
	for id := range tenancies(differing(next, k.list), next.horizon()) {
		delete(gone, id)
	}
	for _, h := range k.records {
		if op := h.Change.Op; op == wire.OpEnd || op == wire.OpNotice {
			delete(gone, access.ID(h.Change.Tenancy))
		}
	}
	if len(gone) > 0 { // other credentials of theirs may stand in buckets that are the same
		for id := range tenancies(next.grants.All(), next.horizon()) {
			delete(gone, id)
		}
	}
	return len(gone)
}

// tenancies returns those that some record lets in beyond a time.
func tenancies(records iter.Seq[*access.Record], horizon int64) map[access.ID]bool {
	live := make(map[access.ID]bool)
	for r := range records {
		if r.State != access.StateRevoked && (r.Until == 0 || int64(r.Until) > horizon) {
			live[r.Tenancy] = true
		}
	}
	return live
}

// differing yields the records of l in those buckets that other has not.
func differing(l, other *list) iter.Seq[*access.Record] {
	same := l.manifest.Bits == other.manifest.Bits
	return func(yield func(*access.Record) bool) {
		for i, hash := range l.manifest.Buckets {
			if same && other.manifest.Buckets[i] == hash {
				continue
			}
			records := l.grants.Bucket(i).Records()
			for j := range records {
				if !yield(&records[j]) {
					return
				}
			}
		}
	}
}

// checkSecond verifies that another issuer than that of the manifest signed its
// hash.
func (k *Keyring) checkSecond(l *list, second []byte) error {
	if len(second) == 0 {
		return errors.New("there is none")
	}
	expect := wire.Expect{Type: wire.TypeSecond, Role: wire.RoleIssuer, Address: k.opts.Building}
	payload, p, err := wire.Open(second, expect, k.issuers())
	switch {
	case err != nil:
		return err
	case p.KeyID == l.signer.KeyID:
		return errors.New("the same issuer has signed twice")
	case !bytes.Equal(payload, l.hash[:]):
		return errors.New("it is for another list")
	}
	return nil
}
