package access

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"
)

// MaxBits is the most leading bits by which a snapshot is cut into buckets.
const MaxBits = 16

// sliceRecords is how many records a slice of a bucket has, at least and near
// enough. Few slices keep the directory in the cache; the records of one stand
// side by side, and reading along them costs less than one more table would.
const sliceRecords = 16

// maxBucket keeps positions in a bucket within 16 bits.
const maxBucket = 1<<16 - 1

// Doors is the table that records point into: door ids, and sets of indexes
// into them.
type Doors struct {
	IDs  []string
	Sets [][]uint16
}

// Grants is an immutable snapshot of a building's grants. Versions share the
// buckets that did not change.
type Grants struct {
	bits    uint8
	buckets []*Bucket // by the first bits of the credential's MAC; nil is empty
	doors   map[string]int
	sets    []doorSet
	count   int
	unknown Reason // the answer to a credential in no record
}

// Bucket holds the records of the credentials that share their leading bits,
// sorted, with a small directory: 64 bytes a record, and next to nothing more.
type Bucket struct {
	bits    uint8
	shift   uint8
	starts  []uint16 // first record of each slice of the bucket's key space, and the end
	records []Record
}

// Compare orders records as lists do: by the 16 MAC bytes of the credential,
// then its key number, then the grant. The MAC comes first so that buckets are
// runs of one sorted list, whatever the key number.
func Compare(a, b *Record) int {
	if c := compareCredentials(&a.Credential, &b.Credential); c != 0 {
		return c
	}
	return bytes.Compare(a.Grant[:], b.Grant[:])
}

func compareCredentials(a, b *CredentialID) int {
	if x, y := a.key(), b.key(); x != y {
		if x < y {
			return -1
		}
		return 1
	}
	if c := bytes.Compare(a[9:], b[9:]); c != 0 {
		return c
	}
	return int(a[0]) - int(b[0])
}

// key is the start of the MAC: uniform, so it can be used as an address.
func (c *CredentialID) key() uint64 { return binary.BigEndian.Uint64(c[1:9]) }

// index is the bucket of a credential.
func (c *CredentialID) index(k uint8) int { return int(c.key() >> (64 - k)) }

// NewBucket makes a bucket of records that are sorted by Compare, without
// duplicates, and share the first k bits of their MAC. It keeps the slice: the
// caller may not touch it afterwards.
func NewBucket(k uint8, records []Record) (*Bucket, error) {
	if k > MaxBits {
		return nil, fmt.Errorf("bucket by %d bits: at most %d", k, MaxBits)
	}
	n := len(records)
	if n > maxBucket {
		return nil, fmt.Errorf("bucket of %d records: at most %d", n, maxBucket)
	}
	for i := range n - 1 {
		if Compare(&records[i], &records[i+1]) >= 0 {
			return nil, fmt.Errorf("bucket record %d: not in order", i+1)
		}
	}
	if n > 0 && records[0].Credential.index(k) != records[n-1].Credential.index(k) {
		return nil, fmt.Errorf("bucket by %d bits holds records of another bucket", k)
	}
	width := bits.Len(uint(n / sliceRecords))
	b := &Bucket{bits: k, shift: uint8(64 - width), records: records}
	b.starts = make([]uint16, 1<<width+1)
	for i := range records {
		b.starts[b.slice(&records[i].Credential)+1]++
	}
	for i := range 1 << width {
		b.starts[i+1] += b.starts[i]
	}
	return b, nil
}

func (b *Bucket) slice(c *CredentialID) int { return int(c.key() << b.bits >> b.shift) }

// Records returns the records, which may not be changed.
func (b *Bucket) Records() []Record {
	if b == nil {
		return nil
	}
	return b.records
}

// find returns the records of one credential. What it costs in a large list is
// the way to the first record of the slice.
func (b *Bucket) find(c *CredentialID) []Record {
	if b == nil {
		return nil
	}
	s, key := b.slice(c), c.key()
	first, end := int(b.starts[s]), int(b.starts[s+1])
	for first < end && b.records[first].Credential.key() < key {
		first++
	}
	for first < end && compareCredentials(&b.records[first].Credential, c) < 0 {
		first++
	}
	last := first
	for last < end && b.records[last].Credential == *c {
		last++
	}
	return b.records[first:last]
}

// NewGrants makes a snapshot of 2^k buckets, made by NewBucket with the same k;
// nil buckets are empty. It keeps the slice of buckets.
func NewGrants(doors Doors, k uint8, buckets []*Bucket) (*Grants, error) {
	if k > MaxBits || len(buckets) != 1<<k {
		return nil, fmt.Errorf("%d buckets by %d bits", len(buckets), k)
	}
	g := &Grants{bits: k, buckets: buckets, unknown: ReasonUnknown}
	for i, b := range buckets {
		if len(b.Records()) == 0 {
			continue
		}
		if b.bits != k || b.records[0].Credential.index(k) != i {
			return nil, fmt.Errorf("bucket %d holds the records of another", i)
		}
		g.count += len(b.records)
	}
	if err := g.setDoors(doors); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Grants) setDoors(d Doors) error {
	g.doors = make(map[string]int, len(d.IDs))
	for i, id := range d.IDs {
		g.doors[id] = i
	}
	if len(g.doors) != len(d.IDs) {
		return errors.New("door table names a door twice")
	}
	g.sets = make([]doorSet, len(d.Sets))
	for i, set := range d.Sets {
		g.sets[i] = make(doorSet, (len(d.IDs)+63)/64)
		for _, door := range set {
			if int(door) >= len(d.IDs) {
				return fmt.Errorf("door set %d: no door %d", i, door)
			}
			g.sets[i][door/64] |= 1 << (door % 64)
		}
	}
	return nil
}

// Incomplete returns the snapshot of a building whose list was lost: what is
// left in it opens, and a credential that it does not know is not ready to be
// judged, instead of unknown.
func (g *Grants) Incomplete() *Grants {
	rest := *g
	rest.unknown = ReasonNotReady
	return &rest
}

// Bits returns by how many leading bits the buckets are cut.
func (g *Grants) Bits() uint8 { return g.bits }

// Bucket returns bucket i, nil where it is empty, to be shared by a next version.
func (g *Grants) Bucket(i int) *Bucket { return g.buckets[i] }

// Len returns the number of records.
func (g *Grants) Len() int { return g.count }

// All yields every record in order. They may not be changed.
func (g *Grants) All() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		for _, b := range g.buckets {
			for i := range b.Records() {
				if !yield(&b.records[i]) {
					return
				}
			}
		}
	}
}

// Find returns the records of one credential, in order. They may not be changed.
func (g *Grants) Find(c CredentialID) []Record { return g.buckets[c.index(g.bits)].find(&c) }

// Knows reports whether any record names the credential, whatever it allows.
func (g *Grants) Knows(c CredentialID) bool { return len(g.Find(c)) > 0 }

// doorSet is a set of indexes into the door table.
type doorSet []uint64

func (s doorSet) has(door int) bool {
	return door >= 0 && s[door/64]>>(door%64)&1 == 1
}
