package uplink

import (
	"slices"
	"time"

	"gatehouse/sync/uplink/lists"
	"gatehouse/sync/wire"
)

// proveEvery is how often a list that no disk has taken is looked at.
const proveEvery = time.Minute

// proving records which list is active: that entry is the proof.
type proving struct {
	keyring  Keyring
	unproved uint64 // active version of which there is no entry yet; 0: none
}

// due returns the entry, once a disk holds the list: before that a restart would undo
// what the entry proves. It returns when to ask again too.
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

// maskedMost bounds the entries about what one list gives back.
const maskedMost = 16

// givenBack returns which grants a list newly gives back that are over, the first of
// them: the status has them all.
func givenBack(before, now []lists.Masked) (list []lists.Masked) {
	for _, m := range now {
		if len(list) < maskedMost && !slices.Contains(before, m) {
			list = append(list, m)
		}
	}
	return list
}
