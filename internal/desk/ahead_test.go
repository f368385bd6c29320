package desk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/desk/bookfile"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// files are the desk's file and the one ahead of it.
func (o *office) files() (book, ahead []byte) {
	o.t.Helper()
	book, err := os.ReadFile(filepath.Join(o.dir, BookFile))
	must(o.t, err)
	ahead, err = os.ReadFile(filepath.Join(o.dir, bookfile.AheadName))
	must(o.t, err)
	return book, ahead
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// TestCheckInsWriteNotTheWholeHouse: check-ins leave the file of the house as it is, and are there after a power cut,
// with their labels and PINs.
func TestCheckInsWriteNotTheWholeHouse(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	book, _ := o.files()
	var all []tenancy.View
	for n, label := range []string{"left door", "right door", "attic"} {
		done, err := o.arrive(em(uint64(n)+1), func(a *tenancy.Arrival) { a.Label = label })
		must(t, err)
		all = append(all, done.Tenancy)
	}
	line, number := o.Head()
	o.Stored(line, 2)
	after, ahead := o.files()
	if !bytes.Equal(book, after) || isZero(ahead) {
		t.Error("the file of the whole house was written")
	}
	for range 2 { // the second has the file whole
		o.open2(t)
		if l, n := o.Head(); l != line || n != number || o.Desk.book.Stored != 2 || len(o.Tenancies()) != 3 {
			t.Fatalf("line %d, number %d, stored %d, %d tenancies", l, n, o.Desk.book.Stored, len(o.Tenancies()))
		}
		for _, v := range all {
			k := o.Desk.book.Tenancies.Find(v.ID)
			if k == nil || k.Lease.Label != v.Label || k.PIN == nil {
				t.Errorf("%q has become %+v", v.Label, k)
			}
		}
		must(t, o.Settle())
		if _, ahead := o.files(); !isZero(ahead) {
			t.Error("something is ahead of the file")
		}
	}
	var p pages
	data, _ := o.files()
	must(t, json.Unmarshal(data, &p))
	if len(p.Tenancies) != 3 || p.Ahead != nil || p.Number != number {
		t.Errorf("for a program that knows this file alone: %+v", p)
	}
}

// open2 opens the desk again as a power cut leaves its files.
func (o *office) open2(t *testing.T) {
	t.Helper()
	to := t.TempDir()
	must(t, os.CopyFS(to, os.DirFS(o.dir)))
	must(t, o.keyring.Close())
	o.dir = to
	o.open()
}

// TestNothingDeletedStaysAhead: a PIN that was replaced is in no file.
func TestNothingDeletedStaysAhead(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	old := []byte(base64.StdEncoding.EncodeToString(o.Desk.book.Tenancies.Find(done.Tenancy.ID).PIN.Hash))
	if _, ahead := o.files(); !bytes.Contains(ahead, old) {
		t.Fatal("it was never there")
	}
	o.choosePIN(em(1), "8264")
	book, ahead := o.files()
	if bytes.Contains(book, old) || bytes.Contains(ahead, old) {
		t.Error("the old PIN is still on the disk")
	}
	_, err = o.arrive(em(2))
	must(t, err)
	if after, _ := o.files(); !bytes.Equal(book, after) {
		t.Error("the next check-in writes the whole house")
	}
}

// TestBadFileAheadOfTheDesk: what becomes of it costs labels and PINs at most, and is told where no power cut did it.
func TestBadFileAheadOfTheDesk(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(path string, b []byte) error
		told bool
		left int // labels
	}{
		"torn": {func(path string, b []byte) error {
			b[len(bytes.TrimRight(b, "\x00"))-20] ^= 1
			return os.WriteFile(path, b, 0o600)
		}, false, 1},
		"flipped": {func(path string, b []byte) error { b[90] ^= 1; return os.WriteFile(path, b, 0o600) }, true, 0},
		"deleted": {func(path string, _ []byte) error { return os.Remove(path) }, true, 0},
		"foreign": {func(path string, b []byte) error { b[10] ^= 1; return os.WriteFile(path, b[:300], 0o600) }, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			for n := range uint64(2) {
				_, err := o.arrive(em(n + 1))
				must(t, err)
			}
			_, b := o.files()
			to := t.TempDir()
			must(t, os.CopyFS(to, os.DirFS(o.dir)))
			must(t, c.harm(filepath.Join(to, bookfile.AheadName), b))
			must(t, o.keyring.Close())
			o.dir = to
			o.open()
			labels := 0
			for _, v := range o.Tenancies() {
				if v.Label != "" {
					labels++
				}
			}
			if told := o.journal.entries(wire.KindDamaged, wire.ReasonDamaged) == 1; told != c.told || labels != c.left || len(o.Tenancies()) != 2 {
				t.Errorf("told: %v; of %d tenancies %d have labels", told, len(o.Tenancies()), labels)
			}
			o.wants("front", em(1), wire.ReasonGranted)
			_, err := o.arrive(em(3))
			must(t, err)
			o.open2(t)
			if n := len(o.Tenancies()); n != 3 {
				t.Errorf("%d tenancies after the next check-in", n)
			}
		})
	}
}

// TestSickFileAheadOfTheDesk: where it can't be written the other file is, and what it has from before counts no more.
func TestSickFileAheadOfTheDesk(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	path := filepath.Join(o.dir, bookfile.AheadName)
	must(t, os.Rename(path, path+".kept"))
	must(t, os.Mkdir(path, 0o700))
	_, err = o.arrive(em(2))
	must(t, err)
	_, number := o.Head()
	must(t, os.Remove(path))
	must(t, os.Rename(path+".kept", path))
	o.open2(t)
	if _, n := o.Head(); n != number || len(o.Tenancies()) != 2 || o.journal.entries(wire.KindDamaged, wire.ReasonDamaged) > 0 {
		t.Errorf("number %d, was %d; %d tenancies", n, number, len(o.Tenancies()))
	}
}
