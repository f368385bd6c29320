package desk

import (
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/guess"
	"gatehouse/sync/wire"
)

// resident asks as somebody at the page of the door's sticker.
func (o *office) resident(act, pin string, change ...func(*ResidentRequest)) (ForResident, error) {
	r := ResidentRequest{Act: act, Flat: "3b", PIN: pin, Door: "front"}
	for _, f := range change {
		f(&r)
	}
	return o.Desk.Residents.Ask(o.t.Context(), r)
}

// sharedFlat has two tenants in 3B, each with a card and a PIN of their own.
func sharedFlat(t *testing.T) *office {
	o := newOffice(t, newTown(t), "gw1")
	o.keys = []string{"front"}
	o.restart()
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	for n, pin := range []string{"471108", "150926"} {
		_, err := o.arrive(em(uint64(n+1)), func(a *tenancy.Arrival) { a.Label, a.PIN = "", "808182" })
		must(t, err)
		_, err = o.resident(Enter, "808182")
		refused(t, err, "not that of the check-in")
		o.choosePIN(em(uint64(n+1)), pin)
	}
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	return o
}

// TestResidentEnters: the own PIN opens a door once and stops the lost card, and no card of
// a partner; found again it opens.
func TestResidentEnters(t *testing.T) {
	o := sharedFlat(t)
	done, err := o.resident(Enter, "４７１１０８")
	must(t, err)
	if done.Enter == nil || done.Enter.Reason != wire.ReasonGranted || *done.Enter.Who.Tenancy != done.Tenancy.ID || done.Enter.Who.Method != wire.MethodPIN {
		t.Fatalf("%+v", done.Enter)
	}
	o.wants("front", em(1), wire.ReasonSuspended)
	o.wants("front", em(2), wire.ReasonGranted)
	o.restart()
	if done, err = o.resident(Enter, "471108"); err != nil || done.Enter == nil { // the only try after a start
		t.Errorf("without any card left: %v", err)
	}
	_, err = o.resident(Enter, "471108", func(r *ResidentRequest) { r.Door = "cellar" })
	refused(t, err, "does not open for this tenancy")
	_, err = o.resident(Found, "471108")
	must(t, err)
	o.wants("front", em(1), wire.ReasonGranted)
	_, err = o.resident(Found, "471108")
	refused(t, err, "no card of yours is stopped")
	if no := err.(*tenancy.Refusal); no.Unknown {
		t.Error("who has shown who asks is refused as a stranger")
	}
	_, err = o.ask(Request{Action: tenancy.AddCard, Proof: "card"}, cards(em(1)), cards(em(5)))
	must(t, err)
	if done, err = o.resident(LostCard, "471108"); err != nil || !done.Choose || len(done.Tenancy.Cards) != 2 {
		t.Errorf("one of two cards: %+v, %v", done, err)
	}
	o.wants("front", em(5), wire.ReasonGranted)
	_, err = o.resident(LostCard, "471108", func(r *ResidentRequest) { r.Card = 2 })
	must(t, err)
	o.wants("front", em(5), wire.ReasonSuspended)
	o.wants("front", em(1), wire.ReasonGranted)
}

// TestSharedPIN: a PIN that two tenants of a flat have chosen says of neither that it is who asks.
func TestSharedPIN(t *testing.T) {
	o := sharedFlat(t)
	o.choosePIN(em(2), "471108")
	_, err := o.resident(Enter, "471108")
	refused(t, err, "do not fit")
	o.wants("front", em(1), wire.ReasonGranted)
	o.wants("front", em(2), wire.ReasonGranted)
}

// TestResidentFindsOneOfSeveral: of several stopped cards nothing is brought back until one is named, and
// then that one alone.
func TestResidentFindsOneOfSeveral(t *testing.T) {
	o := sharedFlat(t)
	_, err := o.ask(Request{Action: tenancy.AddCard, Proof: "card"}, cards(em(1)), cards(em(5)))
	must(t, err)
	number := func(n int) func(*ResidentRequest) { return func(r *ResidentRequest) { r.Card = n } }
	for n := 1; n <= 2; n++ {
		_, err = o.resident(LostCard, "471108", number(n))
		must(t, err)
	}
	done, err := o.resident(Found, "471108")
	if err != nil || !done.Choose || len(done.Tenancy.Cards) != 2 {
		t.Fatalf("one of two stopped cards: %+v, %v", done, err)
	}
	o.wants("front", em(1), wire.ReasonSuspended)
	o.wants("front", em(5), wire.ReasonSuspended)
	done, err = o.resident(Found, "471108", number(2))
	must(t, err)
	o.wants("front", em(5), wire.ReasonGranted)
	o.wants("front", em(1), wire.ReasonSuspended)
	if done, err = o.resident(Found, "471108"); err != nil || done.Choose {
		t.Errorf("the only one that is stopped: %+v, %v", done, err)
	}
	o.wants("front", em(1), wire.ReasonGranted)
}

// TestResidentActs: objection and new codes by the own PIN; what is kept is of that tenancy
// alone.
func TestResidentActs(t *testing.T) {
	o := sharedFlat(t)
	one, err := o.resident(Kept, "471108")
	must(t, err)
	two, err := o.resident(Kept, "150926")
	must(t, err)
	if one.Tenancy.ID == two.Tenancy.ID || len(one.Tenancy.Cards) != 1 || one.Enter != nil || len(one.Codes) != 0 {
		t.Errorf("%+v and %+v", one, two)
	}
	codes, err := o.resident(Renew, "471108")
	must(t, err)
	o.types("front", codes.Codes[0], wire.ReasonGranted)
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: one.Tenancy.ID.String(), Proof: "landlord", Cause: "lease_over"}, nil, nil)
	must(t, err)
	_, err = o.resident(Object, "150926")
	refused(t, err, "no notice runs")
	if done, err := o.resident(Object, "471108"); err != nil || done.Tenancy.State != tenancy.Disputed {
		t.Errorf("%+v, %v", done.Tenancy, err)
	}
	_, err = o.resident("movements", "471108")
	refused(t, err, "no act")
	_, err = o.resident(Enter, "4711")
	refused(t, err, "at least 6 digits")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: one.Tenancy.ID.String(), Proof: "pin", PIN: "471108", Cause: "moved_out"}, nil, nil)
	must(t, err)
	_, err = o.resident(Enter, "471108")
	refused(t, err, "do not fit")
}

// TestResidentObjectsByCheckInPIN: a notice can be objected to with the PIN of the check-in, as at the desk, while it runs;
// nothing else can be done with that.
func TestResidentObjectsByCheckInPIN(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1), func(a *tenancy.Arrival) { a.Label, a.PIN = "", "4711" })
	must(t, err)
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5)
	_, err = o.resident(Object, "4711")
	refused(t, err, "do not fit")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: done.Tenancy.ID.String(), Proof: "landlord", Cause: "lease_over"}, nil, nil)
	must(t, err)
	for _, act := range []string{LostCard, Kept, Invited} {
		_, err = o.resident(act, "4711")
		refused(t, err, "at least 6 digits")
	}
	_, err = o.resident(Object, "4712")
	refused(t, err, "do not fit")
	if said, err := o.resident(Object, "4711"); err != nil || said.Tenancy.State != tenancy.Disputed {
		t.Errorf("%+v, %v", said.Tenancy, err)
	}
}

// TestResidentTriesTellNothing: what is left of the tries is the same for a flat with somebody, with nobody who has chosen a
// PIN, and for none; and those that are used elsewhere, at whatever somebody takes for a flat, keep no resident off.
func TestResidentTriesTellNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("fifty PINs are hashed, at their real cost")
	}
	o := sharedFlat(t)
	_, err := o.arrive(em(3), func(a *tenancy.Arrival) { a.Flat, a.Label, a.PIN = "4A", "", "808182" })
	must(t, err)
	o.Desk.Residents.tries = guess.New[string](atFlat, guess.Limit{Burst: 1000, Every: time.Minute}, 5)
	for _, flat := range []string{"3B", "4A", "9Z", ""} {
		at := func(r *ResidentRequest) { r.Flat = flat }
		for range atFlat.Burst {
			_, err := o.resident(Enter, "999998", at)
			refused(t, err, "do not fit")
		}
		_, err := o.resident(Enter, "999998", at)
		refused(t, err, "too many tries")
	}
	o = sharedFlat(t)
	o.Desk.Residents.tries = guess.New[string](atFlat, atHouse, 5).ForEach()
	for i := range 25 {
		_, _ = o.resident(Enter, "999998", func(r *ResidentRequest) { r.Flat = fmt.Sprint("x", i) })
	}
	if _, err := o.resident(Kept, "471108"); err != nil {
		t.Errorf("somebody's wrong ones elsewhere keep a resident off: %v", err)
	}
}

// TestResidentGuessed: a thousand wrong PINs are five looks and an alarm; then the right one
// is not looked at either, at that flat alone, and cards and codes go on. A restart gives
// one try back, and the desk's own tries are not touched.
func TestResidentGuessed(t *testing.T) {
	o := sharedFlat(t)
	begun := time.Now()
	for range 1000 {
		done, err := o.resident(Enter, "999998")
		if no, ok := err.(*tenancy.Refusal); !ok || !no.Unknown {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	t.Logf("1000 guesses in %v", time.Since(begun))
	_, err := o.resident(Enter, "471108")
	refused(t, err, "too many tries")
	if n := o.journal.entries(wire.KindTenancy, wire.ReasonWrongPIN); n != 1 {
		t.Errorf("%d alarms", n)
	}
	if p := o.Desk.book.Tenancies[0].PIN; p.Wrong != 0 {
		t.Errorf("%d tries at the desk are gone", p.Wrong)
	}
	o.wants("front", em(1), wire.ReasonGranted)
	_, err = o.resident(Enter, "471108", func(r *ResidentRequest) { r.Flat = "9Z" })
	refused(t, err, "do not fit")
	o.restart()
	_, err = o.resident(Enter, "999998")
	refused(t, err, "do not fit")
	_, err = o.resident(Enter, "471108")
	refused(t, err, "too many tries")
}
