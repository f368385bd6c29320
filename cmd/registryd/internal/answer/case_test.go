package answer

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// TestStands: a file that is not as it was written is made again; so is an answer of which not all was written.
func TestStands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.names")
	d := api.Disclosed{Number: 2, Part: 1, Logs: []api.DisclosedLog{{}}}
	whole := answered{Number: 2, Part: 1, Files: []sealedFile{{Path: path, File: sha256.Sum256([]byte("sealed"))}}}
	none, other := whole, whole
	none.Files, other.Part = nothing().Files, 0
	fresh := d
	fresh.Fresh = true
	for _, c := range []struct {
		name, text string
		a          answered
		d          api.Disclosed
		want       bool
	}{
		{"as written", "sealed", whole, d, true}, {"changed", "tamper", whole, d, false}, {"of another part", "sealed", other, d, false},
		{"failed before it was written", "sealed", none, d, false}, {"given anew", "sealed", whole, fresh, false},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := c.a.stands(c.d); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if err := os.Remove(path); err != nil || whole.stands(d) {
		t.Errorf("it is gone and stands, %v", err)
	}
}

// TestKeep: a run that was given fewer mandates keeps the others' lines as they were, and they make it wait for nothing.
func TestKeep(t *testing.T) {
	one, two := wire.Hash{1}, wire.Hash{2}
	c := theCase{lines: []*line{{File: "moved", Sum: one}, {File: "mended", Sum: two}, {File: "bad"}}, before: []line{
		{File: "first", Sum: one, State: Answered, answered: answered{Number: 1}},                              // the same mandate
		{File: "mended", Sum: wire.Hash{3}, State: Refused},                                                    // another file was there
		{File: "mended", Sum: wire.Hash{4}, State: Answered, answered: answered{Number: 1}},                    // and one that was answered
		{File: "away", Sum: wire.Hash{5}, State: Waiting, answered: answered{Lacks: &api.Lacks{}}, Why: "why"}, // not given now
		{File: "bad", State: Failed}, {File: "worse", State: Failed},
	}}
	c.keep()
	var kept []string
	for _, l := range c.lines[3:] {
		if kept = append(kept, l.File+" "+l.Why); !l.Earlier || l.open() {
			t.Errorf("%+v", l)
		}
	}
	if want := []string{"mended ", "away why", "worse "}; !slices.Equal(kept, want) {
		t.Errorf("kept are %q, want %q", kept, want)
	}
}

// TestFrontAway: while a case waits, a front that does not answer for a moment ends nothing; else it is told.
func TestFrontAway(t *testing.T) {
	at := &counter{Session: &Session{Ctx: t.Context(), Front: api.NewClient(filepath.Join(t.TempDir(), "none"))}, out: t.TempDir()}
	q := &question{at: at, flats: map[wire.ID]bool{}}
	c := theCase{counter: at}
	for before, want := range map[State]State{NotAsked: Failed, Waiting: Waiting, Partial: Partial, Answered: Failed} {
		l := &line{State: before, answered: answered{Lacks: &api.Lacks{}}, q: q}
		if c.do(l); l.State != want || want == Failed && (l.Why == "" || l.Do == "") {
			t.Errorf("%s becomes %s: %s; %s", before, l.State, l.Why, l.Do)
		}
	}
}
