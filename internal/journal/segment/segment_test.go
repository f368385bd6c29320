package segment

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"gatehouse/internal/durable"
	"gatehouse/internal/tree"
)

// oneEntry is a stored entry, that of TestGoldenEntry of package intake.
const oneEntry = "83ab01070219012c031b00004e94914f0000041b000001a205b3d0000503060407010801096566726f6e740a667374726565740b01" +
	"50000102030405060708090a0b0c0d0e0f" +
	"a30151019d234700000000000000000000000000" + "0250aa000000000000000000000000000000" + "0350bb000000000000000000000000000000"

// written makes a file of epoch 7 with one entry, and changes it behind the back of
// the head.
func written(t *testing.T, change func(entries *bolt.Bucket, stored []byte) error) (path string) {
	t.Helper()
	stored, err := hex.DecodeString(oneEntry)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), Name(7, 0))
	if err := Create(path, Segment{Epoch: 7}, [][]byte{stored}); err != nil {
		t.Fatal(err)
	}
	db, err := open(path, false)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket(bucketEntries), stored) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEntriesBehindTheLast: a file has the entries that its head counts, no fewer
// and no more.
func TestEntriesBehindTheLast(t *testing.T) {
	for name, change := range map[string]func(*bolt.Bucket, []byte) error{
		"":         func(*bolt.Bucket, []byte) error { return nil },
		"one more": func(b *bolt.Bucket, stored []byte) error { return b.Put(key(1), stored) },
		"one less": func(b *bolt.Bucket, _ []byte) error { return b.Delete(key(0)) },
	} {
		if _, err := Verify(written(t, change)); (name == "") != (err == nil) || err != nil && !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHas: the writer has the entries through the last one.
func TestHas(t *testing.T) {
	w, err := OpenWriter(written(t, func(*bolt.Bucket, []byte) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close(nil)
	if !w.Has(0) || w.Has(1) {
		t.Errorf("of one entry it has the first: %v, the second: %v", w.Has(0), w.Has(1))
	}
	if err := w.Append(1, nil, tree.Range{}); err != nil || !w.Has(0) || w.Has(1) {
		t.Errorf("after nothing more: %v", err)
	}
}

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
