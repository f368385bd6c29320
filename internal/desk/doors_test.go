package desk

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/device"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/sync/wire"
)

// pinTrier returns a function that types a PIN at a door.
func (o *office) pinTrier(id wire.ID) func(digits string, want bool) {
	return func(digits string, want bool) {
		o.t.Helper()
		p, _ := device.NewPIN(digits)
		if got, err := o.CheckPIN(wire.Who{Tenancy: &id}, p); err != nil || got != want {
			o.t.Errorf("PIN right %t, %v; want %t", got, err, want)
		}
	}
}

// TestDoorPIN: the doors know the PINs of this desk's tenancies, also after a
// restart. Five wrong ones in a row are an alarm and cost half a minute each; the
// desk's own count is apart.
func TestDoorPIN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		_, err := o.arrive(em(1))
		must(t, err)
		o.choosePIN(em(1), "4711")
		o.restart()
		id := o.Desk.book.Tenancies[0].ID
		try := o.pinTrier(id)
		if !o.HasPIN(id) || o.HasPIN(wire.ID{1}) {
			t.Fatal("the doors do not know who has a PIN")
		}
		try("4711", true)
		for range tenancy.PINTries {
			try("0000", false)
		}
		try("4711", false)
		if n := o.journal.entries(wire.KindTenancy, wire.ReasonWrongPIN); n != 1 {
			t.Errorf("%d alarms", n)
		}
		time.Sleep(doorPause)
		try("4711", true)
		_, err = o.ask(Request{Action: tenancy.Suspend, Tenancy: "3B", Proof: "pin", PIN: "4711"}, nil, nil)
		must(t, err)
	})
}

// TestDoorPINForgives: right PINs never pause anybody, tries in the pause do not
// put off its end, and there is an alarm for each five wrong ones in a row, with
// their number.
func TestDoorPINForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, newTown(t), "gw1")
		_, err := o.arrive(em(1))
		must(t, err)
		id := o.Desk.book.Tenancies[0].ID
		try := o.pinTrier(id)
		for range 3 * tenancy.PINTries {
			try("4711", true)
		}
		for range tenancy.PINTries {
			try("0000", false)
		}
		for range 2 {
			time.Sleep(doorPause / 3)
			try("4711", false)
		}
		time.Sleep(doorPause / 3)
		try("4711", true)
		for range 2 * tenancy.PINTries {
			try("0000", false)
			time.Sleep(doorPause)
		}
		if got := o.journal.counts(wire.ReasonWrongPIN); !slices.Equal(got, []uint64{tenancy.PINTries, tenancy.PINTries, 2 * tenancy.PINTries}) {
			t.Errorf("alarms after %v in a row", got)
		}
	})
}

// counts are those of the entries with a reason.
func (m *memory) counts(reason wire.Reason) (all []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.heads {
		if h.Reason == reason {
			all = append(all, h.Count)
		}
	}
	return all
}

// TestDoorPINOfTheLandlordsCard: wrong ones after a card that he gave himself keep
// the tenant waiting at no door.
func TestDoorPINOfTheLandlordsCard(t *testing.T) {
	o := newOffice(t, newTown(t), "gw1")
	done, err := o.arrive(em(1))
	must(t, err)
	_, err = o.landlord(tenancy.AddCard, 0, em(2))
	must(t, err)
	types := func(card device.Card, digits string) bool {
		id, err := o.keyring.Identify(card)
		must(t, err)
		p, _ := device.NewPIN(digits)
		right, err := o.CheckPIN(wire.Who{Tenancy: &done.Tenancy.ID, Credential: &id}, p)
		must(t, err)
		return right
	}
	for range tenancy.PINTries {
		types(em(2), "0000")
	}
	if types(em(2), "4711") || !types(em(1), "4711") {
		t.Error("five wrong PINs after the landlord's card: it has to wait, and the tenant has not")
	}
}
