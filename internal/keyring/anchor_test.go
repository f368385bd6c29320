package keyring

import (
	"bytes"
	"os"
	"testing"
)

// TestAnchorsAreInBothFiles: what the journal puts there is read at the next start,
// from either file, and survives lists and a file that is made anew.
func TestAnchorsAreInBothFiles(t *testing.T) {
	k := open(t, t.TempDir())
	if err := k.Copies.SetAnchor([]byte("before any list")); err != nil {
		t.Fatal(err)
	}
	bulk(t, k, 700)
	is := func(want string, n int) {
		t.Helper()
		all := k.Copies.Anchors()
		if len(all) != n {
			t.Fatalf("%d anchors, want %d", len(all), n)
		}
		for _, a := range all {
			if string(a) != want {
				t.Errorf("anchor %q, want %q", a, want)
			}
		}
	}
	k = reopen(t, k)
	is("before any list", 2)
	if err := k.Copies.SetAnchor([]byte("second")); err != nil {
		t.Fatal(err)
	}
	is("second", 1)
	k = reopen(t, k)
	is("second", 2)
	if s := k.Status(); s.Active.Grants != 700 || !s.Files.Copies[0].Good || !s.Files.Copies[1].Good || len(s.Files.Aside) > 0 {
		t.Fatalf("status %+v", s)
	}
	for _, name := range []string{"grants-a.db", "grants-b.db"} {
		k.Close()
		if err := os.Remove(fileOf(k, name)); err != nil {
			t.Fatal(err)
		}
		k = open(t, k.opts.Dir) // makes it anew from the other
		is("second", 1)
		k = reopen(t, k)
		is("second", 2)
	}
	for _, bad := range [][]byte{nil, bytes.Repeat([]byte{1}, 257)} {
		if err := k.Copies.SetAnchor(bad); err == nil {
			t.Errorf("%d bytes are kept", len(bad))
		}
	}
	k.Close()
}
