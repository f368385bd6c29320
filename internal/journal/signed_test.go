package journal

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/durable"
	"gatehouse/internal/journal/ahead"
	"gatehouse/internal/journal/audit"
	"gatehouse/internal/journal/hints"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/web/text"
)

// TestVerifyKnowsWhatIsSigned: a log that somebody wrote anew, with all its roots, is not the one that was signed, and
// what nobody has signed is told.
func TestVerifyKnowsWhatIsSigned(t *testing.T) {
	whole := flippable(t, 300)
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		harm  func(t *testing.T, dir string, by *audit.Witness)
		level audit.Level
		says  string
	}{
		"nothing":           {func(*testing.T, string, *audit.Witness) {}, audit.Note, "unchanged since then: epoch "},
		"what came after":   {func(*testing.T, string, *audit.Witness) {}, audit.Note, "not cosigned yet, after that: "},
		"no keys":           {func(_ *testing.T, _ string, by *audit.Witness) { by.Keys = nil }, audit.Unchecked, "were not verified"},
		"another witness":   {func(_ *testing.T, _ string, by *audit.Witness) { by.Keys[0].Public = strange() }, audit.Damage, "can't be believed"},
		"another gateway":   {func(_ *testing.T, _ string, by *audit.Witness) { by.Address = "lane-7/gw2" }, audit.Damage, "can't be believed"},
		"the first anew":    {func(t *testing.T, dir string, _ *audit.Witness) { forge(t, dir, 0) }, audit.Damage, "does not go on from the file before it"},
		"what was signed":   {func(t *testing.T, dir string, _ *audit.Witness) { forge(t, dir, 0) }, audit.Damage, "it was changed since"},
		"no checkpoint":     {func(t *testing.T, dir string, _ *audit.Witness) { remove(t, dir, hints.Name) }, audit.Note, "no checkpoint that a registry has signed"},
		"hints":             {func(t *testing.T, dir string, _ *audit.Witness) { overwrite(t, dir, hints.Name, 20, 4116) }, audit.Damage, "is lost"},
		"a torn last write": {func(t *testing.T, dir string, _ *audit.Witness) { tearAhead(t, dir) }, audit.Note, "its last write is not whole"},
		"the signed file": {func(t *testing.T, dir string, _ *audit.Witness) {
			path := files(t, dir, "*-*.db")[0]
			overwrite(t, dir, filepath.Base(path), 60, 4096+60)
		}, audit.Damage, "was not compared"},
		"a whole file": {func(t *testing.T, dir string, _ *audit.Witness) {
			remove(t, dir, filepath.Base(files(t, dir, "*-*.db")[0]))
		}, audit.Damage, "nothing of it is here"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "journal")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			_, _, by := witnessed()
			c.harm(t, dir, &by)
			before := directoryBytes(t, dir)
			a, err := readWith(t.Context(), dir, by, words)
			if err != nil || a.level != c.level || !strings.Contains(a.said, c.says) {
				t.Errorf("level %d, want %d and %q: %v\n%s", a.level, c.level, c.says, err, a.said)
			}
			for path, b := range directoryBytes(t, dir) {
				if !bytes.Equal(before[path], b) {
					t.Errorf("%s was changed", path)
				}
			}
		})
	}
}

func strange() ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, 31), 7)).Public().(ed25519.PublicKey)
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// overwrite changes the bytes at these places.
func overwrite(t *testing.T, dir, name string, places ...int) {
	t.Helper()
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range places {
		b[at] ^= 0x55
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tearAhead changes the last byte of the last frame.
func tearAhead(t *testing.T, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, ahead.Name))
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, dir, ahead.Name, len(bytes.TrimRight(b, "\x00"))-1)
}

// forge writes a file of entries anew with another door in one of them, and all its roots right.
func forge(t *testing.T, dir string, file int) {
	t.Helper()
	path := files(t, dir, "*-*.db")[file]
	anew := filepath.Join(dir, "anew")
	err := segment.View(path, func(old segment.Tx) error {
		s, err := old.Segment()
		if err != nil {
			return err
		}
		var stored [][]byte
		err = old.Each(s.Start.Size(), s.Size, int(s.Size), func(seq uint64, v []byte) error {
			v = bytes.Clone(v)
			if seq == s.Start.Size()+7 {
				v = bytes.Replace(v, []byte("street"), []byte("garden"), 1)
			}
			stored = append(stored, v)
			return nil
		})
		if err != nil {
			return err
		}
		return segment.Create(anew, segment.Segment{Epoch: s.Epoch, Start: s.Start}, stored)
	})
	if err == nil {
		err = durable.Rename(anew, path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
