package desk

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// twoDesks is a house in which the first desk gives a notice and the second misses
// every record but, if heard, the check-in; and a registry that makes the second's lists.
func twoDesks(t *testing.T, heard bool, term uint32) (a, b *office, r *registry, notice wire.Register) {
	t.Helper()
	w := newTown(t)
	a, b = newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1), func(v *tenancy.Arrival) { v.Until = term })
	must(t, err)
	if heard {
		b.hears(a)
	}
	from := &registry{o: a}
	from.take()
	_, err = a.landlord(tenancy.CheckOut, 0)
	must(t, err)
	l := a.keyring.Records.All()
	c := l[len(l)-1].Change
	for i := range from.grants {
		from.grants[i].Until = c.Until + 60 // the registry heard of it a minute later
	}
	from.seen[0].Number = 2
	r = &registry{o: b, grants: from.grants, seen: from.seen}
	return a, b, r, wire.Register{Grant: c.Grant, Op: wire.OpNotice, Proof: wire.ProofLandlord, At: c.At, Tenancy: c.Tenancy, Until: c.Until + 60, Cause: c.Cause}
}

// TestMissedNotice: a desk that has missed a notice's record hears of it from the
// list: it shows it, tells the tenant at its doors, and takes an objection; and it
// hears likewise that somebody objected, or that the notice was taken back, elsewhere.
func TestMissedNotice(t *testing.T) {
	for name, heard := range map[string]bool{"the check-in was heard": true, "nothing was": false} {
		t.Run(name, func(t *testing.T) {
			term := uint32(noon + 90*tenancy.DaySeconds)
			_, b, r, notice := twoDesks(t, heard, term)
			id := notice.Tenancy
			see := func(state string, told bool, words ...wire.Register) tenancy.View {
				t.Helper()
				r.second, r.registers = true, words
				r.issue()
				b.upkeep(t.Context())
				if b.OnNotice(id) != told {
					t.Errorf("the upkeep alone: told at the doors: %v; want %v", !told, told)
				}
				for range 2 {
					v, err := b.Find(id.String())
					if err != nil || v.State != state || b.OnNotice(id) != told {
						t.Errorf("%+v, told at the doors: %v, %v; want %s, %v", v, b.OnNotice(id), err, state, told)
					}
					b.restart()
					b.upkeep(t.Context())
				}
				v, _ := b.Find(id.String())
				return v
			}
			if v := see(tenancy.OnNotice, true, notice); v.Notice != notice.Until || v.Cause != "agreed" {
				t.Errorf("%+v", v)
			}
			if !b.swipes("front", em(1)) {
				t.Error("not told at the door")
			}
			objection := notice
			objection.Op, objection.Proof, objection.At, objection.Until, objection.Cause = wire.OpDispute, wire.ProofPIN, notice.At+1, 0, 0
			for i := range r.grants {
				r.grants[i].Until = term
			}
			see(tenancy.Disputed, false, notice, objection)
			back := objection
			back.Op, back.Proof, back.At = wire.OpWithdraw, wire.ProofLandlord, notice.At+2
			see(tenancy.Active, false, back)
			again := notice
			again.At, again.Until = notice.At+3, notice.Until+60
			for i := range r.grants {
				r.grants[i].Until = again.Until
			}
			see(tenancy.OnNotice, true, again)
			done, err := b.ask(Request{Action: tenancy.Dispute, Tenancy: id.String(), Proof: "card"}, cards(em(1)), nil)
			must(t, err)
			if done.Tenancy.State != tenancy.Disputed || done.Tenancy.Unstored != 1 {
				t.Errorf("%+v", done.Tenancy)
			}
			b.clock.Now = int64(again.Until) + 1
			b.clock.Sure = b.clock.Now
			b.wants("front", em(1), wire.ReasonGranted)
			_, err = b.ask(Request{Action: tenancy.Withdraw, Tenancy: id.String(), Proof: "landlord"}, nil, nil)
			must(t, err)
		})
	}
}

// TestNoticeMovedByTheRegistry: the desk at which a notice was given shows the end
// that the registry has set for it.
func TestNoticeMovedByTheRegistry(t *testing.T) {
	a, _, r, notice := twoDesks(t, true, 0)
	r.o, r.second, r.registers = a, true, []wire.Register{notice}
	r.issue()
	a.upkeep(t.Context())
	if v, _ := a.Find("3B"); v.State != tenancy.OnNotice || v.Notice != notice.Until || !a.OnNotice(notice.Tenancy) {
		t.Errorf("%+v, told at the doors: %v", v, a.OnNotice(notice.Tenancy))
	}
}

// TestNoticeCountedOn: a desk whose days of a notice are not over when its date comes says so,
// until the registry's time ends it. An objection, or doubt about the time alone, is none of that.
func TestNoticeCountedOn(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	o.ran = time.Hour
	_, err := o.arrive(em(1))
	must(t, err)
	r := &registry{o: o, second: true}
	r.take()
	done, err := o.landlord(tenancy.CheckOut, 0)
	must(t, err)
	all := o.keyring.Records.All()
	c := all[len(all)-1].Change
	r.registers = []wire.Register{{Grant: c.Grant, Op: c.Op, Proof: c.Proof, At: c.At, Tenancy: c.Tenancy, Until: c.Until, Cause: c.Cause}}
	id, end := done.Tenancy.ID.String(), done.Tenancy.Notice
	for i := range r.grants {
		r.grants[i].Until = end
	}
	r.seen[0].Number = 2
	r.issue()
	see := func(what, state string, counting bool) {
		t.Helper()
		if v, err := o.Find(id); err != nil || v.State != state || v.Counting != counting {
			t.Errorf("%s: %+v, %v", what, v, err)
		}
	}
	o.clock.Now = int64(end) - 1
	see("before its date", tenancy.OnNotice, false)
	o.clock.Now = int64(end)
	see("its date has come", tenancy.OnNotice, true)
	o.wants("front", em(1), wire.ReasonGranted)
	o.keyring.Time.RaiseFloor(int64(end), 0)
	r.issue()
	see("the registry's time has come", tenancy.Ended, false)
	o.wants("front", em(1), wire.ReasonExpired)
	o.apart, o.clock.Sure, o.clock.Latest = true, noon, int64(end)
	see("its days are over, and the time is not sure", tenancy.OnNotice, false)
	o.apart = false
	o.clock.Now = int64(end) - 1
	_, err = o.ask(Request{Action: tenancy.Dispute, Tenancy: id, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	o.clock.Now = int64(end)
	see("its tenant objects", tenancy.Disputed, false)
}

// TestMissedNoticeOfBefore: the list of a registry of an earlier version says nothing
// of notices. An end before that of the term is one all the same.
func TestMissedNoticeOfBefore(t *testing.T) {
	_, b, r, notice := twoDesks(t, true, 0)
	r.issue()
	b.upkeep(t.Context())
	for range 2 {
		if v, _ := b.Find("3B"); v.State != tenancy.OnNotice || v.Notice != notice.Until || !b.OnNotice(notice.Tenancy) {
			t.Errorf("%+v, told at the doors: %v", v, b.OnNotice(notice.Tenancy))
		}
		b.restart()
	}
	_, err := b.landlord(tenancy.CheckOut, 0)
	refused(t, err, "a notice runs already")
	done, err := b.ask(Request{Action: tenancy.Dispute, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	b.clock.Now = int64(notice.Until) + 1
	b.clock.Sure = b.clock.Now
	b.wants("front", em(1), wire.ReasonGranted)
	if v, _ := b.Find(done.Tenancy.ID.String()); v.State == tenancy.Ended {
		t.Errorf("%+v", v)
	}
}

// TestDecided: what the registry has decided on a disputed notice shows at each desk,
// also at one that has heard of nothing. A rejected one is over, and there can be
// another; a registry that was put back to before its decision has not decided.
func TestDecided(t *testing.T) {
	for name, heard := range map[string]bool{"the check-in was heard": true, "nothing was": false} {
		t.Run(name, func(t *testing.T) {
			a, b, r, notice := twoDesks(t, heard, 0)
			id := notice.Tenancy
			_, err := a.ask(Request{Action: tenancy.Dispute, Proof: "card"}, cards(em(1)), nil)
			must(t, err)
			ra := &registry{o: a, grants: r.grants, second: true, seen: r.seen}
			r.second, ra.seen[0].Number = true, 3
			issue := func(until uint32, words ...wire.Register) {
				t.Helper()
				for _, reg := range []*registry{r, ra} {
					reg.registers = words
					for i := range reg.grants {
						reg.grants[i].Until = until
					}
					reg.issue()
					reg.o.upkeep(t.Context())
				}
			}
			see := func(state, decided string, end uint32) {
				t.Helper()
				for range 2 {
					for _, o := range []*office{a, b} {
						v, err := o.Find(id.String())
						if err != nil || v.State != state || v.Decided != decided || end != 0 && v.Notice != end || o.OnNotice(id) != (state == tenancy.OnNotice) {
							t.Errorf("%s: %+v, told at the doors: %v, %v", o.gateway, v, o.OnNotice(id), err)
						}
						o.restart()
						o.upkeep(t.Context())
					}
				}
			}
			objection := notice
			objection.Op, objection.Proof, objection.At, objection.Until, objection.Cause = wire.OpDispute, wire.ProofCard, notice.At+1, 0, 0
			issue(0, notice, objection)
			see(tenancy.Disputed, "", 0)
			end := uint32(noon + 30*tenancy.DaySeconds)
			upheld := notice
			upheld.Proof, upheld.At, upheld.Until, upheld.Cause = wire.ProofRegistry, objection.At, end, wire.CauseOrder
			issue(end, upheld)
			see(tenancy.OnNotice, "upheld", end)
			for _, o := range []*office{a, b} {
				_, err := o.ask(Request{Action: tenancy.Dispute, Tenancy: id.String(), Proof: "card"}, cards(em(1)), nil)
				refused(t, err, "only the registry can change it")
				_, err = o.ask(Request{Action: tenancy.Withdraw, Tenancy: id.String(), Proof: "landlord"}, nil, nil)
				refused(t, err, "only the registry can change it")
			}
			issue(0, notice, objection) // it was put back
			see(tenancy.Disputed, "", 0)
			rejected := objection
			rejected.Op, rejected.Proof = wire.OpWithdraw, wire.ProofRegistry
			issue(0, rejected)
			see(tenancy.Active, "rejected", 0)
			_, err = b.ask(Request{Action: tenancy.Dispute, Tenancy: id.String(), Proof: "card"}, cards(em(1)), nil)
			refused(t, err, "no notice runs")
			done, err := a.landlord(tenancy.CheckOut, 0)
			must(t, err)
			if v := done.Tenancy; v.State != tenancy.OnNotice || v.Decided != "" {
				t.Errorf("%+v", v)
			}
		})
	}
}

// TestDecidedAtOnce: as soon as a list is active at the doors the desk goes by it.
func TestDecidedAtOnce(t *testing.T) {
	a, b, r, notice := twoDesks(t, true, 0)
	end := uint32(noon + 30*tenancy.DaySeconds)
	upheld := notice
	upheld.Proof, upheld.Until, upheld.Cause = wire.ProofRegistry, end, wire.CauseOrder
	for _, o := range []*office{a, b} {
		r.o, r.second, r.registers = o, true, []wire.Register{upheld}
		for i := range r.grants {
			r.grants[i].Until = end
		}
		r.issue()
		_, err := o.ask(Request{Action: tenancy.Withdraw, Tenancy: notice.Tenancy.String(), Proof: "landlord"}, nil, nil)
		refused(t, err, "only the registry can change it")
		if v, _ := o.Find(notice.Tenancy.String()); v.Decided != "upheld" {
			t.Errorf("%s: %+v", o.gateway, v)
		}
	}
}

// TestStoppedByTheRegistry: a card that the registry has suspended is brought back by the
// registry: not by who holds it up at a desk, and by no PIN. One that was reported at a
// desk is found there, also if the registry had stopped and brought it back before.
func TestStoppedByTheRegistry(t *testing.T) {
	a := newOffice(t, newTown(t), "gw1")
	_, err := a.arrive(em(1))
	must(t, err)
	_, err = a.ask(Request{Action: tenancy.SetPIN, Proof: "card", NewPIN: "2580"}, cards(em(1)), nil)
	must(t, err)
	r := &registry{o: a}
	r.take()
	state := func(s wire.GrantState) {
		for i := range r.grants {
			r.grants[i].State = s
		}
		r.issue()
	}
	stays := func() {
		t.Helper()
		_, err := a.ask(Request{Action: tenancy.Resume, Proof: "card"}, cards(em(1)), nil)
		refused(t, err, "registryd resume --tenancy ")
		_, err = a.ask(Request{Action: tenancy.Resume, Tenancy: "3B", Proof: "pin", PIN: "2580"}, nil, nil)
		refused(t, err, "registryd resume --tenancy ")
		for _, action := range []string{tenancy.AddCard, tenancy.Replace} { // nor does another card in its place
			for _, proof := range []string{"landlord", "pin"} {
				_, err = a.ask(Request{Action: action, Tenancy: "3B", Proof: proof, PIN: "2580"}, nil, cards(em(2)))
				refused(t, err, "registryd resume --tenancy ")
			}
		}
		a.wants("front", em(1), wire.ReasonSuspended)
		a.wants("front", em(2), wire.ReasonUnknown)
	}
	state(wire.GrantSuspended)
	stays()
	state(wire.GrantActive)
	a.wants("front", em(1), wire.ReasonGranted)
	lost := func() {
		t.Helper()
		_, err := a.ask(Request{Action: tenancy.Suspend, Tenancy: "3B", Proof: "pin", PIN: "2580"}, nil, nil)
		must(t, err)
		a.wants("front", em(1), wire.ReasonSuspended)
	}
	lost()
	_, err = a.ask(Request{Action: tenancy.Resume, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	a.wants("front", em(1), wire.ReasonGranted)
	lost()
	for _, l := range a.keyring.Records.All() {
		r.seen[0].Number = max(r.seen[0].Number, l.Record.Number)
	}
	state(wire.GrantActive) // the registry has brought it back
	a.wants("front", em(1), wire.ReasonGranted)
	a.upkeep(t.Context())
	a.restart()
	state(wire.GrantSuspended)
	stays()
	state(wire.GrantActive)
	_, _ = a.Find("3B")
	lost()
	for _, l := range a.keyring.Records.All() {
		r.seen[0].Number = max(r.seen[0].Number, l.Record.Number)
	}
	c := a.keyring.Records.All()[len(a.keyring.Records.All())-1].Change
	slices.SortFunc(c.Credentials, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
	r.second, r.registers = true, []wire.Register{{Grant: c.Grant, Op: wire.OpSuspend, Proof: wire.ProofRegistry, At: c.At + 1, Tenancy: c.Tenancy, Cards: c.Credentials}}
	state(wire.GrantSuspended) // it was stopped at both
	stays()
}

// TestConfirmedByTheRegistry: a card that came on the landlord's word proves once the
// registry says so in a list; at each desk, and for good.
func TestConfirmedByTheRegistry(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	_, err = a.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	b.hears(a)
	bind := a.keyring.Records.All()[1].Change
	slices.SortFunc(bind.Credentials, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
	r := &registry{o: a, second: true}
	r.take()
	r.seen[0].Number = 2
	for i := range r.grants { // the bind has no kind of its own
		r.grants[i].Kind = wire.GrantResident
	}
	rb := &registry{o: b, grants: r.grants, seen: r.seen, second: true}
	for _, reg := range []*registry{r, rb} {
		for range 2 {
			reg.issue()
			reg.o.upkeep(t.Context())
			_, err = reg.o.ask(Request{Action: tenancy.SetPIN, Proof: "card", NewPIN: "2580"}, cards(em(2)), nil)
			refused(t, err, "proves nothing")
		}
		reg.registers = []wire.Register{{Grant: bind.Grant, Op: wire.OpBind, Proof: wire.ProofRegistry, At: bind.At + 1, Tenancy: bind.Tenancy, Cards: bind.Credentials}}
		reg.issue()
		reg.o.upkeep(t.Context())
		reg.o.restart()
		if v, _ := reg.o.Find(bind.Tenancy.String()); len(v.Cards) != 2 || !v.Cards[1].Proves {
			t.Errorf("%s: %+v", reg.o.gateway, v.Cards)
		}
		_, err = reg.o.ask(Request{Action: tenancy.SetPIN, Proof: "card", NewPIN: "2580"}, cards(em(2)), nil)
		must(t, err)
		reg.registers = nil // a registry of yesterday
		reg.issue()
		reg.o.upkeep(t.Context())
		_, err = reg.o.ask(Request{Action: tenancy.SetPIN, Proof: "card", NewPIN: "3690"}, cards(em(2)), nil)
		must(t, err)
	}
}
