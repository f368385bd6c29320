package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/signedtime"
	"gatehouse/sync/wire"
)

// A thief of one issuer's key, or a slip at the registry, must not lock a house
// out. So a gateway lets one issuer take something from few tenancies a day, and
// takes more only with the signature of a second one. A stolen key is the case
// that counts: whatever a list can do to a card that opens is a loss, and no time
// is believed because a list says it. A house by itself has one authority, the
// landlord, and no such limit.

// ErrSecondNeeded means a list that takes from more tenancies than one issuer
// may; the one in force stays.
var ErrSecondNeeded = errors.New("a second issuer's signature is needed")

// removal says from which tenancies lists have taken something, and when.
type removal struct {
	At        int64     `json:"at"` // s of the machine's own clock
	Tenancies []wire.ID `json:"tenancies"`
}

// lately reports whether it was within the day before now, by the own clock. One
// to come was written by a program that counted otherwise.
func (r removal) lately(now int64) bool { return r.At > now-signedtime.Day && r.At <= now }

// limit counts the tenancies that lose something by next, with those that lists
// of the day before took from, and asks for a second signature where they are too
// many. The day is one of the machine's own clock: issuer and witness say of what
// time a list is, and a thief would say that years have passed.
func (k *Keyring) limit(next *list, took restraint, second []byte, proved bool) error {
	if k.registry.Load() == nil || k.list == nil {
		return nil
	}
	now, own := k.opts.Sure(), k.own()
	days := k.time.Days(own)
	lost, lately := k.losses(next, took, now, proved), k.marks.lately(own)
	for id := range lately {
		delete(lost, id) // it has counted today
	}
	next.removed = slices.Collect(maps.Keys(lost))
	sum := len(lost) + len(lately)
	if len(lost) == 0 || sum <= grantlist.MayLose(0) {
		return nil
	}
	open := k.view.contents(nil).Open(now)
	maps.Copy(open, lately)
	if sum <= grantlist.MayLose(len(open))*days {
		return nil
	}
	if err := k.checkSecond(next, second); err != nil {
		k.time.Refuse(own)
		return fmt.Errorf("%w: it takes from %d of %s within %s: %w", ErrSecondNeeded, sum, amount.Of(len(open), "tenancy"), amount.Of(days, "day"), err)
	}
	next.removed = nil // two have answered for them
	return nil
}

// lately are the tenancies that lists took from within the day before now.
func (m marks) lately(now int64) map[wire.ID]bool {
	ids := make(map[wire.ID]bool)
	for _, r := range m.Removed {
		for _, id := range r.Tenancies {
			if r.lately(now) {
				ids[id] = true
			}
		}
	}
	return ids
}

// losses compares what opens now with what would open by next, or by the list in
// force with what next takes, each with the changes made at the building. So what was done there, with the tenants' own
// cards or by the landlord, is no loss by the list; and a check-in that no list
// had named yet is one, where next names it to refuse it.
//
// An objection lifts an end until a list has heard it, which then says again until when.
// So of these grants all but the ends is compared so, and the ends as the lists have them.
func (k *Keyring) losses(next *list, took restraint, now int64, proved bool) map[wire.ID]bool {
	over, limits := k.over.with(took.Gone), restraint{}
	if !proved {
		next, limits = k.list, k.limits.and(took)
	}
	// A notice was given at the building, so its end is no loss by the list, whether
	// its days have passed here or not.
	before := k.view
	if k.settleNotices() {
		before, _ = k.combine(k.listed(), k.over.index, k.limits)
		defer k.age()
	}
	counts, _ := masked(next, over)
	after, _ := k.combine(counts, over, limits)
	same, objected := sameDoors(k.list, next), objectedTo(k.records)
	lost := lossesOf(before, after, same, objected, now)
	if len(objected) > 0 {
		records := unobjected(k.records, next.seen())
		before, _ = k.combineWith(records, k.listed(), k.over.index, k.limits)
		after, _ = k.combineWith(records, counts, over, limits)
		maps.Copy(lost, lossesOf(before, after, same, nil, now))
	}
	return lost
}

// lossesOf are the losses between two views, whose sets of doors mean the same or not,
// by which the grants in open have no end after.
func lossesOf(before, after view, same bool, open map[wire.ID]bool, now int64) map[wire.ID]bool {
	same = same && before.grants.Bits() == after.grants.Bits()
	differs := func(i int) bool { return !same || before.grants.Bucket(i) != after.grants.Bucket(i) }
	then := after.contents(differs)
	for i := range then.Grants {
		if g := &then.Grants[i]; open[g.ID] {
			g.Until = 0
		}
	}
	return grantlist.Losses(before.contents(differs), then, now)
}

// contents returns what opens, in some buckets (nil: in all).
func (v view) contents(in func(i int) bool) grantlist.Contents {
	c := grantlist.Contents{Doors: v.doors, DoorSets: v.sets}
	for i := range 1 << v.grants.Bits() {
		if in == nil || in(i) {
			c.Grants = append(c.Grants, v.grants.Bucket(i).Records()...)
		}
	}
	return c
}

// sameDoors reports whether the sets of doors of a list mean the same in next.
func sameDoors(l, next *list) bool {
	m, n := &l.manifest, &next.manifest
	return len(m.Doors) <= len(n.Doors) && slices.Equal(m.Doors, n.Doors[:len(m.Doors)]) &&
		len(m.DoorSets) <= len(n.DoorSets) && slices.EqualFunc(m.DoorSets, n.DoorSets[:len(m.DoorSets)], slices.Equal)
}

// differing yields the records of l in those buckets that other has not.
func differing(l, other *list) iter.Seq[*wire.Grant] {
	same := l.manifest.Bits == other.manifest.Bits
	return func(yield func(*wire.Grant) bool) {
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
