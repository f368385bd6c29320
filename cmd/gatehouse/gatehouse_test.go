package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/internal/setup"
	"gatehouse/device/devicetest"
	"gatehouse/device/wiegand"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/gatewaytest"
	"gatehouse/internal/site"
	"gatehouse/sync/wire"
)

const siteText = `
building = "lane-7"
gateway = "gw1"
state = "%[1]s/state"
socket = "%[1]s/sock"
[[door]]
id = "front"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 2, pull = "down"}
[[door.reader]]
id = "in"
type = "wiegand"
chip = "sim0"
d0 = 0
d1 = 1
formats = ["H10301"]
[[door]]
id = "yard"
egress = "mechanical"
lock = "fail-secure"
release_seconds = 3
relay = {chip = "sim0", line = 3, pull = "down"}
[[door.reader]]
id = "in"
type = "serial"
port = "%[1]s/tty"
`

// bench is a running gateway and the tool beside it.
type bench struct {
	t      *testing.T
	dir    string
	board  *devicetest.Board
	source *devicetest.WiegandSource
	serial *devicetest.SerialModule
	client *control.Client
	log    gatewaytest.Log // of the daemon
	clock  *gatewaytest.Clock
	issuer ed25519.PrivateKey // of the registry where the house is enrolled

	running *gatewaytest.Running
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newBench makes the site and its keys by the tool, and starts the daemon.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), clock: gatewaytest.NewClock(time.Hour, wire.ClockUnset)} // whatever this machine has
	must(t, os.WriteFile(b.path("site.toml"), fmt.Appendf(nil, siteText, b.dir), 0o600))
	var err error
	b.board, err = devicetest.NewBoard(devicetest.BoardConfig{Chip: "sim0", Lines: []devicetest.Line{
		{Name: "d0", Offset: 0, PullUp: true, ActiveLow: true}, {Name: "d1", Offset: 1, PullUp: true, ActiveLow: true},
		{Name: "front", Offset: 2, Output: true}, {Name: "yard", Offset: 3, Output: true}, {Name: "shed", Offset: 4, Output: true}, {Name: "fire", Offset: 5}}})
	must(t, err)
	b.source = &devicetest.WiegandSource{Board: b.board, D0: "d0", D1: "d1"}
	b.serial, err = devicetest.NewSerialTerminal(b.path("tty"), "rdm6300")
	must(t, err)
	t.Cleanup(func() { _ = b.serial.Close() })
	b.client = control.NewClient(b.path("sock"))
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// serve runs the daemon until the test ends, or until the function returned is
// called.
func (b *bench) serve() (stop func()) {
	b.t.Helper()
	site, err := site.Load(b.path("site.toml"))
	must(b.t, err)
	b.running = gatewaytest.Run(b.t, gatewaytest.Setup{Site: site, Board: b.board, Clock: b.clock, Log: &b.log,
		Change: func(o *gateway.Options) { o.Cadence.Rest = 100 * time.Millisecond }})
	b.online()
	return func() { must(b.t, b.running.Stop()) }
}

// online waits until the readers hear cards: one that was just opened loses the first.
func (b *bench) online() {
	b.t.Helper()
	b.eventually("the readers are there", func() bool {
		st, err := b.client.Status(b.t.Context())
		return err == nil && gatewaytest.Online(st)
	})
}

func (b *bench) eventually(what string, ok func() bool) {
	b.t.Helper()
	gatewaytest.Eventually(b.t, what, ok)
}

// tool runs the tool as a user does and returns what it printed.
func (b *bench) tool(stdin string, args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	args = append([]string{"--socket", b.path("sock")}, args...)
	status = run(b.t.Context(), args, strings.NewReader(stdin), &o, &e)
	return status, o.String(), e.String()
}

// ok runs it and wants success.
func (b *bench) ok(stdin string, args ...string) string {
	b.t.Helper()
	status, out, errOut := b.tool(stdin, args...)
	if status != 0 {
		b.t.Fatalf("gatehouse %s: status %d: %s", strings.Join(args, " "), status, errOut)
	}
	return out
}

// fails runs it and wants the words in its complaint.
func (b *bench) fails(stdin string, words []string, args ...string) {
	b.t.Helper()
	status, _, errOut := b.tool(stdin, args...)
	if status == 0 {
		b.t.Errorf("gatehouse %s: succeeded", strings.Join(args, " "))
	}
	for _, w := range words {
		if !strings.Contains(errOut, w) {
			b.t.Errorf("gatehouse %s: %q does not say %q", strings.Join(args, " "), errOut, w)
		}
	}
}

// TestHouse walks through the life of a house with the tool alone.
func TestHouse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := b.path("issuer.key")
	b.fails("", []string{"no daemon answers", "hint: start gatehoused"}, "status")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.fails("", []string{"has its keys already"}, "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	if status, _, errOut := b.tool("", "door", "test", "nodoor"); status == 0 || !strings.HasPrefix(errOut, "gatehouse: ") {
		t.Errorf("a test of no door begins: %s", errOut)
	}
	if out := b.ok("", "status"); !strings.Contains(out, "no list of grants yet") {
		t.Errorf("status of a new house: %s", out)
	}
	b.fails("", []string{"no door \"attic\"", "front, yard"}, "grant", "add", "--key", key, "--label", "3B", "--door", "attic", "--printed", "3+5D")
	b.fails("123,4567\n", []string{"hint: forms:"}, "grant", "add", "--key", key, "--label", "3B", "--door", "front", "--printed", "3+5D")
	b.fails("123,04567\n", []string{"label"}, "grant", "add", "--key", key, "--label", "Li 13800001111", "--door", "front", "--printed", "3+5D")
	out := b.ok("123,04567\n", "grant", "add", "--key", key, "--label", "3B", "--door", "front", "--door", "yard", "--printed", "3+5D")
	if !strings.Contains(out, "opens front, yard") || !strings.Contains(out, "but not yard yet") {
		t.Errorf("grant add: %s", out)
	}
	b.fails("123,04567\n", []string{"has key", "(3B) already"}, "grant", "add", "--key", key, "--label", "4A", "--door", "front", "--printed", "3+5D")
	b.swipes(key)
	b.states(key)
	b.ok("200,00001\n", "grant", "add", "--key", key, "--label", "9Z", "--door", "front", "--printed", "3+5D", "--from", "2030-01-02", "--until", "2030-02-03")
	if out := b.ok("", "grant", "list"); !strings.Contains(out, "2030-01-02") || !strings.Contains(out, "2030-02-03") || !strings.Contains(out, "not yet") {
		t.Errorf("list: %s", out)
	}
	if out := b.ok("", "--json", "grant", "list"); !strings.Contains(out, "2030-02-04T00:00:00+08:00") {
		t.Errorf("a day ends at the building's midnight: %s", out)
	}
	b.fails("", []string{"in the past"}, "grant", "add", "--key", key, "--label", "9Y", "--door", "front", "--printed", "3+5D", "--until", "2020-01-01")
	b.fails("", []string{"did not sign"}, "grant", "end", "--key", otherKey(t, b), "3B")
	if out := b.ok("", "log", "--all"); !strings.Contains(out, "list_applied") || shortNumber.MatchString(out) {
		t.Errorf("log:\n%s", out)
	}
	if out := b.ok("", "release", "yard"); !strings.Contains(out, "released") {
		t.Errorf("release: %s", out)
	}
	b.fails("", []string{"no door \"attic\"", "front, yard"}, "release", "attic")
	b.fails("", []string{"no fire input"}, "fire", "reset")
}

// swipes adds the form of the same card that the serial reader sees.
func (b *bench) swipes(key string) {
	b.t.Helper()
	b.done("", []swipe{{door: "yard", card: tenantCard}}, "grant", "card", "--key", key, "--reader", "yard", "3B")
	b.opens(tenantCard, "yard")
}

// states ends, suspends and resumes.
func (b *bench) states(key string) {
	b.t.Helper()
	state := func() string {
		var keys []control.Key
		must(b.t, json.Unmarshal([]byte(b.ok("", "--json", "grant", "list")), &keys))
		return keys[0].State
	}
	b.ok("", "grant", "suspend", "--key", key, "3B")
	if s := state(); s != "suspended" {
		b.t.Errorf("state %s after suspend", s)
	}
	b.ok("", "grant", "resume", "--key", key, "3B")
	if s := state(); s != "active" {
		b.t.Errorf("state %s after resume", s)
	}
	b.fails("", []string{"the key is active", "end it first"}, "grant", "forget", "--key", key, "3B")
	b.ok("", "grant", "end", "--key", key, "3B")
	b.fails("", []string{"revoked, for good"}, "grant", "resume", "--key", key, "3B")
	b.fails("", []string{"no key"}, "grant", "end", "--key", key, "nobody")
	b.ok("", "grant", "forget", "--key", key, "3B")
	if out := b.ok("", "grant", "list"); !strings.Contains(out, "no keys yet") {
		b.t.Errorf("list after forget: %s", out)
	}
}

// shortNumber is the card's printed number by itself: four digits in a row stand
// now and then in a hash or a time, too.
var shortNumber = regexp.MustCompile(`(?:^|[^0-9a-fA-F])0*4567(?:[^0-9a-fA-F]|$)`)

func otherKey(t *testing.T, b *bench) string {
	t.Helper()
	path := b.path("other.key")
	if _, _, _, err := setup.StickKeys(path, path+".building"); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestImport: all lines or none, with every fault named by its line and no
// number repeated.
func TestImport(t *testing.T) {
	b := newBench(t)
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	bad := "label,doors,form,number,until\n3B,front,3+5D,\"094,10637\",2099-01-01\n3C,attic,3+5D,\"094,10638\",\n3D,front,10D,99999999999,\n3E,front,8D,06171021,31.12.\n3F,front,8D,06171021,\n"
	status, _, errOut := b.tool(bad, "import", "--key", key, "-")
	for _, want := range []string{"nothing was imported", "line 3", "line 4", "line 5", "attic", "2 lines (2, 6): one card in two lines that contradict each other"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("%q does not say %q", errOut, want)
		}
	}
	if status == 0 || strings.Contains(errOut, "99999999999") || strings.Contains(errOut, "10638") {
		t.Errorf("status %d, complaint %q", status, errOut)
	}
	twice := "label,doors,form,number,kind\n3B,front,3+5D,\"094,10637\",\n3C,front,8D,00000099,\n3D,front,8D,00000099,staff\n"
	b.fails(twice, []string{"lines 3, 4: ", "contradict each other", "the other 1 line with --yes", "nothing was imported"}, "import", "--key", key, "-")
	good := "\ufefflabel, doors, form, number, kind, until\n3B,front yard,3+5D,\"094,10637\",resident,2099-01-01\n3C,front,10D,0000000099,staff,\n3D,front,10D-reversed,3257818624,,\n"
	out := b.ok(good, "import", "--key", key, "-")
	if !strings.Contains(out, "3 keys imported") || !strings.Contains(out, "yard") {
		t.Errorf("import: %s", out)
	}
	if out := b.ok(good, "import", "--key", key, "-"); !strings.Contains(out, "nothing to do") {
		t.Errorf("the same list again: %s", out)
	}
	b.fails("label,doors,number\n", []string{`column "form" is missing`}, "import", "--key", key, "-")
	b.fails("label,colour\n", []string{`column "colour" is not known`}, "import", "--key", key, "-")
}

// TestAdopt: an unknown card asks, is named, and opens from then on.
func TestAdopt(t *testing.T) {
	b := newBench(t)
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	b.serve()
	b.ok("123,04567\n", "grant", "add", "--key", key, "--label", "1A", "--door", "front", "--printed", "3+5D")
	b.ok("", "adopt", "on", "--days", "7")
	format, _ := wiegand.Lookup("H10301")
	stranger, err := format.Encode(wiegand.Fields{Facility: 9, Card: 99, HasFacility: true})
	must(t, err)
	must(t, b.source.Send(stranger))
	var a control.AdoptState
	b.eventually("the card asks", func() bool {
		must(t, json.Unmarshal([]byte(b.ok("", "--json", "adopt", "list")), &a))
		return len(a.Cards) == 1
	})
	b.fails("", []string{"no unknown card"}, "adopt", "bind", "--key", key, "--label", "2A", "--door", "front", "ffffffff")
	b.ok("", "adopt", "bind", "--key", key, "--label", "2A", "--door", "front", a.Cards[0].ID)
	time.Sleep(1600 * time.Millisecond)
	must(t, b.source.Send(stranger))
	b.eventually("it opens", func() bool { _, on := b.board.Output("front"); return on })
	if out := b.ok("", "adopt", "off"); !strings.Contains(out, "not kept") {
		t.Errorf("adopt off: %s", out)
	}
}

// TestLostList: a gateway that lost its list, or its whole card, gets it back
// from the copy beside the key, and so do the landlord's labels.
func TestLostList(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{"the list": "state/grants/grants-*.db", "everything": "state"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			key := b.path("issuer.key")
			b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
			stop := b.serve()
			for i := range 3 {
				b.ok(fmt.Sprintf("123,%05d\n", i), "grant", "add", "--key", key, "--label", fmt.Sprintf("%dA", i), "--door", "front", "--printed", "3+5D")
			}
			b.ok("", "grant", "end", "--key", key, "1A")
			b.fails("", []string{"has an active list"}, "grant", "restore", "--key", key)
			stop()
			lost, err := filepath.Glob(b.path(lose))
			must(t, err)
			for _, f := range lost {
				must(t, os.RemoveAll(f))
			}
			if name == "everything" {
				b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
			}
			b.serve()
			if name == "the list" {
				b.fails("123,00009\n", []string{"lost its list", "grant restore"}, "grant", "add", "--key", key, "--label", "4A", "--door", "front", "--printed", "3+5D")
			}
			b.fails("", []string{"no copy"}, "grant", "restore", "--key", otherKey(t, b))
			b.ok("", "grant", "restore", "--key", key)
			out := b.ok("", "grant", "list")
			for _, want := range []string{"0A", "1A", "2A", "ended"} {
				if !strings.Contains(out, want) {
					t.Errorf("after the restore: %s", out)
				}
			}
			b.ok("123,00009\n", "grant", "add", "--key", key, "--label", "4A", "--door", "front", "--printed", "3+5D")
		})
	}
}

// TestRestore: a gateway whose card died gets its keys back from the stick.
func TestRestore(t *testing.T) {
	b := newBench(t)
	key := b.path("issuer.key")
	b.ok("", "init", "--config", b.path("site.toml"), "--key", key)
	keys := b.path("state/keys/building.key")
	before, err := os.ReadFile(keys)
	must(t, err)
	must(t, os.RemoveAll(b.path("state")))
	if out := b.ok("", "init", "--config", b.path("site.toml"), "--key", key); !strings.Contains(out, "restored from the stick") {
		t.Errorf("init: %s", out)
	}
	after, err := os.ReadFile(keys)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("another building key: every card would have to be swiped again")
	}
	must(t, os.Remove(keys))
	b.fails("", []string{"another issuer's key"}, "init", "--config", b.path("site.toml"), "--key", b.path("other.key"))
	must(t, os.RemoveAll(b.path("state")))
	must(t, os.Remove(key+".building"))
	b.fails("", []string{"the building's key", "hint:"}, "init", "--config", b.path("site.toml"), "--key", key)
}

func TestDecodeWiegand(t *testing.T) {
	in := "10111101100010001110101110\n10111101100010001110101111\n101\n\nabc\n10111101100010001110101110"
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"decode", "wiegand", "--format", "H10301"}, strings.NewReader(in), &out, &errOut); status != 0 {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	type decoded struct {
		Format         string
		Facility, Card any
		Valid          bool
		Error          *string
	}
	var got []decoded
	for line := range strings.Lines(out.String()) {
		var d decoded
		must(t, json.Unmarshal([]byte(line), &d))
		got = append(got, d)
	}
	if len(got) != 6 {
		t.Fatalf("%d objects for 6 lines:\n%s", len(got), out.String())
	}
	for i, want := range []bool{true, false, false, false, false, true} {
		d := got[i]
		if d.Valid != want || d.Format != "H10301" || (d.Error == nil) != want || (d.Card != nil) != want {
			t.Errorf("line %d: %+v", i+1, d)
		}
	}
	if got[0].Facility != 123.0 || got[0].Card != 4567.0 {
		t.Errorf("facility %v, card %v", got[0].Facility, got[0].Card)
	}
	if status := run(t.Context(), []string{"decode", "wiegand", "--format", "X"}, strings.NewReader(in), &out, &errOut); status == 0 || !strings.Contains(errOut.String(), "H10306") {
		t.Errorf("unknown format: %s", errOut.String())
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense"}, {"grant", "add"}, {"log", "--last", "x"}} {
		var out, errOut bytes.Buffer
		if status := run(t.Context(), args, strings.NewReader(""), &out, &errOut); status != 2 || !strings.Contains(errOut.String(), "hint:") {
			t.Errorf("%v: status %d: %s", args, status, errOut.String())
		}
	}
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"--help"}, strings.NewReader(""), &out, &errOut); status != 0 || !strings.Contains(out.String(), "grant add") {
		t.Errorf("help: status %d: %s%s", status, out.String(), errOut.String())
	}
}
