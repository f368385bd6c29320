package segment

import (
	"errors"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
)

// TestSumOfAFile: what was known when a file was made is taken as it was written or
// not at all.
func TestSumOfAFile(t *testing.T) {
	for name, change := range map[string]func(*bolt.Bucket) error{
		"":          func(*bolt.Bucket) error { return nil },
		"epoch":     func(b *bolt.Bucket) error { return b.Put(keyEpoch, key(8)) },
		"made":      func(b *bolt.Bucket) error { return b.Put(keyMade, key(43)) },
		"packed":    func(b *bolt.Bucket) error { return b.Put(keyPacked, []byte{1}) },
		"no sum":    func(b *bolt.Bucket) error { return b.Delete(keySum) },
		"no format": func(b *bolt.Bucket) error { return b.Delete(keyFormat) },
	} {
		path := filepath.Join(t.TempDir(), Name(7, 0))
		if err := Create(path, Segment{Epoch: 7, Made: 42}, nil); err != nil {
			t.Fatal(err)
		}
		db, err := open(path, false)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket(bucketFile)) })
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		switch s, err := Read(path); {
		case name == "" && (err != nil || s.Epoch != 7 || s.Made != 42 || s.Packed):
			t.Errorf("as it was made: %+v, %v", s, err)
		case name != "" && !errors.Is(err, durable.ErrDamaged):
			t.Errorf("%s changed: %+v, %v", name, s, err)
		}
	}
}
