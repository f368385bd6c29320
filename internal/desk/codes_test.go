package desk

import (
	"testing"

	"gatehouse/device"
	"gatehouse/internal/access"
	"gatehouse/internal/desk/tenancy"
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
