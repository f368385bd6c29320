package desk

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/keyring"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// days lets this gateway run for some time.
func (o *office) days(n float64) {
	o.t.Helper()
	passed := time.Duration(n * 24 * float64(time.Hour))
	o.clock.Now += int64(passed / time.Second)
	o.clock.Sure += int64(passed / time.Second)
	o.stops.count(o.t.Context(), passed)
}

// swipes holds a card up at a door and reports whether its tenant is told something.
func (o *office) swipes(door string, card device.Card) (told bool) {
	o.t.Helper()
	id, err := o.keyring.Identify(card)
	must(o.t, err)
	if o.answer(door, card) != wire.ReasonGranted {
		return false
	}
	for _, r := range o.keyring.Grants().Find([17]byte(id)) {
		tenancy, grant := r.Tenancy, r.ID
		who := wire.Who{Credential: &id, Grant: &grant, Tenancy: &tenancy}
		told = told || o.Tells(who)
		o.Saw(wire.Header{Kind: wire.KindAccess, Door: door}, who, wire.Ref{Counter: 7}, true)
	}
	for len(o.told) > 0 {
		o.teller.tell(<-o.told)
	}
	return told
}

// hears gives an office all that another has recorded.
func (o *office) hears(from *office) {
	o.t.Helper()
	own, _ := from.Unsettled()
	for _, e := range own {
		must(o.t, o.Hear(from.gateway, e))
	}
	select {
	case <-o.heard:
		o.stops.count(o.t.Context(), 0)
	default:
	}
}

// landlord asks on his word alone.
func (o *office) landlord(action string, card int, fresh ...device.Card) (Done, error) {
	o.t.Helper()
	return o.ask(Request{Action: action, Tenancy: "3B", Proof: "landlord", Cause: "agreed", Card: card}, nil, fresh)
}

// TestLandlordsCard: a card that he adds on his word opens, and proves nothing:
// not at this gateway, not at a sibling, not after a restart; an older card or
// the tenant's PIN confirms it, and the record says so to all.
func TestLandlordsCard(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	done, err := a.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	if c := done.Tenancy.Cards; len(c) != 2 || !c[0].Proves || c[1].Proves || len(done.Remarks) != 1 {
		t.Errorf("%+v %q", c, done.Remarks)
	}
	b.hears(a)
	for range 2 {
		for _, o := range []*office{a, b} {
			o.wants("front", em(2), wire.ReasonGranted)
			for _, r := range []Request{{Action: tenancy.CheckOut, Cause: "agreed"}, {Action: tenancy.Suspend, Card: 1}, {Action: tenancy.Confirm, Card: 2}, {Action: tenancy.SetPIN, NewPIN: "2580"}} {
				r.Proof = "card"
				_, err := o.ask(r, cards(em(2)), nil)
				refused(t, err, "proves nothing")
			}
			o.restart()
		}
	}
	_, err = a.landlord(tenancy.Confirm, 2)
	refused(t, err, "only the tenant")
	_, err = a.ask(Request{Action: tenancy.Confirm, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	if c := a.keyring.Records.All()[2].Change; c.Op != wire.OpBind || c.Proof != wire.ProofCard {
		t.Errorf("the record says %s by %s", c.Op, c.Proof)
	}
	_, err = a.ask(Request{Action: tenancy.Confirm, Proof: "card"}, cards(em(1)), nil)
	refused(t, err, "no card of this tenancy waits")
	b.hears(a)
	b.restart()
	done, err = b.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved_out"}, cards(em(2)), nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Ended {
		t.Errorf("%+v", done.Tenancy)
	}
}

// TestObjectWithAnyCard: a card that proves nothing can still object to a notice,
// which only keeps the tenancy going.
func TestObjectWithAnyCard(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	_, err = o.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	_, err = o.landlord(tenancy.CheckOut, 0)
	must(t, err)
	done, err := o.ask(Request{Action: tenancy.Dispute, Proof: "card"}, cards(em(2)), nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Disputed {
		t.Errorf("%+v", done.Tenancy)
	}
}

// TestLandlordsPIN: one that he types at the check-in opens doors and proves
// nothing; he can't choose another; the tenant's own proves.
func TestLandlordsPIN(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	out := Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "pin", PIN: "4711", Cause: "agreed"}
	for range 2 {
		_, err = o.ask(out, nil, nil)
		refused(t, err, "gatehouse tenancy pin")
		_, err = o.ask(Request{Action: tenancy.SetPIN, Tenancy: "3B", Proof: "pin", PIN: "4711", NewPIN: "2580"}, nil, nil)
		refused(t, err, "proves nothing")
		_, err = o.ask(Request{Action: tenancy.SetPIN, Tenancy: "3B", Proof: "landlord", NewPIN: "2580"}, nil, nil)
		refused(t, err, "only the tenant")
		o.restart()
	}
	_, err = o.ask(Request{Action: tenancy.SetPIN, Proof: "card"}, cards(em(1)), nil)
	refused(t, err, "no new PIN")
	o.choosePIN(em(1), "2580")
	_, err = o.ask(out, nil, nil)
	refused(t, err, "wrong PIN")
	o.restart()
	out.PIN = "2580"
	_, err = o.ask(out, nil, nil)
	must(t, err)
	o.wants("front", em(1), wire.ReasonRevoked)
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonPINChosen); n != 1 {
		t.Errorf("%d entries of a PIN, want 1", n)
	}
}

// TestReplaceOnLandlordsWord: the old card opens for the days of a notice, a
// swipe tells the tenant, and saves it; without one it stops then.
func TestReplaceOnLandlordsWord(t *testing.T) {
	for name, used := range map[string]bool{"used": true, "not used": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			_, err := o.arrive(em(1))
			must(t, err)
			done, err := o.landlord(tenancy.Replace, 0, em(2))
			must(t, err)
			if c := done.Tenancy.Cards; len(c) != 2 || c[0].State != tenancy.Active || !c[0].Ending || c[1].Proves {
				t.Errorf("%+v", c)
			}
			if used && (!o.swipes("front", em(1)) || o.swipes("front", em(1))) {
				t.Error("the tenant is to be told at the first swipe, and then no more")
			}
			asked, err := o.Find("3B")
			must(t, err)
			if c := asked.Cards[0]; !c.Ending {
				t.Error("that the card was used shows before the days are over")
			}
			_, err = o.landlord(tenancy.Replace, 1, em(3))
			refused(t, err, "to stop already")
			for range 2 {
				o.days(1.4)
				o.stops.save()
				o.restart()
				o.wants("front", em(1), wire.ReasonGranted)
			}
			o.days(0.3)
			o.restart()
			want := wire.ReasonSuspended
			if used {
				want = wire.ReasonGranted
			}
			o.wants("front", em(1), want)
			o.wants("front", em(2), wire.ReasonGranted)
			if !used { // it was the landlord's word alone, so the card brings itself back as it was
				_, err = o.ask(Request{Action: tenancy.Resume, Proof: "card", Card: 1}, cards(em(1)), nil)
				must(t, err)
			}
			_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved_out"}, cards(em(1)), nil)
			must(t, err)
		})
	}
}

// TestStopElsewhere: a swipe at a sibling's door saves the card too, once the
// gateways hear of each other.
func TestStopElsewhere(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	_, err = a.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	_, err = a.landlord(tenancy.Suspend, 1)
	must(t, err)
	b.hears(a)
	if !b.swipes("yard", em(1)) {
		t.Error("the sibling does not tell the tenant")
	}
	b.restart()
	a.days(3)
	a.wants("front", em(1), wire.ReasonSuspended) // it could not know
	b.hears(a)
	a.hears(b)
	for _, o := range []*office{a, b} {
		o.restart()
		o.wants("front", em(1), wire.ReasonGranted)
		if v, _ := o.Find("3B"); !v.Cards[0].Proves || v.Cards[0].Ending {
			t.Errorf("%+v", v.Cards)
		}
	}
	// The next time nobody uses it: what was before counts no more.
	_, err = a.landlord(tenancy.Suspend, 1)
	must(t, err)
	b.hears(a)
	a.days(3)
	b.hears(a)
	a.hears(b)
	a.wants("front", em(1), wire.ReasonSuspended)
	b.wants("front", em(1), wire.ReasonSuspended)
}

// TestLandlordsSuspension: another card has to stay; he can take it back; the
// tenant's word beats it.
func TestLandlordsSuspension(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	_, err = o.landlord(tenancy.Suspend, 0)
	refused(t, err, "locked out")
	_, err = o.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	_, err = o.landlord(tenancy.Suspend, 0)
	refused(t, err, "--card: 1, 2")
	done, err := o.landlord(tenancy.Suspend, 1)
	must(t, err)
	if len(done.Remarks) != 1 || !done.Tenancy.Cards[0].Ending {
		t.Errorf("%+v", done)
	}
	_, err = o.landlord(tenancy.Suspend, 2)
	refused(t, err, "locked out")
	_, err = o.landlord(tenancy.Resume, 1)
	must(t, err)
	o.days(5)
	o.wants("front", em(1), wire.ReasonGranted)
	_, err = o.landlord(tenancy.Suspend, 2)
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.Suspend, Proof: "card", Card: 2}, cards(em(1)), nil)
	must(t, err)
	o.wants("front", em(2), wire.ReasonSuspended)
}

// TestFoundCard: whoever finds a card that its tenant has reported lost can bring
// it back, and say nothing more with it.
func TestFoundCard(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.AddCard, Tenancy: "3B", Proof: "card"}, cards(em(1)), cards(em(2)))
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.Suspend, Proof: "card", Card: 1}, cards(em(2)), nil)
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.Resume, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	o.restart()
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(1)), nil)
	refused(t, err, "proves nothing")
	_, err = o.ask(Request{Action: tenancy.Confirm, Proof: "card"}, cards(em(2)), nil)
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(1)), nil)
	must(t, err)
}

// TestTwoCardsAtOnce: what is held up for one card is one card.
func TestTwoCardsAtOnce(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	session := o.begin()
	for range 2 {
		_, _, err := o.Show(session, false, em(1))
		must(t, err)
	}
	_, _, err := o.Show(session, false, em(2))
	refused(t, err, "another card")
}

// TestBookOfBefore: a file that does not say on whose word cards and PINs came
// trusts the first card alone.
func TestBookOfBefore(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	_, err = o.ask(Request{Action: tenancy.AddCard, Tenancy: "3B", Proof: "card"}, cards(em(1)), cards(em(2)))
	must(t, err)
	must(t, o.Settle())
	file := filepath.Join(o.dir, BookFile)
	data, err := os.ReadFile(file)
	must(t, err)
	var old map[string]any
	must(t, json.Unmarshal(data, &old))
	delete(old, "format")
	data, err = json.Marshal(old)
	must(t, err)
	must(t, os.WriteFile(file, data, 0o600))
	o.restart()
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(2)), nil)
	refused(t, err, "proves nothing")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(1)), nil)
	must(t, err)
}

// TestCardsOfTheListAlone: a gateway that does not know on whose word the cards
// of a tenancy came takes the word of none, unless there is but one.
func TestCardsOfTheListAlone(t *testing.T) {
	w := newTown(t)
	a, b := newOffice(t, w, "gw1"), newOffice(t, w, "gw2")
	_, err := a.arrive(em(1))
	must(t, err)
	_, err = a.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	r := &registry{o: b}
	for _, l := range a.keyring.Records.All() {
		for _, id := range l.Change.Credentials {
			r.grants = append(r.grants, wire.Grant{Credential: id, ID: l.Change.Grant, Tenancy: l.Change.Tenancy, Kind: wire.GrantResident, State: wire.GrantActive})
		}
	}
	r.issue()
	for n := range uint64(2) {
		b.wants("front", em(n+1), wire.ReasonGranted)
		_, err = b.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "agreed"}, cards(em(n+1)), nil)
		refused(t, err, "nobody here knows")
	}
}

// TestEndedByTheCentre: a tenancy that the newest list does not name is over, and
// no clock has to say so.
func TestEndedByTheCentre(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	r := &registry{o: o}
	r.take()
	r.issue()
	o.clock = tenancy.Time{Now: 1000, Sure: noon - 500, Latest: 1 << 40}
	if v, _ := o.Find("3B"); v.State != tenancy.Active {
		t.Errorf("%+v", v)
	}
	r.grants = nil
	r.issue()
	o.upkeep(t.Context())
	if v, err := o.Find(done.Tenancy.ID.String()); err != nil || v.State != tenancy.Ended {
		t.Errorf("%+v %v", v, err)
	}
}

// TestToldAfterTheEnd: whether a tenant was told shows when the notice has ended,
// and not before; never when, or how often.
func TestToldAfterTheEnd(t *testing.T) {
	for name, home := range map[string]bool{"home": true, "away": false} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, newTown(t), "gw1")
			done, err := o.arrive(em(1))
			must(t, err)
			_, err = o.landlord(tenancy.CheckOut, 0)
			must(t, err)
			if home && !o.swipes("front", em(1)) {
				t.Error("the tenant is not told")
			}
			for range 2 {
				if v, _ := o.Find("3B"); v.Told != tenancy.ToldUnsaid {
					t.Errorf("while the notice runs %v is said", v.Told)
				}
				o.restart()
			}
			o.clock.Now += 3 * tenancy.DaySeconds
			v, err := o.Find(done.Tenancy.ID.String())
			must(t, err)
			want := tenancy.ToldNotYet
			if home {
				want = tenancy.ToldYes
			}
			if v.Told != want || v.State != tenancy.Ended {
				t.Errorf("%v is said, %v wanted; it is %s", v.Told, want, v.State)
			}
		})
	}
}

// TestPINAtTheKeys: what the tenant types at a reader's keys proves, and becomes
// the new PIN; the tool of whoever sits at the desk never has it.
func TestPINAtTheKeys(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	try := func(r Request, held []device.Card, keys ...string) error {
		r.Tenancy, r.Session, r.Typed = "3B", o.begin(), true
		for _, c := range held {
			_, _, err := o.Show(r.Session, true, c)
			must(t, err)
		}
		for _, k := range keys {
			p, _ := device.NewPIN(k)
			must(t, o.Type(r.Session, p))
		}
		_, err := o.Change(t.Context(), r)
		return err
	}
	byCard, byPIN := Request{Action: tenancy.SetPIN, Proof: "card"}, Request{Action: tenancy.SetPIN, Proof: "pin"}
	refused(t, try(byCard, cards(em(1)), "2580", "2581"), "twice the same")
	refused(t, try(byCard, cards(em(1)), "2580"), "twice the same")
	must(t, try(byCard, cards(em(1)), "2580", "2580"))
	refused(t, try(byPIN, nil, "4711", "1379", "1379"), "wrong PIN")
	must(t, try(byPIN, nil, "2580", "1379", "1379"))
	out := Request{Action: tenancy.CheckOut, Proof: "pin", Cause: "agreed"}
	refused(t, try(out, nil), "wrong PIN")
	must(t, try(out, nil, "1379"))
	o.wants("front", em(1), wire.ReasonRevoked)
}

// TestRecordBeforeTheKey: a second gateway that has not got the building's key
// yet refuses nobody's record, which would be an alarm; it takes it when it comes
// again.
func TestRecordBeforeTheKey(t *testing.T) {
	w := newTown(t)
	a := newOffice(t, w, "gw1")
	_, err := a.arrive(em(1))
	must(t, err)
	own, _ := a.Unsettled()
	reg := w.registry
	reg.Place.Gateway = "gw2"
	k, err := keyring.Open(keyring.Options{Dir: t.TempDir(), Building: "lane-7", Log: zerolog.Nop(),
		Keys: keys.Keys{Gateway: w.gateways["gw2"], Registry: &reg}})
	must(t, err)
	defer k.Close()
	d, err := New(Parts{Dir: t.TempDir(), Keyring: k, Journal: &memory{}, Key: w.gateways["gw2"], Clock: a.time, Classed: func() bool { return true }, Log: zerolog.Nop()})
	must(t, err)
	must(t, d.Records.Hear("gw1", own[0]))
	if _, have := d.Records.Unsettled(); len(have) != 0 {
		t.Error("it says that it has the record")
	}
	own[0][len(own[0])-1] ^= 1
	if err := d.Records.Hear("gw1", own[0]); err == nil {
		t.Error("a record with a wrong signature is no record")
	}
}
