package ceremony

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
)

var now = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// table is where two people sit: two sticks, a machine, and what they were shown.
type table struct {
	t    *testing.T
	dir  string
	said []string
	at   func(what string) // is called with every line and step, before people do what it says
	fail error             // what a step ends with when it was set
}

func newTable(t *testing.T) *table {
	dir, err := temporary() // in memory: hundreds of files are synced
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	p := &table{t: t, dir: dir}
	for n := range 2 {
		must(t, os.Mkdir(p.stick(n+1), 0o700))
	}
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *table) stick(n int) string  { return filepath.Join(p.dir, fmt.Sprint("stick-", n)) }
func (p *table) machine() string     { return filepath.Join(p.dir, "machine") }
func (p *table) heard(w string) bool { return strings.Contains(strings.Join(p.said, "\n"), w) }

func (p *table) hear(what string) {
	p.said = append(p.said, what)
	if p.at != nil {
		p.at(what)
	}
}

func (p *table) ceremony() *Ceremony {
	return &Ceremony{Dir: p.machine(), Sticks: []string{p.stick(1), p.stick(2)}, Trial: true, Program: Program{"1.0", strings.Repeat("ab", 32), "go1"},
		Setup:   authority.Setup{Registry: "city-1", Hosts: []string{"registry.example.org"}, Enrol: 8443, Broker: 8883, Config: []byte("x"), Now: now},
		Network: func() []string { return []string{"eth7"} },
		People: People{Tell: p.hear, Wait: func(s Step) error {
			p.hear(fmt.Sprintf("STEP %d %s %s", s.Number, s.Do, s.Proves))
			return p.fail
		}}}
}

// hold runs a ceremony to its end.
func (p *table) hold() Done {
	p.t.Helper()
	done, err := p.ceremony().Run()
	must(p.t, err)
	return done
}

// refused runs one that must end with these words and a hint, and leave nothing unfinished behind.
func (p *table) refused(words string) {
	p.t.Helper()
	_, err := p.ceremony().Run()
	var hinted *api.Error
	if err == nil || !strings.Contains(err.Error(), words) || !errors.As(err, &hinted) || hinted.Hint == "" {
		p.t.Errorf("got %v; want %q and a hint", err, words)
	}
	p.empty()
}

// empty sees that no key is left under a name for what is not finished.
func (p *table) empty() {
	p.t.Helper()
	for _, dir := range []string{stick(p.stick(1)).draft(), stick(p.stick(2)).draft(), filepath.Join(p.machine(), "front.new"), filepath.Join(p.machine(), "issuer.new")} {
		if exists(dir) {
			p.t.Errorf("%s is left", dir)
		}
	}
}

// whole sees that everything is there and holds together, by looking as people do in a year.
func (p *table) whole() {
	p.t.Helper()
	p.empty()
	record, err := os.ReadFile(filepath.Join(p.machine(), FileRecord))
	must(p.t, err)
	seen := p.look(record)
	if seen.Bad || seen.Paper == nil {
		p.t.Fatalf("%+v", seen.Lines)
	}
	if _, err := authority.Load(filepath.Join(p.machine(), authority.DirIssuer)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *table) look(record []byte) Seen {
	p.t.Helper()
	seen, err := Look{Sticks: []string{p.stick(2), p.stick(1)}, Record: record, Now: now.AddDate(1, 0, 0)}.Run(p.t.Context())
	must(p.t, err)
	return seen
}

// TestCeremony: two equal sticks, a machine that has none of their keys, and a record that says so.
func TestCeremony(t *testing.T) {
	p := newTable(t)
	done := p.hold()
	p.whole()
	record, err := os.ReadFile(done.Record)
	must(t, err)
	for _, want := range []string{"KEY CEREMONY OF REGISTRY city-1          A TRIAL", strings.Repeat("ab", 32), "Network          eth7 up", "Gateways reach   registry.example.org", "[x] a signature by the restored root verifies",
		"[x] the backup of issuer and front opens", "name ____", "stick 2   sealed bag", done.Code, "no later than 30 November 2027"} {
		if !strings.Contains(string(record), want) {
			t.Errorf("the record lacks %q", want)
		}
	}
	for n := 1; n <= 2; n++ {
		if b, err := os.ReadFile(filepath.Join(p.stick(n), "offline", FileRecord)); err != nil || !bytes.Equal(b, record) {
			t.Error("another record on stick", n, err)
		}
		files, err := readSet(stick(p.stick(n)).set())
		must(t, err)
		want := []string{"escrow.key", "records.key", "registry.sealed", "root.key", "root.pub", "second.key", "trust.cose"}
		if got := slices.Sorted(func(yield func(string) bool) {
			for name := range files {
				if !yield(name) {
					return
				}
			}
		}); !slices.Equal(got, want) {
			t.Errorf("stick %d has %v", n, got)
		}
		p.isNotOn(p.machine(), files)
	}
	if !p.heard("STEP 3 Take all sticks out") || !p.heard("STEP 5 Put all sticks in again") {
		t.Error(p.said)
	}
}

// isNotOn searches the machine's directories for the private keys of a stick.
func (p *table) isNotOn(dir string, files map[string][]byte) {
	must(p.t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for name, secret := range files {
			if strings.HasSuffix(name, ".key") && bytes.Contains(b, secret) {
				p.t.Errorf("%s has the %s", path, name)
			}
		}
		return err
	}))
}

// TestRestore: from one stick alone come the same directories; nothing is overwritten, and half a stick gives nothing.
func TestRestore(t *testing.T) {
	p := newTable(t)
	p.hold()
	to := filepath.Join(p.dir, "new-machine")
	must(t, os.RemoveAll(p.stick(1)))
	must(t, Restore(p.stick(2), to))
	for _, d := range []string{authority.DirFront, authority.DirIssuer} {
		got, err := readSet(filepath.Join(to, d))
		must(t, err)
		want, err := readSet(filepath.Join(p.machine(), d))
		must(t, err)
		if len(got) != len(want) || len(want) < 6 {
			t.Fatalf("%s: %d files of %d", d, len(got), len(want))
		}
		for name := range want {
			if !bytes.Equal(got[name], want[name]) {
				t.Errorf("%s/%s is another", d, name)
			}
		}
	}
	if err := Restore(p.stick(2), to); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Error("overwritten", err)
	}
	must(t, os.Remove(filepath.Join(p.stick(2), "offline", authority.FileEscrow)))
	if err := Restore(p.stick(2), filepath.Join(p.dir, "another")); err == nil || exists(filepath.Join(p.dir, "another")) {
		t.Error("restored without the key", err)
	}
}

type killed struct{}

// TestKilledAnywhere: a ceremony that ends between any two things that people see leaves no half set under its
// name, and the next one ends whole.
func TestKilledAnywhere(t *testing.T) {
	events := 0
	for kill, goesOn := 1, 0; ; kill++ {
		p := newTable(t)
		events = 0
		p.at = func(string) {
			if events++; events == kill {
				panic(killed{})
			}
		}
		if !p.dies() {
			if kill < 15 || goesOn < 2 {
				t.Errorf("killed at %d places only, went on after %d", kill, goesOn)
			}
			return
		}
		for n := 1; n <= 2; n++ { // whatever has its name is whole
			if s := stick(p.stick(n)); s.whole() {
				if _, err := prove(s.set()); err != nil {
					t.Fatal(kill, err)
				}
			}
		}
		if exists(filepath.Join(p.machine(), authority.DirIssuer)) {
			t.Fatal(kill, "the issuer has its directory before all is done")
		}
		p.at, p.said = nil, nil
		p.hold()
		p.whole()
		if p.heard("it goes on with the same keys") {
			goesOn++
		}
	}
}

// dies reports whether the ceremony was killed; nothing of it runs after that.
func (p *table) dies() (dead bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, dead = r.(killed); !dead {
				panic(r)
			}
		}
	}()
	p.hold()
	return false
}

// TestNoGoingOnWithoutTheStick: who begins again with the finished stick away is stopped as soon as it is put in.
func TestNoGoingOnWithoutTheStick(t *testing.T) {
	p := newTable(t)
	p.at = func(what string) {
		if strings.HasPrefix(what, "stick 1   is whole") {
			panic(killed{})
		}
	}
	if !p.dies() {
		t.Fatal("lives")
	}
	away := filepath.Join(p.dir, "drawer")
	must(t, os.Rename(p.stick(1), away))
	must(t, os.Mkdir(p.stick(1), 0o700))
	before, err := readSet(filepath.Join(away, "offline"))
	must(t, err)
	p.at = func(what string) {
		if strings.HasPrefix(what, "STEP 2") {
			must(t, os.Remove(p.stick(1)))
			must(t, os.Rename(away, p.stick(1)))
		}
	}
	p.hold()
	p.whole()
	after, err := readSet(stick(p.stick(1)).set())
	must(t, err)
	if !bytes.Equal(before["root.key"], after["root.key"]) {
		t.Error("it went on with other keys")
	}
}

// TestInterrupted: people who end it, at any step, have no keys left but on no stick with a name.
func TestInterrupted(t *testing.T) {
	for step := 1; step <= 4; step++ {
		p := newTable(t)
		p.at = func(what string) {
			if strings.HasPrefix(what, fmt.Sprint("STEP ", step)) {
				p.fail = errors.New("interrupted")
			}
		}
		if _, err := p.ceremony().Run(); err == nil {
			t.Fatal("it went on")
		}
		p.empty()
		p.at, p.fail = nil, nil
		p.hold()
		p.whole()
	}
}

// TestNothingOverwritten: neither a machine's keys nor a stick's, of whatever registry.
func TestNothingOverwritten(t *testing.T) {
	p := newTable(t)
	p.hold()
	record, err := os.ReadFile(filepath.Join(p.machine(), FileRecord))
	must(t, err)
	p.refused("issuer is there already")
	must(t, os.Rename(p.machine(), filepath.Join(p.dir, "other")))
	p.refused("has a key set already")
	must(t, os.MkdirAll(filepath.Join(p.machine(), authority.DirFront), 0o700))
	must(t, os.Rename(p.stick(1), filepath.Join(p.dir, "a")))
	must(t, os.Rename(p.stick(2), filepath.Join(p.dir, "b")))
	must(t, errors.Join(os.Mkdir(p.stick(1), 0o700), os.Mkdir(p.stick(2), 0o700)))
	p.refused("front is there already")
	must(t, errors.Join(os.RemoveAll(p.machine()), os.Rename(filepath.Join(p.dir, "other"), p.machine()), os.Remove(p.stick(1)), os.Remove(p.stick(2))))
	must(t, errors.Join(os.Rename(filepath.Join(p.dir, "a"), p.stick(1)), os.Rename(filepath.Join(p.dir, "b"), p.stick(2))))
	if seen := p.look(record); seen.Bad {
		t.Error(seen.Lines)
	}
}

// TestOneDisk: two directories of one disk are no two sticks, and none is one beside the machine's own.
func TestOneDisk(t *testing.T) {
	p := newTable(t)
	c := p.ceremony()
	c.Trial = false
	if _, err := c.Run(); err == nil || !strings.Contains(err.Error(), "lies on the same disk") {
		t.Error(err)
	}
	c = p.ceremony()
	c.Sticks[1] = c.Sticks[0]
	if _, err := c.Run(); err == nil || !strings.Contains(err.Error(), "is named twice") {
		t.Error(err)
	}
	p.empty()
}

// TestWrongStick: the other stick in the place of the one that is asked for is said, and asked for again.
func TestWrongStick(t *testing.T) {
	p := newTable(t)
	swap := func() {
		must(t, errors.Join(os.Rename(p.stick(1), p.stick(3)), os.Rename(p.stick(2), p.stick(1)), os.Rename(p.stick(3), p.stick(2))))
	}
	swaps := 0
	p.at = func(what string) {
		for _, step := range []string{"STEP 3", "STEP 5"} {
			if strings.HasPrefix(what, step) && swaps < 4 && (swaps < 2 || step == "STEP 5") {
				swap()
				swaps++
			}
		}
	}
	p.hold()
	if swaps != 4 || !p.heard("that is stick 2; stick 1 is asked for") || !p.heard("is stick 2; it is the place of stick 1") {
		t.Error(swaps, p.said)
	}
	p.whole()
}

// TestBadStick: a stick that gives back what was not written to it ends the ceremony before anything has its name.
func TestBadStick(t *testing.T) {
	for _, spoil := range []func(string) error{
		func(set string) error { return os.WriteFile(filepath.Join(set, "escrow.key"), []byte("x"), 0o600) },
		func(set string) error { return os.Truncate(filepath.Join(set, "registry.sealed"), 4096) },
		func(set string) error { return os.Remove(filepath.Join(set, "root.key")) },
	} {
		p := newTable(t)
		p.at = func(what string) {
			if strings.HasPrefix(what, "STEP 4") {
				must(t, spoil(stick(p.stick(2)).draft()))
			}
		}
		p.refused("stick 2 does not have what was written to it")
	}
}

// TestVerify: what the yearly look finds.
func TestVerify(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*table) error
		bad   bool
		want  string
	}{
		"a key is damaged":  {func(p *table) error { return os.Truncate(filepath.Join(p.stick(1), "offline", "records.key"), 20) }, true, "NOT AS IN THE RECORD: records.key"},
		"a key is gone":     {func(p *table) error { return os.Remove(filepath.Join(p.stick(1), "offline", "root.key")) }, true, "NOT AS IN THE RECORD: root.key"},
		"a strange file":    {func(p *table) error { return os.WriteFile(filepath.Join(p.stick(1), "offline", "extra"), nil, 0o600) }, true, "NOT AS IN THE RECORD: extra"},
		"no stick":          {func(p *table) error { return os.Remove(filepath.Join(p.stick(1), fileLabel)) }, true, "is no stick of a key ceremony"},
		"two of one number": {func(p *table) error { return copyFile(p.stick(2), p.stick(1), fileLabel) }, true, "another stick says that it is 2 too"},
		"the issuer's key was replaced, and the stick not copied": {replaceIssuer, true, "it differs from the sticks before in"},
		"the issuer's key was replaced": {func(p *table) error {
			err := replaceIssuer(p)
			for _, f := range replaceable {
				err = errors.Join(err, copyFile(filepath.Join(p.stick(1), "offline"), filepath.Join(p.stick(2), "offline"), f))
			}
			return err
		}, false, "changed since the record, as trust document 2 says: registry.sealed, trust.cose"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newTable(t)
			p.hold()
			record, err := os.ReadFile(filepath.Join(p.machine(), FileRecord))
			must(t, err)
			must(t, c.spoil(p))
			seen := p.look(record)
			if seen.Bad != c.bad || !strings.Contains(fmt.Sprint(seen.Lines), c.want) || (seen.Paper == nil) != c.bad || (seen.Code == "") != c.bad || seen.Same {
				t.Errorf("%v %+v", seen.Bad, seen.Lines)
			}
			if c.bad {
				return
			}
			if again := p.look(seen.Paper); again.Code != seen.Code || !again.Same {
				t.Error("the new record is another one")
			}
		})
	}
	if _, err := (Look{Record: []byte("x")}).Run(t.Context()); err == nil {
		t.Error("a record without sums was taken")
	}
}

func copyFile(from, to, name string) error {
	b, err := os.ReadFile(filepath.Join(from, name))
	return errors.Join(err, os.WriteFile(filepath.Join(to, name), b, 0o600))
}

// replaceIssuer is registryd trust new --replace issuer with the first stick.
func replaceIssuer(p *table) error {
	issuer, set := filepath.Join(p.machine(), authority.DirIssuer), stick(p.stick(1)).set()
	_, err := authority.NextTrust{Dir: issuer, Root: filepath.Join(set, authority.FileRootKey), Replace: []string{authority.ReplaceIssuer}, Now: now}.Sign()
	if err != nil {
		return err
	}
	_, err = Renew(set, issuer, "")
	return err
}
