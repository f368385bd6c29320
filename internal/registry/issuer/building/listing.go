package building

import (
	"cmp"
	"crypto/sha256"
	"slices"

	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// FirstFormat returns the House document in the format that every gateway reads.
func (b *Building) FirstFormat() []byte {
	if b.HouseOld != nil {
		return b.HouseOld
	}
	return b.HouseEnvelope
}

// EarlierHouses returns the hashes of the documents before the next one, newest first: its own
// first format, then both of the active one and those that it names.
func (b *Building) EarlierHouses(own wire.Hash) ([]wire.Hash, error) {
	all := []wire.Hash{own}
	for _, envelope := range [][]byte{b.HouseEnvelope, b.HouseOld} {
		if envelope == nil {
			continue
		}
		payload, err := wire.PayloadOf(envelope)
		if err != nil {
			return nil, err
		}
		all = append(all, sha256.Sum256(payload))
	}
	for _, hash := range b.House.Earlier {
		if !slices.Contains(all, hash) {
			all = append(all, hash)
		}
	}
	return all[:min(len(all), wire.MaxEarlier)], nil
}

// Doors returns the doors that gateways of the building have, or that a list has named.
func (b *Building) Doors() map[string]bool {
	known := make(map[string]bool)
	for _, d := range b.Lists.Newest.Manifest.Doors {
		known[d] = true
	}
	for _, g := range b.House.Gateways {
		for _, d := range g.Doors {
			known[d] = true
		}
	}
	return known
}

// UnknownDoor returns a door of a grant that no gateway has; "": none.
func UnknownDoor(g *fold.Grant, known map[string]bool) string {
	for _, d := range g.CheckIn.Change.Doors {
		if !known[d] {
			return d
		}
	}
	return ""
}

// Unlisted reports whether the next list may have a grant that the newest lacks.
func (b *Building) Unlisted() bool {
	listed := b.Lists.Listed()
	for id, g := range b.Tenancies.Grants {
		if g.Known && !listed[id] && !b.Lists.Revoked[id].Dropped {
			return true
		}
	}
	return false
}

// SeenList returns which records a list includes: the lines of each gateway that were used last,
// those of gateways of the building first.
func (b *Building) SeenList() []wire.Seen {
	type line struct {
		wire.Seen
		used   uint64
		former int // 1: its gateway is no longer of the building
		rank   int // among the lines of its gateway: 0 was used last
	}
	lines := make([]line, 0, len(b.Lines.Seen))
	for k, s := range b.Lines.Seen {
		l := line{Seen: wire.Seen{Gateway: k.Gateway, Line: k.Number, Number: s.Number}, used: s.Used}
		if b.House.Gateway(k.Gateway) == nil {
			l.former = 1
		}
		lines = append(lines, l)
	}
	slices.SortFunc(lines, func(l, o line) int { return cmp.Or(cmp.Compare(o.used, l.used), l.Seen.Compare(o.Seen)) })
	ranks := make(map[string]int)
	for i := range lines {
		lines[i].rank = ranks[lines[i].Gateway]
		ranks[lines[i].Gateway]++
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.rank >= MaxLines })
	if len(lines) > MaxSeen {
		slices.SortStableFunc(lines, func(l, o line) int { return cmp.Or(cmp.Compare(l.former, o.former), cmp.Compare(l.rank, o.rank)) })
		lines = lines[:MaxSeen]
	}
	all := make([]wire.Seen, len(lines))
	for i, l := range lines {
		all[i] = l.Seen
	}
	slices.SortFunc(all, wire.Seen.Compare)
	return all
}

// ResumedSince reports whether a suspension came with a record that an adopted list knew, and the
// list has these cards as active: the registry, whose word is in no record, has resumed them since.
func (b *Building) ResumedSince(e fold.Event) bool {
	read := b.Lines.Covered[Line{e.Source, e.Line}]
	g := b.Tenancies.Grants[e.Change.Grant]
	if e.Change.Op != wire.OpSuspend || e.Number > read.Number || g == nil {
		return false
	}
	for _, id := range e.Change.Credentials {
		i := slices.IndexFunc(g.Cards, func(k fold.Card) bool { return k.ID == id })
		if i < 0 || g.Cards[i].Suspended || g.Cards[i].By.Arrival >= read.Events {
			return false
		}
	}
	return true
}

// Droppable returns the revoked grants that every gateway has proved to hold as revoked.
func (b *Building) Droppable() (ids []wire.ID) {
	proved := b.Lists.Newest.Manifest.Version
	for _, g := range b.House.Gateways {
		proved = min(proved, b.Gateways.Applied[g.ID])
	}
	for id, r := range b.Lists.Revoked {
		if !r.Dropped && r.Version <= proved {
			ids = append(ids, id)
		}
	}
	return ids
}

// Lowest returns the lowest version that a gateway of the building is known to have, or this
// database: each of them has to take the next list.
func (b *Building) Lowest() uint64 {
	low := b.Lists.Newest.Manifest.Version
	for _, g := range b.House.Gateways {
		if applied := b.Gateways.Applied[g.ID]; applied > 0 {
			low = min(low, applied)
		}
	}
	return low
}
