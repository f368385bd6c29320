package gateway_test

import (
	"strings"
	"testing"

	"gatehouse/device"
	"gatehouse/internal/control"
)

// keys types digits at the front door's Wiegand keypad, a burst of eight bits each, and #.
func (h *house) keys(digits string) {
	h.t.Helper()
	for _, d := range digits + "#" {
		v := uint64(strings.IndexRune("0123456789*#", d))
		must(h.t, h.source.Send(device.CardOf(v|(v^15)<<4, 8)))
	}
}

// typed is what the keys make of digits, without the seconds that typing takes.
func (h *house) typed(digits string) {
	h.t.Helper()
	p, ok := device.NewPIN(digits)
	if !ok {
		h.t.Fatalf("%q can't be typed", digits)
	}
	h.gateway.Doors[0].Send(device.Event{Kind: device.PINEntered, Source: "in", PIN: p})
}

// TestOneTimeCodes: check-in gives five codes; one that is typed at the keys opens once, and
// a restart changes nothing of that.
func TestOneTimeCodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.site = strings.Replace(h.site, `formats = ["H10301", "H10306"]`, `formats = ["H10301", "H10306"]`+"\nkeypad = {kind = \"key8\"}\npin = \"only\"", 1)
	w := h.enrol()
	h.startWith(w.dial(nil))
	d, err := h.client.OpenDesk(t.Context(), control.DeskRequest{})
	must(t, err)
	shown := make(chan error, 1)
	go func() {
		_, err := h.client.ShowCard(t.Context(), d.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: "front"}})
		shown <- err
	}()
	h.eventually("the desk waits for a card", func() bool { return strings.Contains(h.log.String(), "a card is waited for") })
	h.wiegand(200, 1)
	must(t, <-shown)
	done, err := h.client.CheckIn(t.Context(), d.Session, control.CheckIn{Document: "passport", Number: "E0000000", Name: "Test Person", Flat: "3B", Basis: "contract", Informed: true})
	must(t, err)
	if len(done.Codes) != 5 || len(done.CodeDoors) != 1 || done.CodeDoors[0] != "front" {
		t.Fatalf("%d codes at %v", len(done.Codes), done.CodeDoors)
	}
	h.opens("front", "a code", func() { h.keys(done.Codes[0]) })
	h.eventually("its entry", h.has("front access granted granted", 1))
	h.typed(done.Codes[0])
	h.eventually("the code was used", h.has("front access denied replayed", 1))
	h.typed("9999999999")
	h.eventually("no code", h.has("front access denied bad_code", 1))
	must(t, h.ended())
	h.startWith(w.dial(nil))
	h.eventually("the log was read", func() bool { return strings.Contains(h.log.String(), "were read back from the log") })
	h.typed(done.Codes[0])
	h.eventually("it stays used", h.has("front access denied replayed", 2))
	h.opens("front", "another code", func() { h.typed(done.Codes[1]) })
	for _, c := range done.Codes {
		if strings.Contains(h.log.String(), c) {
			t.Error("the daemon logs a code")
		}
	}
}
