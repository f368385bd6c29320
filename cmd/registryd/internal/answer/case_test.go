package answer

import (
	"path/filepath"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

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
