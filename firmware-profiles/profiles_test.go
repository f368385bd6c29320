package profiles_test

import (
	"strings"
	"testing"

	profiles "gatehouse/firmware-profiles"
)

// TestEveryBoard: every file is read strictly, has the name of its file, and
// names its source.
func TestEveryBoard(t *testing.T) {
	names := profiles.Boards()
	if len(names) == 0 {
		t.Fatal("no board profile is embedded")
	}
	for _, name := range names {
		b, err := profiles.Board(name)
		if err != nil {
			t.Error(err)
		}
		if b.Name != name {
			t.Errorf("file %s names itself %q", name, b.Name)
		}
	}
	if _, err := profiles.Board("toaster"); err == nil || !strings.Contains(err.Error(), names[0]) {
		t.Errorf("unknown board: %v; want the names that are known", err)
	}
}

func TestParseBoard(t *testing.T) {
	const good = "name = 'x'\ntitle = 'X'\nsource = 's'\n"
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"good":        {good, true},
		"unknown key": {good + "colour = 'red'\n", false},
		"no source":   {"name = 'x'\ntitle = 'X'\n", false},
		"overlap":     {good + "[[pull]]\nfrom = 0\nto = 8\nlevel = 'up'\n[[pull]]\nfrom = 8\nto = 9\nlevel = 'up'\n", false},
		"bad level":   {good + "[[pull]]\nfrom = 0\nto = 8\nlevel = 'floating'\n", false},
	} {
		if _, err := profiles.ParseBoard([]byte(c.text)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPull(t *testing.T) {
	b, err := profiles.Board("raspberry-pi-4")
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]string{0: "up", 8: "up", 9: "down", 17: "down", 27: "down", 28: "", -1: ""} {
		if got := b.Pull(line); got != want {
			t.Errorf("line %d: pull %q, want %q", line, got, want)
		}
	}
}
