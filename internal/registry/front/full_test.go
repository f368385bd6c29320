package front

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/tree"
)

// sickWork can't be stored while it is sick.
type sickWork struct{ err error }

func (s *sickWork) store(*txn, *gateway) error { return s.err }

// TestSickStore: that nothing can be stored is told while it is so, and no longer.
func TestSickStore(t *testing.T) {
	r := newRig(t)
	_, link := newMemory()
	f := r.start(Options{Link: link})
	told := func() bool {
		return slices.ContainsFunc(f.problems(api.Status{Linked: true, Issuer: true}), func(p string) bool { return strings.Contains(p, "can be stored") })
	}
	c := &committer{front: f.Front, ranges: map[rangeKey]tree.Range{}}
	work := &sickWork{errors.New("database or disk is full")}
	jobs := []job{{g: &gateway{address: "b1/g1"}, work: work}}
	if c.commit(t.Context(), jobs); !told() {
		t.Error("nothing says that messages can't be stored")
	}
	work.err = nil
	if c.commit(t.Context(), jobs); told() {
		t.Error("the disk has room again, and the line stays")
	}
}
