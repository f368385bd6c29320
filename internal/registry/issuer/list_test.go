package issuer

import (
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// TestLifeOfATenancy follows one from check-in to the last list that names it.
func TestLifeOfATenancy(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	m, _ := w.listed()
	if m.Version != 1 || len(m.Seen) != 1 || m.Seen[0] != (wire.Seen{Gateway: "gw-1", Line: 7, Number: 1}) {
		t.Fatalf("%+v", m)
	}
	w.want(1, wire.GrantActive)
	w.front.deliver(g.record(id('r', 2), other(wire.OpSuspend, 1, 1)))
	w.turn()
	w.want(1, wire.GrantSuspended)
	w.do(operator.Act{Act: operator.ActResume, Grant: id('g', 1).String(), Reason: "found"})
	w.want(1, wire.GrantActive)
	w.front.deliver(g.record(id('r', 3), other(wire.OpEnd, 1, 2)))
	w.turn()
	w.want(1, wire.GrantRevoked)
	tend := func(version uint64) {
		w.front.applied[building1+"/gw-1"] = version
		if err := w.i.tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.turn()
	}
	m, _ = w.listed()
	tend(m.Version - 1)
	w.want(1, wire.GrantRevoked)
	w.reopen()
	tend(m.Version)
	w.want(1, 0)
	w.reopen()
	tend(m.Version)
	if last, _ := w.listed(); last.Version != m.Version+1 {
		t.Fatalf("list %d: made again for nothing", last.Version)
	}
	if all, err := report.Tenancies(w.i.ledger, ""); err != nil || len(all) != 1 || all[0].State != fold.StateEnded || all[0].Cause != "moved_out" {
		t.Fatal(all, err)
	}
}

// TestDispute: a notice ends a tenancy at its time, unless the tenant objects;
// then only the registry can.
func TestDispute(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpNotice, 1, 1)))
	w.turn()
	if got := w.want(1, wire.GrantActive); got.Until != at(1+3*24*60) {
		t.Fatal(got)
	}
	settle := operator.Act{Act: operator.ActUphold, Tenancy: id('t', 1).String(), Reason: "heard", Until: start.AddDate(0, 0, 30)}
	if _, err := w.i.act(t.Context(), "test", settle); err == nil {
		t.Fatal("decided what nobody disputes")
	}
	w.front.deliver(g.record(id('r', 3), other(wire.OpDispute, 1, 2)))
	w.turn()
	if got := w.want(1, wire.GrantActive); got.Until != 0 {
		t.Fatal(got)
	}
	past := settle
	past.Until = start.AddDate(0, 0, -1)
	if _, err := w.i.act(t.Context(), "test", past); err == nil {
		t.Fatal("a tenancy ended yesterday")
	}
	w.do(settle)
	w.reopen()
	w.front.deliver(g.record(id('r', 4), other(wire.OpWithdraw, 1, 3)))
	w.turn()
	if got := w.want(1, wire.GrantActive); got.Until != uint32(settle.Until.Unix()) {
		t.Fatalf("%+v: the registry's word does not hold", got)
	}
	w.front.deliver(g.record(id('r', 5), other(wire.OpDispute, 1, 4)), g.record(id('r', 6), other(wire.OpNotice, 1, 5)))
	w.turn()
	w.do(operator.Act{Act: operator.ActReject, Tenancy: id('t', 1).String(), Reason: "heard"})
	if got := w.want(1, wire.GrantActive); got.Until != 0 {
		t.Fatal(got)
	}
}

// TestEndedBeforeItsTime: what was ended shows when it was, and not the last day of the
// term that is over.
func TestEndedBeforeItsTime(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', 1).String(), Reason: "order"})
	all, err := report.Tenancies(w.i.ledger, "")
	if err != nil || len(all) != 1 || all[0].State != fold.StateEnded || all[0].Until == nil || all[0].Until.After(time.Unix(int64(w.i.ledger.Clock.Unix())+1, 0)) {
		t.Errorf("%+v %v", all, err)
	}
	grants, err := report.Grants(w.i.ledger, "", "")
	if err != nil || len(grants) != 1 || grants[0].Until == nil || !grants[0].Until.Equal(*all[0].Until) {
		t.Errorf("%+v %v", grants, err)
	}
}

// TestSettleNeedsNotice: an objection outlives a notice that was taken back, and then
// there is nothing to decide; where there is, no decision ends it before the notice
// would have, and the day in the answer is one that is taken.
func TestSettleNeedsNotice(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpNotice, 1, 1)),
		g.record(id('r', 3), other(wire.OpDispute, 1, 2)), g.record(id('r', 4), other(wire.OpWithdraw, 1, 3)))
	w.turn()
	uphold := operator.Act{Act: operator.ActUphold, Tenancy: id('t', 1).String(), Reason: "heard", Until: start.AddDate(0, 0, 30)}
	byGrant := uphold
	byGrant.Tenancy, byGrant.Grant = "", id('g', 1).String()
	for _, a := range []operator.Act{uphold, byGrant} {
		if _, err := w.i.act(t.Context(), "test", a); err == nil || !strings.Contains(err.Error(), "no notice is disputed there") {
			t.Errorf("upheld what was withdrawn: %v", err)
		}
	}
	if got := w.want(1, wire.GrantActive); got.Until != 0 {
		t.Fatal(got)
	}
	w.front.deliver(g.record(id('r', 5), other(wire.OpNotice, 1, 10)), g.record(id('r', 6), other(wire.OpDispute, 1, 11)))
	w.turn()
	late := uphold // as registryd takes it: the midnight after a day of the operator's zone
	late.Until = time.Date(2025, 11, 2, 0, 0, 0, 0, time.FixedZone("", 8*3600))
	if _, err := w.i.act(t.Context(), "test", late); err == nil || !strings.HasSuffix(err.Error(), "a tenancy can't end with 2025-11-01") {
		t.Errorf("a last day that is over: %v", err)
	}
	early := uphold
	early.Until = start.AddDate(0, 0, 1)
	_, err := w.i.act(t.Context(), "test", early)
	var said *api.Error
	if !errors.As(err, &said) || !strings.Contains(said.Message, "the notice itself ends nothing before 20") || !strings.HasSuffix(said.Message, " UTC") {
		t.Fatalf("the decision ends it before the notice would: %v", err)
	}
	day, _, _ := strings.Cut(strings.TrimPrefix(said.Hint, "--uphold "), ",")
	if early.Until, err = calendar.Last(day, time.UTC); err != nil {
		t.Fatal(said.Hint, err)
	}
	w.do(early)
	if got := w.want(1, wire.GrantActive); got.Until != uint32(early.Until.Unix()) {
		t.Error(got)
	}
}

// TestOperatorComesLast: a gateway whose clock runs years ahead does not
// overrule the operator.
func TestOperatorComesLast(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	ahead := other(wire.OpResume, 1, 0)
	ahead.At = 1<<32 - 2
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), ahead))
	w.turn()
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	w.want(1, wire.GrantSuspended)
}

// TestSecondSignature: a list that removes many tenancies waits for another issuer.
func TestSecondSignature(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 10 {
		w.front.deliver(g.record(id('r', n), checkIn(n, 0)))
	}
	w.turn()
	end := func(n int) operator.Done {
		return w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', n).String(), Reason: "order"})
	}
	for n := range 3 {
		if d := end(n); d.Held || !d.Sent {
			t.Fatalf("%+v", d)
		}
	}
	if d := end(3); !d.Held || d.Sent || d.Hint == "" {
		t.Fatalf("%+v", d)
	}
	w.want(3, wire.GrantActive)
	w.reopen()
	if d := end(4); !d.Held {
		t.Fatalf("%+v", d)
	}
	lists, err := report.Lists(w.i.ledger, building1)
	if err != nil || len(lists) != 2 || len(lists[1].Removes) != 2 || lists[1].Version != lists[0].Version+1 {
		t.Fatal(lists, err)
	}
	hand := func(key ed25519.PrivateKey, l operator.List) error {
		s := operator.Countersign{Building: building1}
		var err error
		if s.Second, err = authority.SignAs(w.trust, wire.TypeSecond, building1, l.Hash, key); err != nil {
			return err
		}
		if s.OldSecond, err = authority.SignAs(w.trust, wire.TypeSecond, building1, l.Old, key); err != nil {
			return err
		}
		return w.update(func(c *ledger.Change) error {
			b, err := c.Open(building1)
			if err != nil {
				return err
			}
			return c.Countersign(b, s.Second, s.OldSecond, s.Newest)
		})
	}
	stranger, _ := keys.LoadPrivateKey(filepath.Join(w.directory(authority.DirFront), api.FileWitnessKey))
	if hand(stranger, lists[1]) == nil || hand(w.i.ledger.Keys.Issuer, lists[1]) == nil || hand(secondKey(w), lists[0]) == nil {
		t.Fatal("released by a word that does not count")
	}
	if err := hand(secondKey(w), lists[1]); err != nil {
		t.Fatal(err)
	}
	w.turn()
	w.want(3, wire.GrantRevoked)
	w.want(4, wire.GrantRevoked)
	if l := w.front.lists[building1]; len(l.Second) == 0 || len(l.OldSecond) == 0 {
		t.Fatal("without the second signature")
	}
	w.reopen()
	if d := end(5); !d.Held { // the first three still count
		t.Fatalf("%+v", d)
	}
	w.now = w.now.Add(25 * time.Hour)
	if d := end(6); d.Held { // 5 and 6: another day
		t.Fatalf("%+v", d)
	}
	w.want(5, wire.GrantRevoked)
}

// TestEndsAtTheBuilding need no second issuer: ten tenants may move out in a day.
func TestEndsAtTheBuilding(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	for n := range 10 {
		w.front.deliver(g.record(id('r', n), checkIn(n, 0)))
	}
	w.turn()
	for n := range 10 {
		w.front.deliver(g.record(id('e', n), other(wire.OpEnd, n, 1)))
	}
	w.turn()
	for n := range 10 {
		w.want(n, wire.GrantRevoked)
	}
}

// TestOnlyWhatChanged: a list goes with the buckets that changed; with all, to
// a front that lost them.
func TestOnlyWhatChanged(t *testing.T) {
	w := newWorld(t)
	w.enrolled("gw-1")
	w.fill(1500)
	m, _ := w.listed()
	if len(m.Buckets) < 4 {
		t.Fatalf("%d buckets", len(m.Buckets))
	}
	w.front.got = 0
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 77).String(), Reason: "order"})
	w.want(77, wire.GrantRevoked)
	if w.front.got != 1 {
		t.Fatalf("%d buckets for one revocation", w.front.got)
	}
	clear(w.front.buckets)
	w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 78).String(), Reason: "order"})
	w.want(78, wire.GrantRevoked)
	var rows int
	if err := w.view().QueryRow(`SELECT count(*) FROM buckets`).Scan(&rows); err != nil || rows != len(m.Buckets) {
		t.Fatal(rows, err)
	}
}

// fill checks so many tenancies in, without the work of sealing.
func (w *world) fill(n int) {
	w.t.Helper()
	err := w.update(func(c *ledger.Change) error {
		b, err := c.Open(building1)
		if err != nil {
			return err
		}
		for k := range n {
			ch := checkIn(k, 0)
			c.Take(b, fold.Event{Record: id('r', k), Source: "gw-1", At: ch.At, Change: ch, Line: 7, Number: uint64(k + 1)})
		}
		c.Relist(b)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.turn()
}

// TestFrontAway: what was decided while the front is away reaches it later, and
// two lists of one version never leave.
func TestFrontAway(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	w.front.down = true
	d := w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Reason: "lost"})
	if d.Sent || d.Hint == "" {
		t.Fatalf("%+v", d)
	}
	w.reopen()
	d = w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "order"})
	w.front.down = false
	w.turn()
	if m, _ := w.listed(); m.Version != d.Version {
		t.Fatalf("list %d, want %d", m.Version, d.Version)
	}
	w.want(1, wire.GrantRevoked)
}

// TestRestoredFront counts its deliveries anew: nothing is taken in twice,
// nothing is missed, and status says it.
func TestRestoredFront(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), checkIn(2, 0)))
	w.turn()
	old := w.front.deliveries[:1:1]
	w.front.deliveries = old
	w.front.lists, w.front.versions, w.front.buckets = make(map[string]api.List), make(map[string]uint64), make(map[wire.Hash][]byte)
	if err := w.i.meet(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := w.i.status(); err != nil || !strings.Contains(strings.Join(s.Lines, "\n"), "front.db: it knows 1 tenancy record, and 2 were taken in from it") ||
		!strings.Contains(strings.Join(s.Lines, "\n"), "registryd restored --done") {
		t.Errorf("nothing says that the front was put back: %v, %v", s.Lines, err)
	}
	w.front.deliver(g.recordAt(7, 2, id('r', 2), checkIn(2, 0)), g.record(id('r', 3), checkIn(3, 0)))
	w.turn()
	for n := 1; n <= 3; n++ {
		w.want(n, wire.GrantActive)
	}
}

// TestLostCard: whoever names one id of a card means the card, in all the forms in
// which readers see it, and no other card of the tenancy.
func TestLostCard(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	arrival, later := checkIn(1, 0), other(wire.OpBind, 1, 1)
	arrival.Credentials = []wire.CredentialID{credential(1), credential(2), credential(3)}
	later.Credentials = []wire.CredentialID{credential(4), credential(5)}
	w.front.deliver(g.record(id('r', 1), arrival), g.record(id('r', 2), later))
	w.turn()
	states := func() (all string) {
		_, grants := w.listed()
		for n := range 5 {
			for _, line := range grants[id('g', 1)] {
				if line.Credential == credential(n+1) {
					all += line.State.String()[:1]
				}
			}
		}
		return all
	}
	for _, step := range []struct {
		act, reason string
		card        int
		want        string
	}{
		{operator.ActSuspend, "lost", 2, "sssaa"},
		{operator.ActSuspend, "lost", 5, "sssss"},
		{operator.ActResume, "found", 1, "aaass"},
		{operator.ActResume, "found", 0, "aaaaa"},
	} {
		a := operator.Act{Act: step.act, Grant: id('g', 1).String(), Reason: step.reason}
		if step.card > 0 {
			a.Credential = credential(step.card).String()
		}
		w.do(a)
		if got := states(); got != step.want {
			t.Errorf("%s card %d: %s, want %s", step.act, step.card, got, step.want)
		}
	}
}

// TestRefusals of the operator's socket say what to do.
func TestRefusals(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpEnd, 1, 1)))
	w.turn()
	gid, tid := id('g', 1).String(), id('t', 1).String()
	for name, a := range map[string]operator.Act{
		"no reason":         {Act: operator.ActEnd, Grant: gid},
		"rent":              {Act: operator.ActEnd, Grant: gid, Reason: "arrears"},
		"no such act":       {Act: "evict", Grant: gid, Reason: "order"},
		"nothing named":     {Act: operator.ActEnd, Reason: "order"},
		"both named":        {Act: operator.ActEnd, Grant: gid, Tenancy: tid, Reason: "order"},
		"unknown":           {Act: operator.ActEnd, Grant: id('g', 2).String(), Reason: "order"},
		"no id":             {Act: operator.ActEnd, Grant: "3b", Reason: "order"},
		"over":              {Act: operator.ActResume, Grant: gid, Reason: "found"},
		"nothing left":      {Act: operator.ActEnd, Tenancy: tid, Reason: "order"},
		"not disputed":      {Act: operator.ActReject, Tenancy: tid, Reason: "heard"},
		"card of no grants": {Act: operator.ActSuspend, Grant: gid, Credential: "01", Reason: "lost"},
	} {
		before, _ := w.listed()
		_, err := w.i.act(t.Context(), "test", a)
		var refused *api.Error
		if !errors.As(err, &refused) || refused.Hint == "" && name != "no such act" {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := w.listed(); after.Version != before.Version {
			t.Errorf("%s: a list was made", name)
		}
	}
}
