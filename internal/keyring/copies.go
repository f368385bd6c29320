package keyring

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gatehouse/internal/durable"
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
	err     error // of the last use
}

// The tables of a file, and the key of the envelope in the first. Buckets stand
// under their index and not their hash: a new one replaces the old in its place,
// and one page of the tree is written, not two.
var (
	listTable    = []byte("list")
	bucketTable  = []byte("buckets")
	manifestSlot = []byte("manifest")
)

func slot(i int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(i)) }

// read copies the content out, so that nothing maps the file when it returns.
func (c *copyFile) read() (content List, err error) {
	defer func() { c.err = err }()
	db, err := durable.Open(c.path, &bolt.Options{ReadOnly: true})
	if err != nil {
		return List{}, err
	}
	err = durable.Guard("read "+c.path, func() error {
		return db.View(func(tx *bolt.Tx) error {
			head, table := tx.Bucket(listTable), tx.Bucket(bucketTable)
			if head == nil || table == nil {
				return fmt.Errorf("%w: tables are missing", wire.ErrMalformed)
			}
			content.Manifest = append([]byte(nil), head.Get(manifestSlot)...)
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
		return List{}, err // a faulted file may never be closed again
	}
	if closing := db.Close(); err == nil {
		err = closing
	}
	if errors.Is(err, wire.ErrMalformed) {
		err = fmt.Errorf("read %s: %w: %w", c.path, durable.ErrDamaged, err)
	}
	return content, err
}

// note remembers what buckets the file was found to hold.
func (c *copyFile) note(content List) {
	c.buckets = make([]wire.Hash, len(content.Buckets))
	_ = inParallel(len(content.Buckets), func(i int) error { // hashing fails on nothing
		c.buckets[i] = sha256.Sum256(content.Buckets[i])
		return nil
	})
	c.known, c.hash, c.version = true, wire.Hash{}, 0
}

// write makes the file hold l: what differs where its buckets are known, else
// the whole of it. After an error its content is unknown: a commit that failed
// may still have happened.
func (c *copyFile) write(l *list) (err error) {
	if c.known && c.hash == l.hash {
		return nil
	}
	change := c.replace
	if c.known {
		change = c.update
	}
	c.known = false
	defer func() { c.err = err }()
	if err := change(l); err != nil {
		return err
	}
	c.known, c.hash, c.buckets, c.version = true, l.hash, l.manifest.Buckets, l.manifest.Version
	return nil
}

// replace writes a new file. What stands there was good once, or was set aside;
// it goes only when the new one is complete.
func (c *copyFile) replace(l *list) error {
	next := c.path + "-next"
	if err := removeFile(next); err != nil {
		return err
	}
	if err := durable.Create(next, func(tx *bolt.Tx) error { return put(tx, l, nil) }); err != nil {
		return err
	}
	return durable.Rename(next, c.path)
}

func (c *copyFile) update(l *list) error {
	db, err := durable.Open(c.path, nil)
	if err != nil {
		return err
	}
	err = durable.Guard("write "+c.path, func() error {
		return db.Update(func(tx *bolt.Tx) error { return put(tx, l, c.buckets) })
	})
	if errors.Is(err, durable.ErrDamaged) {
		return err // a faulted file may never be closed again
	}
	return errors.Join(err, db.Close())
}

// put writes what differs from the buckets that are there.
func put(tx *bolt.Tx, l *list, have []wire.Hash) error {
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
	return head.Put(manifestSlot, l.envelope)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
