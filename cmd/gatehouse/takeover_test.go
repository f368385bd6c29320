package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/text/encoding/simplifiedchinese"

	"gatehouse/device/devicetest"
	"gatehouse/internal/control"
)

// shedText is a third door, whose reader sends the ten digits of a card as a line.
const shedText = `
[[door]]
id = "shed"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 4, pull = "down"}
[[door.reader]]
id = "in"
type = "serial"
layout = "line"
port = "%s/tty2"
`

// newOldHouse is a running house with a W26, an EM4100 and a line reader.
func newOldHouse(t *testing.T) (*bench, string, *devicetest.SerialModule) {
	t.Helper()
	b := newBench(t)
	line, err := devicetest.NewSerialTerminal(b.path("tty2"), "line")
	must(t, err)
	t.Cleanup(func() { _ = line.Close() })
	site, err := os.ReadFile(b.path("site.toml"))
	must(t, err)
	must(t, os.WriteFile(b.path("site.toml"), fmt.Appendf(site, shedText, b.dir), 0o600))
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	return b, key, line
}

const csvHead = "label,doors,form,number\n"

// TestOldLists: lists as old systems and spreadsheets write them, and what the plan
// says of them. A plan never has a card's number.
func TestOldLists(t *testing.T) {
	b, key, _ := newOldHouse(t)
	number := regexp.MustCompile(`\d{6}|1\.23E`)
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(csvHead + "前门,front,10D,0006171022\n")
	must(t, err)
	uhppoted := "Card Number\tFrom\tTo\tWorkshop\tSide Door\tFront Door\tGarage\n65537\t2020-01-02\t2097-10-31\tN\tN\tY\tN\n65538\t2020-02-03\t2097-11-30\tY\tN\tY\tN\n"
	for name, c := range map[string]struct {
		in   string
		args []string
		want []string // in the plan
	}{
		"plain":            {in: csvHead + "1A,front yard shed,10D,0006171021\n", want: []string{"1 line", "1 new"}},
		"GBK":              {in: gb, want: []string{"1 new", "GB18030", "前门"}},
		"Excel's dates":    {in: "label,doors,form,number,kind,from,until\n1C,front,10D,0006171036,resident,2026/11/1,2097/11/30\n", want: []string{"1 new"}},
		"a day's times":    {in: "label,doors,form,number,from,until\n1C,front,10D,0006171036,2026-11-01 00:00:00,2097-11-30 23:59:59\n1D,front,10D,0006171037,2026/11/1 0:00,2097-11-30T00:00:00.000\n1E,front,10D,0006171038,2026-11-01 08:00,\n", want: []string{"2 new", "1 refused: line 4: its first day can't be read"}},
		"lost zeros":       {in: csvHead + "1B,front,10D,6171021\n1C,front,10D,6171022\n1D,front,10D,0006171023\n", want: []string{"1 new", "lines 2, 3: its number has fewer digits", "--fill-zeros"}},
		"zeros put back":   {in: csvHead + "1B,front,10D,6171021\n1C,front,3+5D,\"94,1063\"\n", args: []string{"--fill-zeros"}, want: []string{"2 new"}},
		"scientific":       {in: csvHead + "1B,front,10D,1.23E+09\n1C,front,10D,1.24E+09\n", want: []string{"lines 2, 3: its number is written like 1.23E+09, so digits are lost", "as text", "export again"}},
		"blank cells":      {in: csvHead + "1C,front,10D,0006171031\n,,,\n,,,\n", want: []string{"1 new", "2 lines without a cell left out"}},
		"trailing comma":   {in: "label,doors,form,number,\n1C,front,10D,0006171034,\n", want: []string{"1 new"}},
		"sep line":         {in: "sep=;\nlabel;doors;form;number\n1A;front;10D;0006171035\n", want: []string{"1 new"}},
		"past":             {in: "label,doors,form,number,kind,from,until\n1C,front,10D,0006171041,resident,2020-01-01,2020-12-31\n1D,front,10D,0006171042,resident,2020-01-01,2097-12-31\n", want: []string{"1 new", "1 over by their last day"}},
		"40 bits":          {in: csvHead + "6S,front,10H,0A004D7603\n6A,front,13D,0042954749443\n", want: []string{"1 new", "line 3: its card stands above under another label: the key has both"}},
		"same low 24":      {in: csvHead + "1C,front,10D,0023948260\n1D,front,10D,0007171044\n", want: []string{"2 refused", "lines 2, 3: cards that differ, and a reader here can't tell them apart"}},
		"a line a door":    {in: csvHead + "1C,front,10D,0006171031\n1C,shed,10D,0006171031\n", want: []string{"1 new", "1 of a card that stands above already"}},
		"8D and 10D":       {in: csvHead + "1C,front,8D,06171031\n1C,shed,10D,0006171031\n", want: []string{"1 new", "1 of a card that stands above already"}},
		"10D and 10H":      {in: csvHead + "1C,front,10D,0006171031\n1C,shed,10H,0A005E2997\n", want: []string{"1 new", "1 of a card that stands above already"}},
		"10H and 10D, two": {in: csvHead + "1C,front,10H,0A005E2997\n1D,shed,10D,0006171031\n", want: []string{"2 refused", "contradict"}},
		"two prints":       {in: csvHead + "1A,front,10D,\"0006171021 094,10637\"\n1B,front,3+5D,0006171022（094 10638）\n1C,front,8D,06171023/005E298F\n", want: []string{"3 new"}},
		"two prints, two cards": {in: csvHead + "1A,front,10D,\"0006171021 094,10638\"\n1B,front,10D,0006171022;0006171023\n",
			want: []string{"lines 2, 3: its cell has two numbers that are not of one card"}},
		"full width":         {in: "label,doors,form,number,kind\nＡ８,ｆｒｏｎｔ　Yard,１０ｄ,０００６１７１０４４,Ｓｔａｆｆ\n", want: []string{"1 new"}},
		"as numbers":         {in: csvHead + "1A,front,10D,6171063.0\n1B,front,10D,\"6,171,064\"\n1C,front,10D,\"1,006,171,065\"\n", want: []string{"1 new", "lines 2, 3: its number has fewer digits"}},
		"as numbers, filled": {in: csvHead + "1A,front,10D,6171063.0\n1B,front,10D,\"6,171,064\"\n", args: []string{"--fill-zeros"}, want: []string{"2 new"}},
		"hex with marks":     {in: csvHead + "1A,front,8H,0x005E29D5\n1B,front,10H,01:00:5e:29:d6\n1C,front,uid,0x04A1B2C3\n", want: []string{"3 new"}},
		"8D and 10D, two":    {in: csvHead + "1C,front,8D,06171031\n1D,shed,10D,0006171031\n", want: []string{"2 refused", "contradict"}},
		"a peer's layout":    {in: uhppoted, args: []string{"--column", "number=Card Number", "--form", "10D", "--door", "front", "--fill-zeros"}, want: []string{"2 new", "named after their line", `"Workshop", "Side Door"`}},
		"a column a door":    {in: uhppoted, args: []string{"--column", "number=Card Number", "--column", "door:front=Front Door", "--column", "door:shed=Workshop", "--form", "8D", "--fill-zeros"}, want: []string{"2 new"}},
		"UIDs":               {in: csvHead + "1C,front,uid,04:A1:B2:C3\n1D,front,uid-reversed,04A1B2C3D4E5F6\n", want: []string{"2 new"}},
		"shifted columns":    {in: "label,doors,form,number,kind,until\n1C,0006171031,10D,front,,\n1D,front,0006171032,1,,\n1E,front,10D,0006171033,0006171033,\n1F,front,10D,0006171034,,0006171034\n0006171035,front,10D,0006171036,,\n1G,front,3+5D,094,10637,\n", want: []string{"6 refused", "not shown"}},
		"no label, no day":   {in: "label,doors,form,number,until\n,front,10D,0006171031,\n1D,front,10D,0006171032,31/12/2027\n", want: []string{"it has no label", "its last day can't be read"}},
	} {
		out := b.ok(c.in, append([]string{"import", "--key", key, "--dry-run", "-"}, c.args...)...)
		for _, w := range c.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: the plan does not say %q:\n%s", name, w, out)
			}
		}
		if shown := strings.ReplaceAll(out, "like 1.23E+09", ""); number.MatchString(shown) {
			t.Errorf("%s: a number is shown:\n%s", name, out)
		}
	}
	if out := b.ok("", "grant", "list"); !strings.Contains(out, "no keys yet") {
		t.Errorf("a dry run has made keys: %s", out)
	}
}

// TestTakeover: the whole way of an old house: one card has one key at all its readers,
// however it came in, and an end says what is left.
func TestTakeover(t *testing.T) {
	t.Parallel()
	b, key, line := newOldHouse(t)
	out := b.ok(csvHead+"1A,front yard shed,10D,0008065495\n7S,shed,10D,0005566777\n", "import", "--key", key, "-")
	if !strings.Contains(out, "2 keys imported") || !strings.Contains(out, "readers at yard") || strings.Contains(out, "shed") {
		t.Errorf("import: %s", out)
	}
	isOpen := func(door string) func() bool { return func() bool { _, on := b.board.Output(door); return on } }
	b.eventually("the line reader's card opens", func() bool {
		must(t, line.Send([]byte("0005566777\r\n")))
		time.Sleep(20 * time.Millisecond)
		return isOpen("shed")()
	})
	b.ok("", "adopt", "on")
	b.present(swipe{door: "yard", card: tenantCard}, "the card asks", func() bool { return len(b.adopts().Cards) == 1 })
	b.fails("", []string{"no door \"attic\" here"}, "adopt", "bind", "--key", key, "--label", "1A", "--door", "attic", b.adopts().Cards[0].ID)
	out = b.ok("", "adopt", "bind", "--key", key, "--label", "1a", "--door", "yard", b.adopts().Cards[0].ID)
	if !strings.Contains(out, "for 1A in another form: it joined that key, which opens front, shed, yard") {
		t.Errorf("adopt bind: %s", out)
	}
	b.opens(tenantCard, "yard", "front")
	if keys := b.keys(); len(keys) != 2 {
		t.Errorf("one card, %d keys", len(keys)-1)
	}
	b.ok("0000123456\n", "grant", "add", "--key", key, "--label", "1A", "--door", "front", "--printed", "10D")
	second := b.hint("0000123456\n", `gatehouse grant (card) ([0-9a-f]{8})`, "grant", "add", "--key", key, "--label", "1A", "--door", "front", "--printed", "10D")
	b.ok("0000123456\n", "grant", second[1], "--key", key, "--printed", "10D", second[2])
	first := b.keys()[slices.IndexFunc(b.keys(), func(k control.Key) bool { return k.Credentials > 3 })].Grant
	out = b.ok("", "grant", "end", "--key", key, first)
	left := regexp.MustCompile(`1A still opens by key [0-9a-f]{8} at front: .* gatehouse grant (end) ([0-9a-f]{8}) too`).FindStringSubmatch(out)
	if left == nil {
		t.Fatalf("grant end: %s", out)
	}
	if out := b.ok("", "grant", left[1], "--key", key, left[2]); strings.Contains(out, "still opens") {
		t.Errorf("the last one: %s", out)
	}
}

// hint returns what the hint of a command that fails says.
func (b *bench) hint(stdin, pattern string, args ...string) []string {
	b.t.Helper()
	status, _, errOut := b.tool(stdin, args...)
	found := regexp.MustCompile(pattern).FindStringSubmatch(errOut)
	if status == 0 || found == nil {
		b.t.Fatalf("status %d, no hint in %s", status, errOut)
	}
	return found
}

// TestAdoptJoins: a kept card that has the number of an imported one joins its key, also
// under another label, and gains no door by that; one that may be another card does not.
func TestAdoptJoins(t *testing.T) {
	b, key, _ := newOldHouse(t)
	b.ok(csvHead+"1A,front,10D,0008065495\n1B,front,8D,08065496\n", "import", "--key", key, "-") // of tenantCard, and of the card after it
	b.ok("", "adopt", "on")
	ids, seen := map[uint64]string{}, map[string]bool{}
	for i, card := range []uint64{tenantCard, tenantCard + 1} {
		b.present(swipe{door: "yard", card: card}, "the card asks", func() bool { return len(b.adopts().Cards) == i+1 })
		for _, c := range b.adopts().Cards {
			if !seen[c.ID] {
				seen[c.ID], ids[card] = true, c.ID
			}
		}
	}
	out := b.ok("", "adopt", "bind", "--key", key, "--label", "9Z", "--door", "yard", ids[tenantCard])
	if !strings.Contains(out, "for 1A in another form: it joined that key, which opens front;") {
		t.Errorf("adopt bind under another label: %s", out)
	}
	b.fails("", []string{"(1B) already", `give --label "1B"`}, "adopt", "bind", "--key", key, "--label", "9Z", "--door", "yard", ids[tenantCard+1])
	b.ok("", "grant", "suspend", "--key", key, "1B")
	b.ok("", "adopt", "bind", "--key", key, "--label", "1B", "--door", "yard", ids[tenantCard+1]) // as the hint says
	for _, k := range b.keys() {
		if k.Label == "1B" && (k.State != "suspended" || !slices.Equal(k.Doors, []string{"front", "yard"})) {
			t.Errorf("a form that joined a suspended key: %+v", k)
		}
	}
}

// TestImportAgain: next month's list is safe.
func TestImportAgain(t *testing.T) {
	b, key, _ := newOldHouse(t)
	head := "label,doors,form,number,until\n"
	list := head + "A1,front,10D,0001000001,\nA2,front,10D,0001000002,\n"
	b.ok(list, "import", "--key", key, "-")
	status, out, errOut := b.tool(list+"A3,front,10D,0001000003,\n", "import", "--key", key, "-")
	if status != 0 || !strings.Contains(out, "1 key imported") || !strings.Contains(errOut, "2 known already") {
		t.Errorf("one more: %d %s%s", status, out, errOut)
	}
	moved := head + "A1,front yard,10D,0001000001,\nB2,front,10D,0001000002,2097-12-31\na3,front,10D,0001000003,\n"
	status, out, errOut = b.tool(moved, "import", "--key", key, "-")
	if status != 0 || !strings.Contains(out, "nothing to do") || !strings.Contains(errOut, "3 otherwise than their keys, which stay") || !strings.Contains(errOut, "line 3: A2: label A2 becomes B2, another last day") {
		t.Errorf("changed: %d %s%s", status, out, errOut)
	}
	b.ok(moved, "import", "--key", key, "--update", "-")
	if list := b.ok("", "grant", "list"); !strings.Contains(list, "B2") || !strings.Contains(list, "2097-12-31") || !strings.Contains(list, "front yard") || strings.Contains(list, "A2") {
		t.Errorf("after the update: %s", list)
	}
	if out := b.ok(moved, "import", "--key", key, "--update", "-"); !strings.Contains(out, "nothing to do") {
		t.Errorf("the update again: %s", out)
	}
	b.ok("", "grant", "end", "--key", key, "a3")
	if out := b.ok(moved, "import", "--key", key, "--dry-run", "-"); !strings.Contains(out, "1 whose key was ended here") {
		t.Errorf("an ended key: %s", out)
	}
	b.ok("", "grant", "forget", "--key", key, "a3")
	if out := b.ok(moved, "import", "--key", key, "--dry-run", "-"); !strings.Contains(out, "1 new") {
		t.Errorf("a forgotten key: %s", out)
	}
	gone := head + "A1,front,10D,0001000001,2020-12-31\nA4,front,10D,0001000004,2020-12-31\nA5,front,10D,0001000005,\n"
	b.fails(gone, []string{"2 over by their last day", "line 2: key ", "(A1) is active here: gatehouse grant end ends it", "--skip-past leaves out who has left and takes the other 1 line"}, "import", "--key", key, "-")
	if out := b.ok(gone, "import", "--key", key, "--skip-past", "-"); !strings.Contains(out, "1 key imported") {
		t.Errorf("without who has left: %s", out)
	}
	bad := head + "A6,front,10D,0001000006,\nA7,attic,10D,0001000007,\n"
	b.fails(bad, []string{"no door \"attic\" here", "nothing was imported", "the other 1 line with --yes"}, "import", "--key", key, "-")
	if out := b.ok(bad, "import", "--key", key, "--yes", "-"); !strings.Contains(out, "1 key imported") {
		t.Errorf("the rest: %s", out)
	}
	var done struct {
		Keys    int
		Version uint64
		Plan    struct{ Groups []any }
	}
	must(t, json.Unmarshal([]byte(b.ok(bad, "--json", "import", "--key", key, "--dry-run", "-")), &done))
	if done.Keys != 0 || done.Version != 0 || len(done.Plan.Groups) != 2 {
		t.Errorf("a plan in JSON: %+v", done)
	}
}

// TestImportAsks: on a terminal somebody is asked whether the rest is to be taken.
func TestImportAsks(t *testing.T) {
	b, key, _ := newOldHouse(t)
	file := b.path("cards.csv")
	must(t, os.WriteFile(file, []byte(csvHead+"A6,front,10D,0001000006\nA7,attic,10D,0001000007\n"), 0o600))
	for _, c := range []struct {
		answer string
		status int
		keys   int
	}{{"\n", 1, 0}, {"n\n", 1, 0}, {"y\n", 0, 1}} {
		hand, terminal, err := pty.Open()
		must(t, err)
		_, err = hand.WriteString(c.answer)
		must(t, err)
		var out, errOut strings.Builder
		status := run(t.Context(), []string{"--socket", b.path("sock"), "import", "--key", key, file}, terminal, &out, &errOut)
		if status != c.status || len(b.keys()) != c.keys || !strings.Contains(errOut.String(), "take the other 1 line, and leave these out? [y/N]") {
			t.Errorf("answer %q: %d, %d keys: %s%s", c.answer, status, len(b.keys()), out.String(), errOut.String())
		}
		_, _ = hand.Close(), terminal.Close()
	}
}

// TestOnlyW34: cards that differ above bit 24 are two where no reader here is a W26.
func TestOnlyW34(t *testing.T) {
	b := newBench(t)
	site, err := os.ReadFile(b.path("site.toml"))
	must(t, err)
	must(t, os.WriteFile(b.path("site.toml"), []byte(strings.Replace(string(site), "H10301", "H10306", 1)), 0o600))
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	out := b.ok(csvHead+"1C,front,10D,0023948260\n1D,front,10D,0007171044\n", "import", "--key", key, "-")
	if !strings.Contains(out, "2 keys imported") || len(b.keys()) != 2 {
		t.Errorf("two cards: %s", out)
	}
}

// TestShortPrint: where no reader sends as few digits as a card has on it, its key is
// found by them all the same, at a door and in the next list.
func TestShortPrint(t *testing.T) {
	b := newBench(t)
	site, err := os.ReadFile(b.path("site.toml"))
	must(t, err)
	must(t, os.WriteFile(b.path("site.toml"), []byte(strings.Replace(string(site), "H10301", "H10306", 1)), 0o600))
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	if out := b.ok(csvHead+"1A,front,8D,08065495\n1B,front,8D,08065496\n", "import", "--key", key, "-"); !strings.Contains(out, "readers at front") {
		t.Errorf("import: %s", out)
	}
	status, _, errOut := b.tool(csvHead+"1B,front,10D,0008065496\n", "import", "--key", key, "-")
	if status != 0 || !strings.Contains(errOut, "line 2: other readers of the house learn to read them") {
		t.Errorf("the next list: %s", errOut)
	}
	b.ok("", "adopt", "on")
	b.present(swipe{door: "yard", card: tenantCard}, "the card asks", func() bool { return len(b.adopts().Cards) == 1 })
	if out := b.ok("", "adopt", "bind", "--key", key, "--label", "1A", "--door", "yard", b.adopts().Cards[0].ID); !strings.Contains(out, "it joined that key") {
		t.Errorf("adopt bind: %s", out)
	}
	if n := len(b.keys()); n != 2 {
		t.Errorf("%d keys", n)
	}
}

func (b *bench) adopts() (a control.AdoptState) {
	b.t.Helper()
	must(b.t, json.Unmarshal([]byte(b.ok("", "--json", "adopt", "list")), &a))
	return a
}

func (b *bench) keys() (keys []control.Key) {
	b.t.Helper()
	must(b.t, json.Unmarshal([]byte(b.ok("", "--json", "grant", "list")), &keys))
	return keys
}
