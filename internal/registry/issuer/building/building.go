// Package building is what the issuer knows of one building: its House document,
// the tenancies that gateways and operators have said, its grant lists, and what its
// gateways have proved.
//
// It is memory alone: no store, no clock, no key of the issuer's. It refuses to decide
// what is signed; it works out what a list would take away, and from whom. A Building is
// not safe for concurrent use.
package building

import (
	"crypto/sha256"
	"slices"

	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// Building is what is known of one. It is worked out from the store, and thrown away when
// a transaction fails.
type Building struct {
	ID, District, Town string
	Flats              []string
	NoticeDays         uint8
	KeyNumber          uint8  // of the building key; 0: no gateway has made it
	EscrowOf           string // gateway that made it
	House              wire.House
	HouseEnvelope      []byte
	HouseOld           []byte // the same in the first format; nil: HouseEnvelope is

	Tenancies Tenancies
	Lines     Lines
	Lists     Lists
	Gateways  Gateways
	Sent      Sent
}

// Sent is what the front has of the newest list, as far as this process knows.
type Sent struct {
	Buckets map[wire.Hash]bool
	Log     uint64 // manifests
}

// New is a building of which nothing is known but its id.
func New(id string) *Building {
	return &Building{ID: id,
		Tenancies: Tenancies{Events: make(map[wire.ID][]fold.Event), Grants: make(map[wire.ID]*fold.Grant), records: make(map[recordKey]wire.ID)},
		Lines:     Lines{Seen: make(map[Line]Seen), Covered: make(map[Line]Cover)},
		Lists:     Lists{Revoked: make(map[wire.ID]Revocation), Removals: make(map[wire.ID]uint32)},
		Gateways: Gateways{Applied: make(map[string]uint64), SetBacks: make(map[string]uint64), Asks: make(map[string]Ask),
			refused: make(map[string]uint64), clocks: make(map[string]int64)},
		Sent: Sent{Buckets: make(map[wire.Hash]bool)}}
}

// Place is where a gateway of the building is.
func (b *Building) Place(gateway string) wire.Place {
	return wire.Place{District: b.District, Town: b.Town, Building: b.ID, Gateway: gateway}
}

// Keyset is the gateway's key as its records are verified by: that of the House
// document made here, never one that somebody else named.
func (b *Building) Keyset(gateway string) []wire.Key {
	g := b.House.Gateway(gateway)
	if g == nil {
		return nil
	}
	return []wire.Key{g.Key()}
}

// OpenRecord verifies a tenancy record by the gateway's key.
func (b *Building) OpenRecord(gateway string, envelope []byte) (r wire.Record, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: wire.TypeRecord, Role: wire.RoleGateway, Address: b.ID + "/" + gateway}, b.Keyset(gateway))
	if err != nil {
		return r, err
	}
	return r, wire.Decode(payload, &r)
}

// FirstFormat is the House document as every gateway reads it.
func (b *Building) FirstFormat() []byte {
	if b.HouseOld != nil {
		return b.HouseOld
	}
	return b.HouseEnvelope
}

// EarlierHouses are the hashes of the documents before the next one, the newest
// first: its own first format, then both of the active one and those that that
// names.
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

// Doors are those that gateways of the building have, or that a list has named.
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

// UnknownDoor is one of a grant's that no gateway has said it has; "": none.
func UnknownDoor(g *fold.Grant, known map[string]bool) string {
	for _, d := range g.CheckIn.Change.Doors {
		if !known[d] {
			return d
		}
	}
	return ""
}

// Unlisted reports whether a grant is not in the newest list that may be in the next.
func (b *Building) Unlisted() bool {
	listed := b.Lists.Listed()
	for id, g := range b.Tenancies.Grants {
		if g.Known && !listed[id] && !b.Lists.Revoked[id].Dropped {
			return true
		}
	}
	return false
}
