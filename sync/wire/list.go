package wire

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/sync/wire/internal/canonical"
)

// Limits of a grant list. A bucket is cut further when it would pass
// BucketSize; MaxBucket leaves room for an envelope within MaxMessage.
const (
	BucketSize    = 32 << 10 // bytes; a list is cut finer when a bucket would pass it
	MaxBucket     = 48 << 10 // bytes; no bucket is larger
	MaxBucketBits = 10       // so that the manifest fits into one message
	ListFormat    = 1        // what every gateway reads
	LogFormat     = 2        // a manifest that names the lists before it
)

// GrantKind says whose grant it is; it decides what an unsure clock means.
type GrantKind uint8

const (
	GrantResident GrantKind = 1 // lives here: an unsure clock never locks them out
	GrantStaff    GrantKind = 2 // cleaner, caretaker: as a resident
	GrantVisitor  GrantKind = 3 // never without a clock that can tell the end
	GrantBrigade  GrantKind = 4 // fire brigade: as a resident
)

// String returns the stable name.
func (k GrantKind) String() string { return name(grantKindNames, uint16(k), "grant_kind") }

// GrantState says whether a credential opens under its grant.
type GrantState uint8

// The states of a credential under a grant.
const (
	GrantActive    GrantState = 1
	GrantSuspended GrantState = 2 // a lost card, a dispute: can come back
	GrantRevoked   GrantState = 3 // for good
)

// String returns the stable name.
func (s GrantState) String() string { return name(grantStateNames, uint16(s), "grant_state") }

var grantKindNames = map[uint16]string{1: "resident", 2: "staff", 3: "visitor", 4: "brigade"}

var grantStateNames = map[uint16]string{1: "active", 2: "suspended", 3: "revoked"}

// Manifest is the signed head of a building's grant list: with it, every
// bucket can be checked, whoever carried it.
type Manifest struct {
	Format   uint64     `cbor:"1,keyasint"` // ListFormat or LogFormat
	Version  uint64     `cbor:"2,keyasint"` // from 1, rising
	Previous Hash       `cbor:"3,keyasint"` // of the manifest that this one was made from; zero for none
	Issued   uint32     `cbor:"4,keyasint"` // unix s: it is not earlier than this
	Bits     uint8      `cbor:"5,keyasint"` // bucket i holds the credentials whose MAC starts with these bits of i
	Buckets  []Hash     `cbor:"6,keyasint"` // SHA-256 of each of the 2^Bits buckets
	Doors    []string   `cbor:"7,keyasint"` // door ids, each once
	DoorSets [][]uint16 `cbor:"8,keyasint"` // ascending indexes into Doors
	// Seen says which records of the gateways it was made with, ascending by
	// gateway and line.
	Seen []Seen `cbor:"9,keyasint,omitempty"`
	// The manifests of a building that were signed before this one are a log, in
	// that order: leaf i is the hash of manifest i's payload. Only in LogFormat.
	Earlier uint64 `cbor:"10,keyasint"` // how many
	Log     Hash   `cbor:"11,keyasint"` // RFC 6962 root over them; SHA-256 of nothing where there are none
	// Registers are what rows can't say, in order, of grants that rows name. Only in
	// LogFormat.
	Registers []Register `cbor:"12,keyasint,omitempty"`
}

// manifest1 is a Manifest of ListFormat: it names no log.
type manifest1 struct {
	Format    uint64     `cbor:"1,keyasint"`
	Version   uint64     `cbor:"2,keyasint"`
	Previous  Hash       `cbor:"3,keyasint"`
	Issued    uint32     `cbor:"4,keyasint"`
	Bits      uint8      `cbor:"5,keyasint"`
	Buckets   []Hash     `cbor:"6,keyasint"`
	Doors     []string   `cbor:"7,keyasint"`
	DoorSets  [][]uint16 `cbor:"8,keyasint"`
	Seen      []Seen     `cbor:"9,keyasint,omitempty"`
	Earlier   uint64     `cbor:"-"`
	Log       Hash       `cbor:"-"`
	Registers []Register `cbor:"-"`
}

// Encode returns the one encoding of a manifest.
func (m Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	if m.Format == ListFormat {
		return canonical.Marshal(manifest1(m))
	}
	return canonical.Marshal(m)
}

// DecodeManifest reads a manifest and refuses all but the bytes that Encode makes.
func DecodeManifest(b []byte) (Manifest, error) {
	var m Manifest
	var err error
	if len(b) > 2 && b[1] == 1 && b[2] == LogFormat { // the first key and its value
		err = canonical.Decode("manifest", b, &m)
	} else {
		var first manifest1
		err = canonical.Decode("manifest", b, &first)
		m = Manifest(first)
	}
	if err != nil {
		return Manifest{}, err
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// ManifestFormat reads the format and version of a manifest of whatever format, for
// those who can't read the rest and have checked its signature; zeros: none.
func ManifestFormat(b []byte) (format, version uint64) {
	var head struct {
		Format  uint64 `cbor:"1,keyasint"`
		Version uint64 `cbor:"2,keyasint"`
	}
	if cbor.Unmarshal(b, &head) != nil {
		return 0, 0
	}
	return head.Format, head.Version
}

func (m Manifest) check() error {
	switch {
	case m.Format != ListFormat && m.Format != LogFormat:
		return fmt.Errorf("%w: format %d, want %d or %d", ErrMalformed, m.Format, ListFormat, LogFormat)
	case m.Format == ListFormat && (m.Earlier != 0 || m.Log != Hash{} || len(m.Registers) > 0):
		return fmt.Errorf("%w: a list of format %d that names a log, or has registers", ErrMalformed, m.Format)
	case m.Earlier > math.MaxInt64:
		return fmt.Errorf("%w: %d lists before it", ErrMalformed, m.Earlier)
	case m.Version == 0 || m.Issued == 0:
		return fmt.Errorf("%w: no version or no time of issue", ErrMalformed)
	case m.Bits > MaxBucketBits || len(m.Buckets) != 1<<m.Bits:
		return fmt.Errorf("%w: %d buckets by %d bits", ErrMalformed, len(m.Buckets), m.Bits)
	}
	return cmp.Or(checkSeen(m.Seen), checkRegisters(m.Registers), m.checkDoors())
}

// checkDoors checks the table of doors, and the sets of its rows.
func (m Manifest) checkDoors() error {
	seen := make(map[string]bool, len(m.Doors))
	for i, id := range m.Doors {
		if !ValidName(id, false) || seen[id] {
			return fmt.Errorf("%w: door %d: not an id, or there twice", ErrMalformed, i)
		}
		seen[id] = true
	}
	for i, set := range m.DoorSets {
		for j, door := range set {
			if int(door) >= len(m.Doors) || j > 0 && set[j-1] >= door {
				return fmt.Errorf("%w: door set %d: out of range or order", ErrMalformed, i)
			}
		}
	}
	return nil
}

// Seen says through which record of a gateway a list was made.
type Seen struct {
	_       struct{} `cbor:",toarray"`
	Gateway string
	Line    uint64
	Number  uint64
}

// Compare orders by gateway, then line.
func (s Seen) Compare(o Seen) int {
	return cmp.Or(cmp.Compare(s.Gateway, o.Gateway), cmp.Compare(s.Line, o.Line))
}

func checkSeen(list []Seen) error {
	for i, s := range list {
		if !ValidName(s.Gateway, false) || s.Line == 0 || i > 0 && list[i-1].Compare(s) >= 0 {
			return fmt.Errorf("%w: seen %d: not a gateway and line, in order", ErrMalformed, i)
		}
	}
	return nil
}

// Grant is what one credential may do under one grant: a row of a list. A grant
// with several credentials has several of them; a credential may stand in several
// grants. It is 64 bytes in memory.
type Grant struct {
	Credential CredentialID
	ID         ID // of the grant; never used again
	Tenancy    ID
	Kind       GrantKind
	State      GrantState
	DoorSet    uint16
	From       uint32 // unix s, inclusive; 0: since ever
	Until      uint32 // unix s, exclusive; 0: no end
}

// Compare is the order of a list: by the 16 MAC bytes of the credential, so that its
// buckets are slices of one sorted run, then by its key number and the grant.
func (g *Grant) Compare(o *Grant) int {
	if c := bytes.Compare(g.Credential[1:], o.Credential[1:]); c != 0 {
		return c
	}
	if c := int(g.Credential[0]) - int(o.Credential[0]); c != 0 {
		return c
	}
	return bytes.Compare(g.ID[:], o.ID[:])
}

// Bucket returns the index of the credential's bucket by k leading bits of its MAC.
func (c CredentialID) Bucket(k uint8) int {
	return int(binary.BigEndian.Uint32(c[1:5]) >> (32 - k))
}

// check refuses what no list may hold.
func (g *Grant) check() error {
	switch {
	case !g.Credential.named():
		return fmt.Errorf("%w: key number %d", ErrMalformed, g.Credential[0])
	case g.ID == ID{} || g.Tenancy == ID{}:
		return fmt.Errorf("%w: no grant or tenancy", ErrMalformed)
	case g.Kind < GrantResident || g.Kind > GrantBrigade:
		return fmt.Errorf("%w: kind %d", ErrMalformed, g.Kind)
	case g.State < GrantActive || g.State > GrantRevoked:
		return fmt.Errorf("%w: state %d", ErrMalformed, g.State)
	case g.Until != 0 && g.Until <= g.From:
		return fmt.Errorf("%w: ends before it begins", ErrMalformed)
	}
	return nil
}

// EncodeBucket returns the one encoding of a bucket: grants in order, without
// duplicates, at most MaxBucket bytes.
func EncodeBucket(grants []Grant) ([]byte, error) {
	b := make([]byte, 0, 3+len(grants)*maxGrant)
	b = canonical.AppendHead(b, canonical.Array, uint64(len(grants)))
	for i := range grants {
		g := &grants[i]
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("encode bucket: grant %d: %w", i, err)
		}
		if i > 0 && grants[i-1].Compare(g) >= 0 {
			return nil, fmt.Errorf("encode bucket: grant %d: %w: out of order", i, ErrMalformed)
		}
		b = appendGrant(b, g)
	}
	if len(b) > MaxBucket {
		return nil, fmt.Errorf("encode bucket: %w: %d bytes, at most %d", ErrTooLarge, len(b), MaxBucket)
	}
	return slices.Clip(b), nil
}

// DecodeBucket reads bucket i of the list: the bytes whose hash the manifest names, as
// EncodeBucket makes them, with credentials of that bucket and door sets of the manifest.
func (m Manifest) DecodeBucket(i int, b []byte) ([]Grant, error) {
	if i < 0 || i >= len(m.Buckets) || sha256.Sum256(b) != m.Buckets[i] {
		return nil, fmt.Errorf("bucket %d: %w: not the hash in the manifest", i, ErrMalformed)
	}
	grants, err := decodeBucket(b)
	if err != nil {
		return nil, fmt.Errorf("bucket %d: %w", i, err)
	}
	for j := range grants {
		g := &grants[j]
		if g.Credential.Bucket(m.Bits) != i {
			return nil, fmt.Errorf("bucket %d: grant %d: %w: of another bucket", i, j, ErrMalformed)
		}
		if int(g.DoorSet) >= len(m.DoorSets) {
			return nil, fmt.Errorf("bucket %d: grant %d: %w: no door set %d", i, j, ErrMalformed, g.DoorSet)
		}
	}
	return grants, nil
}

func decodeBucket(b []byte) ([]Grant, error) {
	if len(b) > MaxBucket {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxBucket)
	}
	r := canonical.Reader{B: b}
	n := int(r.Head(canonical.Array, MaxBucket/minGrant))
	if r.Bad {
		return nil, fmt.Errorf("%w: no array of grants", ErrMalformed)
	}
	grants := make([]Grant, n)
	for i := range grants {
		g := &grants[i]
		if readGrant(&r, g); r.Bad {
			return nil, fmt.Errorf("grant %d: %w: not its one encoding", i, ErrMalformed)
		}
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("grant %d: %w", i, err)
		}
		if i > 0 && grants[i-1].Compare(g) >= 0 {
			return nil, fmt.Errorf("grant %d: %w: out of order", i, ErrMalformed)
		}
	}
	if len(r.B) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after the last grant", ErrMalformed, len(r.B))
	}
	return grants, nil
}

// Sizes of an encoded grant, in bytes. Grants are written and read by hand: a building
// may have a hundred thousand of them, and they stand between power-up and the first
// open door. The tests compare every byte with the CBOR library's.
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
