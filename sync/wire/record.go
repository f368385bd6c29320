package wire

import "encoding/binary"

// Grants are written and read by hand: the shape is fixed, a building may have
// a hundred thousand of them, and they stand between power-up and the first
// open door. The tests compare every byte with the CBOR library's.

// CBOR major types (RFC 8949, section 3.1), as they stand in the first byte.
const (
	majorUint  = 0 << 5
	majorBytes = 2 << 5
	majorArray = 4 << 5
)

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
	b = appendHead(b, majorUint, uint32(g.DoorSet))
	b = appendHead(b, majorUint, g.From)
	b = appendHead(b, majorUint, g.Until)
	return append(b, 0) // schedule: none is understood yet
}

// appendHead writes a first byte and its argument in the shortest form.
func appendHead(b []byte, major byte, v uint32) []byte {
	switch {
	case v < 24:
		return append(b, major|byte(v))
	case v <= 0xff:
		return append(b, major|24, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(v))
	}
	return binary.BigEndian.AppendUint32(append(b, major|26), v)
}

// reader eats deterministic CBOR from the front of b. Once bad, it stays bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) grant(g *Grant) {
	r.literal(majorArray | grantFields)
	r.bytes(g.Credential[:])
	r.bytes(g.ID[:])
	r.bytes(g.Tenancy[:])
	g.Kind = GrantKind(r.head(majorUint, 23))
	g.State = GrantState(r.head(majorUint, 23))
	g.DoorSet = uint16(r.head(majorUint, 0xffff))
	g.From = r.head(majorUint, 0xffffffff)
	g.Until = r.head(majorUint, 0xffffffff)
	r.literal(0)
}

func (r *reader) literal(want byte) {
	if r.bad || len(r.b) == 0 || r.b[0] != want {
		r.bad = true
		return
	}
	r.b = r.b[1:]
}

// bytes reads a byte string of exactly the length of dst, below 24.
func (r *reader) bytes(dst []byte) {
	r.literal(majorBytes | byte(len(dst)))
	if r.bad || len(r.b) < len(dst) {
		r.bad = true
		return
	}
	copy(dst, r.b)
	r.b = r.b[len(dst):]
}

// head reads a first byte of the major type and its argument, which must be in
// the shortest form and at most limit.
func (r *reader) head(major byte, limit uint32) uint32 {
	if r.bad || len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.bad = true
		return 0
	}
	info, size := r.b[0]&0x1f, 1
	v, least := uint32(info), uint32(0)
	switch {
	case info < 24:
	case info == 24 && len(r.b) >= 2:
		v, least, size = uint32(r.b[1]), 24, 2
	case info == 25 && len(r.b) >= 3:
		v, least, size = uint32(binary.BigEndian.Uint16(r.b[1:])), 1<<8, 3
	case info == 26 && len(r.b) >= 5:
		v, least, size = binary.BigEndian.Uint32(r.b[1:]), 1<<16, 5
	default:
		r.bad = true
		return 0
	}
	if v < least || v > limit {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return v
}
