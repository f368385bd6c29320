package copies

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/durable/frames"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring/merge"
	"gatehouse/internal/keyring/signedlist"
	"gatehouse/sync/wire"
)

// file is one of the two copies: a database, and the changes ahead of it. It is open only while it is
// read or written, so that a dying SD card can damage less.
type file struct {
	path    string
	known   bool        // hash and buckets are what the copy holds
	hash    wire.Hash   // of its manifest
	buckets []wire.Hash // of its buckets, by their bytes
	version uint64
	over    int         // how many of the grants that are over it holds, from the first on; -1: unknown
	log     *frames.Log // of the changes that the database lacks; nil: there are none
	direct  bool        // there can be none, in this run: a file for them can't be made
	used    bool        // the database says that there are some
	lost    bool        // there may be some, and they can't be read
	gone    bool        // their file was not there
	base    []wire.Hash // of the buckets in the database
	under   int         // over, of the database
	err     error       // of the last access
	journal []byte      // the journal's anchor; nil: unknown
}

func (c *file) name() string { return filepath.Base(c.path) }

// Content is what a file holds.
type Content struct {
	grantlist.List
	Second   []byte
	Over     []wire.ID // grants that are over
	Anchored bool      // with their number and hash: the file is not of an older version of the program
	Marks    []byte    // of the keyring; empty: an older version has written them elsewhere
	Lost     bool      // there are later changes that can't be read

	anchor []byte         // number and hash of the grants that are over
	lap    frames.Lap     // of the changes ahead of the database; zeros: none
	used   bool           // there were some
	log    *frames.Log    // of these; nil: they are not known
	under  int            // of the grants that are over, those in the database
	was    map[int][]byte // buckets of the database that these changes replace
	from   state          // what the last of these changes began from; zeros: there is none
}

// The tables of a file, and the keys in the first. Buckets stand under their index, not their hash:
// a new bucket replaces the old in its place, which writes one page of the tree, not two.
var (
	listTable    = []byte("list")
	bucketTable  = []byte("buckets")
	overTable    = []byte("over")
	manifestSlot = []byte("manifest")
	secondSlot   = []byte("second")
	marksSlot    = []byte("marks")
	lapSlot      = []byte("ahead")      // lap of the changes ahead of this database
	usedSlot     = []byte("used")       // there, once there are some: they can't be missing then
	behindSlot   = []byte("manifest 2") // manifest, while there may be such changes
	anchorSlot   = []byte("anchor")     // number (8 bytes) and hash of the grants that are over
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

// read copies the content of the database, so that nothing maps it when it returns.
func (c *file) read() (content Content, err error) {
	err = c.view(func(tx *bolt.Tx) error {
		head, table := tx.Bucket(listTable), tx.Bucket(bucketTable)
		if head == nil || table == nil {
			return fmt.Errorf("%w: tables are missing", wire.ErrMalformed)
		}
		content.Manifest = append([]byte(nil), head.Get(manifestSlot)...)
		if marker, err := aheadMarker(); err != nil {
			return err
		} else if bytes.Equal(content.Manifest, marker) {
			content.Manifest = append([]byte(nil), head.Get(behindSlot)...)
		}
		content.Second = append([]byte(nil), head.Get(secondSlot)...)
		content.Marks = append([]byte(nil), head.Get(marksSlot)...)
		copy(content.lap[:], head.Get(lapSlot))
		content.used = head.Get(usedSlot) != nil
		content.anchor = bytes.Clone(head.Get(anchorSlot))
		if err := content.readOver(tx); err != nil {
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
func (s *Content) readOver(tx *bolt.Tx) error {
	s.Anchored = s.anchor != nil
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
	s.under = len(s.Over)
	return s.checkOver()
}

// checkOver checks the grants that are over against their anchor.
func (s *Content) checkOver() error {
	over := merge.Tombstones{IDs: s.Over}
	if s.Anchored && !bytes.Equal(s.anchor, anchorOf(&over)) || !s.Anchored && len(s.Over) > 0 {
		return fmt.Errorf("%w: the grants that are over are not those that were written", wire.ErrMalformed)
	}
	return nil
}

// anchorOf returns the number and the hash of the grants that are over.
func anchorOf(over *merge.Tombstones) []byte {
	hash := over.Hash()
	return append(binary.BigEndian.AppendUint64(nil, uint64(len(over.IDs))), hash[:]...)
}

// note stores which buckets the copy was found to hold.
func (c *file) note(content Content) {
	c.known, c.hash, c.version, c.over = true, wire.Hash{}, 0, -1
	c.buckets = signedlist.BucketHashes(content.Buckets)
	c.log, c.used, c.base, c.under = content.log, content.used, slices.Clone(c.buckets), content.under
	for i, was := range content.was {
		c.base[i] = sha256.Sum256(was)
	}
}

// holds reports whether the file is known to hold l and the grants that are over.
func (c *file) holds(l *signedlist.List, over *merge.Tombstones) bool {
	return c.known && !c.lost && c.hash == l.Hash && c.over == len(over.IDs)
}

// write makes the copy hold s: by a frame of what differs where there can be one, else in the database. After
// an error its content is unknown: a failed write may still have happened.
func (c *file) write(s *Stored) error {
	if c.holds(s.List, s.Over) {
		return nil
	}
	if frame := c.frame(s); frame != nil {
		return c.did(s, func() error { return c.log.Append(frame) })
	}
	if c.known {
		return c.fold(s)
	}
	return c.did(s, func() error { return c.replace(s) })
}

// did notes that the copy holds s if the write succeeds.
func (c *file) did(s *Stored, write func() error) error {
	c.known = false
	if c.err = write(); c.err != nil {
		return c.err
	}
	c.known, c.hash, c.buckets, c.version, c.over = true, s.List.Hash, s.List.Manifest.Buckets, s.List.Manifest.Version, len(s.Over.IDs)
	return nil
}

// fold writes what differs into the database, and begins a new lap of frames.
func (c *file) fold(s *Stored) error {
	log, lap := c.begin()
	return c.foldWith(s, log, lap)
}

// seal writes what differs into the database, and leaves nothing ahead of it.
func (c *file) seal(s *Stored) error { return c.foldWith(s, nil, frames.Lap{}) }

func (c *file) foldWith(s *Stored, log *frames.Log, lap frames.Lap) error {
	return c.did(s, func() error {
		under := c.under
		if c.over < 0 {
			under = -1
		}
		if err := c.update(func(tx *bolt.Tx) error { return put(tx, s, c.base, under, lap) }); err != nil {
			return err
		}
		c.begun(s, log)
		return nil
	})
}

// say writes into the database that something is ahead of it. From then on that can't be lost unnoticed.
func (c *file) say(s *Stored) error {
	return c.did(s, func() error {
		err := c.update(func(tx *bolt.Tx) error { return tx.Bucket(listTable).Put(usedSlot, []byte{1}) })
		c.used = err == nil
		return err
	})
}

// begun notes what the database holds, and that nothing is ahead of it.
func (c *file) begun(s *Stored, log *frames.Log) {
	c.log, c.used, c.lost, c.base, c.under = log, false, false, s.List.Manifest.Buckets, len(s.Over.IDs)
}

// replace writes a new database. The old one was good once, or was put aside; it goes only when the new
// one is complete.
func (c *file) replace(s *Stored) error {
	next := c.path + "-next"
	if err := durable.Remove(next); err != nil {
		return err
	}
	log, lap := c.begin()
	if err := boltfile.Create(next, func(tx *bolt.Tx) error {
		return errors.Join(put(tx, s, nil, -1, lap), putAnchor(tx, c.journal))
	}); err != nil {
		return err
	}
	c.begun(s, log)
	return durable.Rename(next, c.path)
}

// put writes, in one commit, what differs from a database with some buckets and the first grants that are over
// (-1: all), and the lap of the changes that will come ahead of it.
func put(tx *bolt.Tx, s *Stored, have []wire.Hash, over int, lap frames.Lap) error {
	all, err := s.changes(have, max(over, 0))
	if err != nil {
		return err
	}
	for i, anew := range [...]bool{inList: false, inBuckets: len(have) != len(s.List.Manifest.Buckets), inOver: over < 0} {
		table, err := emptied(tx, tables[i], anew)
		if err != nil {
			return err
		}
		if byte(i) == inOver {
			table.FillPercent = 1 // keys only grow
		}
		for _, c := range all {
			if c.table != byte(i) {
				continue
			}
			if err := table.Put(c.key, c.value); err != nil {
				return err
			}
		}
	}
	return mark(tx.Bucket(listTable), s, lap)
}

// mark names the lap of the changes that will come ahead of a database. Where there is one, the manifest stands in
// another slot, and in its own a marker.
func mark(head *bolt.Bucket, s *Stored, lap frames.Lap) error {
	if err := errors.Join(head.Put(lapSlot, lap[:]), head.Delete(usedSlot)); err != nil || lap == (frames.Lap{}) {
		return errors.Join(err, head.Delete(behindSlot))
	}
	marker, err := aheadMarker()
	if err != nil {
		return err
	}
	return errors.Join(head.Put(behindSlot, s.List.Envelope), head.Put(manifestSlot, marker))
}

// aheadMarker is a list that nobody has signed whom any gateway knows. A program from before the changes ahead of
// a database takes it for one of another house: it lets no card in by what may be an old list, and leaves the file
// as it is.
func aheadMarker() ([]byte, error) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	return wire.Sign(wire.Protected{Type: wire.TypeGrantList, Role: wire.RoleIssuer, Address: "ahead"}, []byte("see the file ahead of this one"), key)
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
