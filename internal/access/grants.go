package access

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/bits"

	"gatehouse/sync/wire"
)

// maxBits is the most leading bits by which a snapshot is cut into buckets.
const maxBits = 16

// sliceRecords is the approximate minimum of records in a slice of a bucket. Few slices keep the
// index in the cache; the records of one slice stand side by side, and reading along them costs
// less than one more table would.
const sliceRecords = 16

// maxBucket keeps positions in a bucket within 16 bits.
const maxBucket = 1<<16 - 1

// Doors is the table of door ids that records point into, and of sets of indexes into it.
type Doors struct {
	IDs  []string
	Sets [][]uint16
}

// Grants is an immutable snapshot of a building's grants. Versions share the
// buckets that did not change.
type Grants struct {
	bits    uint8
	buckets []*Bucket // by the first bits of the credential's MAC; nil: empty
	doors   map[string]int
	sets    []doorSet
	count   int
	unknown wire.Reason // the answer to a credential in no record
}

// Bucket holds the sorted records of the credentials that share their leading bits, with a small
// index: 64 bytes a record, and next to nothing more.
type Bucket struct {
	bits    uint8
	shift   uint8
	starts  []uint16 // first record of each slice of the bucket's key space, and the end
	records []wire.Grant
}

// key is the start of the MAC: uniform, so it can be used as an address.
func key(c *wire.CredentialID) uint64 { return binary.BigEndian.Uint64(c[1:9]) }

// before reports whether a is before b in the order of lists: by MAC, then by key number.
func before(a, b *wire.CredentialID) bool {
	if c := bytes.Compare(a[1:], b[1:]); c != 0 {
		return c < 0
	}
	return a[0] < b[0]
}

// NewBucket makes a bucket of records that are sorted by their Compare, without
// duplicates, and share the first k bits of their MAC. It keeps the slice: the
// caller may not touch it afterwards.
func NewBucket(k uint8, records []wire.Grant) (*Bucket, error) {
	if k > maxBits {
		return nil, fmt.Errorf("bucket by %d bits: at most %d", k, maxBits)
	}
	n := len(records)
	if n > maxBucket {
		return nil, fmt.Errorf("bucket of %d records: at most %d", n, maxBucket)
	}
	for i := range n - 1 {
		if records[i].Compare(&records[i+1]) >= 0 {
			return nil, fmt.Errorf("bucket record %d: not in order", i+1)
		}
	}
	if n > 0 && records[0].Credential.Bucket(k) != records[n-1].Credential.Bucket(k) {
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

func (b *Bucket) slice(c *wire.CredentialID) int { return int(key(c) << b.bits >> b.shift) }

// Records returns the records, which may not be changed.
func (b *Bucket) Records() []wire.Grant {
	if b == nil {
		return nil
	}
	return b.records
}

// find returns the records of one credential. In a large list its cost is the cache miss at the
// first record of the slice.
func (b *Bucket) find(c *wire.CredentialID) []wire.Grant {
	if b == nil {
		return nil
	}
	s, mac := b.slice(c), key(c)
	first, end := int(b.starts[s]), int(b.starts[s+1])
	for first < end && key(&b.records[first].Credential) < mac {
		first++
	}
	for first < end && before(&b.records[first].Credential, c) {
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
	if k > maxBits || len(buckets) != 1<<k {
		return nil, fmt.Errorf("%d buckets by %d bits", len(buckets), k)
	}
	g := &Grants{bits: k, buckets: buckets, unknown: wire.ReasonUnknown}
	for i, b := range buckets {
		if len(b.Records()) == 0 {
			continue
		}
		if b.bits != k || b.records[0].Credential.Bucket(k) != i {
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

// door returns a door's index in the table; -1 where it is not in it.
func (g *Grants) door(id string) int {
	if i, ok := g.doors[id]; ok {
		return i
	}
	return -1
}

// Incomplete returns the snapshot of a building whose list was lost: what is left in it opens, and
// an unknown credential is denied as not ready instead of unknown.
func (g *Grants) Incomplete() *Grants {
	rest := *g
	rest.unknown = wire.ReasonNotReady
	return &rest
}

// Bits returns by how many leading bits the buckets are cut.
func (g *Grants) Bits() uint8 { return g.bits }

// Bucket returns bucket i, nil where it is empty, to be shared by a next version.
func (g *Grants) Bucket(i int) *Bucket { return g.buckets[i] }

// Len returns the number of records.
func (g *Grants) Len() int { return g.count }

// All yields every record in order. They may not be changed.
func (g *Grants) All() iter.Seq[*wire.Grant] {
	return func(yield func(*wire.Grant) bool) {
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
func (g *Grants) Find(c wire.CredentialID) []wire.Grant { return g.buckets[c.Bucket(g.bits)].find(&c) }

// Knows reports whether any record names the credential, whatever it allows.
func (g *Grants) Knows(c wire.CredentialID) bool { return len(g.Find(c)) > 0 }

// doorSet is a set of indexes into the door table.
type doorSet []uint64

func (s doorSet) has(door int) bool {
	return door >= 0 && s[door/64]>>(door%64)&1 == 1
}
