package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
	"gatehouse/sync/wire"
)

// tree.db holds the leaf hashes of all epochs, for good: also of entries that
// are gone. It is derived from the entries, written behind them, and opened
// only while it is used. Only full tiles are written.
//
//	tiles:     epoch, tile number (8 bytes each, big-endian) -> 256 leaf hashes, then the root of these 256
//	frontiers: epoch -> frontier at the end of the last tile, then SHA-256 of that
var (
	bucketTiles     = []byte("tiles")
	bucketFrontiers = []byte("frontiers")
)

const (
	tileLeaves = 256
	tileLevel  = 8 // 2^8 leaves
	tileSize   = (tileLeaves + 1) * tlog.HashSize
)

func tileKey(epoch, tile uint64) []byte { return append(key(epoch), key(tile)...) }

// makeTile returns the value of a tile and its root.
func makeTile(leaves []tlog.Hash) ([]byte, tlog.Hash) {
	b := make([]byte, 0, tileSize)
	for _, h := range leaves {
		b = append(b, h[:]...)
	}
	root := tree.Range{}.AddAll(leaves).Root()
	return append(b, root[:]...), root
}

// readTile returns the leaves and the root of a stored tile, or an error if
// they do not fit each other.
func readTile(b []byte) ([]tlog.Hash, tlog.Hash, error) {
	if len(b) != tileSize {
		return nil, tlog.Hash{}, fmt.Errorf("%w: tile of %d bytes", durable.ErrDamaged, len(b))
	}
	leaves := make([]tlog.Hash, tileLeaves)
	for i := range leaves {
		leaves[i] = tlog.Hash(b[i*tlog.HashSize:])
	}
	_, root := makeTile(leaves)
	if root != tlog.Hash(b[tileSize-tlog.HashSize:]) {
		return nil, tlog.Hash{}, fmt.Errorf("%w: tile does not hash to its root", durable.ErrDamaged)
	}
	return leaves, root, nil
}

// tiles is an open tree.db.
type tiles struct {
	path string
	db   *bolt.DB
}

// openTiles opens tree.db; for writing it makes it where it is missing, and
// anew where it is damaged, since it can be built again.
func openTiles(path string, readOnly bool) (*tiles, error) {
	db, err := openSegment(path, readOnly)
	if !readOnly && errors.Is(err, durable.ErrDamaged) {
		if _, err := durable.SetAside(path); err != nil {
			return nil, err
		}
		err = fs.ErrNotExist
	}
	if !readOnly && errors.Is(err, fs.ErrNotExist) {
		err = durable.Create(path, func(tx *bolt.Tx) error {
			_, err := tx.CreateBucket(bucketTiles)
			if err == nil {
				_, err = tx.CreateBucket(bucketFrontiers)
			}
			return err
		})
		if err == nil {
			db, err = openSegment(path, readOnly)
		}
	}
	if err != nil {
		return nil, err
	}
	return &tiles{path, db}, nil
}

// close ends the use; err is the last error of it.
func (t *tiles) close(err error) { closeUnlessFaulted(t.db, err) }

// closeUnlessFaulted closes db, but leaves one that faulted: its locks may be
// taken for ever.
func closeUnlessFaulted(db *bolt.DB, err error) {
	if !errors.Is(err, durable.ErrFault) {
		db.Close()
	}
}

// frontier returns the tree of an epoch up to its last tile; empty if there is none.
func (t *tiles) frontier(epoch uint64) (f tree.Range, err error) {
	err = guardedView(t.path, t.db, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketFrontiers)
		if b == nil {
			return fmt.Errorf("%w: a bucket is missing", durable.ErrDamaged)
		}
		v := b.Get(key(epoch))
		if v == nil {
			return nil
		}
		split := len(v) - sha256.Size
		if split < 0 || sha256.Sum256(v[:split]) != [32]byte(v[split:]) {
			return fmt.Errorf("%w: frontier of the tree", durable.ErrDamaged)
		}
		f, err = tree.Decode(v[:split])
		return err
	})
	return f, err
}

// add writes full tiles that follow f, and returns the frontier after them.
func (t *tiles) add(epoch uint64, f tree.Range, leaves []tlog.Hash) (tree.Range, error) {
	err := durable.Guard("write "+t.path, func() error {
		return t.db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketTiles)
			b.FillPercent = 1
			for ; len(leaves) >= tileLeaves; leaves = leaves[tileLeaves:] {
				v, root := makeTile(leaves[:tileLeaves])
				if err := b.Put(tileKey(epoch, f.Size()/tileLeaves), v); err != nil {
					return err
				}
				f = f.AddSubtree(root, tileLevel)
			}
			v := f.Encode()
			sum := sha256.Sum256(v)
			return tx.Bucket(bucketFrontiers).Put(key(epoch), append(v, sum[:]...))
		})
	})
	return f, err
}

// compareTiles compares leaves, which begin at sequence first, with the full
// tiles of tree.db, and returns how many it could compare. A tree.db that is
// missing, in use or itself damaged has no say: it is derived data.
func compareTiles(path string, epoch, first uint64, leaves []tlog.Hash) (n int, err error) {
	t, err := openTiles(path, true)
	if err != nil {
		return 0, nil
	}
	err = guardedView(path, t.db, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketTiles)
		if b == nil {
			return nil
		}
		last := first + uint64(len(leaves))
		for tile := first / tileLeaves; tile*tileLeaves < last; tile++ {
			stored, _, err := readTile(b.Get(tileKey(epoch, tile)))
			if err != nil {
				continue
			}
			for i := max(first, tile*tileLeaves); i < min(last, (tile+1)*tileLeaves); i++ {
				if stored[i%tileLeaves] != leaves[i-first] {
					return errLeaf{i}
				}
				n++
			}
		}
		return nil
	})
	t.close(err)
	var leaf errLeaf
	if errors.As(err, &leaf) {
		return n, fmt.Errorf("%w: %w", durable.ErrDamaged, leaf)
	}
	return n, nil
}

type errLeaf struct{ seq uint64 }

func (e errLeaf) Error() string { return fmt.Sprintf("entry %d is not the one in the tree", e.seq) }

// addTiled adds the leaves that follow r to it, at most up to size, as far as
// tree.db has good tiles of them. A tree.db that is missing or damaged has none.
func addTiled(path string, epoch uint64, r tree.Range, size uint64) (tree.Range, error) {
	t, err := openTiles(path, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrDamaged) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	err = guardedView(t.path, t.db, func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketTiles)
		for b != nil && r.Size() < size {
			leaves, root, err := readTile(b.Get(tileKey(epoch, r.Size()/tileLeaves)))
			if err != nil {
				break
			}
			first, want := int(r.Size()%tileLeaves), size-r.Size()
			if first == 0 && want >= tileLeaves {
				r = r.AddSubtree(root, tileLevel)
			} else {
				r = r.AddAll(leaves[first:min(tileLeaves, uint64(first)+want)])
			}
		}
		return nil
	})
	t.close(err)
	if errors.Is(err, durable.ErrDamaged) {
		err = nil
	}
	return r, err
}

// growTree returns the tree at the end of an entry file: from the frontier in
// tree.db if it helps, else from that in the file itself. The root that the
// file claims must come out.
func growTree(tx *bolt.Tx, s segment, treePath string) (tree.Range, error) {
	starts := []tree.Range{s.start}
	if t, err := openTiles(treePath, true); err == nil {
		f, err := t.frontier(s.epoch)
		t.close(err)
		if err == nil && f.Size() > s.start.Size() && f.Size() <= s.size {
			starts = []tree.Range{f, s.start}
		}
	}
	for _, f := range starts {
		err := eachEntry(tx, f.Size(), s.size, int(s.size-f.Size()), func(seq uint64, stored []byte) error {
			e, err := wire.SplitStored(stored) // the root proves the rest
			if err != nil {
				return fmt.Errorf("%w: entry %d: %w", durable.ErrDamaged, seq, err)
			}
			f = f.Add(tlog.RecordHash(e.Leaf()))
			return nil
		})
		if err != nil {
			return tree.Range{}, err
		}
		if f.Root() == s.root {
			return f, nil
		}
	}
	return tree.Range{}, fmt.Errorf("%w: entries do not hash to the root", durable.ErrDamaged)
}
