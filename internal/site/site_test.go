package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// goodSite is a building with two doors, as docs/site-file.md describes it.
const goodSite = `
building = "lane-7"
gateway = "gw1"
board = "raspberry-pi-4"

[fire]
chip = "gpiochip0"
line = 22
active = "high"

[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
relay = {chip = "gpiochip0", line = 17}
exit = {chip = "gpiochip0", line = 23}
contact = {chip = "gpiochip0", line = 24, active = "high"}

  [[door.reader]]
  id = "in"
  type = "wiegand"
  chip = "gpiochip0"
  d0 = 5
  d1 = 6
  formats = ["H10301", "H10306"]

[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
relay = {chip = "gpiochip0", line = 27}

  [[door.reader]]
  type = "serial"
  port = "/dev/ttyUSB0"
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Doors) != 2 || s.Doors[1].Readers[0].ID != "reader-1" || s.Doors[1].Readers[0].Baud != 9600 {
		t.Errorf("defaults are missing: %+v", s.Doors)
	}
}

// TestFaults: each wrong file is refused with words that say where and what
// to do.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string // what is changed in goodSite
		want     []string
	}{
		"unknown key":          {`gateway = "gw1"`, "gateway = \"gw1\"\ngatway = \"x\"", []string{"line 4", `"gatway"`, `did you mean "gateway"?`}},
		"unknown key of door":  {"egress = \"electric\"", "egress = \"electric\"\nrelaese_seconds = 5", []string{"line 14", `did you mean "release_seconds"?`}},
		"a rule on the exit":   {"egress = \"electric\"", "egress = \"electric\"\nanti_passback = true", []string{"anti_passback", "known here"}},
		"syntax":               {`gateway = "gw1"`, `gateway = gw1`, []string{"line 3"}},
		"bad building":         {`"lane-7"`, `"Lane 7"`, []string{"building", "a-z"}},
		"locked in":            {`lock = "fail-safe"`, `lock = "fail-secure"`, []string{`door "front"`, "lock people in"}},
		"no exit button":       {"exit = {chip = \"gpiochip0\", line = 23}\n", "", []string{`door "front"`, "exit = {"}},
		"unsafe pull":          {"line = 17", "line = 4", []string{`door "front": relay`, "energise the relay at power-on"}},
		"pull not known":       {`board = "raspberry-pi-4"`, "", []string{`pull = "down"`}},
		"unknown board":        {"raspberry-pi-4", "raspberry-pie", []string{"raspberry-pi-4"}},
		"short release":        {`lock = "fail-secure"`, "lock = \"fail-secure\"\nrelease_seconds = 1", []string{"release_seconds", "3 to 600"}},
		"limited in fire":      {`lock = "fail-secure"`, "lock = \"fail-secure\"\nmax_release_seconds = 20", []string{"continuous duty"}},
		"limited, fail-safe":   {`lock = "fail-safe"`, "lock = \"fail-safe\"\nmax_release_seconds = 20", []string{`door "front"`, "released when de-energised: remove it"}},
		"limit below release":  {`lock = "fail-secure"`, "lock = \"fail-secure\"\nmax_release_seconds = 4\nrelease_seconds = 5", []string{`door "yard"`, "less than release_seconds"}},
		"unknown format":       {`"H10306"`, `"H9"`, []string{`reader "in"`, `"H9"`, "H10301"}},
		"no format":            {`formats = ["H10301", "H10306"]`, "", []string{`reader "in"`, "formats is missing"}},
		"line used twice":      {"line = 24", "line = 23", []string{"gpiochip0 line 23", "front exit", "front contact"}},
		"two doors of one id":  {`id = "yard"`, `id = "front"`, []string{"stands twice"}},
		"wrong type":           {"line = 22", `line = "22"`, []string{"line 8", "wrong type", "without quotes"}},
		"negative line":        {"line = 22", "line = -4", []string{"fire", "line = -4"}},
		"chip by its path":     {`contact = {chip = "gpiochip0", line = 24`, `contact = {chip = "/dev/gpiochip0", line = 23`, []string{"front exit", "front contact"}},
		"long socket":          {`gateway = "gw1"`, "gateway = \"gw1\"\nsocket = \"/" + strings.Repeat("x", 120) + "\"", []string{"socket", "103"}},
		"fire level":           {"active = \"high\"\n\n[[door]]", "\n[[door]]", []string{"fire: say active", "cut wire"}},
		"no number":            {`lock = "fail-secure"`, "lock = \"fail-secure\"\nrelease_seconds = nan", []string{"release_seconds"}},
		"endless":              {`lock = "fail-secure"`, "lock = \"fail-secure\"\nheld_seconds = inf", []string{"held_seconds"}},
		"relative state":       {`gateway = "gw1"`, "gateway = \"gw1\"\nstate = \"here\"", []string{"whole paths"}},
		"no line":              {"relay = {chip = \"gpiochip0\", line = 27}", "relay = {chip = \"gpiochip0\"}", []string{`door "yard": relay`, "line is missing"}},
		"reader of no type":    {`type = "serial"`, `type = "magic"`, []string{"want one of wiegand, osdp, serial, pn532, code"}},
		"reserved reader name": {`id = "in"`, `id = "exit"`, []string{"taken"}},
		"unknown layout":       {`type = "serial"`, "type = \"serial\"\nlayout = \"x\"", []string{"layout", "rdm6300"}},
		"budget":               {`gateway = "gw1"`, "gateway = \"gw1\"\njournal = {budget_ms = 60000}", []string{"budget_ms", "2 s"}},
		"two faults at once":   {`lock = "fail-secure"`, "lock = \"loose\"\nrelease_seconds = 1", []string{"fail-safe, fail-secure", "release_seconds"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(goodSite, c.old, c.new, 1)
			if text == goodSite {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(text))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q\ndoes not say %q", err, want)
				}
			}
		})
	}
}

// TestZeroSwitchesOff: 0 is a setting, not a missing one.
func TestZeroSwitchesOff(t *testing.T) {
	s, err := Parse([]byte(strings.Replace(goodSite, `lock = "fail-secure"`, "lock = \"fail-secure\"\nheld_seconds = 0", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if *s.Doors[1].HeldSeconds != 0 || *s.Doors[0].HeldSeconds == 0 {
		t.Errorf("held after %v and %v", *s.Doors[1].HeldSeconds, *s.Doors[0].HeldSeconds)
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.toml")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte(goodSite), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

// FuzzParse: no text makes it panic, and what it accepts is accepted again.
func FuzzParse(f *testing.F) {
	f.Add(goodSite)
	f.Add("")
	f.Add("[[door]]\n[[door.reader]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := Parse([]byte(text)); err != nil {
			return
		}
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("accepted once: %v", err)
		}
	})
}

// TestFilterSettings: settable for exit and contact, and refused for fire.
func TestFilterSettings(t *testing.T) {
	s, err := Parse([]byte(goodSite))
	if err != nil || *s.Doors[0].Exit.FilterMS != 20 || *s.Doors[0].Contact.FilterMS != 100 {
		t.Fatalf("defaults: %v, %v", s, err)
	}
	for change, want := range map[[2]string]string{
		{"line = 23", "line = 23, filter_ms = 100"}: "",
		{"line = 23", "line = 23, filter_ms = 0"}:   "",
		{"line = 23", "line = 23, filter_ms = 101"}: "exit: filter_ms = 101: want 0 (off) to 100",
		{"line = 24", "line = 24, filter_ms = -1"}:  "contact: filter_ms = -1",
		{"line = 22", "line = 22\nfilter_ms = 5"}:   "fire: filter_ms",
	} {
		_, err := Parse([]byte(strings.Replace(goodSite, change[0], change[1], 1)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}
