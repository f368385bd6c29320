package virtual

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestSearch: bytes are found in every file of the disk of today, at its very end, too, and in no other disk.
func TestSearch(t *testing.T) {
	d := &Disk{Root: t.TempDir()}
	want := []byte("0123456789abcdef")
	for name, c := range map[string]struct {
		file  string
		text  []byte
		finds bool
	}{
		"at the end":         {d.Path("state", "journal", "ahead"), append(bytes.Repeat([]byte("01"), 5000), want...), true},
		"alone":              {d.Path("one"), want, true},
		"but for its last":   {d.Path("one"), want[:15], false},
		"in an image":        {filepath.Join(d.ImageDir("backup"), "one"), want, false},
		"in what is aside":   {d.Path("state", "journal", "ahead.bad-1"), want, false},
		"in an empty file":   {d.Path("one"), nil, false},
		"another with a lot": {d.Path("one"), bytes.Repeat([]byte("0123"), 1000), false},
	} {
		if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(d.Dir(), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.file, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := d.Search([][]byte{[]byte("something else"), want})
		if err != nil || (file != "") != c.finds || c.finds && file != filepath.Base(c.file) {
			t.Errorf("%s: found in %q, %v", name, file, err)
		}
		if err := os.Remove(c.file); err != nil {
			t.Fatal(err)
		}
	}
}
