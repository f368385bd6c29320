package issuer

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/issuer/operator"
)

// TestRequests: that residents' requests are read, and that one is done, is written down; what waits for longer than 15 days
// is counted until it is answered or its tenancy forgotten, and so is it that nobody looks for new ones.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	c, ctx := w.serve(), t.Context()
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	for {
		if all, err := c.Tenancies(ctx, ""); err != nil || len(all) == 1 {
			break
		}
	}
	r := c.Requests()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Read(ctx, operator.ReadRequests{Case: " "}); err == nil || !strings.Contains(err.Error(), "no case") {
		t.Errorf("read without a case: %v", err)
	}
	must(r.Read(ctx, operator.ReadRequests{Case: "desk 7"}))
	if a, err := c.Audit(ctx); err != nil || a[0].What != "corrections" || a[0].Reason != "desk 7" || a[0].Who == "" {
		t.Fatalf("%+v, %v", a, err)
	}
	one := func(number string, tenancy int) operator.Request {
		return operator.Request{Number: number, Building: building1, Tenancy: id('t', tenancy).String(), Time: start}
	}
	found := func(whole bool, all ...operator.Request) []operator.Request {
		t.Helper()
		known, err := r.Found(ctx, operator.FoundRequests{All: all, Whole: whole})
		must(err)
		return known
	}
	w.now = start.Add(16 * 24 * time.Hour)
	if said := w.waits(); !strings.Contains(said, "nobody has looked") || strings.Contains(said, "of residents to have") {
		t.Errorf("nobody read, and it says %q", said)
	}
	found(false, one("5f0c21aa", 1))
	if said := w.waits(); !strings.Contains(said, "nobody has looked") {
		t.Errorf("one building was read, and it says %q", said)
	}
	if known := found(true, one("5f0c21aa", 1), one("5f0c21ab", 2)); len(known) != 2 || known[0].Done != nil {
		t.Errorf("%+v", known)
	}
	if said := w.waits(); strings.Contains(said, "nobody has looked") || !strings.Contains(said, "2 requests of residents") {
		t.Errorf("two are late, and it says %q", said)
	}
	must(r.Done(ctx, operator.DoneRequest{Number: "5F0C21AB", Case: "letter 8"}))
	if a, err := c.Audit(ctx); err != nil || a[0].What != "correction done" || a[0].Building != building1 || a[0].Subject != "5f0c21ab" || a[0].Reason != "letter 8" {
		t.Errorf("%+v, %v", a, err)
	}
	for _, number := range []string{"5f0c21ab", "00000000"} {
		if err := r.Done(ctx, operator.DoneRequest{Number: number, Case: "letter 8"}); err == nil || !strings.Contains(err.Error(), "no open request") {
			t.Errorf("%s is done again: %v", number, err)
		}
	}
	if known := found(true, one("5f0c21ab", 2)); len(known) != 2 || known[1].Done == nil || !known[1].Done.Equal(w.now) {
		t.Errorf("%+v", known)
	}
	if said := w.waits(); !strings.Contains(said, "1 request of residents") {
		t.Errorf("one is late, and it says %q", said)
	}
	_, err := c.Forget(ctx, operator.Forget{Tenancy: id('t', 1).String(), Reason: "resident", Case: "8"})
	must(err)
	if said := w.waits(); strings.Contains(said, "of residents") || len(found(true)) != 1 {
		t.Errorf("the tenancy is forgotten, and it says %q", said)
	}
	w.now = w.now.Add(401 * 24 * time.Hour)
	if known := found(true); len(known) != 0 {
		t.Errorf("a year later %+v is known", known)
	}
}
