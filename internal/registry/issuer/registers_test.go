package issuer

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/report"
	"gatehouse/sync/wire"
)

// registers are those of the newest list on a grant, without their ids.
func (w *world) registers(n int) (all []wire.Register) {
	w.t.Helper()
	m, _ := w.listed()
	for _, register := range m.Registers {
		if register.Grant != id('g', n) || register.Tenancy != id('t', n) {
			continue
		}
		register.Grant, register.Tenancy = wire.ID{}, wire.ID{}
		all = append(all, register)
	}
	return all
}

func same(a, b wire.Register) bool {
	return a.Op == b.Op && a.Proof == b.Proof && a.At == b.At && a.Until == b.Until && a.Cause == b.Cause && slices.Equal(a.Cards, b.Cards)
}

func (w *world) wantRegisters(n int, want ...wire.Register) {
	w.t.Helper()
	if got := w.registers(n); !slices.EqualFunc(got, want, same) {
		w.t.Errorf("the list says %+v, want %+v", got, want)
	}
}

// TestNoticeEndsNoEarlier: a notice ends no earlier than its days after the registry
// heard of it, whatever the clock said at which it was given; once more delivered,
// and after a restart, it is not moved again.
func TestNoticeEndsNoEarlier(t *testing.T) {
	const year = 365 * 24 * 60 // minutes
	for name, c := range map[string]struct{ given, heard, want int }{
		"on time":              {0, 0, 3 * 24 * 60},
		"late":                 {0, 60, 60 + 3*24*60},
		"by a clock behind":    {-year, 60, 60 + 3*24*60},
		"by a clock ahead":     {year, 60, year + 3*24*60},
		"heard before its day": {120, 60, 120 + 3*24*60},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			w.front.deliver(g.record(id('r', 1), checkIn(1, -year-1)))
			w.turn()
			w.now = start.Add(time.Duration(c.heard) * time.Minute)
			w.front.deliver(g.record(id('r', 2), other(wire.OpNotice, 1, c.given)))
			w.turn()
			w.now = w.now.Add(time.Hour)
			w.reopen()
			w.front.deliver(g.recordAt(9, 1, id('r', 2), other(wire.OpNotice, 1, c.given))) // numbered anew
			w.turn()
			if got := w.want(1, wire.GrantActive); got.Until != at(c.want) {
				t.Errorf("it ends at %v, want %v", time.Unix(int64(got.Until), 0).UTC(), time.Unix(int64(at(c.want)), 0).UTC())
			}
			w.wantRegisters(1, wire.Register{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: at(c.given), Until: at(c.want), Cause: wire.CauseAgreed})
		})
	}
}

// TestRegistersOnNotices: the list says how a notice stands, each time that changes.
func TestRegistersOnNotices(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
	w.turn()
	w.wantRegisters(1)
	w.front.deliver(g.record(id('r', 2), other(wire.OpNotice, 1, 1)), g.record(id('r', 3), other(wire.OpDispute, 1, 2)))
	w.turn()
	given := wire.Register{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: at(1), Until: at(1 + 3*24*60), Cause: wire.CauseAgreed}
	w.wantRegisters(1, given, wire.Register{Op: wire.OpDispute, Proof: wire.ProofLandlord, At: at(2)})
	tenancy := func() operator.Tenancy {
		all, err := report.Tenancies(w.i.ledger, building1)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	w.do(operator.Act{Act: operator.ActReject, Tenancy: id('t', 1).String(), Reason: "heard"})
	w.wantRegisters(1, wire.Register{Op: wire.OpWithdraw, Proof: wire.ProofRegistry, At: at(2)})
	if v := tenancy(); v.State != fold.StateActive || v.Decided != fold.DecidedRejected {
		t.Errorf("%+v", v)
	}
	w.front.deliver(g.record(id('r', 4), other(wire.OpNotice, 1, 10)))
	w.turn()
	again := wire.Register{Op: wire.OpNotice, Proof: wire.ProofLandlord, At: at(10), Until: at(10 + 3*24*60), Cause: wire.CauseAgreed}
	w.wantRegisters(1, again, wire.Register{Op: wire.OpWithdraw, Proof: wire.ProofRegistry, At: at(2)})
	if v := tenancy(); v.State != fold.StateNotice || v.Decided != "" {
		t.Errorf("%+v", v)
	}
	w.front.deliver(g.record(id('r', 5), other(wire.OpDispute, 1, 11)))
	w.turn()
	end := start.AddDate(0, 0, 30)
	w.do(operator.Act{Act: operator.ActUphold, Tenancy: id('t', 1).String(), Reason: "heard", Until: end})
	w.reopen()
	w.wantRegisters(1, wire.Register{Op: wire.OpNotice, Proof: wire.ProofRegistry, At: at(11), Until: uint32(end.Unix()), Cause: wire.CauseOrder})
	if v := tenancy(); v.State != fold.StateNotice || v.Decided != fold.DecidedUpheld {
		t.Errorf("%+v", v)
	}
	w.do(operator.Act{Act: operator.ActEnd, Tenancy: id('t', 1).String(), Reason: "order"})
	w.wantRegisters(1)
}

// TestWithdrawnIsSaid: that a notice was taken back is in the list too, for a desk
// that has heard of the notice alone.
func TestWithdrawnIsSaid(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpNotice, 1, 1)), g.record(id('r', 3), other(wire.OpWithdraw, 1, 2)))
	w.turn()
	w.wantRegisters(1, wire.Register{Op: wire.OpWithdraw, Proof: wire.ProofLandlord, At: at(2)})
}

// TestStoppedTwice: that the registry has suspended a card which a desk had suspended too
// is said in the list, as long as it is so.
func TestStoppedTwice(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	in, lost := checkIn(1, 0), other(wire.OpSuspend, 1, 1)
	lost.Credentials = in.Credentials
	w.front.deliver(g.record(id('r', 1), in))
	w.turn()
	act := operator.Act{Act: operator.ActSuspend, Tenancy: id('t', 1).String(), Reason: "stolen"}
	w.do(act)
	w.wantRegisters(1)
	w.front.deliver(g.record(id('r', 2), lost))
	w.turn()
	said := w.registers(1)
	if len(said) != 1 || said[0].Op != wire.OpSuspend || said[0].Proof != wire.ProofRegistry || len(said[0].Cards) != len(in.Credentials) {
		t.Errorf("the list says %+v", said)
	}
	w.do(act)
	if said = w.registers(1); len(said) != 1 {
		t.Errorf("suspended once more the list says %+v", said)
	}
	w.do(operator.Act{Act: operator.ActResume, Tenancy: id('t', 1).String(), Reason: "found"})
	w.wantRegisters(1)
}

// TestConfirmCard: the registry confirms a card that the landlord gave, by any of its
// ids, and once more where somebody still asks for it; the list says so, also where a gateway's clock
// had run years ahead.
func TestConfirmCard(t *testing.T) {
	const ahead = 900 * 24 * 60
	w := newWorld(t)
	g := w.enrolled("gw-1")
	bind := other(wire.OpBind, 1, ahead)
	bind.Credentials = []wire.CredentialID{credential(7), credential(8)}
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), bind))
	w.turn()
	unproven := func() (n int) {
		all, err := report.Grants(w.i.ledger, building1, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all[0].Cards {
			if c.Unproven {
				n++
			}
		}
		return n
	}
	if n := unproven(); n != 2 {
		t.Fatalf("%d ids wait to be confirmed", n)
	}
	act := operator.Act{Act: operator.ActConfirm, Grant: id('g', 1).String(), Reason: "heard"}
	for _, card := range []string{"", credential(99).String()} {
		act.Credential = card
		if _, err := w.i.act(t.Context(), "test", act); err == nil || !strings.Contains(err.Error(), "no such card") {
			t.Errorf("card %q: %v", card, err)
		}
	}
	act.Credential = strings.ToUpper(credential(8).String())
	w.do(act)
	cards := slices.Clone(bind.Credentials)
	slices.SortFunc(cards, func(a, b wire.CredentialID) int { return strings.Compare(a.String(), b.String()) })
	want := wire.Register{Op: wire.OpBind, Proof: wire.ProofRegistry, At: at(ahead) + 1, Cards: cards}
	w.wantRegisters(1, want)
	w.reopen()
	if n := unproven(); n != 0 {
		t.Errorf("%d ids still wait", n)
	}
	w.do(act)
	again := want
	again.At++
	w.wantRegisters(1, want, again)
	w.do(operator.Act{Act: operator.ActSuspend, Grant: id('g', 1).String(), Credential: credential(7).String(), Reason: "lost"})
	w.wantRegisters(1, want, again)
}

// TestConfirmAfterPutBack: a card that the landlord gave after the copy was made is
// learnt from the list, and proves nothing: the operator confirms it, before its record
// comes again or after. Where the list says that he has, it stays so.
func TestConfirmAfterPutBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ known, before, record, twice bool }{
		"grant known":            {known: true},
		"grant of the list":      {},
		"and the record":         {known: true, record: true},
		"grant and records":      {record: true},
		"confirmed":              {known: true, before: true},
		"confirmed, of the list": {before: true},
		"confirmed, record":      {known: true, before: true, record: true},
		"confirmed, records":     {before: true, record: true},
		"put back twice":         {known: true, before: true, twice: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.enrolled("gw-1")
			if c.known {
				w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
				w.turn()
			}
			yesterday, bind, kept := w.backup(), other(wire.OpBind, 1, 1), len(w.front.deliveries)
			if !c.known {
				w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
			}
			bind.Credentials = []wire.CredentialID{credential(7), credential(8)}
			w.front.deliver(g.record(id('r', 2), bind))
			w.turn()
			w.now = w.now.Add(time.Hour)
			act := operator.Act{Act: operator.ActConfirm, Grant: id('g', 1).String(), Credential: credential(8).String(), Reason: "heard"}
			if c.before {
				w.do(act)
			}
			want := w.registers(1)
			w.now = w.now.Add(time.Hour)
			w.front.deliveries = w.front.deliveries[:kept] // the front has forgotten them
			w.restore(yesterday)
			w.meets()
			if c.twice {
				w.restore(yesterday)
				w.meets()
				w.restore(w.backup())
				w.meets()
			}
			if c.record {
				w.front.deliver(g.recordAt(9, 1, id('r', 1), checkIn(1, 0)), g.recordAt(9, 2, id('r', 2), bind))
				w.turn()
			}
			w.wantUnproven(1, credential(1), !c.known && !c.record)
			w.wantUnproven(1, credential(7), !c.before)
			w.wantUnproven(1, credential(8), !c.before)
			w.wantRegisters(1, want...)
			w.do(act)
			w.wantUnproven(1, credential(7), false)
			w.wantUnproven(1, credential(8), false)
			said := w.registers(1)
			if len(said) != len(want)+1 || !slices.Contains(said[len(want)].Cards, credential(7)) || !slices.Contains(said[len(want)].Cards, credential(8)) {
				t.Errorf("the list says %+v", said)
			}
		})
	}
}

// wantUnproven checks whether a card of a grant waits to be confirmed.
func (w *world) wantUnproven(n int, c wire.CredentialID, want bool) {
	w.t.Helper()
	i := slices.IndexFunc(w.building().Tenancies.Grants[id('g', n)].Cards, func(k fold.Card) bool { return k.ID == c })
	if i < 0 || w.building().Tenancies.Grants[id('g', n)].Cards[i].Unproven != want {
		w.t.Errorf("card %s: want unproven %v", c, want)
	}
}

// TestRegistersOfTheNewestFormatAlone: a gateway that reads the first format gets a list
// without registers, as it always was; the registers have a capacity, and above it the
// newest stand in the list.
func TestRegistersOfTheNewestFormatAlone(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	const many = 2 * fold.MaxRegisterBytes / 49
	for n := range many {
		w.front.deliver(g.record(id('r', 2*n), checkIn(n, 0)), g.record(id('r', 2*n+1), other(wire.OpNotice, n, 1)))
	}
	w.turn()
	b, err := w.view().Building(building1)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := w.listed()
	size := 0
	for i := range m.Registers {
		size += m.Registers[i].Size()
	}
	if m.Format != wire.LogFormat || size > fold.MaxRegisterBytes || size < fold.MaxRegisterBytes-49 {
		t.Errorf("format %d, %d registers of %d bytes", m.Format, len(m.Registers), size)
	}
	w.wantRegisters(0)
	if len(w.registers(many-1)) != 1 {
		t.Error("the newest is not said")
	}
	payload, err := wire.PayloadOf(b.Lists.Newest.Old.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	if old, err := wire.DecodeManifest(payload); err != nil || old.Format != wire.ListFormat || len(old.Registers) != 0 {
		t.Errorf("format %d with %d registers, %v", old.Format, len(old.Registers), err)
	}
}

// TestNoticePutBack: what a list tells a database of yesterday of a notice is the
// landlord's register still: he can take it back, and the tenant can object. Its end does
// not move when the record comes after all.
func TestNoticePutBack(t *testing.T) {
	for _, known := range []bool{true, false} {
		w := newWorld(t)
		g := w.enrolled("gw-1")
		if known {
			w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
			w.turn()
		}
		yesterday := w.backup()
		if !known {
			w.front.deliver(g.record(id('r', 1), checkIn(1, 0)))
		}
		notice := g.record(id('r', 2), other(wire.OpNotice, 1, 1))
		w.front.deliver(notice)
		w.turn()
		end := w.want(1, wire.GrantActive).Until
		w.now = w.now.Add(time.Hour)
		w.restore(yesterday)
		w.meets()
		if got := w.want(1, wire.GrantActive); got.Until != end {
			t.Fatalf("known %v: it ends at %d, want %d", known, got.Until, end)
		}
		w.front.deliver(g.recordAt(9, 1, id('r', 1), checkIn(1, 0)), g.recordAt(9, 2, id('r', 2), other(wire.OpNotice, 1, 1)))
		w.turn()
		if got := w.want(1, wire.GrantActive); got.Until != end {
			t.Errorf("known %v: the record has moved it to %d, want %d", known, got.Until, end)
		}
		w.front.deliver(g.recordAt(9, 3, id('r', 3), other(wire.OpDispute, 1, 2)))
		w.turn()
		if got := w.want(1, wire.GrantActive); got.Until != 0 {
			t.Errorf("known %v: the tenant's register does not count: %d", known, got.Until)
		}
		w.do(operator.Act{Act: operator.ActReject, Tenancy: id('t', 1).String(), Reason: "heard"})
		if all, err := report.Tenancies(w.i.ledger, building1); err != nil || len(all) != 1 || all[0].State != fold.StateActive || all[0].Decided != fold.DecidedRejected {
			t.Errorf("known %v: %+v, %v", known, all, err)
		}
	}
}

// TestNoticesOfAnOldDatabase: one of an earlier version has no register of when notices
// were heard of; they end at their dates.
func TestNoticesOfAnOldDatabase(t *testing.T) {
	w := newWorld(t)
	g := w.enrolled("gw-1")
	w.now = start.Add(time.Hour)
	w.front.deliver(g.record(id('r', 1), checkIn(1, 0)), g.record(id('r', 2), other(wire.OpNotice, 1, 1)))
	w.turn()
	if err := w.i.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, filepath.Join(w.directory(authority.DirIssuer), FileDatabase), `ALTER TABLE changes DROP COLUMN least; DROP TABLE migrations`)
	w.open()
	w.front.deliver(g.record(id('r', 3), other(wire.OpSuspend, 1, 3)))
	w.turn()
	if got := w.want(1, wire.GrantSuspended); got.Until != at(1+3*24*60) {
		t.Errorf("it ends at %d", got.Until)
	}
}
