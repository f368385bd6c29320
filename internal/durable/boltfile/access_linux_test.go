package boltfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// TestReadingLeavesNoTime: a file that was not read for days has the same time of access after it was.
func TestReadingLeavesNoTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file.db")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Create(path, func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }))
	long := time.Now().Add(-72 * time.Hour).Truncate(time.Second)
	must(os.Chtimes(path, long, long))
	db, err := Open(path, &bolt.Options{ReadOnly: true})
	must(err)
	must(db.View(func(tx *bolt.Tx) error { return tx.ForEach(func([]byte, *bolt.Bucket) error { return nil }) }))
	must(db.Close())
	info, err := os.Stat(path)
	must(err)
	if at := info.Sys().(*syscall.Stat_t).Atim; !time.Unix(at.Unix()).Equal(long) {
		t.Errorf("read on %v, says the disk, after %v", time.Unix(at.Unix()), long)
	}
}
