package issuer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

func (w *world) pass(tenancy string, minutes int) (operator.Pass, error) {
	return answer(w.i, func(c *ledger.Change) (operator.Pass, error) {
		return w.i.passes.Issue(c, "test", operator.NewPass{Tenancy: tenancy, Minutes: minutes})
	})
}

func (w *world) askPass(n, minutes int) (operator.Pass, error) {
	return w.pass(id('t', n).String(), minutes)
}

// TestPass: a tenancy that opens something gets a pass that a gateway takes, and
// it is written down without its text.
func TestPass(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	w.now = start.Add(time.Hour)
	p, err := w.askPass(1, 5)
	if err != nil {
		t.Fatal(err)
	}
	issuers := w.trust.Keyset(wire.RoleIssuer)
	got, err := qrpass.Open(p.Text, building1, issuers)
	if err != nil || got.Tenancy != id('t', 1) || got.From != uint32(w.now.Unix()) || got.Until != got.From+300 {
		t.Fatalf("%+v, %v", got, err)
	}
	if p.Building != building1 || p.Tenancy != got.Tenancy.String() || !p.From.Equal(w.now) || !p.Until.Equal(w.now.Add(5*time.Minute)) {
		t.Errorf("%+v", p)
	}
	again, err := w.askPass(1, 15)
	other, err2 := qrpass.Open(again.Text, building1, issuers)
	if err != nil || err2 != nil || other.ID == got.ID {
		t.Errorf("the next one: %+v, %v, %v", other, err, err2)
	}
	before := w.i.audit1(t)
	if before.What != "pass" || before.Subject != p.Tenancy || before.Reason != "15 min" || strings.Contains(before.Subject+before.Reason, qrpass.Prefix) {
		t.Errorf("written down: %+v", before)
	}
}

// audit1 is the newest act.
func (i *Issuer) audit1(t *testing.T) operator.Audit {
	t.Helper()
	all, err := report.Audits(i.ledger)
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	return all[0]
}

// TestPassRefused: nobody gets a pass whom no door would let in, none is good for
// longer than the wire allows, and a refusal says why.
func TestPassRefused(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	later := checkIn(4, 0)
	later.From = at(600)
	over := checkIn(5, 0)
	over.Until = at(10)
	for n, c := range []wire.Change{checkIn(1, 0), checkIn(2, 0), other(wire.OpEnd, 2, 5), checkIn(3, 0), other(wire.OpSuspend, 3, 5),
		later, over, other(wire.OpEnd, 6, 5)} {
		w.front.deliver(g.record(id('r', n), c))
	}
	w.turn()
	w.now = start.Add(time.Hour)
	for _, c := range []struct {
		name       string
		n, minutes int
		hint       string
	}{
		{"ended", 2, 5, "it is over"},
		{"suspended", 3, 5, "suspended"},
		{"not begun", 4, 5, "begins at"},
		{"term over", 5, 5, "it is over"},
		{"never checked in", 6, 5, "check-in"},
		{"nobody", 99, 5, "registryd tenancies"},
		{"no minutes", 1, 0, ""}, {"an hour", 1, 60, ""}, {"less than none", 1, -1, ""}, {"16 minutes", 1, 16, ""},
	} {
		p, err := w.askPass(c.n, c.minutes)
		var refused *api.Error
		if !errors.As(err, &refused) || !strings.Contains(refused.Hint, c.hint) || p.Text != "" {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
	}
	if _, err := w.pass("x", 5); err == nil {
		t.Error("for no id")
	}
	w.do(operator.Act{Act: operator.ActResume, Tenancy: id('t', 3).String(), Reason: "found"})
	if _, err := w.askPass(3, 5); err != nil {
		t.Errorf("found again: %v", err)
	}
}

// TestPassLimit: a tenancy gets so many within the life of one, and others none
// the less.
func TestPassLimit(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.front.deliver(g.record(id('r', 2), checkIn(2, 0)))
	w.turn()
	for n := range 20 {
		if _, err := w.askPass(1, 1); err != nil {
			t.Fatalf("pass %d: %v", n, err)
		}
		w.now = w.now.Add(time.Second)
	}
	if _, err := w.askPass(1, 1); err == nil {
		t.Fatal("one too many")
	}
	if _, err := w.askPass(2, 1); err != nil {
		t.Fatalf("another tenancy: %v", err)
	}
	w.now = start.Add(qrpass.Max * time.Second)
	if _, err := w.askPass(1, 1); err != nil {
		t.Fatalf("a quarter of an hour after the first: %v", err)
	}
	if _, err := w.askPass(1, 1); err == nil {
		t.Fatal("two for one")
	}
	w.now = w.now.Add(time.Hour)
	if _, err := w.askPass(2, 1); err != nil {
		t.Fatal(err)
	}
}
