package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestNotes: changes wait over a restart, are told in order, and the one that was not taken is
// told again, with what came behind it.
func TestNotes(t *testing.T) {
	dir := t.TempDir()
	open := func() *Notes {
		t.Helper()
		n, err := OpenNotes(dir)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var told []string
	refuse := "helper"
	tell := func(c Change) error {
		if c.Of == refuse {
			return errors.New("no house is served")
		}
		told = append(told, c.Of)
		return nil
	}
	n := open()
	for _, of := range []string{"owner-100001", "helper", "installer"} {
		if err := n.Add(Change{By: "owner-100001", Of: of}); err != nil {
			t.Fatal(err)
		}
	}
	if n.Tell(tell) == nil {
		t.Error("what is refused counts as told")
	}
	n, refuse = open(), ""
	if err := n.Tell(tell); err != nil {
		t.Fatal(err)
	}
	if want := []string{"owner-100001", "helper", "installer"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if err := open().Tell(func(c Change) error { t.Errorf("%+v is told once more", c); return nil }); err != nil {
		t.Fatal(err)
	}

	path := filepath.Join(dir, "notes.json")
	if err := os.WriteFile(path, []byte(`[{"by":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open().Add(Change{By: "owner-100001", Of: "helper"}); err != nil {
		t.Error("after a damaged file", err)
	}
	if _, err := os.Stat(path + ".bad"); err != nil {
		t.Error(err)
	}
}
