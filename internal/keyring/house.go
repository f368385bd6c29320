package keyring

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// doubtFor is how long a house document waits that does not name the one in force
// among those before it, by the gateway's own clock: long enough that somebody
// hears of it, and no dead end where the registry can't know better any more.
const doubtFor = 24 * time.Hour

// followsHouse reports whether a house document names the one in force among those
// before it. One of format 1 names none and goes by its version; where the root has
// taken back the key of the one in force, the new issuer's is the beginning of
// another line. It is pure.
func followsHouse(h wire.House, before []byte, trust wire.Trust, building string) bool {
	if len(h.Earlier) == 0 || len(before) == 0 {
		return true
	}
	if _, err := keys.OpenHouse(before, trust, building); err != nil {
		return true
	}
	payload, err := wire.PayloadOf(before)
	return err == nil && slices.Contains(h.Earlier, wire.Hash(sha256.Sum256(payload)))
}

// mayFollow lets a house document wait that proves nothing. Callers hold mu.
func (k *Keyring) mayFollow(h wire.House, r *keys.Registry) error {
	if followsHouse(h, r.HouseEnvelope, r.Trust, r.Place.Building) {
		return nil
	}
	now := k.opts.Elapsed()
	if k.doubt == nil || k.doubt.inForce != r.House.Version {
		k.doubt = &houseDoubt{r.House.Version, h.Version, now}
	}
	k.doubt.waiting = h.Version
	if now-k.doubt.since < doubtFor {
		return fmt.Errorf("%w: version %d, version %d is in force", ErrUnproved, h.Version, r.House.Version)
	}
	return nil
}

// houseDoubt is that a house document waits.
type houseDoubt struct {
	inForce, waiting uint64
	since            time.Duration
}

// withoutRemoved returns the document without siblings whose key was taken out of
// the building once, and their ids: whoever removed a stolen gateway must not meet
// it again because a registry was set back. It is pure.
func withoutRemoved(h wire.House, removed []wire.Hash, own string) (wire.House, []string) {
	if len(removed) == 0 {
		return h, nil
	}
	var ids []string
	left := make([]wire.HouseGateway, 0, len(h.Gateways))
	for _, g := range h.Gateways {
		if g.ID != own && slices.Contains(removed, wire.Hash(g.Public)) {
			ids = append(ids, g.ID)
			continue
		}
		left = append(left, g)
	}
	h.Gateways = left
	return h, ids
}

// removedBy returns the keys of siblings that one document names and the next does
// not, and that are not known yet.
func removedBy(was, is wire.House, known []wire.Hash, own string) (keys []wire.Hash) {
	for _, g := range was.Gateways {
		key := wire.Hash(g.Public)
		stays := slices.ContainsFunc(is.Gateways, func(o wire.HouseGateway) bool { return o.Public == g.Public })
		if g.ID != own && !stays && !slices.Contains(known, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// maskHouse takes out of the document in force whoever was removed. For Open.
func (k *Keyring) maskHouse() {
	r := k.registry.Load()
	if r == nil {
		return
	}
	house, shut := withoutRemoved(r.House, k.marks.Gateways, r.Place.Gateway)
	if k.shut = shut; len(shut) > 0 {
		next := *r
		next.House = house
		k.registry.Store(&next)
	}
}

// SetHouse takes a newer word of an issuer on the building, as SetTrust does.
// Unsettled records of gateways that are no more in it, or with another key, are
// erased and count no more, with the persons of this gateway's own: a thief may
// have made them, and no registry takes them now. A sibling's key that is gone is
// gone for good. A document that does not name the one in force among those before
// it is ErrUnproved for a day.
func (k *Keyring) SetHouse(envelope []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.registry.Load()
	if r == nil {
		return fmt.Errorf("set house: %w: a house by itself has no registry", ErrRefused)
	}
	h, err := keys.OpenHouse(envelope, r.Trust, r.Place.Building)
	if err != nil {
		return fmt.Errorf("set house: %w: %w", ErrRefused, err)
	}
	if same, err := follows(h.Version, r.House.Version, envelope, r.HouseEnvelope); same || err != nil {
		return wrap("set house", err)
	}
	if err := k.mayFollow(h, r); err != nil {
		return wrap("set house", err)
	}
	k.doubt = nil
	if gone := removedBy(r.House, h, k.marks.Gateways, r.Place.Gateway); len(gone) > 0 {
		m := k.marks
		m.Gateways = append(slices.Clone(m.Gateways), gone...)
		k.saveMarks(m)
	}
	next := *r
	next.HouseEnvelope = bytes.Clone(envelope)
	next.House, k.shut = withoutRemoved(h, k.marks.Gateways, r.Place.Gateway)
	// The records go first: after a power cut between the two they come again,
	// from those whom the old document still names.
	dropped := k.dropRecords(func(gateway string) bool {
		was, is := r.House.Gateway(gateway), next.House.Gateway(gateway)
		return is == nil || was == nil || was.Public != is.Public
	})
	err = k.setRegistry(&next, keys.HouseFile, envelope)
	if dropped {
		k.refresh()
	}
	return err
}
