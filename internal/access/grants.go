package access

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"gatehouse/sync/wire"
)

// maxBits is the most leading bits by which a snapshot is cut into buckets.
const maxBits = 16

// maxBucket is the most records of a bucket: times a finger it has 32 bits.
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

// Bucket holds the sorted records of the credentials that share their leading bits, 64 bytes a
// record, and of each the finger: 2 bytes, dense enough to stay in the cache when the records don't.
type Bucket struct {
	bits    uint8
	fingers []uint16
	records []wire.Grant
}

// key is the start of the MAC: uniform, so it can be used as an address.
func key(c *wire.CredentialID) uint64 { return binary.BigEndian.Uint64(c[1:9]) }

// same reports whether two credentials are equal. It reads them as key does: a credential just
// copied in two overlapping halves is slow to read across both.
func same(a, b *wire.CredentialID) bool {
	return key(a) == key(b) && binary.BigEndian.Uint64(a[9:]) == binary.BigEndian.Uint64(b[9:]) && a[0] == b[0]
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
	b := &Bucket{bits: k, records: records, fingers: make([]uint16, n)}
	for i := range records {
		b.fingers[i] = b.finger(&records[i].Credential)
	}
	return b, nil
}

// finger is the 16 bits of the MAC that follow the bits of the bucket.
func (b *Bucket) finger(c *wire.CredentialID) uint16 { return uint16(key(c) << b.bits >> 48) }

// Records returns the records, which may not be changed.
func (b *Bucket) Records() []wire.Grant {
	if b == nil {
		return nil
	}
	return b.records
}

// find returns the records of one credential. MACs are uniform, so that its finger stands near its
// share of the bucket; in a large list the one cache miss is then the record itself, and an unknown
// credential has none.
func (b *Bucket) find(c *wire.CredentialID) []wire.Grant {
	if b == nil {
		return nil
	}
	finger := b.finger(c)
	first := int(uint32(finger) * uint32(len(b.fingers)) >> 16)
	for first > 0 && b.fingers[first-1] >= finger {
		first--
	}
	for first < len(b.fingers) && b.fingers[first] < finger {
		first++
	}
	for first < len(b.fingers) && b.fingers[first] == finger && !same(&b.records[first].Credential, c) {
		first++
	}
	last := first
	for last < len(b.fingers) && b.fingers[last] == finger && same(&b.records[last].Credential, c) {
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
func (g *Grants) Find(c wire.CredentialID) []wire.Grant { return g.find(&c) }

func (g *Grants) find(c *wire.CredentialID) []wire.Grant {
	return g.buckets[key(c)>>(64-g.bits)].find(c)
}

// Knows reports whether any record names the credential, whatever it allows.
func (g *Grants) Knows(c wire.CredentialID) bool { return len(g.Find(c)) > 0 }

// doorSet is a set of indexes into the door table.
type doorSet []uint64

func (s doorSet) has(door int) bool {
	return door >= 0 && s[door/64]>>(door%64)&1 == 1
}
