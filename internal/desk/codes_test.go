package desk

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/guess"
	"gatehouse/sync/wire"
)

// types is what a door's keys answer to a code.
func (o *office) types(door, code string, want wire.Reason) {
	o.t.Helper()
	p, ok := device.NewPIN(code)
	if !ok {
		o.t.Fatalf("%q can't be typed", code)
	}
	if a := o.codes.Open(door, "in", p, access.At(noon)); a.Reason != want {
		o.t.Errorf("a code at %s: %s, want %s", door, a.Reason, want)
	}
}

// TestOneTimeCodes: check-in gives five; the tenant alone asks for others; they open when
// the only card is lost, not when the registry has stopped it, and end with the tenancy.
func TestOneTimeCodes(t *testing.T) {
	w := newTown(t)
	o := newOffice(t, w, "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	if len(done.Codes) != 0 {
		t.Error("codes where no reader takes them")
	}
	_, err = o.ask(Request{Action: tenancy.NewCodes, Proof: "card"}, cards(em(1)), nil)
	refused(t, err, `pin = "only"`)
	o.keys = []string{"front"}
	o.restart()
	done, err = o.arrive(em(2), func(a *tenancy.Arrival) { a.Flat, a.Label = "3A", "" })
	must(t, err)
	first := done.Codes
	if len(first) != 5 || done.CodeDoors[0] != "front" {
		t.Fatalf("%d codes at %v", len(first), done.CodeDoors)
	}
	o.types("front", first[0], wire.ReasonGranted)
	o.restart()
	o.types("front", first[0], wire.ReasonReplayed)
	_, err = o.ask(Request{Action: tenancy.NewCodes, Tenancy: "3A", Proof: "landlord"}, nil, nil)
	refused(t, err, "only the tenant")
	o.types("front", first[1], wire.ReasonGranted)
	done, err = o.ask(Request{Action: tenancy.NewCodes, Proof: "card"}, cards(em(2)), nil)
	must(t, err)
	o.types("front", first[2], wire.ReasonBadCode)

	o.choosePIN(em(2), "471108")
	_, err = o.ask(Request{Action: tenancy.Suspend, Tenancy: "3A", Proof: "pin", PIN: "471108"}, nil, nil)
	must(t, err)
	o.wants("front", em(2), wire.ReasonSuspended)
	o.types("front", done.Codes[0], wire.ReasonGranted)
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3A", Proof: "pin", PIN: "471108", Cause: "moved_out"}, nil, nil)
	must(t, err)
	o.types("front", done.Codes[1], wire.ReasonRevoked)
	o.upkeep(t.Context())
	o.types("front", done.Codes[1], wire.ReasonBadCode)
}

// TestGuests: the tenant alone gives a guest a code, at the desk or by the own PIN; the
// landlord sees which there are, never whether one was used, and can end them; of a partner in
// the same flat nobody is told; they end with the tenancy.
func TestGuests(t *testing.T) {
	o := sharedFlat(t)
	o.scanners = []string{"front", "cellar"}
	o.restart()
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	hours := func(n uint32) *doorcode.Terms { return &doorcode.Terms{Until: noon + n*3600} }
	give := func(d *doorcode.Terms) (ForResident, error) {
		return o.resident(Invite, "471108", func(r *ResidentRequest) { r.Guest = d })
	}
	_, err := o.ask(Request{Action: tenancy.NewGuest, Tenancy: o.Desk.Tenancies()[0].ID.String(), Proof: "landlord", Guest: hours(1)}, nil, nil)
	refused(t, err, "only the tenant")
	_, err = o.ask(Request{Action: tenancy.NewGuest, Proof: "card"}, cards(em(1)), nil)
	refused(t, err, "needs an end")
	done, err := o.ask(Request{Action: tenancy.NewGuest, Proof: "card", Guest: hours(24)}, cards(em(1)), nil)
	must(t, err)
	g := done.Guest
	if g == nil || len(g.Digits) != 10 || !strings.HasSuffix(g.QR, g.Digits) || !slices.Equal(g.Keys, []string{"front"}) || !slices.Equal(g.Scanners, []string{"front"}) {
		t.Fatalf("%+v", g)
	}
	once := hours(24)
	once.Once = true
	by, err := give(once)
	must(t, err)
	o.types("front", by.Guest.Digits, wire.ReasonGranted)
	o.types("front", by.Guest.Digits, wire.ReasonReplayed)
	o.types("front", g.Digits, wire.ReasonGranted)
	if by, err = o.resident(Invited, "471108"); err != nil || len(by.Guests) != 2 || by.Guests[0].Used || !by.Guests[1].Used {
		t.Errorf("%+v, %v", by.Guests, err)
	}
	if by, err = o.resident(Invited, "150926"); err != nil || len(by.Guests) != 0 {
		t.Errorf("a partner is told of %+v, %v", by.Guests, err)
	}
	_, err = o.resident(EndGuest, "150926", func(r *ResidentRequest) { r.GuestID = g.ID })
	refused(t, err, "no guest code")
	if all := o.Desk.Guests.List(); len(all) != 2 || all[0].Used || all[1].Used {
		t.Errorf("the landlord sees %+v", all)
	}
	must(t, o.Desk.Guests.End(t.Context(), g.ID))
	refused(t, o.Desk.Guests.End(t.Context(), g.ID), "no guest code")
	o.types("front", g.Digits, wire.ReasonBadCode)
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonGuestGiven); n != 2 || o.journal.entries(wire.KindTenancy, wire.ReasonGuestEnded) != 1 {
		t.Errorf("%d entries of codes that were given", n)
	}

	for want, d := range map[string]*doorcode.Terms{
		"over already": {Until: noon}, "at most 7 days": hours(7*24 + 1), "at most 30 days from now": {From: noon + 31*86400, Until: noon + 32*86400},
	} {
		refused(t, o.Desk.Guests.Judge(o.Desk.Tenancies()[0].ID, d), want) // before the tenant proves anything
		_, err := give(d)
		refused(t, err, want)
		o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	}
	_, err = o.arrive(em(7), func(a *tenancy.Arrival) { a.Flat, a.Label, a.Until = "3A", "", noon+86400 })
	must(t, err)
	guest := func(begin, end uint32) (Done, error) {
		return o.ask(Request{Action: tenancy.NewGuest, Tenancy: "3A", Proof: "card", Guest: &doorcode.Terms{From: begin, Until: end}}, cards(em(7)), nil)
	}
	late, err := o.Desk.Find("3A")
	must(t, err)
	refused(t, o.Desk.Guests.Judge(late.ID, &doorcode.Terms{From: noon + 86400, Until: noon + 90000}), "tenancy is over when")
	must(t, o.Desk.Guests.Judge(late.ID, &doorcode.Terms{From: noon + 80000, Until: noon + 90000}))
	_, err = guest(noon+86400, noon+90000)
	refused(t, err, "tenancy is over when")
	done, err = guest(noon+80000, noon+90000) // it ends with the tenancy
	must(t, err)
	must(t, o.Desk.Guests.End(t.Context(), done.Guest.ID))
	o.clock.Trusted = false
	_, err = give(hours(24))
	refused(t, err, "can't be trusted")
	o.clock.Trusted = true
	for range 4 {
		by, err = give(hours(24))
		must(t, err)
	}
	_, err = give(hours(24))
	refused(t, err, "5 guest codes already")

	_, err = o.resident(LostCard, "471108") // who has lost the card still has guests
	must(t, err)
	o.types("front", by.Guest.Digits, wire.ReasonGranted)
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: by.Tenancy.ID.String(), Proof: "pin", PIN: "471108", Cause: "moved_out"}, nil, nil)
	must(t, err)
	o.types("front", by.Guest.Digits, wire.ReasonRevoked)
	o.upkeep(t.Context())
	o.types("front", by.Guest.Digits, wire.ReasonBadCode)
	if all := o.Desk.Guests.List(); len(all) != 0 {
		t.Errorf("%+v are left", all)
	}
}

// TestPassTellsNoUse: whoever has a guest code's digits sees when and where they open, the same before and after they did,
// and nothing of the tenancy. Ended, over with its tenancy, or never there: one refusal.
func TestPassTellsNoUse(t *testing.T) {
	o := sharedFlat(t)
	o.scanners = []string{"front", "cellar"}
	o.restart()
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	var mine string // one of the flat's two tenancies
	give := func(terms doorcode.Terms) string {
		t.Helper()
		by, err := o.resident(Invite, "471108", func(r *ResidentRequest) { r.Guest = &terms })
		must(t, err)
		mine = by.Tenancy.ID.String()
		return by.Guest.Digits
	}
	once, later := give(doorcode.Terms{Until: noon + 3600, Once: true}), give(doorcode.Terms{From: noon + 7200, Until: noon + 9000})
	want := &GuestCode{Guest: doorcode.Guest{Terms: doorcode.Terms{Until: noon + 3600, Once: true}}, Digits: once, QR: doorcode.QR(once), Keys: []string{"front"}, Scanners: []string{"front"}}
	for _, opens := range []wire.Reason{wire.ReasonGranted, wire.ReasonReplayed} {
		if p, err := o.Desk.Guests.Pass(once); err != nil || !reflect.DeepEqual(p, want) {
			t.Fatalf("%+v, %v; want %+v", p, err, want)
		}
		o.types("front", once, opens)
	}
	if p, err := o.Desk.Guests.Pass(later); err != nil || p.From != noon+7200 || p.Tenancy != (wire.ID{}) || p.ID != "" {
		t.Errorf("%+v, %v", p, err)
	}
	none := func(digits string) {
		t.Helper()
		p, err := o.Desk.Guests.Pass(digits)
		refused(t, err, "no pass with these digits is good")
		if no := err.(*tenancy.Refusal); p != nil || !no.Unknown {
			t.Errorf("%+v, %+v", p, no)
		}
	}
	for _, digits := range []string{"1234567890", "", "12345", "123456789x"} {
		none(digits)
	}
	must(t, o.Desk.Guests.End(t.Context(), o.Desk.Guests.List()[0].ID))
	none(once)
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	_, err := o.ask(Request{Action: tenancy.CheckOut, Tenancy: mine, Proof: "pin", PIN: "471108", Cause: "moved_out"}, nil, nil)
	must(t, err)
	none(later) // also before the upkeep
	for range 10 {
		_, err = o.Desk.Guests.Pass("1234567890")
	}
	refused(t, err, "too many passes")
}
