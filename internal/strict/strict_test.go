package strict

import (
	"strings"
	"testing"
)

type file struct {
	Name  string   `toml:"name"`
	Count int      `toml:"count"`
	Limit *uint64  `toml:"limit"`
	Tried bool     `toml:"tried"`
	Parts []part   `toml:"part"`
	Words []string `toml:"words"`
}

type part struct {
	Label string `toml:"label"`
	Lines []int  `toml:"lines"`
}

// TestRead: each fault is told with its place, and with what was probably meant.
func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"name = 'x'\n[[part]]\nlabel = 'a'\n":  "",
		"\ufeffname = 'x'\n":                   "",
		"nmae = 'x'\n":                         `line 1: unknown key "nmae" (did you mean "name"?)`,
		"colour = 1\nflavour = 2\n":            "line 1: unknown key \"colour\" (known here: name, count, limit, tried, part, words)\nline 2: unknown key \"flavour\" (known here: name, count, limit, tried, part, words)",
		"[[part]]\nlable = 'a'\n":              `line 2: unknown key "part.lable" (did you mean "label"?)`,
		"name = 1\n":                           `line 1, column 8: "name" has a value of the wrong type: want a text, in quotes`,
		"count = 'x'\n":                        "want a whole number, without quotes",
		"limit = 'x'\n":                        "want a whole number, without quotes",
		"tried = 'yes'\n":                      "want true or false, without quotes",
		"words = 'x'\n":                        `want a list of texts, like ["one", "two"]`,
		"[[part]]\nlines = 3\n":                "want a list of numbers, like [8, 10]",
		"part = 3\n":                           "want another kind of value",
		"name = 'x'\nname = 'y'\n":             "line 2, column 1: toml: key name is already defined",
		"name = “x”\n":                         "straight quotation marks",
		"# \xb0\nname = 'x'\n":                 "line 1: it is not UTF-8",
		"name = 'x'\n[[part]]\nlines = [3, \n": "line 3",
	} {
		err := Read([]byte(text), new(file), nil)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

func TestFaults(t *testing.T) {
	var f Faults
	f.OneOf("colour", "red", "red", "green")
	f.Within("count", 3, 1, 3)
	if err := f.Join(); err != nil {
		t.Error(err)
	}
	f.OneOf("colour", "pink", "red", "green")
	f.Within("count", 4, 1, 3)
	want := "colour = \"pink\": want one of red, green\ncount = 4: want 1 to 3"
	if err := f.Join(); err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// TestReadInline: a key in an inline table is named with that table.
func TestReadInline(t *testing.T) {
	var v struct {
		Part part `toml:"part"`
	}
	err := Read([]byte("part = {label = 'a', lins = [1]}\n"), &v, nil)
	if want := `line 1: unknown key "part.lins" (did you mean "lines"?)`; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// TestNearest: the word with the fewest faults, the first of those that are alike,
// and none that is farther off than may be.
func TestNearest(t *testing.T) {
	known := []string{"part", "cart", "tart", "Label"}
	for word, want := range map[string]string{"part": "part", "dart": "part", "carts": "cart", "LABLE": "Label", "parting": "", "x": ""} {
		if got := Nearest(word, known, 2); got != want {
			t.Errorf("%s: %q; want %q", word, got, want)
		}
	}
}

// FuzzRead: no bytes make the reader panic or leave a fault without words.
func FuzzRead(f *testing.F) {
	f.Add([]byte("name = 'x'\n[[part]]\nlabel = 'a'\nlines = [3]\n"))
	f.Add([]byte("part = [{lines = 'x', y = 1}]\nwords = “x”\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := Read(raw, new(file), nil); err != nil && err.Error() == "" {
			t.Fatal("a fault without words")
		}
	})
}
