package segment

import (
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"gatehouse/internal/durable"
	"gatehouse/internal/durable/boltfile"
)

// PackSuffix is that of a rewritten file that is not yet in place.
const PackSuffix = ".pack"

// Rewrite writes a closed file anew without slack, and if erase says so without
// who parts, and puts it in place after check found it good. The tree must come
// out the same. end is where its entries end that count, NoEnd where all do: fewer
// are damage, more are kept.
func Rewrite(path string, end uint64, erase bool, check func(path string) error) error {
	temp := path + PackSuffix
	if err := durable.Remove(temp); err != nil {
		return err
	}
	err := View(path, func(old Tx) error {
		s, err := old.Segment()
		if err != nil {
			return err
		}
		if s.Size < end && end != NoEnd {
			return fmt.Errorf("%w: it ends at %d, not at %d", durable.ErrDamaged, s.Size, end)
		}
		s.Packed = true
		return boltfile.Create(temp, func(tx *bolt.Tx) error { return s.copy(tx, old, erase) })
	})
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	if err := check(temp); err != nil {
		os.Remove(temp)
		return fmt.Errorf("rewrite %s: check the copy: %w", path, err)
	}
	return durable.Rename(temp, path)
}

func (s Segment) copy(tx *bolt.Tx, old Tx, erase bool) error {
	if err := s.put(tx, s.Start); err != nil {
		return err
	}
	var leaves []tlog.Hash
	b := tx.Bucket(bucketEntries)
	b.FillPercent = 1
	err := old.Each(s.Start.Size(), s.Size, int(s.Size-s.Start.Size()), func(seq uint64, stored []byte) error {
		e, leaf, err := split(seq, stored)
		if err != nil {
			return err
		}
		leaves = append(leaves, leaf)
		if erase {
			stored = e.Erase().Encode()
		}
		return b.Put(key(seq), stored)
	})
	if err != nil {
		return err
	}
	end := s.Start.AddAll(leaves)
	if end.Root() != s.Root {
		return errOtherRoot
	}
	return putHead(tx, end)
}

// CountWhos returns how many entries of a file name somebody, and the first
// sequence after its last.
func CountWhos(path string) (n int, end uint64, err error) {
	err = View(path, func(t Tx) error {
		s, err := t.Segment()
		if err != nil {
			return err
		}
		end = s.Size
		return t.Each(s.Start.Size(), s.Size, int(s.Size-s.Start.Size()), func(seq uint64, stored []byte) error {
			e, _, err := split(seq, stored)
			if len(e.Who) > 0 {
				n++
			}
			return err
		})
	})
	return n, end, err
}
