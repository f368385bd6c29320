// Package segment is one entry file of the journal: a bbolt file that holds
// entries of one epoch in the order of their sequence numbers, each a leaf of the
// epoch's tree. It also has tree.db, which keeps the leaf hashes of all epochs,
// and the check of both. docs/journal.md has the bytes.
//
// A Writer appends to the newest file; View reads any other; Rewrite makes one anew
// without slack or without who parts, and the tree over it stays the same. The
// package refuses a gap in the sequence numbers, entries that don't hash to the
// root in their file, and to repair what is damaged: that is durable.ErrDamaged.
package segment

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/journaled"
)

// NoEnd is the end of a file all of whose entries count.
const NoEnd = math.MaxUint64

// Buckets of an entry file. The head is rewritten with each commit; being
// small it stands inside the root page, which bbolt writes anyway.
var (
	bucketFile    = []byte("file")    // set when the file was made
	bucketHead    = []byte("head")    // size and root of the tree after the last entry
	bucketEntries = []byte("entries") // sequence, 8 bytes big-endian -> stored entry

	keyFormat   = []byte("format")
	keyEpoch    = []byte("epoch")
	keyFrontier = []byte("frontier") // of the tree before the first entry
	keyMade     = []byte("made")     // ms since 1970, 0 while the clock was not trusted
	keyPacked   = []byte("packed")   // there if the file was rewritten without slack
	keySum      = []byte("sum")      // SHA-256 of the values above
	keyTree     = []byte("tree")     // in head: size, 8 bytes big-endian, root

	formatName = []byte("gatehouse journal 1")
)

const (
	mmapSize = 16 << 20 // bytes mapped at once: no remap, so no reader can hold up a commit
	headSize = 8 + tlog.HashSize
)

// Segment is the content of the fixed buckets of an entry file.
type Segment struct {
	Epoch  uint64
	Made   int64      // ms since 1970, 0 while the clock was not trusted
	Packed bool       // the file was rewritten without slack
	Start  tree.Range // the tree before the first entry; its size is the first sequence
	Size   uint64     // the first sequence after the last entry
	Root   tlog.Hash  // of the tree of Size entries
}

// Name returns the name of the entry file of an epoch whose first entry has the
// sequence number first.
func Name(epoch, first uint64) string { return fmt.Sprintf("%016x-%020d.db", epoch, first) }

// ParseName reads the name of an entry file; ok only for exactly what Name makes.
func ParseName(name string) (epoch, first uint64, ok bool) {
	if len(name) != 16+1+20+3 {
		return 0, 0, false
	}
	epoch, err := strconv.ParseUint(name[:16], 16, 64)
	if err != nil {
		return 0, 0, false
	}
	first, err = strconv.ParseUint(name[17:37], 10, 64)
	return epoch, first, err == nil && name == Name(epoch, first)
}

// Create makes the file at path, which begins with the given stored entries: after
// a crash there is the whole file or none.
func Create(path string, s Segment, first [][]byte) error {
	return boltfile.Create(path, func(tx *bolt.Tx) error {
		end := s.Start
		for _, stored := range first {
			e, err := journaled.Decode(stored)
			if err != nil {
				return err
			}
			end = end.Add(tlog.RecordHash(e.Leaf()))
		}
		if err := s.put(tx, end); err != nil {
			return err
		}
		return putEntries(tx, s.Start.Size(), first)
	})
}

// fields returns the stored data about a file. The checksum covers their values, which no hash of
// the tree does.
func (s Segment) fields() [][2][]byte {
	list := [][2][]byte{
		{keyFormat, formatName}, {keyEpoch, key(s.Epoch)}, {keyFrontier, s.Start.Encode()}, {keyMade, key(uint64(s.Made))},
	}
	if s.Packed {
		list = append(list, [2][]byte{keyPacked, {1}})
	}
	return list
}

func (s Segment) sum() []byte {
	h := sha256.New()
	for _, field := range s.fields() {
		h.Write(field[1])
	}
	return h.Sum(nil)
}

// put writes the fixed buckets into a new file; end is its last tree.
func (s Segment) put(tx *bolt.Tx, end tree.Range) error {
	for _, name := range [][]byte{bucketFile, bucketHead, bucketEntries} {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	for _, field := range append(s.fields(), [2][]byte{keySum, s.sum()}) {
		if err := tx.Bucket(bucketFile).Put(field[0], field[1]); err != nil {
			return err
		}
	}
	return putHead(tx, end)
}

func putHead(tx *bolt.Tx, end tree.Range) error {
	root := end.Root()
	return tx.Bucket(bucketHead).Put(keyTree, append(key(end.Size()), root[:]...))
}

func putEntries(tx *bolt.Tx, seq uint64, stored [][]byte) error {
	b := tx.Bucket(bucketEntries)
	b.FillPercent = 1 // keys only grow
	for i, v := range stored {
		if err := b.Put(key(seq+uint64(i)), v); err != nil {
			return err
		}
	}
	return nil
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// checkName refuses a file that stands under another's name; other names (a copy, a file set aside)
// are not checked.
func (s Segment) checkName(path string) error {
	epoch, first, ok := ParseName(filepath.Base(path))
	if ok && (epoch != s.Epoch || first != s.Start.Size()) {
		return fmt.Errorf("%w: it belongs to another name", durable.ErrDamaged)
	}
	return nil
}

// Tx is an entry file at one moment, within a View.
type Tx struct{ tx *bolt.Tx }

// Segment reads the fixed buckets and refuses impossible values.
func (t Tx) Segment() (s Segment, err error) {
	bad := func(what string) (Segment, error) {
		return Segment{}, fmt.Errorf("%w: %s", durable.ErrDamaged, what)
	}
	b, head := t.tx.Bucket(bucketFile), t.tx.Bucket(bucketHead)
	if b == nil || head == nil || t.tx.Bucket(bucketEntries) == nil {
		return bad("a bucket is missing")
	}
	if !bytes.Equal(b.Get(keyFormat), formatName) {
		return bad("unknown format")
	}
	epoch, made, end := b.Get(keyEpoch), b.Get(keyMade), head.Get(keyTree)
	if len(epoch) != 8 || len(made) != 8 || len(end) != headSize {
		return bad("a field has the wrong length")
	}
	if s.Start, err = tree.Decode(b.Get(keyFrontier)); err != nil {
		return bad(err.Error())
	}
	s.Epoch, s.Made = binary.BigEndian.Uint64(epoch), int64(binary.BigEndian.Uint64(made))
	s.Packed = b.Get(keyPacked) != nil
	s.Size, s.Root = binary.BigEndian.Uint64(end), tlog.Hash(end[8:])
	if s.Epoch == 0 || s.Size < s.Start.Size() || !bytes.Equal(b.Get(keySum), s.sum()) {
		return bad("epoch, size or sum")
	}
	return s, nil
}

// Each calls f with the stored entries of [from, to), at most n, and refuses a gap. The bytes are
// valid until the View ends.
func (t Tx) Each(from, to uint64, n int, f func(seq uint64, stored []byte) error) error {
	c := t.tx.Bucket(bucketEntries).Cursor()
	k, v := c.Seek(key(from))
	for seq := from; seq < to && n > 0; seq, n = seq+1, n-1 {
		if k == nil && to == NoEnd {
			return nil
		}
		if len(k) != 8 || binary.BigEndian.Uint64(k) != seq {
			return fmt.Errorf("%w: entry %d is missing", durable.ErrDamaged, seq)
		}
		if err := f(seq, v); err != nil {
			return err
		}
		k, v = c.Next()
	}
	return nil
}

// split calls f with the entries of [from, to), stored and decoded, and the hash of each one's
// leaf; the root proves the rest. It refuses a gap.
func (t Tx) split(from, to uint64, f func(seq uint64, stored []byte, e journaled.Stored, leaf tlog.Hash) error) error {
	return t.Each(from, to, int(to-from), func(seq uint64, stored []byte) error {
		e, err := journaled.Split(stored)
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
		}
		return f(seq, stored, e, tree.LeafHash(e.Header, e.WhoHash[:]))
	})
}

// Tree returns the tree over the entries before to. It grows from start, which is of
// the same epoch and holds at least all entries before the file's first.
func (t Tx) Tree(start tree.Range, to uint64) (tree.Range, error) {
	var leaves []tlog.Hash
	err := t.split(start.Size(), to, func(_ uint64, _ []byte, _ journaled.Stored, leaf tlog.Hash) error {
		leaves = append(leaves, leaf)
		return nil
	})
	return start.AddAll(leaves), err
}

// FirstTrusted returns the time of the first entry whose clock was good, ms; 0: none among the
// first. A file that was made before the clock was set has no other time.
func (t Tx) FirstTrusted(s Segment) (wall int64) {
	const look = 2000
	_ = t.Each(s.Start.Size(), s.Size, look, func(_ uint64, stored []byte) error {
		e, err := journaled.Decode(stored)
		if err != nil {
			return err
		}
		h, err := wire.DecodeHeader(e.Header)
		if err == nil && h.Clock >= wire.ClockNTP {
			wall, err = h.Wall, io.EOF // the rest is not read
		}
		return err
	})
	return wall
}

var errOtherRoot = fmt.Errorf("%w: entries do not hash to the root", durable.ErrDamaged)

// View runs read on the file at path, in a read transaction of its own. A damaged
// file, and a fault while it is read, wrap durable.ErrDamaged.
func View(path string, read func(Tx) error) error {
	db, err := open(path, true)
	if err != nil {
		return err
	}
	err = view(path, db, read)
	closeUnlessFaulted(db, err)
	return err
}

// Read returns the fixed buckets of the file at path.
func Read(path string) (s Segment, err error) {
	err = View(path, func(t Tx) error {
		s, err = t.Segment()
		return err
	})
	return s, err
}

// InUse reports whether another process writes to the file at path, after two seconds. It reads none of its pages.
func InUse(path string) bool {
	db, err := open(path, true)
	if err == nil {
		db.Close()
	}
	return errors.Is(err, berrors.ErrTimeout)
}

// open opens an entry file or tree.db, for writing or only for reading.
func open(path string, readOnly bool) (*bolt.DB, error) {
	return boltfile.Open(path, &bolt.Options{ReadOnly: readOnly, InitialMmapSize: mmapSize, NoStatistics: true})
}

func view(path string, db *bolt.DB, read func(Tx) error) error {
	return durable.Guard("read "+path, func() error { return db.View(func(tx *bolt.Tx) error { return read(Tx{tx}) }) })
}

// closeUnlessFaulted closes db, but leaves one that faulted, because its locks may be held for
// ever.
func closeUnlessFaulted(db *bolt.DB, err error) {
	if !errors.Is(err, durable.ErrFault) {
		db.Close()
	}
}
