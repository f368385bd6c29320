package web

import (
	"strings"
	"testing"
)

// TestNoOwnPIN: where the tenant has chosen no PIN with a card, the page says so before the phone
// changes hands and asks for none, on every purpose but an objection.
func TestNoOwnPIN(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	f.checkInPIN = true
	p := s.person(t, "owner")
	for _, purpose := range []string{"lost", "another", "found", "confirm", "pin", "codes", "guest", "out"} {
		p.send("/people/desk", "purpose", purpose, "tenancy", "t1").wants("no PIN of its own yet")
		if strings.Contains(p.page, `value="pin"`) {
			t.Errorf("%s offers the PIN: %s", purpose, p.page)
		}
		p.step("choose", "proof", "pin", "cause", "moved_out", "hours", "4").wants("that of the check-in proves nothing")
		if strings.Contains(p.page, `type="password"`) || strings.Contains(p.page, "opens doors") {
			t.Errorf("%s asks for it: %s", purpose, p.page)
		}
	}
	p.send("/people/desk", "purpose", "dispute", "tenancy", "t1")
	p.step("choose", "proof", "pin").wants(`type="password"`)
	if _, n := f.count(); n != 0 {
		t.Errorf("%d changes", n)
	}
}
