package uplink

import (
	"slices"
	"time"

	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// proveEvery is how often a list that is not on disk yet is checked.
const proveEvery = time.Minute

// proving records which list is active: that entry is the proof.
type proving struct {
	keyring  Keyring
	unproved uint64 // active version without an entry; 0: none
}

// due returns the entry once the list is on disk, because a restart before that would undo what the
// entry proves; and when to be called again.
func (p *proving) due(now time.Time) (proof []wire.Header, next time.Time) {
	if p.unproved == 0 {
		return nil, time.Time{}
	}
	s := p.keyring.Lists()
	if s.Version != p.unproved {
		return nil, now.Add(proveEvery)
	}
	p.unproved = 0
	return []wire.Header{{Kind: wire.KindListApplied, Count: s.Version, Detail: s.Hash[:]}}, time.Time{}
}

// maskedMost bounds the entries about the grants that one list gives back.
const maskedMost = 16

// givenBack returns the first grants that are over and that a list newly gives back; the status has
// all of them.
func givenBack(before, now []lists.Masked) (list []lists.Masked) {
	for _, m := range now {
		if len(list) < maskedMost && !slices.Contains(before, m) {
			list = append(list, m)
		}
	}
	return list
}
