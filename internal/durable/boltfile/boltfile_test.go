package boltfile

import (
	"bytes"
	"errors"
	"gatehouse/internal/durable"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var bucket = []byte("b")

func create(t *testing.T, keys int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.db")
	err := Create(path, func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		if err != nil {
			return err
		}
		for i := range keys {
			if err := b.Put([]byte{byte(i >> 8), byte(i)}, bytes.Repeat([]byte{7}, 100)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCreateOpen(t *testing.T) {
	path := create(t, 3)
	if err := Create(path, func(*bolt.Tx) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("second Create: %v, want fs.ErrExist", err)
	}
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	n := 0
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil || n != 3 {
		t.Fatalf("read %d keys, %v; want 3", n, err)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the temporary file is still there: %v", err)
	}
}

func TestCreateFailing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path+".new", []byte("leftover"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse := errors.New("no")
	if err := Create(path, func(*bolt.Tx) error { return refuse }); !errors.Is(err, refuse) {
		t.Fatalf("Create: %v, want the error of init", err)
	}
	left, _ := filepath.Glob(filepath.Dir(path) + "/*")
	if len(left) != 0 {
		t.Fatalf("a failed Create left %v", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(create(t, 2000))
	if err != nil {
		t.Fatal(err)
	}
	garbage := bytes.Repeat([]byte("not a database. "), 4096)
	zeroMeta := append(make([]byte, 2*os.Getpagesize()), whole[2*os.Getpagesize():]...)
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": {1}, "garbage": garbage, "cut to a quarter": whole[:len(whole)/4],
		"cut to one page": whole[:os.Getpagesize()], "cut to 100": whole[:100], "no meta pages": zeroMeta,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if db, err := Open(path, nil); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("%s: Open gave %v, %v; want durable.ErrDamaged", name, db, err)
		}
		// The lock must be free again: a second look gives the same answer, not a timeout.
		if _, err := Open(path, &bolt.Options{Timeout: 100 * time.Millisecond}); !errors.Is(err, durable.ErrDamaged) {
			t.Errorf("%s: second Open gave %v; want durable.ErrDamaged", name, err)
		}
		if _, err := durable.SetAside(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent"), nil); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, durable.ErrDamaged) {
		t.Errorf("absent file: %v, want fs.ErrNotExist", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "absent*")); len(left) != 0 {
		t.Errorf("Open made %v", left)
	}
}

func TestOpenLocked(t *testing.T) {
	path := create(t, 1)
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = Open(path, &bolt.Options{Timeout: 60 * time.Millisecond})
	if !errors.Is(err, berrors.ErrTimeout) || errors.Is(err, durable.ErrDamaged) {
		t.Fatalf("Open of a locked file: %v, want ErrTimeout and not durable.ErrDamaged", err)
	}
}

// A file that is cut while it is open faults in the memory map: the process
// must live, and the same name must be usable for a new file at once.
func TestGuardFault(t *testing.T) {
	path := create(t, 5000)
	db, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(2*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	err = durable.Guard("read", func() error {
		return db.View(func(tx *bolt.Tx) error {
			return tx.Bucket(bucket).ForEach(func(_, v []byte) error { _ = v[0]; return nil })
		})
	})
	if !errors.Is(err, durable.ErrDamaged) {
		t.Fatalf("read of a cut file: %v, want durable.ErrDamaged", err)
	}
	aside, err := durable.SetAside(path)
	if err != nil || aside != path+".bad-1" {
		t.Fatalf("SetAside: %q, %v", aside, err)
	}
	if err := Create(path, func(*bolt.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if aside, err := durable.SetAside(path); err != nil || aside != path+".bad-2" {
		t.Fatalf("second durable.SetAside: %q, %v", aside, err)
	}
}
