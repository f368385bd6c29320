package wire

import "gatehouse/sync/wire/internal/canonical"

// Grants are written and read by hand: the shape is fixed, a building may have
// a hundred thousand of them, and they stand between power-up and the first
// open door. The tests compare every byte with the CBOR library's.

// Sizes of an encoded grant, in bytes.
const (
	grantFields = 9
	minGrant    = 1 + 18 + 17 + 17 + 6*1
	maxGrant    = 1 + 18 + 17 + 17 + 3*1 + 3 + 2*5
)

func appendGrant(b []byte, g *Grant) []byte {
	b = append(b, canonical.Array|grantFields)
	b = append(append(b, canonical.Bytes|17), g.Credential[:]...)
	b = append(append(b, canonical.Bytes|16), g.ID[:]...)
	b = append(append(b, canonical.Bytes|16), g.Tenancy[:]...)
	b = append(b, byte(g.Kind), byte(g.State)) // both below 24: one byte
	b = canonical.AppendHead(b, canonical.Uint, uint64(g.DoorSet))
	b = canonical.AppendHead(b, canonical.Uint, uint64(g.From))
	b = canonical.AppendHead(b, canonical.Uint, uint64(g.Until))
	return append(b, 0) // schedule: none is understood yet
}

func readGrant(r *canonical.Reader, g *Grant) {
	r.Literal(canonical.Array | grantFields)
	r.Bytes(g.Credential[:])
	r.Bytes(g.ID[:])
	r.Bytes(g.Tenancy[:])
	g.Kind = GrantKind(r.Head(canonical.Uint, 23))
	g.State = GrantState(r.Head(canonical.Uint, 23))
	g.DoorSet = uint16(r.Head(canonical.Uint, 0xffff))
	g.From = uint32(r.Head(canonical.Uint, 0xffffffff))
	g.Until = uint32(r.Head(canonical.Uint, 0xffffffff))
	r.Literal(0)
}
