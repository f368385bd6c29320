package issuer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/grantlist"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/lists"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// noticesAndDecisions is a day at the desk and at the registry: grant 1 is upheld, 2
// rejected, 3 disputed, 4 withdrawn, 5 rejected and given notice anew; 6 was suspended
// at the desk and resumed by the registry, 7 is suspended by it.
func noticesAndDecisions(t *testing.T, w *world, g *box) {
	n := 100
	say := func(c wire.Change) {
		n++
		w.front.deliver(g.record(id('r', n), c))
	}
	for k := 1; k <= 5; k++ {
		say(other(wire.OpNotice, k, 10))
		if k != 4 {
			say(other(wire.OpDispute, k, 20))
		}
	}
	say(other(wire.OpWithdraw, 4, 20))
	say(other(wire.OpSuspend, 6, 20))
	w.turn()
	w.now = start.Add(time.Hour)
	w.do(operator.Act{Act: operator.ActUphold, Tenancy: id('t', 1).String(), Reason: "heard", Until: start.AddDate(0, 0, 30)})
	for _, k := range []int{2, 5} {
		w.do(operator.Act{Act: operator.ActReject, Tenancy: id('t', k).String(), Reason: "heard"})
	}
	w.do(operator.Act{Act: operator.ActResume, Grant: id('g', 6).String(), Reason: "found"})
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 7).String(), Reason: "lost"})
	say(other(wire.OpNotice, 5, 70))
	w.turn()
}

// TestDecisionsPutBack: how notices stand, and what the registry has decided, is in no
// record: it comes back with the list that gateways have, whatever records come again
// and in whatever lines, and after the next loss too.
func TestDecisionsPutBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ none, records, twice bool }{
		"a copy":              {},
		"a copy and records":  {records: true},
		"no copy":             {none: true},
		"no copy but records": {none: true, records: true},
		"no copy, twice":      {none: true, twice: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			for k := 1; k <= 7; k++ {
				w.front.deliver(g.record(id('r', k), checkIn(k, k)))
			}
			w.turn()
			yesterday := w.backup()
			if c.none {
				yesterday = nil
			}
			noticesAndDecisions(t, w, g)
			views, rows, registers := w.standings()
			deliveries := w.front.deliveries
			w.front.deliveries = nil // the front has forgotten them
			w.now = w.now.Add(time.Hour)
			w.restore(yesterday)
			w.meets()
			if c.twice {
				w.restore(yesterday)
				w.meets()
			}
			if c.records {
				w.front.deliver(deliveries...)
				w.turn()
				w.reopen()
				w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 7).String(), Reason: "order"}) // a list of what is known now
			}
			v, r, o := w.standings()
			for k := 1; k <= 6; k++ {
				if v[k] != views[k] {
					t.Errorf("tenancy %d: %q, want %q", k, v[k], views[k])
				}
				if r[k] != rows[k] {
					t.Errorf("grant %d ends at %d, want %d", k, r[k], rows[k])
				}
				if !slices.EqualFunc(o[k], registers[k], same) {
					t.Errorf("the list says of grant %d %+v, want %+v", k, o[k], registers[k])
				}
			}
			odd, err := report.Problems(w.i.ledger, building1)
			named := slices.ContainsFunc(odd, func(p operator.Problem) bool {
				return strings.HasPrefix(p.Text, "it is known from a list alone") && p.Tenancy == id('t', 6).String()
			})
			if err != nil || named != (c.none && !c.records) {
				t.Errorf("that its flat is not known: %v: %+v, %v", named, odd, err)
			}
			w.want(6, wire.GrantActive)
			if !c.records {
				w.want(7, wire.GrantSuspended)
			}
			if c.none && c.records {
				return
			}
			w.do(operator.Act{Act: operator.ActReject, Tenancy: id('t', 3).String(), Reason: "heard"}) // it still waits for a decision
		})
	}
}

// standings are states, ends and registers of grants, by their numbers.
func (w *world) standings() (views map[int]string, rows map[int]uint32, registers map[int][]wire.Register) {
	w.t.Helper()
	all, err := report.Tenancies(w.i.ledger, building1)
	if err != nil {
		w.t.Fatal(err)
	}
	_, grants := w.listed()
	views, rows, registers = make(map[int]string), make(map[int]uint32), make(map[int][]wire.Register)
	for _, v := range all {
		for k := range 8 {
			if v.ID == id('t', k).String() {
				views[k] = v.State + " " + v.Decided
			}
		}
	}
	for k := range 8 {
		for _, r := range grants[id('g', k)] {
			rows[k] = r.Until
		}
		registers[k] = w.registers(k)
	}
	return views, rows, registers
}

// TestSuspendedSince: a suspension that no list had counts, also where the database was
// put back, and so does one of a card that the list does not have.
func TestSuspendedSince(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)), g.record(id('r', 2), checkIn(2, 1)))
	w.turn()
	bind := other(wire.OpBind, 2, 2)
	bind.Credentials = []wire.CredentialID{credential(9)}
	lost := other(wire.OpSuspend, 2, 3)
	lost.Credentials = bind.Credentials
	w.restore(nil)
	w.meets()
	// The list has seen neither: the first comes in its line, the others as if it had.
	w.building().Lines.Covered[building.Line{Gateway: "gw-1", Number: g.line}] = building.Cover{Number: 4, Events: w.building().Tenancies.Count()}
	w.front.deliver(g.record(id('r', 3), bind), g.record(id('r', 4), lost), g.record(id('r', 5), other(wire.OpSuspend, 1, 3)))
	w.turn()
	w.want(1, wire.GrantSuspended)
	_, grants := w.listed()
	for _, r := range grants[id('g', 2)] {
		if r.Credential == credential(9) && r.State != wire.GrantSuspended {
			t.Errorf("a lost card that no list had opens: %+v", r)
		}
	}
}

// TestNotTaken names what a list can't say, and suggests that a key was stolen only of
// a list that this database should know.
func TestNotTaken(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)))
	w.turn()
	yesterday := w.backup()
	w.now = w.now.Add(time.Hour)
	w.front.deliver(g.record(id('r', 2), other(wire.OpNotice, 1, 10)))
	w.turn()
	w.now = w.now.Add(time.Hour)
	w.restore(yesterday)
	w.meets()
	lines := func() string {
		s, err := w.i.status()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(s.Lines, "\n")
	}
	if said := lines(); !strings.Contains(said, "how notices on 1 grant stand") || strings.Contains(said, "--as-false") || strings.Contains(said, "lack of capacity") {
		t.Errorf("it says %s", said)
	}
	// A list of the same key from elsewhere, after the copy was put back: in the first format.
	b := w.building()
	w.now = w.now.Add(time.Hour)
	l, _, err := grantlist.NewDraft(building1, b.Lists.Newest.Manifest, b.Lists.Newest.Hash).Sign(b.Lists.Newest.Grants, w.now, w.i.ledger.Keys.Issuer, w.i.ledger.Keys.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	f, trusted, err := lists.Read(building1, l.Manifest, nil, l.Buckets, w.i.ledger.Keys.Issuers)
	if err != nil || !trusted {
		t.Fatal(err)
	}
	if err := w.i.ledger.Update(func(c *ledger.Change) { c.Building(b.ID); adopt.List(c, b, "gw-1", f) }); err != nil {
		t.Fatal(err)
	}
	said := lines()
	for _, want := range []string{"It was signed on 20", "this database was put back or made on 20", "registryd trust new --replace issuer --as-false",
		"of the first format", "registryd dispute settle"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q: %s", want, said)
		}
	}
}

// TestPutBackInDoubt: a copy that is put back while the clock is wrong makes nobody a
// thief by the lists that were signed since; once the clock is right again the time from
// which on one would be counts.
func TestPutBackInDoubt(t *testing.T) {
	w := newWorld(t)
	boot, off := time.Hour, time.Duration(0)
	w.now = start
	w.clock = agreed.Source{Wall: func() time.Time { return w.now.Add(off) }, Boot: func() time.Duration { return boot }, Synced: func() bool { return false }, BootID: "boot 1"}
	passes := func() { w.now, boot = w.now.Add(time.Hour), boot+time.Hour }
	w.reopen()
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)))
	w.turn()
	if err := w.i.ledger.Clock.Save(); err != nil {
		t.Fatal(err)
	}
	yesterday := w.backup()
	passes()
	w.front.deliver(g.record(id('r', 2), other(wire.OpNotice, 1, 10)))
	w.turn()
	passes()
	off = 200 * 24 * time.Hour
	w.restore(yesterday)
	w.meets()
	s, err := w.i.status()
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(s.Lines, "\n"); !strings.Contains(said, "which this database did not know") || strings.Contains(said, "--as-false") {
		t.Errorf("it says %s", said)
	}
	off = 0
	for range 2 { // it is kept for the next start, too
		if err := w.i.tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if since, err := store.State(w.view(), "since"); err != nil || since != w.now.Unix() {
			t.Errorf("in use since %d, want %d (%v)", since, w.now.Unix(), err)
		}
		w.reopen()
	}
}

// TestKeptBuildingKey: without its database the registry still knows that a building
// has a key, says that the copy in escrow is gone, and has it again when a gateway enrols anew.
func TestKeptBuildingKey(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)))
	w.turn()
	w.restore(nil)
	w.meets()
	b := w.building()
	if b.KeyNumber != 1 {
		t.Fatalf("a new gateway would make another key: number %d", b.KeyNumber)
	}
	said := w.waits()
	if !strings.Contains(said, "registryd gateway add --replace") {
		t.Errorf("nothing says that the copy of the key is gone: %q", said)
	}
	token := w.token("gw-1", true)
	w.introduce(token)
	if a := w.ask(api.KindEnrol, g.place, g.request(token, 1)); a.Error != "" {
		t.Fatal(a.Error, a.Hint)
	}
	e, err := report.Escrow(w.i.ledger, building1)
	if err != nil || string(e.Sealed) != "sealed building key" || strings.Contains(w.waits(), "copy of the building key") {
		t.Errorf("%+v, %v, %v", e, err, w.waits())
	}
}

// TestReinstatedProvesNoMore: a card that the landlord gave, and that nobody has
// confirmed, proves nothing after its grant was reinstated either; nor does any of one
// that was learnt from a list.
func TestReinstatedProvesNoMore(t *testing.T) {
	for name, learnt := range map[string]bool{"recorded": false, "learnt from a list": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			bind := other(wire.OpBind, 1, 2)
			bind.Credentials = []wire.CredentialID{credential(8), credential(9)}
			w.front.deliver(g.record(id('r', 1), checkIn(1, 1)), g.record(id('r', 2), bind))
			w.turn()
			w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Credential: credential(9).String(), Reason: "lost"})
			if learnt {
				w.front.deliveries = nil
				w.restore(nil)
				w.meets()
			}
			w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 1).String(), Reason: "mistake"})
			d := w.do(operator.Act{Act: operator.ActReinstate, Grant: id('g', 1).String(), Reason: "mistake"})
			w.reopen()
			all, err := report.Grants(w.i.ledger, building1, id('t', 1).String())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(all, func(g operator.Grant) bool { return g.ID == d.New[0] })
			if i < 0 || len(all[i].Cards) != 3 {
				t.Fatalf("%+v", all)
			}
			for _, k := range all[i].Cards {
				own := k.Credential == credential(1).String()
				if k.Unproven != (learnt || !own) || k.Suspended == own {
					t.Errorf("%+v", k)
				}
			}
			confirm := operator.Act{Act: operator.ActConfirm, Grant: d.New[0], Credential: credential(8).String(), Reason: "heard"}
			w.do(confirm)
			if learnt { // its record comes after all, and says the flat of the tenancy
				w.front.deliver(g.recordAt(9, 1, id('r', 1), checkIn(1, 1)))
				w.turn()
			}
			if v, err := report.Tenancies(w.i.ledger, building1); err != nil || len(v) != 1 || v[0].Flat != "3b" {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// TestTakenLongAgo: what a list took that was signed days before the database was put back
// counts no more at the gateways, and delays no revocation here.
func TestTakenLongAgo(t *testing.T) {
	for days, held := range map[int]bool{0: true, 3: false} {
		w := newWorld(t)
		g := w.enrolled("gw-1")
		for n := range 6 {
			w.front.deliver(g.record(id('r', n), checkIn(n, 1)))
		}
		w.turn()
		yesterday := w.backup()
		w.now = w.now.Add(time.Hour)
		for n := range 3 {
			w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', n).String(), Reason: "order"})
		}
		w.now = w.now.Add(time.Duration(days) * 24 * time.Hour)
		w.restore(yesterday)
		w.meets()
		if d := w.do(operator.Act{Act: operator.ActEnd, Grant: id('g', 3).String(), Reason: "order"}); d.Held != held {
			t.Errorf("%d days later: %+v, want held %v", days, d, held)
		}
	}
}

// TestThiefSettlesNothing: a decision of the end of all times, in a list of a thief's, does
// not settle what the tenant says later.
func TestThiefSettlesNothing(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 1)))
	w.turn()
	b := w.building()
	err := w.update(func(c *ledger.Change) error {
		c.Building(b.ID)
		f := b.Lists.Newest
		f.Manifest.Registers = []wire.Register{{Grant: id('g', 1), Tenancy: id('t', 1), Op: wire.OpWithdraw, Proof: wire.ProofRegistry, At: 1<<32 - 1, Cards: []wire.CredentialID{}}}
		f.Manifest.Issued = 1<<32 - 1
		f.Manifest.Version++
		f.Hash[0]++
		adopt.List(c, b, "gw-1", f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	later := 2 * 24 * 60
	w.now = start.Add(time.Duration(later) * time.Minute)
	w.front.deliver(g.record(id('r', 2), other(wire.OpNotice, 1, later)), g.record(id('r', 3), other(wire.OpDispute, 1, later+1)))
	w.turn()
	if v, err := report.Tenancies(w.i.ledger, building1); err != nil || len(v) != 1 || v[0].State != fold.StateDisputed {
		t.Errorf("%+v, %v", v, err)
	}
	w.do(operator.Act{Act: operator.ActUphold, Tenancy: id('t', 1).String(), Reason: "heard", Until: w.now.AddDate(0, 0, 30)})
	if v, err := report.Tenancies(w.i.ledger, building1); err != nil || v[0].Decided != fold.DecidedUpheld {
		t.Errorf("%+v, %v", v, err)
	}
}
