package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEverySample: every sample of every embedded reader comes out as its file
// says, by the decoders of the daemon.
func TestEverySample(t *testing.T) {
	count := map[string]int{}
	for _, name := range embeddedNames(Readers) {
		r, err := ParseReader(text(t, Readers, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		results, err := Check(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(results) != len(r.Samples) {
			t.Errorf("%s: %d results of %d samples", name, len(results), len(r.Samples))
		}
		for _, res := range results {
			if !res.OK || res.Got != res.Want {
				t.Errorf("%s: %+v", name, res)
			}
		}
		count[r.Type]++
	}
	for _, kind := range types() {
		if count[kind] == 0 {
			t.Errorf("no reader of type %s", kind)
		}
	}
}

const wiegandReader = `name = "x"
title = "X"
maker = "M"
type = "wiegand"
source = ["sheet"]
formats = ["H10301"]
[sources]
sheet = "data sheet of X"
`

const card = "[[sample]]\ntitle = 'a card'\nsource = ['computed']\nbits = '10111101100010001110101110'\n"

const otherReader = `name = "x"
title = "X"
maker = "M"
source = ["sheet"]
baud = 9600
%s
[sources]
sheet = "data sheet of X"
[[sample]]
title = "a frame"
source = ["computed"]
%s
`

func other(settings, sample string) string {
	return strings.NewReplacer("%s\n[sources]", settings+"\n[sources]", "%s\n", sample+"\n").Replace(otherReader)
}

// TestCheckRefuses: a sample that comes out otherwise, and settings that no
// driver takes, are told.
func TestCheckRefuses(t *testing.T) {
	const em = `text = "\u000262E3086CED08\u0003"` + "\nwant = {bits = 40, hex = '62e3086ced'}"
	const raw = "hex = '53 80 10 00 05 50 00 01 1A 00 BD 88 EB 80 CD 65'\n"
	for name, c := range map[string]struct{ text, want string }{
		"right":           {wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80', format = 'H10301', facility = 123, card = 4567}\n", ""},
		"another card":    {wiegandReader + card + "want = {bits = 26, hex = 'bd88eb40'}\n", "want card of 26 bits bd88eb40, got card of 26 bits bd88eb80"},
		"another number":  {wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80', format = 'H10301', card = 4568}\n", "card 4568"},
		"no facility":     {wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80', format = 'W26', facility = 123}\n", "facility 123"},
		"number of none":  {wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80', format = 'W27', card = 1}\n", "W27"},
		"wants a fault":   {wiegandReader + card + "want = {fault = 'wrong_parity'}\n" + card + "want = {bits = 26, hex = 'bd88eb80'}\n", "want fault wrong_parity"},
		"wants a PIN":     {wiegandReader + card + "want = {pin = '1234'}\n", "want PIN 1234"},
		"no such format":  {strings.Replace(wiegandReader, "H10301", "H10999", 1) + card + "want = {bits = 26, hex = 'bd88eb80'}\n", `format "H10999" is not known; known: `},
		"no such keypad":  {strings.Replace(wiegandReader, "[sources]", "keypad = {kind = 'key5'}\n[sources]", 1) + card + "want = {bits = 26, hex = 'bd88eb80'}\n", "key5"},
		"keys like cards": {strings.Replace(wiegandReader, "[sources]", "keypad = {kind = 'pin26'}\n[sources]", 1) + card + "want = {bits = 26, hex = 'bd88eb80'}\n", ""},
		"bursts":          {strings.Replace(wiegandReader, "[sources]", "keypad = {kind = 'key4'}\n[sources]", 1) + "[[sample]]\ntitle = 'PIN'\nsource = ['computed']\nbursts = ['0001', '0010', '1011']\nwant = {pin = '12'}\n", ""},
		"a burst alone":   {strings.Replace(wiegandReader, "[sources]", "keypad = {kind = 'key4'}\n[sources]", 1) + "[[sample]]\ntitle = 'key'\nsource = ['computed']\nbursts = ['0001']\nwant = {pin = '1'}\n", "got nothing"},
		"serial":          {other("type = 'serial'\nlayout = 'rdm6300'", em), ""},
		"no such layout":  {other("type = 'serial'\nlayout = 'rdm6301'", em), `layout "rdm6301" is not known`},
		"wrong setting":   {other("type = 'serial'\nlayout = 'rdm6300'\nsettings = {base = 'octal'}", em), "octal"},
		"cards as codes":  {other("type = 'code'\nlayout = 'rdm6300'", em), `type "code"`},
		"two frames":      {other("type = 'serial'\nlayout = 'rdm6300'", strings.Replace(em, `\u0003"`, `\u0003\u000262E3086CED08\u0003"`, 1)), ", then card"},
		"OSDP":            {other("type = 'osdp'\nformats = ['H10301']", raw+"want = {bits = 26, hex = 'bd88eb80'}"), ""},
		"OSDP parity":     {other("type = 'osdp'\nformats = ['T2']", raw+"want = {bits = 26, hex = 'bd88eb80'}"), "got fault wrong_parity"},
		"OSDP length":     {other("type = 'osdp'\nformats = ['W34']", raw+"want = {bits = 26, hex = 'bd88eb80'}"), "got fault wrong_length"},
		"OSDP poll":       {other("type = 'osdp'", "hex = '53 00 08 00 04 60 00 00'\nwant = {bits = 1, hex = '80'}"), "got "},
		"PN532 empty":     {other("type = 'pn532'", "hex = '00 00 FF 03 FD D5 4B 00 E0 00'\nwant = {bits = 32, hex = '6b3d12d6'}"), "got nothing"},
		"ID card":         {other("type = 'idcard'", "hex = 'AA AA AA 96 69 00 04 00 00 80 84'\nwant = {id_number = '44000019900101001X'}"), "got "},
	} {
		r, err := ParseReader([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, err = Check(r)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v; want %q", name, err, c.want)
		}
	}
}

// TestSet: a file on disk goes over the embedded one of its name, beside it
// stand others, and a wrong one is told and not used.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80'}\n"
	write("readers/rdm6300.toml", strings.Replace(good, `"x"`, `"rdm6300"`, 1))
	write("readers/mine.toml", strings.Replace(good, `"x"`, `"mine"`, 1))
	write("readers/renamed.toml", good)
	write("readers/wrong.toml", strings.Replace(strings.Replace(good, "bd88eb80", "bd88eb40", 1), `"x"`, `"wrong"`, 1))
	write("readers/note.txt", "no profile")
	write("boards/raspberry-pi-4.toml", "name = \"raspberry-pi-4\"\ntitle = \"mine\"\nnotes = [\"n\"]\n[sources]\nsheet = \"my own sheet\"\n[levels]\nvolts = 3.3\nsource = [\"sheet\"]\n")
	set := Set{Dir: dir}

	if r, err := set.Reader("rdm6300"); err != nil || r.Type != "wiegand" {
		t.Errorf("the file on disk does not go over the embedded one: %v, %v", r.Type, err)
	}
	if r, err := (Set{}).Reader("rdm6300"); err != nil || r.Type != "serial" {
		t.Errorf("without a directory: %v, %v", r.Type, err)
	}
	if b, err := set.Board("raspberry-pi-4"); err != nil || b.Title != "mine" || len(b.Chips) != 0 {
		t.Errorf("board on disk: %q, %d chips, %v", b.Title, len(b.Chips), err)
	}
	for name, want := range map[string]string{"renamed": "the name of its file", "wrong": "want card of 26 bits", "toaster": "known: ", "../mine": "want 1 to 48"} {
		if _, err := set.Reader(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", name, err, want)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "readers", "7941w.toml"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Reader("7941w"); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("the embedded one stands in for one on disk that can't be read: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "readers", "7941w.toml")); err != nil {
		t.Fatal(err)
	}
	all, err := set.List()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Entry{}
	for _, e := range all {
		byName[e.Name] = e
	}
	path := filepath.Join(dir, "readers", "mine.toml")
	if e := byName["mine"]; e.Origin != path || e.Error != "" || e.Type != "wiegand" {
		t.Errorf("list has %+v", e)
	}
	if e := byName["wrong"]; e.Error == "" {
		t.Errorf("a wrong file is listed as good: %+v", e)
	}
	if e := byName["em-18"]; e.Origin != Embedded || e.Error != "" {
		t.Errorf("list has %+v", e)
	}
	if len(all) != len(embeddedNames(Boards))+len(embeddedNames(Readers))+3 {
		t.Errorf("%d profiles listed", len(all))
	}
}

// TestNoDirectory: a house without profiles of its own has the embedded ones.
func TestNoDirectory(t *testing.T) {
	set := Set{Dir: filepath.Join(t.TempDir(), "none")}
	all, err := set.List()
	if err != nil || len(all) == 0 {
		t.Fatalf("%d profiles, %v", len(all), err)
	}
	if _, err := set.Reader("rdm6300"); err != nil {
		t.Error(err)
	}
}

// TestHugeFile: no more of a file is read than a profile may have.
func TestHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.toml")
	if err := os.WriteFile(path, make([]byte, 4*maxFile), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := ReadFile(path)
	if err != nil || len(raw) != maxFile+1 {
		t.Errorf("%d bytes read, %v", len(raw), err)
	}
	if _, err := ReadFile(filepath.Dir(path)); err == nil {
		t.Error("a directory is read")
	}
}

// FuzzCheck: no profile makes a check panic, and what it calls good is as the
// sample wants it.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(wiegandReader + card + "want = {bits = 26, hex = 'bd88eb80'}\n"))
	for _, name := range embeddedNames(Readers) {
		f.Add(text(f, Readers, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := ParseReader(raw)
		if err != nil {
			return
		}
		results, err := Check(r)
		for _, res := range results {
			if err == nil && !res.OK {
				t.Fatalf("no error and a wrong sample: %+v", res)
			}
		}
	})
}

// TestDocs: the example in docs/profiles.md is a profile whose samples decode,
// and the page names every key.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := blocks(string(page), "```toml\n")
	if len(examples) != 2 {
		t.Fatalf("%d examples; want a reader and a board", len(examples))
	}
	r, err := ParseReader([]byte(examples[0]))
	if err != nil {
		t.Fatal(err)
	}
	if results, err := Check(r); err != nil || len(results) < 2 {
		t.Errorf("the example has %d samples, %v", len(results), err)
	}
	if b, err := ParseBoard([]byte(examples[1])); err != nil || len(b.Relays) == 0 {
		t.Errorf("the board has %d relays, %v", len(b.Relays), err)
	}
	for _, key := range keys(t) {
		if !strings.Contains(string(page), "`"+key+"`") && !strings.Contains(string(page), "`[["+key+"]]`") {
			t.Errorf("docs/profiles.md does not explain %s", key)
		}
	}
}

// blocks returns the fenced blocks of a page.
func blocks(page, fence string) (all []string) {
	for {
		_, after, ok := strings.Cut(page, fence)
		if !ok {
			return all
		}
		block, rest, _ := strings.Cut(after, "```")
		all = append(all, block)
		page = rest
	}
}

// TestWiring: the wiring that setup proposes has lines that are there and free, and a relay
// that its pull does not energise.
func TestWiring(t *testing.T) {
	const board = `
name = "b"
title = "B"
[sources]
sheet = "a board, data sheet, chapter 3"
[[chip]]
label = "c"
lines = 16
source = ["sheet"]
pull = [{from = 0, to = 3, level = "up", source = ["sheet"]}]
[[header]]
name = "X1"
chip = "c"
pins = {3 = 8}
source = ["sheet"]
[[serial]]
device = "/dev/ttyS1"
chip = "c"
lines = [14, 15]
source = ["sheet"]
[wiring]
chip = "c"
fire = 4
[[wiring.door]]
relay = 8
exit = 9
contact = 10
d0 = 11
d1 = 12
`
	for old, c := range map[string]struct{ fresh, want string }{
		"relay = 8":                {"relay = 8", ""},
		"chip = \"c\"\nfire":       {"chip = \"d\"\nfire", `chip = "d": want the label`},
		"relay = 8\nexit":          {"relay = 3\nexit", "would energise the relay"},
		"d1 = 12":                  {"d1 = 16", "door 1 d1: line 16: chip \"c\" has lines 0 to 15"},
		"exit = 9":                 {"exit = 4", "door 1 exit: line 4 is used for fire"},
		"contact = 10":             {"contact = 14", "door 1 contact: line 14 is used for /dev/ttyS1"},
		"[[wiring.door]]\nrelay =": {"[[wiring.door]]\nrelais =", `unknown key "wiring.door.relais"`},
	} {
		b, err := ParseBoard([]byte(strings.Replace(board, old, c.fresh, 1)))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v; want %q", c.fresh, err, c.want)
		}
		if c.want == "" && (len(b.Wiring.Inputs()) != 5 || b.PinOf("c", b.Wiring.Doors[0].Relay) != "pin 3 of the X1") {
			t.Errorf("%+v, %q", b.Wiring.Inputs(), b.PinOf("c", 8))
		}
	}
}
