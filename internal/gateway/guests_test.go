package gateway_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/device/devicetest"
	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
)

// TestGuestCodes: a tenant gives a visitor a code by the own PIN; typed at the keys and shown
// to a scanner it opens, with no registry's word, also after a restart and when the only card
// is lost; ended it opens no more, and while the clock knows nothing neither. No view and no
// log has the code, and the landlord's list does not say whether it was used.
func TestGuestCodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	scanner, err := devicetest.NewSerialTerminal(filepath.Join(h.dir, "qr"), "code")
	must(t, err)
	t.Cleanup(func() { _ = scanner.Close() })
	h.yardReader("type = \"code\"\nport = \"" + scanner.Path() + "\"\n")
	h.site = strings.Replace(h.site, `formats = ["H10301", "H10306"]`, `formats = ["H10301", "H10306"]`+"\nkeypad = {kind = \"key8\"}\npin = \"only\"", 1)
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
	ask := func(act string, r control.Resident) (control.ForResident, error) {
		r.Flat, r.PIN = "3B", "471108"
		return control.AskAsResident(as, h.client, act, r)
	}
	give := func(terms control.GuestTerms) *control.GuestCode {
		t.Helper()
		done, err := ask("guest", control.Resident{Guest: &terms})
		must(t, err)
		return done.Guest
	}
	began := time.Now()
	g, once := give(control.GuestTerms{Hours: 72}), give(control.GuestTerms{Once: true})
	if left := g.Until.Sub(began); left < 71*time.Hour || left > 73*time.Hour || g.Keys[0] != "front" || g.Scanners[0] != "yard" || g.Zone != "Asia/Shanghai" {
		t.Errorf("%+v", g)
	}
	if y, m, d := began.In(once.Until.Location()).Date(); !once.Until.Equal(time.Date(y, m, d+1, 0, 0, 0, 0, once.Until.Location())) {
		t.Errorf("tonight ends at %s", once.Until)
	}
	visitor := caller.With(t.Context(), caller.Caller{Role: caller.Page})
	if p, err := control.ShowPass(visitor, h.client, g.Code); err != nil || p.QR != g.QR || !p.Until.Equal(g.Until) || p.Zone != "Asia/Shanghai" || p.Keys[0] != "front" || p.Scanners[0] != "yard" {
		t.Errorf("%+v, %v", p, err)
	}
	h.opens("front", "the digits", func() { h.typed(g.Code) })
	h.opens("yard", "the QR code", func() { must(t, scanner.Scan(t.Context(), g.QR)) })
	h.opens("yard", "the other", func() { must(t, scanner.Scan(t.Context(), once.QR)) })
	must(t, h.ended())
	must(t, scanner.Free())
	h.startWith(w.dial(nil))
	h.eventually("the log was read", func() bool { return strings.Contains(h.log.String(), "were read back from the log") })
	_, err = ask("lost", control.Resident{})
	must(t, err)
	h.opens("front", "the digits, after a restart", func() { h.typed(g.Code) })
	must(t, scanner.Scan(t.Context(), once.QR))
	h.eventually("what opens once stays used", h.has("yard access denied replayed", 1))
	mine, err := ask("guests", control.Resident{})
	must(t, err)
	all, err := control.Guests(t.Context(), h.client)
	must(t, err)
	if len(mine.Guests) != 2 || !mine.Guests[1].Used || len(all) != 2 || all[0].Used || all[1].Used || all[0].Flat != "3B" {
		t.Errorf("the tenant is told of %+v, the landlord of %+v", mine.Guests, all)
	}
	h.time.Leap(400 * 24 * time.Hour)
	h.gateway.PollClock()
	h.typed(g.Code)
	h.eventually("in doubt it opens nothing", h.has("front access denied clock_untrusted", 1))
	if _, err := ask("guest", control.Resident{Guest: &control.GuestTerms{}}); err == nil || !strings.Contains(err.Error(), "can't be trusted") {
		t.Errorf("a code is given in doubt: %v", err)
	}
	h.time.Leap(-400 * 24 * time.Hour)
	h.gateway.PollClock()
	must(t, control.EndGuest(t.Context(), h.client, g.ID))
	if p, err := control.ShowPass(visitor, h.client, g.Code); err == nil || !strings.Contains(err.Error(), "no pass with these digits") {
		t.Errorf("the pass of a code that was ended: %+v, %v", p, err)
	}
	h.typed(g.Code)
	h.eventually("it is ended", h.has("front access denied bad_code", 1))
	if err := control.EndGuest(t.Context(), h.client, g.ID); err == nil || !strings.Contains(err.Error(), "no guest code") {
		t.Errorf("it ends twice: %v", err)
	}
	log := h.get("/v1/log?last=-1")
	if !strings.Contains(log, `"guest_given"`) || !strings.Contains(log, `"guest_ended"`) || strings.Contains(log, `"access"`) {
		t.Error("what was done does not stand in the log, or who came does")
	}
	for _, c := range []string{g.Code, once.Code} {
		if strings.Contains(h.log.String()+log, c) {
			t.Error("a log has a code")
		}
	}
}
