// Package building is what the issuer knows of one building: its House document, the tenancies by
// gateways and operators, its grant lists, and what its gateways have proved.
//
// It is memory alone: no store, no clock, no key. It does not decide what is signed; it computes
// what a list would take away, and from whom. A Building is not safe for concurrent use.
package building

import (
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/sync/wire"
)

// Building is the state of one building. It is computed from the store, and dropped when a
// transaction fails.
type Building struct {
	ID, District, Town string
	Flats              []string
	NoticeDays         uint8
	KeyNumber          uint8  // of the building key; 0: no gateway has made one
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

// New returns a building with an id and nothing else.
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

// Keyset returns the gateway's key for verifying its records: that of the House document made here,
// never one that somebody else named.
func (b *Building) Keyset(gateway string) []wire.Key {
	g := b.House.Gateway(gateway)
	if g == nil {
		return nil
	}
	return []wire.Key{g.Key()}
}

// Open verifies what a gateway has signed by its key, and decodes it.
func Open[P wire.Payload](b *Building, gateway, kind string, envelope []byte) (p P, err error) {
	payload, _, err := wire.Open(envelope, wire.Expect{Type: kind, Role: wire.RoleGateway, Address: b.ID + "/" + gateway}, b.Keyset(gateway))
	if err != nil {
		return p, err
	}
	err = wire.Decode(payload, &p)
	return p, err
}

// A gateway begins a new line of records whenever its disk was rolled back. All lines count; a list
// names those that were used last. Records of others stay unsettled at the gateways that hold them,
// which send them again: then their line is named.
const (
	MaxLines = 32  // of one gateway that a list names
	MaxSeen  = 256 // of all: with as many buckets and door sets as there may be, they fit into one message
)

// Lines are the lines of a building's gateways, and how far each was taken in.
type Lines struct {
	Seen    map[Line]Seen
	Covered map[Line]Cover // records that an adopted list has seen
	uses    uint64         // uses of lines so far: the newest has the highest
}

// Line identifies a line of records.
type Line struct {
	Gateway string
	Number  uint64
}

// Seen is how far a line has been taken in.
type Seen struct {
	Number uint64
	At     uint32 // greatest time so far, unix s
	Used   uint64 // when a record last came, in the order of the building's records
}

// Cover is what an adopted list has seen of a line.
type Cover struct {
	Number uint64
	Events int // that the building had when it was: what these say was compared with the list
}

// Load sets how far a line was taken in, from the store.
func (l *Lines) Load(line Line, s Seen) { l.Seen[line], l.uses = s, max(l.uses, s.Used) }

// Use sets how far a line was taken in, and makes it the line used last.
func (l *Lines) Use(line Line, s Seen) Seen {
	l.uses++
	s.Used = l.uses
	l.Seen[line] = s
	return s
}
