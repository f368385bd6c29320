package segment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
	"gatehouse/internal/tree"
)

// TreeName is the name of the file with the leaf hashes.
const TreeName = "tree.db"

// Buckets of tree.db.
//
//	tiles:     epoch, tile number (8 bytes each, big-endian) -> 256 leaf hashes, then the root of these 256
//	frontiers: epoch -> frontier at the end of the last tile, then SHA-256 of that
var (
	bucketTiles     = []byte("tiles")
	bucketFrontiers = []byte("frontiers")
)

// TileLeaves is how many leaves are in a tile: only full ones are written.
const TileLeaves = 256

const (
	tileLevel = 8 // 2^8 leaves
	tileSize  = (TileLeaves + 1) * tlog.HashSize
)

// Tiles is the tree.db at a path. It holds the leaf hashes of all epochs for good, also of deleted
// entries. It is derived from the entries, written behind them, and open only while it is used.
// Safe for concurrent use with one writer.
type Tiles struct{ Path string }

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

// readTile returns the leaves and the root of a stored tile, or an error if they do not match.
func readTile(b []byte) ([]tlog.Hash, tlog.Hash, error) {
	if len(b) != tileSize {
		return nil, tlog.Hash{}, fmt.Errorf("%w: tile of %d bytes", durable.ErrDamaged, len(b))
	}
	leaves := make([]tlog.Hash, TileLeaves)
	for i := range leaves {
		leaves[i] = tlog.Hash(b[i*tlog.HashSize:])
	}
	_, root := makeTile(leaves)
	if root != tlog.Hash(b[tileSize-tlog.HashSize:]) {
		return nil, tlog.Hash{}, fmt.Errorf("%w: tile does not hash to its root", durable.ErrDamaged)
	}
	return leaves, root, nil
}

// open opens tree.db for writing. A missing or damaged one is made again, since it can be rebuilt.
func (t Tiles) open() (*bolt.DB, error) {
	db, err := open(t.Path, false)
	if errors.Is(err, durable.ErrDamaged) {
		if _, err := durable.SetAside(t.Path); err != nil {
			return nil, err
		}
		err = fs.ErrNotExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return db, err
	}
	err = boltfile.Create(t.Path, func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket(bucketTiles)
		if err == nil {
			_, err = tx.CreateBucket(bucketFrontiers)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return open(t.Path, false)
}

// Frontier returns the tree of an epoch up to its last full tile; empty where tree.db has none of
// it. A damaged tree.db is set aside.
func (t Tiles) Frontier(epoch uint64) (tree.Range, error) {
	f, err := t.frontier(epoch)
	if errors.Is(err, durable.ErrDamaged) {
		_, err = durable.SetAside(t.Path)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return f, err
}

func (t Tiles) frontier(epoch uint64) (f tree.Range, err error) {
	err = View(t.Path, func(t Tx) error {
		b := t.tx.Bucket(bucketFrontiers)
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

// Add writes the full tiles of leaves that follow f, and returns the frontier after
// them, with all on the disk.
func (t Tiles) Add(epoch uint64, f tree.Range, leaves []tlog.Hash) (tree.Range, error) {
	db, err := t.open()
	if err != nil {
		return f, err
	}
	err = durable.Guard("write "+t.Path, func() error {
		return db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketTiles)
			b.FillPercent = 1
			for ; len(leaves) >= TileLeaves; leaves = leaves[TileLeaves:] {
				v, root := makeTile(leaves[:TileLeaves])
				if err := b.Put(tileKey(epoch, f.Size()/TileLeaves), v); err != nil {
					return err
				}
				f = f.AddSubtree(root, tileLevel)
			}
			v := f.Encode()
			sum := sha256.Sum256(v)
			return tx.Bucket(bucketFrontiers).Put(key(epoch), append(v, sum[:]...))
		})
	})
	closeUnlessFaulted(db, err)
	return f, err
}

// Grow returns r with the leaves that follow it, at most up to size, as far as
// tree.db has good tiles of them. A tree.db that is missing or damaged has none.
func (t Tiles) Grow(epoch uint64, r tree.Range, size uint64) (tree.Range, error) {
	err := View(t.Path, func(t Tx) error {
		b := t.tx.Bucket(bucketTiles)
		for b != nil && r.Size() < size {
			leaves, root, err := readTile(b.Get(tileKey(epoch, r.Size()/TileLeaves)))
			if err != nil {
				break
			}
			first, want := int(r.Size()%TileLeaves), size-r.Size()
			if first == 0 && want >= TileLeaves {
				r = r.AddSubtree(root, tileLevel)
			} else {
				r = r.AddAll(leaves[first:min(TileLeaves, uint64(first)+want)])
			}
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrDamaged) {
		err = nil
	}
	return r, err
}

// TreeAt returns the tree at the end of an entry file: from the frontier in tree.db if it helps,
// else from that in the file itself. It must have the root that the file claims.
func (t Tiles) TreeAt(file Tx, s Segment) (tree.Range, error) {
	starts := []tree.Range{s.Start}
	if f, err := t.frontier(s.Epoch); err == nil && f.Size() > s.Start.Size() && f.Size() <= s.Size {
		starts = []tree.Range{f, s.Start}
	}
	for _, start := range starts {
		end, err := file.Tree(start, s.Size)
		if err != nil {
			return tree.Range{}, err
		}
		if end.Root() == s.Root {
			return end, nil
		}
	}
	return tree.Range{}, errOtherRoot
}

// sameLeaves returns how many leaves are those of a stored tile from one of its places on. It does not
// look whether the tile is damaged, which takes as many hashes as making it.
func sameLeaves(tile []byte, from uint64, leaves []tlog.Hash) (n uint64) {
	for _, leaf := range leaves {
		at := (from + n) * tlog.HashSize
		if uint64(len(tile)) < at+tlog.HashSize || tlog.Hash(tile[at:at+tlog.HashSize]) != leaf {
			return n
		}
		n++
	}
	return n
}

// compare compares leaves, which begin at sequence first, with the full tiles of tree.db, and
// returns how many it could compare. A tree.db that is missing, in use or damaged is ignored: it is
// derived data.
func (t Tiles) compare(epoch, first uint64, leaves []tlog.Hash) (n int, other error) {
	_ = View(t.Path, func(t Tx) error {
		b := t.tx.Bucket(bucketTiles)
		if b == nil {
			return nil
		}
		last := first + uint64(len(leaves))
		for tile := first / TileLeaves; tile*TileLeaves < last; tile++ {
			from, to := max(first, tile*TileLeaves), min(last, (tile+1)*TileLeaves)
			stored := b.Get(tileKey(epoch, tile))
			i := from + sameLeaves(stored, from%TileLeaves, leaves[from-first:to-first])
			if i == to {
				n += int(to - from)
			} else if _, _, err := readTile(stored); err == nil {
				other = fmt.Errorf("%w: entry %d is not the one in the tree", durable.ErrDamaged, i)
				return nil
			}
		}
		return nil
	})
	return n, other
}
