package issuer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// TestFullDisk: an issuer whose disk is full refuses with what to do, says so in
// its status, and goes on when there is room.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)))
	w.turn()
	limit := func(pages int) {
		if _, err := w.view().Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
			t.Fatal(err)
		}
	}
	full := func() bool {
		s, err := w.i.status()
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(s.Lines, func(l string) bool { return strings.Contains(l, "is full") && strings.Contains(l, "room") })
	}
	limit(1) // the pages that there are
	var said *api.Error
	for n := range 1000 { // until those with room are used up
		act := []string{operator.ActSuspend, operator.ActResume}[n%2]
		_, err := w.i.act(t.Context(), "test", operator.Act{Act: act, Grant: id('g', 1).String(), Reason: operator.Reasons(act)[0]})
		if err != nil {
			if !errors.As(err, &said) || !strings.Contains(said.Message, "is full") || !strings.Contains(said.Hint, "make room") {
				t.Fatalf("%v, %+v", err, said)
			}
			break
		}
	}
	if said == nil || !full() {
		t.Fatalf("refused by %v, status says so: %v", said, full())
	}
	limit(1 << 20)
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "mistake"})
	if full() {
		t.Error("status still says that the disk is full")
	}
}
