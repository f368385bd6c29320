package web

import (
	"html/template"
	"strings"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
)

// keptIn reports whether a screen tells a tenant all that is to be told of the own data.
func keptIn(t *testing.T, screen string, l text.Language, alone bool, days int) bool {
	t.Helper()
	words, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, line := range words.Kept(l, alone, days) {
		said += "<p>" + template.HTMLEscapeString(line) + "</p>\n"
	}
	return strings.Contains(screen, said)
}

// TestKept: what a tenant ticks, has on the slip, and reads on a phone are the same words, with the
// days of this house; a house without a registry names none.
func TestKept(t *testing.T) {
	s := claimed(t)
	s.daemon.status.Journal.WhoDays = 45
	withResidents(s)
	f := withFront(s)
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin")
	p.step("details", arriving()...)
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	p.step("card", "door", "front")
	for _, l := range []text.Language{text.Chinese, text.English} {
		s.post(t, p.c, "/language", "to", string(l))
		p.send("/resident", "flat", "3B", "pin", "471108", "act", "kept")
		for name, screen := range map[string]string{"tenant": s.get(t, p.c, "/people/desk").body, "slip": s.get(t, p.c, "/people/t1/slip").body, "phone": p.page} {
			if !keptIn(t, screen, l, false, 45) {
				t.Errorf("%s in %s: %s", name, l, screen)
			}
		}
	}
	s = claimed(t)
	s.daemon.status.Registry, s.daemon.status.Journal.WhoDays = "none", 45
	for _, l := range []text.Language{text.Chinese, text.English} {
		c := browser(t)
		s.post(t, c, "/language", "to", string(l))
		if a := s.get(t, c, "/resident"); !keptIn(t, a.body, l, true, 45) {
			t.Errorf("alone, in %s: %s", l, a.body)
		}
	}
}
