package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// Buckets of an entry file. The head is rewritten with each commit; being
// small it stands inside the root page, which bbolt writes anyway.
var (
	bucketFile    = []byte("file")    // what was known when the file was made
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
	dbOptionsMmap = 16 << 20 // bytes mapped at once: no remap, so no reader can hold up a commit
	headSize      = 8 + tlog.HashSize
)

// segment is the content of the fixed buckets of an entry file.
type segment struct {
	epoch  uint64
	made   int64
	packed bool
	start  tree.Range // tree before the first entry; its size is the first sequence
	size   uint64     // first sequence after the last entry
	root   tlog.Hash
}

// createSegment makes a file that begins with the given stored entries.
func createSegment(path string, s segment, first [][]byte) error {
	return durable.Create(path, func(tx *bolt.Tx) error {
		end := s.start
		for _, stored := range first {
			e, err := wire.DecodeStored(stored)
			if err != nil {
				return err
			}
			end = end.Add(tlog.RecordHash(e.Leaf()))
		}
		if err := s.put(tx, end); err != nil {
			return err
		}
		return putEntries(tx, s.start.Size(), first)
	})
}

// put writes the fixed buckets into a new file that ends with a tree.
func (s segment) put(tx *bolt.Tx, end tree.Range) error {
	b, err := tx.CreateBucket(bucketFile)
	if err != nil {
		return err
	}
	pairs := [][2][]byte{
		{keyFormat, formatName}, {keyEpoch, key(s.epoch)}, {keyFrontier, s.start.Encode()},
		{keyMade, key(uint64(s.made))}, {keySum, s.sum()},
	}
	if s.packed {
		pairs = append(pairs, [2][]byte{keyPacked, {1}})
	}
	for _, p := range pairs {
		if err := b.Put(p[0], p[1]); err != nil {
			return err
		}
	}
	if _, err := tx.CreateBucket(bucketHead); err != nil {
		return err
	}
	if _, err := tx.CreateBucket(bucketEntries); err != nil {
		return err
	}
	return putHead(tx, end)
}

// sum covers what no hash of the tree covers.
func (s segment) sum() []byte {
	h := sha256.New()
	h.Write(formatName)
	h.Write(key(s.epoch))
	h.Write(s.start.Encode())
	h.Write(key(uint64(s.made)))
	if s.packed {
		h.Write([]byte{1})
	}
	return h.Sum(nil)
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

// readSegment reads the fixed buckets and refuses what can't be right.
func readSegment(tx *bolt.Tx) (s segment, err error) {
	bad := func(what string) (segment, error) {
		return segment{}, fmt.Errorf("%w: %s", durable.ErrDamaged, what)
	}
	b, head := tx.Bucket(bucketFile), tx.Bucket(bucketHead)
	if b == nil || head == nil || tx.Bucket(bucketEntries) == nil {
		return bad("a bucket is missing")
	}
	if !bytes.Equal(b.Get(keyFormat), formatName) {
		return bad("unknown format")
	}
	epoch, made, end := b.Get(keyEpoch), b.Get(keyMade), head.Get(keyTree)
	if len(epoch) != 8 || len(made) != 8 || len(end) != headSize {
		return bad("a field has the wrong length")
	}
	if s.start, err = tree.Decode(b.Get(keyFrontier)); err != nil {
		return bad(err.Error())
	}
	s.epoch, s.made = binary.BigEndian.Uint64(epoch), int64(binary.BigEndian.Uint64(made))
	s.packed = b.Get(keyPacked) != nil
	s.size, s.root = binary.BigEndian.Uint64(end), tlog.Hash(end[8:])
	if s.epoch == 0 || s.size < s.start.Size() || !bytes.Equal(b.Get(keySum), s.sum()) {
		return bad("epoch, size or sum")
	}
	return s, nil
}

// checkName refuses a file that stands under another's name; names that are
// not a journal's (a copy, a file set aside) say nothing.
func (s segment) checkName(path string) error {
	epoch, first, ok := parseName(filepath.Base(path))
	if ok && (epoch != s.epoch || first != s.start.Size()) {
		return fmt.Errorf("%w: it belongs to another name", durable.ErrDamaged)
	}
	return nil
}

// eachEntry calls f with the stored entries of [from, to), at most n, and
// refuses a gap. The bytes are valid until the transaction ends.
func eachEntry(tx *bolt.Tx, from, to uint64, n int, f func(seq uint64, stored []byte) error) error {
	c := tx.Bucket(bucketEntries).Cursor()
	k, v := c.Seek(key(from))
	for seq := from; seq < to && n > 0; seq, n = seq+1, n-1 {
		if k == nil && to == noEnd {
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

// openSegment opens an entry file for writing or only for reading.
func openSegment(path string, readOnly bool) (*bolt.DB, error) {
	return durable.Open(path, &bolt.Options{ReadOnly: readOnly, InitialMmapSize: dbOptionsMmap, NoStatistics: true})
}

// view runs f on the file in a read transaction of its own.
func view(path string, f func(*bolt.Tx) error) error {
	db, err := openSegment(path, true)
	if err != nil {
		return err
	}
	err = guardedView(path, db, f)
	closeUnlessFaulted(db, err)
	return err
}

func guardedView(path string, db *bolt.DB, f func(*bolt.Tx) error) error {
	return durable.Guard("read "+path, func() error { return db.View(f) })
}

// bothMetas says whether both meta pages of a bbolt file are valid. With one
// alone, bbolt goes back to the commit before the last without a word. The meta
// stands 16 bytes into its page: 56 bytes, then their FNV-1a, little-endian.
func bothMetas(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	const header, body, pageSizeAt = 16, 56, 8
	page := int64(os.Getpagesize())
	for i := range int64(2) {
		var meta [body + 8]byte
		if _, err := f.ReadAt(meta[:], i*page+header); err != nil {
			return false, err
		}
		h := fnv.New64a()
		h.Write(meta[:body])
		if h.Sum64() != binary.LittleEndian.Uint64(meta[body:]) {
			return false, nil
		}
		page = int64(binary.LittleEndian.Uint32(meta[pageSizeAt:]))
	}
	return true, nil
}

// rewrite writes a closed file anew without slack, and if erase says so without
// who parts, and puts it in place after check found it good. The tree must come
// out the same. Entries that do not count any more, since they stand again in a
// later epoch, are kept.
func rewrite(f file, erase bool, check func(path string) error) error {
	temp := f.path + packSuffix
	if err := os.Remove(temp); err != nil && !os.IsNotExist(err) {
		return err
	}
	err := view(f.path, func(old *bolt.Tx) error {
		s, err := readSegment(old)
		if err != nil {
			return err
		}
		if s.size < f.end && f.end != noEnd {
			return fmt.Errorf("%w: it ends at %d, not at %d", durable.ErrDamaged, s.size, f.end)
		}
		s.packed = true
		return durable.Create(temp, func(tx *bolt.Tx) error { return copySegment(tx, old, s, erase) })
	})
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", f.path, err)
	}
	if err := check(temp); err != nil {
		os.Remove(temp)
		return fmt.Errorf("rewrite %s: check the copy: %w", f.path, err)
	}
	return durable.Rename(temp, f.path)
}

func copySegment(tx, old *bolt.Tx, s segment, erase bool) error {
	if err := s.put(tx, s.start); err != nil {
		return err
	}
	var leaves []tlog.Hash
	b := tx.Bucket(bucketEntries)
	b.FillPercent = 1
	err := eachEntry(old, s.start.Size(), s.size, int(s.size-s.start.Size()), func(seq uint64, stored []byte) error {
		e, err := wire.SplitStored(stored) // the root proves the rest
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
		}
		leaves = append(leaves, tree.LeafHash(e.Header, e.WhoHash[:]))
		if erase {
			stored = e.Erase().Encode()
		}
		return b.Put(key(seq), stored)
	})
	if err != nil {
		return err
	}
	end := s.start.AddAll(leaves)
	if end.Root() != s.root {
		return fmt.Errorf("%w: entries do not hash to the root", durable.ErrDamaged)
	}
	return putHead(tx, end)
}
