package desk

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/desk/bookfile"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealing"

	"github.com/rs/zerolog"
)

func cards(c ...device.Card) []device.Card { return c }

// TestCheckOut: by the tenant's card or PIN at once, by nobody else's, and for
// no cause outside the list.
func TestCheckOut(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	for n := range uint64(3) {
		_, err := o.arrive(em(n+1), func(a *tenancy.Arrival) { a.Flat, a.Label = []string{"3A", "3B", "4A"}[n], "" })
		must(t, err)
	}
	o.choosePIN(em(2), "4711")
	_, err := o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "rent_arrears"}, cards(em(1)), nil)
	refused(t, err, "arrears of rent and permits are none")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card"}, cards(em(1)), nil)
	refused(t, err, "moved_out, lease_over")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "card", Cause: "moved_out"}, cards(em(1)), nil)
	refused(t, err, "no card of tenancy")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "pin", PIN: "0815", Cause: "moved_out"}, nil, nil)
	refused(t, err, "wrong PIN")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Cause: "moved_out"}, nil, nil)
	refused(t, err, "proof is missing")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved_out"}, cards(em(9)), nil)
	refused(t, err, "no tenancy has this card")
	for n := range uint64(3) {
		o.wants("front", em(n+1), wire.ReasonGranted)
	}
	done, err := o.ask(Request{Action: tenancy.CheckOut, Proof: "card", Cause: "moved-out"}, cards(em(1)), nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Ended || done.Tenancy.Cause != "moved_out" || done.Tenancy.HasPIN {
		t.Errorf("%+v", done.Tenancy)
	}
	done, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3b", Proof: "pin", PIN: "４７１１", Cause: "agreed"}, nil, nil)
	must(t, err)
	for range 2 {
		o.wants("front", em(1), wire.ReasonRevoked)
		o.wants("front", em(2), wire.ReasonRevoked)
		o.wants("front", em(3), wire.ReasonGranted)
		o.restart()
	}
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: done.Tenancy.ID.String(), Proof: "landlord", Cause: "agreed"}, nil, nil)
	refused(t, err, "is over")
	_, err = o.ask(Request{Action: tenancy.CheckOut, Tenancy: "3B", Proof: "landlord", Cause: "agreed"}, nil, nil)
	refused(t, err, "by its id it can still be shown: "+done.Tenancy.ID.String()[:8])
	_, err = o.arrive(em(1)) // the card may go to another tenant
	must(t, err)
	o.wants("front", em(1), wire.ReasonGranted)
}

// TestNotice: the landlord alone gives notice; the tenant is told once an hour
// and door, can dispute it, and without that it ends.
func TestNotice(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	landlord := Request{Action: tenancy.CheckOut, Tenancy: "left door", Proof: "landlord", Cause: "lease_over"}
	done, err := o.ask(landlord, nil, nil)
	must(t, err)
	id := done.Tenancy.ID
	if done.Tenancy.State != tenancy.OnNotice || done.Tenancy.Notice != noon+3*tenancy.DaySeconds || !o.OnNotice(id) {
		t.Errorf("%+v", done.Tenancy)
	}
	o.wants("front", em(1), wire.ReasonGranted)
	for _, door := range []string{"front", "front", "yard"} {
		memory := id // a door uses it again
		o.Saw(wire.Header{Kind: wire.KindAccess, Door: door}, wire.Who{Tenancy: &memory}, wire.Ref{Counter: 7}, true)
		memory = wire.ID{}
		o.teller.tell(<-o.told)
	}
	o.Saw(wire.Header{Kind: wire.KindAccess, Door: "front"}, wire.Who{Tenancy: &wire.ID{9}}, wire.Ref{}, true)
	if v, _ := o.Find("3B"); v.Told != tenancy.ToldUnsaid || o.journal.entries(wire.KindTold, wire.ReasonNotice) != 2 || len(o.told) != 0 {
		t.Errorf("%d entries, and %v is said of it", o.journal.entries(wire.KindTold, wire.ReasonNotice), v.Told)
	}
	_, err = o.ask(landlord, nil, nil)
	refused(t, err, "runs already")
	_, err = o.ask(Request{Action: tenancy.Dispute, Tenancy: "3B", Proof: "landlord"}, nil, nil)
	refused(t, err, "only the tenant")
	done, err = o.ask(Request{Action: tenancy.Dispute, Proof: "card"}, cards(em(1)), nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Disputed || o.OnNotice(id) {
		t.Errorf("%+v", done.Tenancy)
	}
	o.clock.Now += 4 * tenancy.DaySeconds
	o.wants("front", em(1), wire.ReasonGranted)
	_, err = o.ask(landlord, nil, nil)
	refused(t, err, "disputes")
	done, err = o.ask(Request{Action: tenancy.Withdraw, Tenancy: "3B", Proof: "landlord"}, nil, nil)
	must(t, err)
	if done.Tenancy.State != tenancy.Active || done.Tenancy.Cause != "" {
		t.Errorf("%+v", done.Tenancy)
	}
	_, err = o.ask(landlord, nil, nil)
	must(t, err)
	o.restart()
	o.wants("front", em(1), wire.ReasonGranted)
	o.clock.Now += 3 * tenancy.DaySeconds
	o.wants("front", em(1), wire.ReasonExpired)
	if v, err := o.Find(id.String()[:8]); err != nil || v.State != tenancy.Ended {
		t.Errorf("%+v %v", v, err)
	}
}

// carries checks that the newest record of a card brings the registry a card as it was
// read, and nobody's name: a building's key can be replaced without one swipe.
func (o *office) carries(card device.Card) {
	o.t.Helper()
	var person []byte
	for _, p := range o.Pending() {
		if len(p.Person) > 0 {
			person = p.Person
		}
	}
	plain, err := sealing.Unseal(o.town.records, sealing.Person, "lane-7/gw1", person)
	must(o.t, err)
	var p wire.Person
	must(o.t, wire.Decode(plain, &p))
	if p.Name != "" || p.Number != "" || len(p.Cards) != 1 || int(p.Cards[0].Bits) != card.Len() || !bytes.Equal(p.Cards[0].Data, card.Bytes()) {
		o.t.Errorf("the registry gets %d cards", len(p.Cards))
	}
}

// TestLostCards: on the tenant's word suspended, resumed and replaced at once.
func TestLostCards(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	_, err := o.arrive(em(1))
	must(t, err)
	o.choosePIN(em(1), "4711")
	by := func(action, proof string, card int, held, fresh []device.Card) (Done, error) {
		return o.ask(Request{Action: action, Tenancy: "3B", Proof: proof, PIN: "4711", Card: card}, held, fresh)
	}
	_, err = by(tenancy.Suspend, "card", 0, cards(em(1)), nil)
	refused(t, err, "no (other) card")
	_, err = by(tenancy.Suspend, "card", 1, cards(em(1)), nil)
	refused(t, err, "card that was held up")
	_, err = by(tenancy.Suspend, "pin", 0, nil, nil)
	must(t, err)
	o.wants("front", em(1), wire.ReasonSuspended)
	_, err = by(tenancy.CheckOut, "card", 0, cards(em(1)), nil)
	refused(t, err, "suspended")
	_, err = by(tenancy.Resume, "landlord", 0, nil, nil)
	refused(t, err, "has to be shown")
	done, err := by(tenancy.Resume, "card", 0, cards(em(1)), nil)
	must(t, err)
	o.wants("front", em(1), wire.ReasonGranted)
	if done.Tenancy.State != tenancy.Active {
		t.Errorf("%+v", done.Tenancy)
	}
	// Whoever found it may have brought it back.
	_, err = by(tenancy.CheckOut, "card", 0, cards(em(1)), nil)
	refused(t, err, "proves nothing")
	_, err = by(tenancy.Confirm, "pin", 0, nil, nil)
	must(t, err)
	_, err = by(tenancy.Replace, "pin", 0, nil, nil)
	refused(t, err, "has not been shown")
	_, err = by(tenancy.Replace, "pin", 0, nil, cards(em(1)))
	refused(t, err, "in use already")
	done, err = by(tenancy.Replace, "pin", 0, nil, cards(em(2)))
	must(t, err)
	o.wants("front", em(1), wire.ReasonSuspended)
	o.wants("yard", em(2), wire.ReasonGranted)
	if c := done.Tenancy.Cards; len(c) != 2 || c[0].State != tenancy.Suspended || c[1].State != tenancy.Active || !c[1].Proves || len(done.Remarks) > 0 {
		t.Errorf("%+v %q", c, done.Remarks)
	}
	o.carries(em(2))
	_, err = by(tenancy.Resume, "card", 1, cards(em(2)), nil)
	refused(t, err, "has to be shown")
	_, err = by(tenancy.AddCard, "card", 0, cards(em(2)), cards(em(3)))
	must(t, err)
	_, err = by(tenancy.Suspend, "pin", 0, nil, nil)
	refused(t, err, "--card: 2, 3")
	_, err = by(tenancy.Suspend, "pin", 7, nil, nil)
	refused(t, err, "no card 7")
	_, err = by(tenancy.Suspend, "card", 2, cards(em(3)), nil)
	must(t, err)
	o.restart()
	o.wants("front", em(2), wire.ReasonSuspended)
	o.wants("front", em(3), wire.ReasonGranted)
	_, err = by("pay", "landlord", 0, nil, nil)
	refused(t, err, "no action")
	o.noPerson()
}

// TestPIN: five wrong ones cost a quarter of an hour, a restart in between
// begins it anew, and each is an entry.
func TestPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		_, err := o.arrive(em(1))
		must(t, err)
		o.choosePIN(em(1), "4711")
		try := func(pin string) error {
			_, err := o.ask(Request{Action: tenancy.Suspend, Tenancy: "3B", Proof: "pin", PIN: pin}, nil, nil)
			return err
		}
		files := []string{filepath.Join(o.dir, BookFile), filepath.Join(o.dir, bookfile.AheadName)}
		for _, file := range files {
			must(t, os.Rename(file, file+".kept"))
			must(t, os.Mkdir(file, 0o700))
		}
		for range tenancy.PINTries + 1 { // on a disk that counts none
			if err := try("0000"); err == nil || !strings.Contains(err.Error(), "can't be counted") {
				t.Fatal(err)
			}
		}
		for _, file := range files {
			must(t, os.Remove(file))
			must(t, os.Rename(file+".kept", file))
		}
		for range tenancy.PINTries {
			refused(t, try("0000"), "wrong PIN")
		}
		refused(t, try("4711"), "too many")
		time.Sleep(pinPause - time.Minute)
		o.restart()
		refused(t, try("4711"), "wait 15 minutes")
		time.Sleep(pinPause - time.Minute)
		refused(t, try("4711"), "wait 1 minute")
		if n := o.journal.entries(wire.KindTenancy, wire.ReasonWrongPIN); n != tenancy.PINTries+3 {
			t.Errorf("%d entries", n)
		}
		time.Sleep(time.Minute)
		refused(t, try("0000"), "wrong PIN")
		must(t, try("4711"))
		o.wants("front", em(1), wire.ReasonSuspended)
	})
}

// TestCheckInPINProvesNothing: right or wrong, what is typed at the desk gets the same words where the
// PIN is no proof, and they do not say that it opens a door.
func TestCheckInPINProvesNothing(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	if !done.Tenancy.HasPIN || done.Tenancy.OwnPIN {
		t.Errorf("after the check-in: %+v", done.Tenancy)
	}
	for _, action := range []string{tenancy.CheckOut, tenancy.Suspend, tenancy.SetPIN, tenancy.NewGuest, tenancy.NewCodes} {
		said := map[string]bool{}
		for _, pin := range []string{"4711", "0815", ""} {
			_, err := o.ask(Request{Action: action, Tenancy: "3B", Proof: "pin", PIN: pin, NewPIN: "135790", Cause: "moved_out"}, nil, nil)
			refused(t, err, "no PIN was chosen with a card")
			said[err.Error()] = true
			if strings.Contains(err.Error(), "opens") {
				t.Errorf("%s with %q: %v", action, pin, err)
			}
		}
		if len(said) != 1 {
			t.Errorf("%s tells a right PIN from a wrong one: %v", action, said)
		}
	}
	o.choosePIN(em(1), "135790")
	_, err = o.ask(Request{Action: tenancy.Suspend, Tenancy: "3B", Proof: "pin", PIN: "864209"}, nil, nil)
	refused(t, err, "wrong PIN")
	done, err = o.ask(Request{Action: tenancy.NewCodes, Tenancy: "3B", Proof: "pin", PIN: "135790"}, nil, nil)
	if err == nil && !done.Tenancy.OwnPIN {
		t.Errorf("after it was chosen: %+v", done.Tenancy)
	}
}

// TestVisits: one at a time; the second hears since when; idle ones end.
func TestVisits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		first, err := o.Begin(false)
		must(t, err)
		_, _, err = o.Show(first.ID, false, em(1))
		must(t, err)
		_, err = o.Begin(false)
		refused(t, err, "--take-over")
		if no, ok := err.(*tenancy.Refusal); !ok || !no.Busy || !strings.Contains(no.Message, "for 0 s") {
			t.Errorf("%v does not say since when", err)
		}
		second, err := o.Begin(true)
		must(t, err)
		<-first.Over
		_, err = o.Wait(first.ID)
		refused(t, err, "took the desk over")
		_, err = o.CheckIn(t.Context(), second.ID, arrival())
		refused(t, err, "no card") // the first visit's card went with it
		time.Sleep(idleMost - time.Second)
		_, _, err = o.Show(second.ID, false, em(1))
		must(t, err)
		time.Sleep(2 * time.Second)
		o.leave(idleMost)
		_, err = o.Begin(false)
		refused(t, err, "--take-over") // it was used a moment ago, however long it lasts
		time.Sleep(idleMost)
		o.leave(idleMost)
		<-second.Over
		third, err := o.Begin(false)
		must(t, err)
		o.Leave(second.ID)
		if _, err := o.Wait(third.ID); err != nil {
			t.Error(err)
		}
		o.Leave(third.ID)
		<-third.Over
	})
}

// TestBookWrittenAgain: a PIN that no disk took is told, and written as soon as one takes it: by
// Run, and by an orderly stop.
func TestBookWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		_, err := o.arrive(em(1))
		must(t, err)
		file := filepath.Join(o.dir, BookFile)
		chosen := func(pin string) (mend func()) {
			must(t, os.Rename(file, file+".kept"))
			must(t, os.Mkdir(file, 0o700))
			o.choosePIN(em(1), pin)
			if o.Unwritten() == nil {
				t.Error("it is not told")
			}
			return func() { must(t, os.Remove(file)); must(t, os.Rename(file+".kept", file)) }
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		for n, pin := range []string{"471108", "150926"} {
			mend := chosen(pin)
			if n == 1 { // Run has not come to it when it ends
				mend()
				cancel()
				must(t, <-done)
			} else {
				go func() { done <- o.Run(ctx) }()
				time.Sleep(time.Hour)
				mend()
				time.Sleep(time.Minute + time.Second)
			}
			if err := o.Unwritten(); err != nil {
				t.Errorf("%d: %v", n, err)
			}
			other := newBook(o.dir, o.keyring, o.Doors, zerolog.Nop())
			other.load(o.journal)
			if right, err := other.Tenancies[0].PIN.Is(pin); err != nil || !right {
				t.Errorf("%d: the file has another PIN, %v", n, err)
			}
		}
	})
}
