package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/control"
)

// TestProve: the tool walks through a door and does what is answered; what is left is said,
// also by status, whose command works. gatehouse lock takes back a release.
func TestProve(t *testing.T) {
	b := newBench(t)
	b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("issuer.key"))
	b.serve()
	if said := b.ok("", "prove", "show"); !strings.Contains(said, "prove begin") {
		t.Errorf("a house that does not ask: %s", said)
	}
	b.fails("", []string{"not asked"}, "prove", "door", "front")
	if said := b.ok("", "prove", "begin"); strings.Count(said, "NOT READY") != 2 || strings.Count(said, "not proved") != 4 || strings.Count(said, "not fitted, says the site file") != 6 {
		t.Errorf("begun: %s", said) // a lock and a plug at each door, and nothing else
	}
	if said := b.ok("", "status"); !strings.Contains(said, "not proved yet: the lock, that there is no exit button, that there is no door contact, that there is no fire input, the pulled plug. Prove that people get out: gatehouse prove door front") {
		t.Errorf("status: %s", said)
	}
	b.fails("", []string{"no answer"}, "prove", "door", "front")
	b.fails("perhaps\n", []string{"no answer", "yes, skip"}, "prove", "door", "front")
	// lock, did it click, exit, contact and fire, of which the site file names none, plug
	said := b.ok("yes\nyes\nyes\nyes\nyes\nyes\n", "prove", "door", "front")
	for _, want := range []string{"lock      passed", "exit      not fitted", "contact   not fitted", "fire      not fitted", "power     begun", "operator"} {
		if !strings.Contains(said, want) {
			t.Errorf("after the walk: no %q in\n%s", want, said)
		}
	}
	said = b.ok("yes\nno\n", "prove", "door", "front", "--part", "lock")
	if !strings.Contains(said, "FAILED") {
		t.Errorf("a lock that nobody heard: %s", said)
	}
	if said := b.ok("", "status"); !strings.Contains(said, "nobody heard the lock") {
		t.Errorf("status: %s", said)
	}
	b.fails("", []string{"no fire input"}, "fire", "drill", "begin")
	b.fails("", []string{"no fire drill"}, "fire", "drill", "show")
	b.fails("", []string{"no fire drill"}, "fire", "drill", "end")
	b.ok("", "release", "front")
	b.ok("", "lock", "front")
	b.fails("", []string{"no door"}, "lock", "attic")
}

// TestFireDrill: a drill in which nothing was released, or the panel was not reset, says so and what to
// look at, at its end and whoever looks later; one that proved every door says nothing of the kind.
func TestFireDrill(t *testing.T) {
	b := newBench(t)
	must(t, os.WriteFile(b.path("site.toml"), fmt.Appendf(nil, "fire = {chip = \"sim0\", line = 5, active = \"high\"}\n"+siteText, b.dir), 0o600))
	b.ok("", "init", "--config", b.path("site.toml"), "--key", b.path("issuer.key"))
	b.serve()
	fire := func(active bool) {
		t.Helper()
		must(t, b.board.Set("fire", active))
		b.eventually("a second look at the fire input", func() bool {
			d, err := b.client.Doors.FireDrill(t.Context())
			return err == nil && len(d.Doors) == 2 && d.Doors[1].Active != nil && (d.Doors[1].Idle != nil) != active
		})
	}
	b.ok("", "fire", "drill", "begin")
	if said := b.ok("", "fire", "drill", "show"); strings.Count(said, "not yet") != 2 || strings.Contains(said, "DID NOT WORK") {
		t.Errorf("a drill that has just begun: %s", said)
	}
	nothing := []string{"nothing was released: the fire input was not active", "hint: trip the fire contact while the drill is on", "[fire] in the site file"}
	b.fails("", nothing, "fire", "drill", "end")
	b.fails("", nothing, "fire", "drill", "show")
	toDo := func(want bool) {
		t.Helper()
		st, err := b.client.Status(t.Context())
		must(t, err)
		if slices.ContainsFunc(st.ToDo, func(i control.ToDo) bool { return i.Code == "drill_failed" }) != want {
			t.Errorf("to do: %+v", st.ToDo)
		}
	}
	toDo(true)
	b.ok("", "fire", "drill", "begin")
	toDo(false) // it is on
	fire(true)
	b.fails("", []string{"did not stay active and go idle again: front, yard", "reset the fire panel, and only then"}, "fire", "drill", "end")
	toDo(true)
	must(t, b.board.Set("fire", false))
	b.eventually("the panel is idle", func() bool { return strings.Contains(b.ok("", "status"), "panel idle") })
	b.ok("", "fire", "reset")
	b.ok("", "fire", "drill", "begin")
	fire(true)
	fire(false)
	b.ok("", "fire", "reset")
	if said := b.ok("", "fire", "drill", "end"); strings.Count(said, "worked") != 2 {
		t.Errorf("a drill that proved both doors: %s", said)
	}
	toDo(false)
}
