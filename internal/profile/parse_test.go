package profile

import (
	"strings"
	"testing"
)

// TestEveryFile: every file is read strictly, has the name of its file, and is
// small; no board has the name of a reader.
func TestEveryFile(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range []Kind{Boards, Readers} {
		names := embeddedNames(k)
		if len(names) == 0 {
			t.Fatalf("no %s profile is embedded", k)
		}
		for _, name := range names {
			raw := text(t, k, name)
			kind, err := KindOf(raw)
			if err != nil || kind != k {
				t.Errorf("%s/%s passes for one of %s, %v", k, name, kind, err)
			}
			if own := nameIn(t, k, raw); own != name || seen[name] {
				t.Errorf("%s/%s names itself %q, or another has the name", k, name, own)
			}
			if len(raw) > 8<<10 {
				t.Errorf("%s/%s has %d bytes: embedded files stay small", k, name, len(raw))
			}
			seen[name] = true
		}
	}
	if _, err := embedded(Boards, "toaster"); err == nil || !strings.Contains(err.Error(), "raspberry-pi-4") {
		t.Errorf("unknown board: %v; want the names that are known", err)
	}
	if _, err := embedded(Readers, "../boards/raspberry-pi-4"); err == nil {
		t.Error("a name led out of its directory")
	}
}

// text is an embedded profile as it stands in its file.
func text(t testing.TB, k Kind, name string) []byte {
	t.Helper()
	raw, err := embedded(k, name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func nameIn(t *testing.T, k Kind, raw []byte) string {
	t.Helper()
	if k == Boards {
		b, err := ParseBoard(raw)
		if err != nil {
			t.Error(err)
		}
		return b.Name
	}
	r, err := ParseReader(raw)
	if err != nil {
		t.Error(err)
	}
	return r.Name
}

const board = `name = "x"
title = "X"
[sources]
sheet = "data sheet of X"
[[chip]]
label = "c"
lines = 16
source = ["sheet"]
pull = [{from = 0, to = 7, level = "up", source = ["sheet"]}, {from = 9, to = 10, level = "down", source = ["sheet"]}]
`

func TestParseBoard(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"good":                            {board, ""},
		"good relay":                      {board + "[[relay]]\nchip = 'c'\nline = 9\nactive = 'high'\n", ""},
		"good low relay":                  {board + "[[relay]]\nchip = 'c'\nline = 3\nactive = 'low'\n", ""},
		"unknown key":                     {board + "colour = 'red'\n", `line 10: unknown key "chip.colour" (known here: label, devices, lines, pull, source)`},
		"wrong type":                      {strings.Replace(board, "16", "'16'", 1), `"chip.lines" has a value of the wrong type: want a whole number`},
		"no TOML":                         {"name = \n", "line 1"},
		"no name":                         {strings.Replace(board, `"x"`, `""`, 1), "name = "},
		"name is a path":                  {strings.Replace(board, `"x"`, `"../x"`, 1), "name = "},
		"no sources":                      {"name = 'x'\ntitle = 'X'\n", "[sources] is missing"},
		"unused source":                   {strings.Replace(board, "[[chip]]", "more = 'another sheet'\n[[chip]]", 1), `source "more" is used by no fact`},
		"unknown source":                  {strings.Replace(board, `source = ["sheet"]`, `source = ["other"]`, 1), `source "other" is none`},
		"overlap":                         {strings.Replace(board, "from = 9", "from = 7", 1), "ranges must rise"},
		"beyond chip":                     {strings.Replace(board, "to = 10", "to = 16", 1), "ranges must rise"},
		"bad level":                       {strings.Replace(board, `"down"`, `"floating"`, 1), "level = \"floating\""},
		"same chip":                       {board + "[[chip]]\nlabel = 'c'\nlines = 4\nsource = ['sheet']\n", "stands twice"},
		"relay with pull up, active high": {board + "[[relay]]\nchip = 'c'\nline = 3\nactive = 'high'\n", "would energise the relay"},
		"relay on a line nobody knows":    {board + "[[relay]]\nchip = 'c'\nline = 8\nactive = 'high'\n", "may release a door"},
		"relay on another chip":           {board + "[[relay]]\nchip = 'd'\nline = 9\nactive = 'high'\n", "may release a door"},
		"pin twice":                       {board + "[[header]]\nname = 'h'\nchip = 'c'\nsource = ['sheet']\npins = {1 = 3, 2 = 3}\n", "is at one pin"},
		"pin 0":                           {board + "[[header]]\nname = 'h'\nchip = 'c'\nsource = ['sheet']\npins = {0 = 3}\n", "numbered from 1"},
		"line beyond chip":                {board + "[[header]]\nname = 'h'\nchip = 'c'\nsource = ['sheet']\npins = {1 = 16}\n", "is at one pin"},
		"watchdog without time":           {board + "[watchdog]\ndriver = 'd'\nsource = ['sheet']\n", "max_seconds"},
		"half of outputs":                 {board + "[[outputs]]\nwith = 'x'\nafter_exit = 'maybe'\nsource = ['sheet']\n", "after_exit"},
	} {
		_, err := ParseBoard([]byte(c.text))
		check(t, name, err, c.want)
	}
}

func check(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: got %v; want %q", name, err, want)
	}
}

const reader = `name = "x"
title = "X"
maker = "M"
type = "wiegand"
source = ["sheet"]
formats = ["H10301"]
[sources]
sheet = "data sheet of X"
[[sample]]
title = "a card"
source = ["computed"]
bits = "10000000 1"
want = {bits = 9, hex = "8080"}
`

func TestParseReader(t *testing.T) {
	swap := func(old, with string) string { return strings.Replace(reader, old, with, 1) }
	for name, c := range map[string]struct{ text, want string }{
		"good":                {reader, ""},
		"unknown key":         {swap("maker", "makers"), `line 3: unknown key "makers" (did you mean "maker"?)`},
		"no maker":            {swap(`"M"`, `""`), "maker is missing"},
		"other type":          {swap(`"wiegand"`, `"telepathy"`), "want one of wiegand"},
		"no source":           {swap(`source = ["sheet"]`, `source = []`), "source is missing"},
		"no formats":          {swap(`["H10301"]`, `[]`), "formats is missing"},
		"baud on Wiegand":     {swap("formats", "baud = 9600\nformats"), "baud belongs to"},
		"endless pulse":       {swap("formats", "pulse_us = 100000\nformats"), "pulse_us"},
		"bytes on Wiegand":    {swap(`bits = "10000000 1"`, `hex = "00"`), "give one of bits"},
		"two inputs":          {swap(`bits = "10000000 1"`, "bits = '1'\nbursts = ['1']"), "give one of bits"},
		"no bit":              {swap(`"10000000 1"`, `"2"`), "want 0 and 1"},
		"no sample":           {reader[:strings.Index(reader, "[[sample]]")], "no [[sample]]"},
		"sample of no source": {swap(`["computed"]`, `[]`), "source is missing"},
		"wants nothing":       {swap(`{bits = 9, hex = "8080"}`, `{}`), "say one of"},
		"wants two":           {swap(`hex = "8080"`, `hex = "8080", pin = "1"`), "say one of"},
		"card without bits":   {swap(`bits = 9, `, ``), "1 to 256"},
		"card cut short":      {swap(`"8080"`, `"80"`), "want 2 bytes"},
		"number, no format":   {swap(`hex = "8080"`, `hex = "8080", card = 1`), "need the format"},
		"faults only":         {swap(`{bits = 9, hex = "8080"}`, `{fault = "wrong_length"}`), "every sample wants a fault"},
		"indication":          {reader + "[indication.granted]\nled = 'green'\nbeeps = 2\nbeep_ms = 100\n", ""},
		"no such feedback":    {reader + "[indication.maybe]\nled = 'green'\n", "want one of idle"},
		"no such colour":      {reader + "[indication.granted]\nled = 'pink'\n", "want one of black"},
		"beep of no length":   {reader + "[indication.granted]\nbeeps = 2\n", "belong together"},
		"finer than the wire": {reader + "[indication.granted]\nled = 'red'\non_ms = 50\noff_ms = 100\n", "steps of 100 ms"},
		"shows nothing":       {reader + "[indication.granted]\nfor_ms = 100\n", "shows nothing"},
	} {
		_, err := ParseReader([]byte(c.text))
		check(t, name, err, c.want)
	}
}

// TestEveryFault: one reading tells all that is wrong.
func TestEveryFault(t *testing.T) {
	_, err := ParseReader([]byte("name = 'X'\ntype = 'serial'\n"))
	for _, want := range []string{"name = ", "title is missing", "maker is missing", "[sources] is missing", "baud = 0", "no [[sample]]"} {
		check(t, "empty reader", err, want)
	}
}

func TestTooLong(t *testing.T) {
	long := []byte(reader + "#" + strings.Repeat("x", maxFile))
	if _, err := ParseReader(long); err == nil {
		t.Error("a reader of any size is read")
	}
	if _, err := ParseBoard(long); err == nil {
		t.Error("a board of any size is read")
	}
	if _, err := KindOf(long); err == nil {
		t.Error("a file of any size is read")
	}
}

func TestPull(t *testing.T) {
	b, err := ParseBoard(text(t, Boards, "raspberry-pi-4"))
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[int]string{0: "up", 8: "up", 9: "down", 17: "down", 27: "down", 28: "", -1: ""} {
		if got := b.PullOf(b.Chips[0].Label, line); got != want {
			t.Errorf("line %d: pull %q, want %q", line, got, want)
		}
		if got := b.PullOf("pinctrl-bcm2711", line); got != want {
			t.Errorf("line %d by label: pull %q, want %q", line, got, want)
		}
		if got := b.PullOf("another", line); got != "" {
			t.Errorf("line %d of another chip: pull %q", line, got)
		}
	}
}

// FuzzParse: no bytes make a parser panic, and a profile that it takes has what
// the others rely on.
func FuzzParse(f *testing.F) {
	f.Add([]byte(board))
	f.Add([]byte(reader))
	for _, k := range []Kind{Boards, Readers} {
		for _, name := range embeddedNames(k) {
			f.Add(text(f, k, name))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, err := KindOf(raw)
		b, errB := ParseBoard(raw)
		r, errR := ParseReader(raw)
		if errB == nil && errR == nil || err != nil && (errB == nil || errR == nil) {
			t.Fatalf("it is a board (%v) and a reader (%v), and %q (%v)", errB, errR, kind, err)
		}
		if errB == nil && (!validName(b.Name) || len(b.Sources) == 0 || kind != Boards) {
			t.Fatalf("took a board %q of kind %q with %d sources", b.Name, kind, len(b.Sources))
		}
		for _, l := range b.Relays {
			if pull := b.PullOf(l.Chip, l.Line); errB == nil && (l.Active == "high") != (pull == "down") {
				t.Fatalf("took a relay that pull %q energises", pull)
			}
		}
		if errR == nil && (!validName(r.Name) || len(r.Samples) == 0 || kind != Readers) {
			t.Fatalf("took a reader %q of kind %q with %d samples", r.Name, kind, len(r.Samples))
		}
		for _, s := range r.Samples {
			if _, err := s.Bytes(); errR == nil && err != nil {
				t.Fatal(err)
			}
		}
	})
}
