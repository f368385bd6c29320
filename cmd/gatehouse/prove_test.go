package main

import (
	"strings"
	"testing"
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
