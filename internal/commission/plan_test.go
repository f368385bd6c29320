package commission

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

const (
	chip = "pinctrl-bcm2711"
	bus  = "/dev/serial/by-id/usb-FTDI_A1"
)

func at(n int) *int { return &n }

// house is a Raspberry Pi 4 with everything wired and in order.
func house() discovery.Found {
	f := discovery.Found{Board: "raspberry-pi-4", Machine: site.Found{Chips: []site.FoundChip{{Names: []string{"gpiochip0"}, Label: chip, Lines: 58}}}}
	for _, line := range []int{22, 23, 24, 20, 21, 25, 16, 12, 13} {
		f.Inputs = append(f.Inputs, discovery.Input{Chip: chip, Line: line, High: line != 22 && line != 24 && line != 16})
	}
	f.Readers = []discovery.Reader{
		{Type: "wiegand", Chip: chip, D0: at(20), D1: at(21), Formats: []string{"H10306"}},
		{Type: "osdp", Port: bus, Baud: 38400, Address: at(0), Identity: "vendor 00-06-8E model 1.2 serial 00000007 firmware 1.0.0"},
		{Type: "osdp", Port: bus, Baud: 38400, Address: at(2), Clear: true},
		{Type: "serial", Port: "/dev/ttyUSB1", Baud: 9600, Layout: "rdm6300"},
	}
	return f
}

func answers(t *testing.T, text string) Answers {
	t.Helper()
	a, err := ParseAnswers([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const front = `
building = "lane-7"
fire = true
[[door]]
id = "front"
egress = "electric"
lock = "fail-safe"
contact = true
`

// words are the items of a plan, one a line.
func words(p Plan) string {
	var b strings.Builder
	for _, i := range p.Items {
		b.WriteString(string(i.State) + " " + i.What + ": " + i.Words + "\n")
	}
	return b.String()
}

// TestReadersOnBothSides: a door's second Wiegand reader is at the lines of another door's place.
func TestReadersOnBothSides(t *testing.T) {
	const both = front + `
[[door.reader]]
id = "in"
[[door.reader]]
id = "out"
direction = "out"
type = "wiegand"
place = `
	p := Propose(house(), answers(t, both+"2"), profile.Set{})
	s, err := site.Parse([]byte(p.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, words(p))
	}
	if r := s.Doors[0].Readers; len(r) != 2 || *r[0].D0 != 20 || *r[1].D0 != 12 || *r[1].D1 != 13 || r[1].Direction != "out" {
		t.Errorf("%+v\n%s", r, p.Text)
	}
	for _, place := range []string{"3", "-1"} {
		if p := Propose(house(), answers(t, both+place), profile.Set{}); !p.Faulty() || !strings.Contains(words(p), "proposes reader lines for 2 doors") {
			t.Errorf("place %s: %s", place, words(p))
		}
	}
}

// TestProposeInOrder: of a house in order comes a file that the daemon takes, with comments,
// in which everything stands as it was found.
func TestProposeInOrder(t *testing.T) {
	a := answers(t, front+`
[[door.reader]]
id = "in"
[[door.reader]]
id = "out"
direction = "out"
type = "osdp"
address = 2
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
[[door.reader]]
type = "serial"
[[door.reader]]
type = "osdp"
`)
	p := Propose(house(), a, profile.Set{})
	if p.Faulty() {
		t.Fatal(words(p))
	}
	s, err := site.Parse([]byte(p.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Text)
	}
	d := s.Doors[0]
	if s.Gateway != "gw1" || *s.Fire.Line != 22 || *d.Relay.Line != 17 || *d.Exit.Line != 23 || d.Contact.Active != "high" || len(d.Readers) != 2 {
		t.Errorf("the file says\n%s", p.Text)
	}
	if r := d.Readers[0]; r.Type != "wiegand" || *r.D0 != 20 || r.Formats[0] != "H10306" {
		t.Errorf("the first reader is %+v", r)
	}
	if r := d.Readers[1]; *r.Address != 2 || r.Baud != 38400 || r.Security != "none" || r.Direction != "out" {
		t.Errorf("the second reader is %+v", r)
	}
	yard := s.Doors[1]
	if yard.Exit != nil || *yard.Relay.Line != 27 || yard.Readers[0].Layout != "rdm6300" || *yard.Readers[1].Address != 0 {
		t.Errorf("the yard is %+v", yard)
	}
	for _, want := range []string{"# Raspberry Pi 4 Model B", "# line 17, pin 11 of the 40-pin header J8", "# it says: vendor 00-06-8E", "a cut wire counts as fire"} {
		if !strings.Contains(p.Text, want) {
			t.Errorf("no %q in\n%s", want, p.Text)
		}
	}
	if got := words(p); !strings.Contains(got, "ok door front, relay: line 17, pin 11") || !strings.Contains(got, "look door front, reader out: OSDP reader 2 at "+bus+", 38400 baud: it says that it has no secure channel") {
		t.Errorf("says\n%s", got)
	}
}

// TestProposeFaults: what is wrong is said in words, and what could not work or would lock
// people in leaves no file.
func TestProposeFaults(t *testing.T) {
	const reader = "[[door.reader]]\nid = 'in'\n"
	for name, c := range map[string]struct {
		spoil func(*discovery.Found)
		text  string
		want  string
		file  bool
	}{
		"no board":             {func(f *discovery.Found) { f.Board = "" }, front, "fault board: it was not found: answer board = NAME", false},
		"board by answer":      {func(f *discovery.Found) { f.Board = "" }, `board = "raspberry-pi-4"` + front, "ok board: Raspberry Pi 4", true},
		"no wiring":            {func(f *discovery.Found) { f.Board = "rock-pi-s" }, front, "proposes no lines", false},
		"pull not known":       {func(f *discovery.Found) { f.Board = "raspberry-pi-5" }, front, `put a resistor of 10 kohm from it to ground, measure, and answer pull = "down"`, false},
		"pull measured":        {func(f *discovery.Found) { f.Board = "raspberry-pi-5" }, front + "pull = 'down'\n", "ok door front, relay", true},
		"fire not wired":       {func(f *discovery.Found) { f.Inputs[0].High = true }, front, "look fire input: line 22, pin 15 of the 40-pin header J8: it reads fire", true},
		"button pressed":       {func(f *discovery.Found) { f.Inputs[1].High = false }, front, "look door front, exit button: line 23, pin 16 of the 40-pin header J8: it reads pressed", true},
		"wires exchanged":      {func(f *discovery.Found) { f.Readers[0].Swapped = true }, front + reader, "its wires D0 and D1 are exchanged: exchange them", false},
		"no card seen":         {func(f *discovery.Found) { f.Readers = nil }, front + reader, "no card was seen, so H10301 is assumed: when the daemon runs, gatehouse teach front in finds out", true},
		"D1 low":               {func(f *discovery.Found) { f.Readers, f.Inputs[4].High = nil, false }, front + reader, "look door front, reader in: line 21, pin 40 of the 40-pin header J8 reads low", true},
		"reader not there":     {func(*discovery.Found) {}, front + reader + "type = 'pn532'\n", "fault door front, reader in: no such reader was found (there are: Wiegand reader at lines 20 and 21", false},
		"reader twice":         {func(*discovery.Found) {}, front + reader + "type = 'serial'\n[[door.reader]]\nid = 'two'\ntype = 'serial'\n", "fault door front, reader two: no such reader was found", false},
		"people locked in":     {func(*discovery.Found) {}, strings.Replace(front, "fail-safe", "fail-secure", 1), "would lock people in when the power fails", false},
		"egress not said":      {func(*discovery.Found) {}, strings.Replace(front, `egress = "electric"`, "", 1), `egress = "": want one of mechanical, electric`, false},
		"more doors than that": {func(*discovery.Found) {}, front + strings.Repeat("[[door]]\nid = 'more'\negress = 'mechanical'\nlock = 'fail-secure'\n", 2), "proposes lines for 2 doors", false},
		"no door":              {func(*discovery.Found) {}, "building = 'lane-7'\n", "no [[door]]", false},
		"a line that is taken": {func(f *discovery.Found) { f.Machine.Chips[0].Users = map[int]string{17: "spi0 CS0"} }, front, `look site file: front relay: gpiochip0 [pinctrl-bcm2711] line 17 is used by "spi0 CS0"`, true},
		"not to be written":    {func(*discovery.Found) {}, strings.Replace(front, "lane-7", `a\"b\n`, 1), "fault site file: ", false},
	} {
		f := house()
		c.spoil(&f)
		p := Propose(f, answers(t, c.text), profile.Set{})
		if got := words(p); !strings.Contains(got, c.want) || p.Faulty() == c.file || strings.Contains(got, "fault ") == c.file {
			t.Errorf("%s: file %v, says\n%s", name, !p.Faulty(), got)
		}
	}
}

// TestParseAnswers: what is not known is told with what was meant.
func TestParseAnswers(t *testing.T) {
	_, err := ParseAnswers([]byte("biulding = 'x'\n"))
	if err == nil || !strings.Contains(err.Error(), `did you mean "building"?`) {
		t.Error(err)
	}
}

// TestExamples: examples/ are what they say: answers of which a site file comes on a house
// with such readers, and a list of cards that import reads whole.
func TestExamples(t *testing.T) {
	for name, doors := range map[string]int{"one-door.toml": 1, "two-doors.toml": 2} {
		raw, err := os.ReadFile(filepath.Join("../../examples", name))
		if err != nil {
			t.Fatal(err)
		}
		p := Propose(house(), answers(t, string(raw)), profile.Set{})
		s, err := site.Parse([]byte(p.Text))
		if err != nil || len(s.Doors) != doors {
			t.Errorf("%s: %v\n%s", name, err, words(p))
		}
	}
	f, err := os.Open("../../examples/takeover.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := cardlist.Read(f, cardlist.Options{})
	if err != nil || len(list.Rows) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, r := range list.Rows {
		if r.Fault != "" {
			t.Error(r.Fault)
		}
	}
}

// TestEveryAnswerIsExplained: docs/setup.md has every key of the answers.
func TestEveryAnswerIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/setup.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(prefix string, s reflect.Type)
	walk = func(prefix string, s reflect.Type) {
		for i := range s.NumField() {
			key := prefix + s.Field(i).Tag.Get("toml")
			if !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("docs/setup.md does not have %s", key)
			}
			if f := s.Field(i).Type; f.Kind() == reflect.Slice && f.Elem().Kind() == reflect.Struct {
				walk(key+".", f.Elem())
			}
		}
	}
	walk("", reflect.TypeFor[Answers]())
}

// TestPlace: a door that is wired as the second of the profile's has its lines and its reader;
// two doors at one place, and a place that the profile does not have, are faults.
func TestPlace(t *testing.T) {
	yard := "building = \"lane-7\"\n[[door]]\nid = \"yard\"\nplace = %\negress = \"mechanical\"\nlock = \"fail-secure\"\n"
	at := func(place string) string { return strings.Replace(yard, "%", place, 1) }
	if p := Propose(house(), answers(t, at("2")), profile.Set{}); p.Faulty() || !strings.Contains(p.Text, "line = 27}") {
		t.Errorf("%s%s", words(p), p.Text)
	}
	for _, place := range []string{"3", "-1"} {
		if p := Propose(house(), answers(t, at(place)), profile.Set{}); !p.Faulty() {
			t.Errorf("place %s: %s", place, p.Text)
		}
	}
	both := at("2") + strings.Replace(strings.SplitAfterN(at("2"), "\n", 2)[1], "yard", "front", 1)
	if p := Propose(house(), answers(t, both), profile.Set{}); !p.Faulty() {
		t.Errorf("two doors at one place: %s", p.Text)
	}
}
