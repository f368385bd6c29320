package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/device"
	"gatehouse/device/wiegand"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
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

// cardOne is the card that checkIn gives.
func cardOne(t *testing.T) device.Card {
	t.Helper()
	f, _ := wiegand.Lookup("H10301")
	c, err := f.Encode(wiegand.Fields{Facility: 200, Card: 1, HasFacility: true})
	must(t, err)
	return c
}

// checkIn checks somebody in to 3B.
func (h *house) checkIn() control.Done {
	h.t.Helper()
	d, err := h.client.OpenDesk(h.t.Context(), control.DeskRequest{})
	must(h.t, err)
	_, _, err = h.gateway.Desk.Show(d.Session, false, cardOne(h.t))
	must(h.t, err)
	done, err := h.client.CheckIn(h.t.Context(), d.Session, control.CheckIn{Document: "passport", Number: "E0000000", Name: "Test Person", Flat: "3B", Basis: "contract", Informed: true})
	must(h.t, err)
	return done
}

// TestResidentOpens: by flat and own PIN a door opens once, as by a card, and the lost card
// stops; an entry stands in the log and in no view; to nobody but a resident's page.
func TestResidentOpens(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	w := h.enrol()
	h.startWith(w.dial(nil))
	h.checkIn()
	d, err := h.gateway.Desk.Begin(true)
	must(t, err)
	_, _, err = h.gateway.Desk.Show(d.ID, true, cardOne(t))
	must(t, err)
	_, err = h.gateway.Desk.Change(t.Context(), desk.Request{Session: d.ID, Action: "pin", Proof: "card", NewPIN: "471108"})
	must(t, err)
	as := caller.With(t.Context(), caller.Caller{Role: caller.Resident})
	if _, err := control.AskAsResident(as, h.client, "open", control.Resident{Flat: "3B", PIN: "471108", Door: "cellar"}); err == nil {
		t.Error("a door that is none opens")
	}
	h.opens("front", "the PIN", func() {
		done, err := control.AskAsResident(as, h.client, "open", control.Resident{Flat: "3B", PIN: "471108", Door: "front"})
		must(t, err)
		if !done.Opened || done.Tenancy.Cards[0].State != "suspended" {
			t.Errorf("%+v", done)
		}
	})
	h.eventually("its entry", h.has("front access granted granted", 1))
	h.wiegand(200, 1)
	h.eventually("the lost card", h.has("front access denied suspended", 1))
	if log := h.get("/v1/log?last=-1"); strings.Contains(log, `"access"`) || strings.Contains(h.log.String(), "471108") {
		t.Error("a view tells of the entry, or the log has the PIN")
	}
	for _, role := range []caller.Role{caller.Owner, caller.Helper, caller.Installer, caller.Page} {
		if _, err := control.AskAsResident(caller.With(t.Context(), caller.Caller{Role: role, Account: 100000}), h.client, "kept", control.Resident{Flat: "3B", PIN: "471108"}); err == nil {
			t.Errorf("the page asks as %s", role)
		}
	}
}

// breakable is a line that can't be driven while it is broken.
type breakable struct {
	device.Output
	broken *atomic.Bool
}

func (b breakable) Set(active bool) error {
	if b.broken.Load() {
		return errors.New("the line is gone")
	}
	return b.Output.Set(active)
}

// TestResidentAtADeadLock: where the door can't open, the lost card stops all the same, whoever has
// it; the answer says both, and how the card comes back.
func TestResidentAtADeadLock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	dial, broken := h.enrol().dial(nil), &atomic.Bool{}
	h.startWith(func(o *gateway.Options) {
		dial(o)
		output := o.Hardware.Output
		o.Hardware.Output = func(c device.OutputConfig) (device.Output, error) {
			out, err := output(c)
			return breakable{out, broken}, err
		}
	})
	h.checkIn()
	d, err := h.gateway.Desk.Begin(true)
	must(t, err)
	_, _, err = h.gateway.Desk.Show(d.ID, true, cardOne(t))
	must(t, err)
	_, err = h.gateway.Desk.Change(t.Context(), desk.Request{Session: d.ID, Action: "pin", Proof: "card", NewPIN: "471108"})
	must(t, err)
	as := caller.With(t.Context(), caller.Caller{Role: caller.Resident})
	broken.Store(true)
	_, err = control.AskAsResident(as, h.client, "open", control.Resident{Flat: "3B", PIN: "471108", Door: "front"})
	var no *socket.Error
	if !errors.As(err, &no) || !strings.Contains(no.Message, "the lost card is stopped, but the lock of door front can't be driven") || !strings.Contains(no.Hint, "card resume") {
		t.Errorf("%v", err)
	}
	h.wiegand(200, 1)
	h.eventually("the lost card", h.has("front access denied suspended", 1))
	broken.Store(false)
	done, err := control.AskAsResident(as, h.client, "found", control.Resident{Flat: "3B", PIN: "471108"})
	must(t, err)
	if done.Tenancy.Cards[0].State != "active" {
		t.Errorf("%+v", done)
	}
}

// TestOneTimeCodes: check-in gives five codes; one that is typed at the keys opens once, and
// a restart changes nothing of that.
func TestOneTimeCodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.site = strings.Replace(h.site, `formats = ["H10301", "H10306"]`, `formats = ["H10301", "H10306"]`+"\nkeypad = {kind = \"key8\"}\npin = \"only\"", 1)
	w := h.enrol()
	h.startWith(w.dial(nil))
	done := h.checkIn()
	at, err := h.client.OpenDesk(t.Context(), control.DeskRequest{TakeOver: true})
	must(t, err)
	if !slices.Equal(at.Keys, []string{"front"}) {
		t.Errorf("PINs can be typed at the doors %v", at.Keys)
	}
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
	h.eventually("the log was read at both starts", func() bool { return strings.Count(h.log.String(), "were read back from the log") == 2 })
	h.typed(done.Codes[0])
	h.eventually("it stays used", h.has("front access denied replayed", 2))
	h.opens("front", "another code", func() { h.typed(done.Codes[1]) })
	for _, c := range done.Codes {
		if strings.Contains(h.log.String(), c) {
			t.Error("the daemon logs a code")
		}
	}
	void := func() bool { return strings.Contains(h.problems(), "one-time codes of tenancies: 1 are void") }
	if void() {
		t.Error("codes are void")
	}
	must(t, h.ended())
	file := filepath.Join(h.dir, "state", "grants", "codes.json") // as after a new epoch of the log
	text, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, regexp.MustCompile(`"epoch":"[0-9a-f]+"`).ReplaceAll(text, []byte(`"epoch":"1"`)), 0o600))
	h.startWith(w.dial(nil))
	if !void() {
		t.Errorf("what is to be done lacks new slips: %s", h.problems())
	}
}
