package wire

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
	b = append(b, majorArray|grantFields)
	b = append(append(b, majorBytes|17), g.Credential[:]...)
	b = append(append(b, majorBytes|16), g.ID[:]...)
	b = append(append(b, majorBytes|16), g.Tenancy[:]...)
	b = append(b, byte(g.Kind), byte(g.State)) // both below 24: one byte
	b = appendHead(b, majorUint, uint64(g.DoorSet))
	b = appendHead(b, majorUint, uint64(g.From))
	b = appendHead(b, majorUint, uint64(g.Until))
	return append(b, 0) // schedule: none is understood yet
}

func (r *reader) grant(g *Grant) {
	r.literal(majorArray | grantFields)
	r.bytes(g.Credential[:])
	r.bytes(g.ID[:])
	r.bytes(g.Tenancy[:])
	g.Kind = GrantKind(r.head(majorUint, 23))
	g.State = GrantState(r.head(majorUint, 23))
	g.DoorSet = uint16(r.head(majorUint, 0xffff))
	g.From = uint32(r.head(majorUint, 0xffffffff))
	g.Until = uint32(r.head(majorUint, 0xffffffff))
	r.literal(0)
}
