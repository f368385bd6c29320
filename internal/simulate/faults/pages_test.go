package faults

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// TestHoldsNothing: what is said to hold nothing may be anything, and bbolt reads what it
// read; all else that a database was given is said to hold something.
func TestHoldsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "some.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: false})
	if err != nil {
		t.Fatal(err)
	}
	const long = 9000 // bytes: more than two pages
	for round := range 4 {
		err := db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte("words"))
			for n := range 300 {
				if err == nil {
					err = b.Put(fmt.Appendf(nil, "key %04d", n), bytes.Repeat([]byte{byte('a' + round)}, 1+n%40))
				}
			}
			if err == nil {
				err = b.Put([]byte("long"), bytes.Repeat([]byte{byte('A' + round)}, long))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, other, nothing := words(t, path), bytes.Clone(raw), 0
	for at := range raw {
		if holdsNothing(raw, at) {
			nothing++
			other[at] ^= 0xff
		}
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	if after := words(t, path); after != before {
		t.Error("bbolt reads something else")
	}
	if nothing < boltPage {
		t.Errorf("%d of %d bytes hold nothing", nothing, len(raw))
	}
	// The newest of what was written, and only where it is in use, holds something.
	if at := bytes.LastIndex(raw, bytes.Repeat([]byte{'D'}, long)); at < 0 || holdsNothing(raw, at) || holdsNothing(raw, at+long-1) {
		t.Errorf("the long value, at %d, holds nothing", at)
	}
	if holdsNothing(raw, 0) || holdsNothing([]byte("some text"), 3) || holdsNothing(binary.LittleEndian.AppendUint32(nil, boltMagic), 0) {
		t.Error("a head, or a file of another kind, holds nothing")
	}
}

// words are all that a database holds.
func words(t *testing.T, path string) (text string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return tx.Bucket([]byte("words")).ForEach(func(k, v []byte) error { text += fmt.Sprintf("%s=%s\n", k, v); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
