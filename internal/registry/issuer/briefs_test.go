package issuer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/briefs"
	"gatehouse/sync/wire/periods"
)

// TestBriefs: of which tenancies logs name somebody for a shorter time goes to the front with each house document and list,
// signed for all gateways; after a restart too, until no entry of the tenancy can be anywhere any more. A database of before
// has everything handed over once more.
func TestBriefs(t *testing.T) {
	w := newWorld(t)
	b := w.enrolled("g1")
	says := func(when string, want ...wire.ID) {
		t.Helper()
		l, err := briefs.Open(w.front.briefs[building1], building1, w.i.ledger.Keys.Issuers)
		if err != nil || !slices.Equal(l.Tenancies, want) {
			t.Errorf("%s: %x, %v; want %x", when, l.Tenancies, err, want)
		}
	}
	says("nobody lives here")
	child, end := checkIn(2, 1), other(wire.OpEnd, 2, 5)
	child.Brief = true
	w.front.deliver(b.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	says("a check-in")
	w.front.deliver(b.record(id('r', 2), child))
	w.turn()
	says("that of a child", child.Tenancy)
	w.reopen()
	w.front.deliver(b.record(id('r', 3), end))
	w.turn()
	says("it has moved out", child.Tenancy)
	w.now = w.now.Add((periods.Most + 1) * 24 * time.Hour)
	w.front.deliver(b.record(id('r', 4), checkIn(4, 9)))
	w.turn()
	says("no entry of it is anywhere")
	delete(w.front.briefs, building1)
	if err := w.i.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, filepath.Join(w.directory(authority.DirIssuer), FileDatabase), `DELETE FROM migrations WHERE version > 3`)
	w.open()
	w.turn()
	says("after the database was brought up to date")
}

// TestBriefRuns: a run with the records key is told which tenancies those are and what is over, by the policy's period; it is written down. The
// issuer's status reminds of it two periods after the last one, or after the first such check-in, and only while there is such a tenancy.
func TestBriefRuns(t *testing.T) {
	w := newWorld(t)
	b := w.enrolled("g1")
	c, ctx := w.serve(), t.Context()
	week := 7 * 24 * time.Hour
	run := func(done operator.Brief) operator.Brief {
		t.Helper()
		out, err := c.Brief(ctx, done)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	reminds := func(when string, want bool) {
		t.Helper()
		if said := w.waits(); strings.Contains(said, "registryd forget --under-14 --key records.key") != want {
			t.Errorf("%s: it says %q", when, said)
		}
	}
	takes := func(tenancies int, d api.Delivery) {
		t.Helper()
		w.front.deliver(d)
		for {
			if all, err := c.Tenancies(ctx, ""); err != nil || len(all) == tenancies {
				break
			}
		}
	}
	takes(1, b.record(id('r', 1), checkIn(1, 0)))
	w.now = w.now.Add(3 * week)
	reminds("no child is known", false)
	if got := run(operator.Brief{}); len(got.Tenancies) != 0 || got.Days != 7 {
		t.Errorf("no child: %+v", got)
	}
	child := checkIn(2, 3*7*24*60)
	child.Brief = true
	takes(2, b.record(id('r', 2), child))
	w.now = w.now.Add(2*week - time.Hour)
	reminds("within two weeks", false)
	w.now = w.now.Add(2 * time.Hour)
	reminds("after two weeks", true)
	got := run(operator.Brief{})
	if want := w.now.Add(-week); len(got.Tenancies) != 1 || !slices.Equal(got.Tenancies[building1], []string{child.Tenancy.String()}) || !got.Before.Equal(want.Truncate(time.Second)) {
		t.Errorf("a child: %+v, before %v", got, want)
	}
	if a, err := c.Audit(ctx); err != nil || a[0].What != "forget" || !strings.HasPrefix(a[0].Reason, "under 14") || a[0].Subject != "" {
		t.Errorf("%+v, %v", a, err)
	}
	reminds("it was begun and not done", true)
	run(got)
	reminds("it is done", false)
	w.now = w.now.Add(week + time.Hour)
	reminds("a week after it", true)
	run(run(operator.Brief{}))
	takes(2, b.record(id('r', 3), other(wire.OpEnd, 2, 40*24*60)))
	w.now = w.now.Add((periods.Most + 40) * 24 * time.Hour)
	reminds("long after it has moved out, before a run", true)
	if got := run(operator.Brief{}); len(got.Tenancies) != 0 {
		t.Errorf("long after it has moved out: %+v", got)
	}
	reminds("nobody is left", false)
}
