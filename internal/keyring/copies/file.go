package copies

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// file is one of the two files. It is open only while it is read or written, so that a dying SD
// card can damage less.
type file struct {
	path    string
	known   bool        // hash and buckets are what the file holds
	hash    wire.Hash   // of its manifest
	buckets []wire.Hash // of its buckets, by their bytes
	version uint64
	over    int    // how many of the grants that are over it holds, from the first on; -1: unknown
	err     error  // of the last access
	journal []byte // the journal's anchor; nil: unknown
}

func (c *file) name() string { return filepath.Base(c.path) }

// Content is what a file holds.
type Content struct {
	grantlist.List
	Second   []byte
	Over     []wire.ID // grants that are over
	Anchored bool      // with their number and hash: the file is not of an older version of the program
}

// The tables of a file, and the keys in the first. Buckets stand under their index, not their hash:
// a new bucket replaces the old in its place, which writes one page of the tree, not two.
var (
	listTable    = []byte("list")
	bucketTable  = []byte("buckets")
	overTable    = []byte("over")
	manifestSlot = []byte("manifest")
	secondSlot   = []byte("second")
	anchorSlot   = []byte("anchor") // number (8 bytes) and hash of the grants that are over
	journalTable = []byte("journal")
	journalSlot  = []byte("anchor") // where the journal is
)

func slot(i int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(i)) }

func (c *file) use(what string, o *bolt.Options, transact func(*bolt.DB) error) error {
	db, err := boltfile.Open(c.path, o)
	if err != nil {
		return err
	}
	err = durable.Guard(what+" "+c.path, func() error { return transact(db) })
	if errors.Is(err, durable.ErrDamaged) {
		c.known = false
		return err // a faulted file may never be closed again
	}
	return errors.Join(err, db.Close())
}

func (c *file) view(read func(*bolt.Tx) error) error {
	return c.use("read", &bolt.Options{ReadOnly: true}, func(db *bolt.DB) error { return db.View(read) })
}

func (c *file) update(change func(*bolt.Tx) error) error {
	return c.use("write", nil, func(db *bolt.DB) error { return db.Update(change) })
}

// read copies the content, so that nothing maps the file when it returns.
func (c *file) read() (content Content, err error) {
	err = c.view(func(tx *bolt.Tx) error {
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
	if errors.Is(err, wire.ErrMalformed) {
		err = fmt.Errorf("read %s: %w: %w", c.path, durable.ErrDamaged, err)
	}
	c.err = err
	return content, err
}

// readOver reads the grants that are over, and checks them against their anchor.
func (s *Content) readOver(tx *bolt.Tx, anchor []byte) error {
	s.Anchored = anchor != nil
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
	over := merge.Tombstones{IDs: s.Over}
	if s.Anchored && !bytes.Equal(anchor, anchorOf(&over)) || !s.Anchored && len(s.Over) > 0 {
		return fmt.Errorf("%w: the grants that are over are not those that were written", wire.ErrMalformed)
	}
	return nil
}

// anchorOf returns the number and the hash of the grants that are over.
func anchorOf(over *merge.Tombstones) []byte {
	hash := over.Hash()
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(over.IDs))), hash[:]...)
}

// note stores which buckets the file was found to hold.
func (c *file) note(content Content) {
	c.known, c.hash, c.version, c.over = true, wire.Hash{}, 0, -1
	c.buckets = signedlist.BucketHashes(content.Buckets)
}

// holds reports whether the file is known to hold l and the grants that are over.
func (c *file) holds(l *signedlist.List, over *merge.Tombstones) bool {
	return c.known && c.hash == l.Hash && c.over == len(over.IDs)
}

// write makes the file hold l and the grants that are over: the differences where its buckets are
// known, else the whole. After an error its content is unknown: a failed commit may still have
// happened.
func (c *file) write(l *signedlist.List, over *merge.Tombstones) (err error) {
	if c.holds(l, over) {
		return nil
	}
	defer func() { c.err = err }()
	if c.known {
		c.known = false
		err = c.update(func(tx *bolt.Tx) error { return put(tx, l, c.buckets, over, c.over) })
	} else {
		err = c.replace(l, over)
	}
	if err != nil {
		return err
	}
	c.known, c.hash, c.buckets, c.version, c.over = true, l.Hash, l.Manifest.Buckets, l.Manifest.Version, len(over.IDs)
	return nil
}

// replace writes a new file. The old one was good once, or was put aside; it goes only when the new
// one is complete.
func (c *file) replace(l *signedlist.List, over *merge.Tombstones) error {
	next := c.path + "-next"
	if err := durable.Remove(next); err != nil {
		return err
	}
	if err := boltfile.Create(next, func(tx *bolt.Tx) error {
		return errors.Join(put(tx, l, nil, over, -1), putAnchor(tx, c.journal))
	}); err != nil {
		return err
	}
	return durable.Rename(next, c.path)
}

// put writes, in one commit, the buckets that differ and the grants that are over which the file
// lacks (with -1: all).
func put(tx *bolt.Tx, l *signedlist.List, have []wire.Hash, over *merge.Tombstones, haveOver int) error {
	if err := putOver(tx, over, haveOver); err != nil {
		return err
	}
	head, err := tx.CreateBucketIfNotExists(listTable)
	if err != nil {
		return err
	}
	table, err := emptied(tx, bucketTable, len(have) != len(l.Manifest.Buckets))
	if err != nil {
		return err
	}
	for i, hash := range l.Manifest.Buckets {
		if len(have) == len(l.Manifest.Buckets) && have[i] == hash {
			continue
		}
		b, err := l.Bucket(i)
		if err != nil {
			return err
		}
		if err := table.Put(slot(i), b); err != nil {
			return err
		}
	}
	return errors.Join(head.Put(anchorSlot, anchorOf(over)), head.Put(secondSlot, l.Second), head.Put(manifestSlot, l.Envelope))
}

func putOver(tx *bolt.Tx, over *merge.Tombstones, have int) error {
	table, err := emptied(tx, overTable, have < 0)
	if err != nil {
		return err
	}
	table.FillPercent = 1 // keys only grow
	for i := max(have, 0); i < len(over.IDs); i++ {
		if err := table.Put(binary.BigEndian.AppendUint64(nil, uint64(i)), over.IDs[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// emptied returns a table, making it if needed; anew empties it.
func emptied(tx *bolt.Tx, name []byte, anew bool) (*bolt.Bucket, error) {
	if anew && tx.Bucket(name) != nil {
		if err := tx.DeleteBucket(name); err != nil {
			return nil, err
		}
	}
	return tx.CreateBucketIfNotExists(name)
}

// putAnchor stores the journal's anchor; nil: nothing.
func putAnchor(tx *bolt.Tx, anchor []byte) error {
	if len(anchor) == 0 {
		return nil
	}
	table, err := tx.CreateBucketIfNotExists(journalTable)
	if err != nil {
		return err
	}
	return table.Put(journalSlot, anchor)
}

// readAnchor returns the stored anchor.
func (c *file) readAnchor() (anchor []byte, err error) {
	err = c.view(func(tx *bolt.Tx) error {
		if table := tx.Bucket(journalTable); table != nil {
			anchor = append(anchor, table.Get(journalSlot)...)
		}
		return nil
	})
	return anchor, err
}
