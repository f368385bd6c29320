package keyring

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"gatehouse/internal/durable"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"

	bolt "go.etcd.io/bbolt"
)

// copyFile is one of the two files that hold the whole list. It is open only
// while it is read or written, so that a dying card has little to pull on.
type copyFile struct {
	path    string
	known   bool        // hash and buckets are what the file holds
	hash    wire.Hash   // of its manifest
	buckets []wire.Hash // of its buckets, by their bytes
	version uint64
	over    int    // how many of the grants that are over it holds: so many of the first; -1: unknown
	err     error  // of the last use
	journal []byte // where the journal is; nil: unknown
}

// stored is what a file holds.
type stored struct {
	grantlist.List
	Second   []byte
	Over     []wire.ID // grants that are over
	anchored bool      // with their number and hash: it is not of an older version of the program
}

// The tables of a file, and the key of the envelope in the first. Buckets stand
// under their index and not their hash: a new one replaces the old in its place,
// and one page of the tree is written, not two.
var (
	listTable    = []byte("list")
	bucketTable  = []byte("buckets")
	overTable    = []byte("over")
	manifestSlot = []byte("manifest")
	secondSlot   = []byte("second")
	anchorSlot   = []byte("anchor") // number (8 bytes) and hash of the grants that are over
)

func slot(i int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(i)) }

// read copies the content out, so that nothing maps the file when it returns.
func (c *copyFile) read() (content stored, err error) {
	defer func() { c.err = err }()
	db, err := durable.Open(c.path, &bolt.Options{ReadOnly: true})
	if err != nil {
		return stored{}, err
	}
	err = durable.Guard("read "+c.path, func() error {
		return db.View(func(tx *bolt.Tx) error {
			head, table := tx.Bucket(listTable), tx.Bucket(bucketTable)
			if head == nil || table == nil {
				return fmt.Errorf("%w: tables are missing", wire.ErrMalformed)
			}
			content.Manifest = append([]byte(nil), head.Get(manifestSlot)...)
			content.Second = append([]byte(nil), head.Get(secondSlot)...)
			if err := content.readOver(tx, head.Get(anchorSlot)); err != nil {
				return err
			}
			return table.ForEach(func(key, value []byte) error {
				if len(key) != 2 || int(binary.BigEndian.Uint16(key)) != len(content.Buckets) {
					return fmt.Errorf("%w: bucket %d is missing", wire.ErrMalformed, len(content.Buckets))
				}
				content.Buckets = append(content.Buckets, append([]byte(nil), value...))
				return nil
			})
		})
	})
	if errors.Is(err, durable.ErrDamaged) {
		return stored{}, err // a faulted file may never be closed again
	}
	if closing := db.Close(); err == nil {
		err = closing
	}
	if errors.Is(err, wire.ErrMalformed) {
		err = fmt.Errorf("read %s: %w: %w", c.path, durable.ErrDamaged, err)
	}
	return content, err
}

// readOver reads the grants that are over, and holds them to their anchor.
func (s *stored) readOver(tx *bolt.Tx, anchor []byte) error {
	s.anchored = anchor != nil
	if table := tx.Bucket(overTable); table != nil {
		err := table.ForEach(func(key, value []byte) error {
			if len(key) != 8 || binary.BigEndian.Uint64(key) != uint64(len(s.Over)) || len(value) != len(wire.ID{}) {
				return fmt.Errorf("%w: grant %d of those that are over is missing", wire.ErrMalformed, len(s.Over))
			}
			s.Over = append(s.Over, wire.ID(value))
			return nil
		})
		if err != nil {
			return err
		}
	}
	over := tombstones{ids: s.Over}
	if s.anchored && !bytes.Equal(anchor, over.anchor()) || !s.anchored && len(s.Over) > 0 {
		return fmt.Errorf("%w: the grants that are over are not those that were written", wire.ErrMalformed)
	}
	return nil
}

// anchor is the number and the hash of the grants that are over.
func (t *tombstones) anchor() []byte {
	hash := t.hash()
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(t.ids))), hash[:]...)
}

// note remembers what buckets the file was found to hold.
func (c *copyFile) note(content stored) {
	c.buckets = make([]wire.Hash, len(content.Buckets))
	_ = inParallel(len(content.Buckets), func(i int) error { // hashing fails on nothing
		c.buckets[i] = sha256.Sum256(content.Buckets[i])
		return nil
	})
	c.known, c.hash, c.version, c.over = true, wire.Hash{}, 0, -1
}

// holds reports whether the file is known to hold l and what is over.
func (c *copyFile) holds(l *list, over *tombstones) bool {
	return c.known && c.hash == l.hash && c.over == len(over.ids)
}

// write makes the file hold l and what is over: what differs where its buckets are known, else
// the whole of it. After an error its content is unknown: a commit that failed
// may still have happened.
func (c *copyFile) write(l *list, over *tombstones) (err error) {
	if c.holds(l, over) {
		return nil
	}
	change := c.replace
	if c.known {
		change = c.update
	}
	c.known = false
	defer func() { c.err = err }()
	if err := change(l, over); err != nil {
		return err
	}
	c.known, c.hash, c.buckets, c.version, c.over = true, l.hash, l.manifest.Buckets, l.manifest.Version, len(over.ids)
	return nil
}

// replace writes a new file. What stands there was good once, or was set aside;
// it goes only when the new one is complete.
func (c *copyFile) replace(l *list, over *tombstones) error {
	next := c.path + "-next"
	if err := durable.Remove(next); err != nil {
		return err
	}
	if err := durable.Create(next, func(tx *bolt.Tx) error {
		return errors.Join(put(tx, l, nil, over, -1), putAnchor(tx, c.journal))
	}); err != nil {
		return err
	}
	return durable.Rename(next, c.path)
}

func (c *copyFile) update(l *list, over *tombstones) error {
	db, err := durable.Open(c.path, nil)
	if err != nil {
		return err
	}
	err = durable.Guard("write "+c.path, func() error {
		return db.Update(func(tx *bolt.Tx) error { return put(tx, l, c.buckets, over, c.over) })
	})
	if errors.Is(err, durable.ErrDamaged) {
		return err // a faulted file may never be closed again
	}
	return errors.Join(err, db.Close())
}

// put writes what differs from the buckets that are there, and the grants that are
// over which are not (of -1: all), in one commit.
func put(tx *bolt.Tx, l *list, have []wire.Hash, over *tombstones, haveOver int) error {
	if err := putOver(tx, over, haveOver); err != nil {
		return err
	}
	head, err := tx.CreateBucketIfNotExists(listTable)
	if err != nil {
		return err
	}
	if len(have) != len(l.manifest.Buckets) {
		have = nil
		if err := tx.DeleteBucket(bucketTable); err != nil && tx.Bucket(bucketTable) != nil {
			return err
		}
	}
	table, err := tx.CreateBucketIfNotExists(bucketTable)
	if err != nil {
		return err
	}
	for i, hash := range l.manifest.Buckets {
		if have != nil && have[i] == hash {
			continue
		}
		b, err := l.bucket(i)
		if err != nil {
			return err
		}
		if err := table.Put(slot(i), b); err != nil {
			return err
		}
	}
	if err := head.Put(anchorSlot, over.anchor()); err != nil {
		return err
	}
	if err := head.Put(secondSlot, l.second); err != nil {
		return err
	}
	return head.Put(manifestSlot, l.envelope)
}

func putOver(tx *bolt.Tx, over *tombstones, have int) error {
	if have < 0 {
		have = 0
		if err := tx.DeleteBucket(overTable); err != nil && tx.Bucket(overTable) != nil {
			return err
		}
	}
	table, err := tx.CreateBucketIfNotExists(overTable)
	if err != nil {
		return err
	}
	table.FillPercent = 1 // only ever appended to
	for i := have; i < len(over.ids); i++ {
		if err := table.Put(binary.BigEndian.AppendUint64(nil, uint64(i)), over.ids[i][:]); err != nil {
			return err
		}
	}
	return nil
}
