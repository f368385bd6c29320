package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestAnswersAreShownAgain: the answer to a form has an address of its own, at which it stands in either language,
// for whoever sent the form and for nobody else, until the next form is answered.
func TestAnswersAreShownAgain(t *testing.T) {
	s := claimed(t)
	withResidents(s)
	c := browser(t)
	sent := func(path string, pairs ...string) (to string) {
		t.Helper()
		to = s.send(t, c, path, pairs...).location
		if !strings.HasPrefix(to, "/again/") || !strings.HasSuffix(to, path) {
			t.Fatalf("the answer to %s stands at %q", path, to)
		}
		return to
	}
	to := sent("/resident/front", "flat", "3B", "pin", "471108", "act", "codes")
	for range 2 {
		for language, words := range map[string]string{"zh": "只显示这一次", "en": "shown this once"} {
			if a := s.send(t, c, "/language", "to", language, "back", to); a.location != to {
				t.Fatalf("the other language leads to %q", a.location)
			}
			if a := s.get(t, c, to); a.status != http.StatusOK || !strings.Contains(a.body, "12345 67890") || !strings.Contains(a.body, words) || !strings.Contains(a.body, `name="back" value="`+to+`"`) {
				t.Errorf("again in %s: %d %s", language, a.status, a.body)
			}
		}
	}
	if a := s.get(t, browser(t), to); a.location != "/resident/front" {
		t.Errorf("for another browser the answer is %d, %q", a.status, a.location)
	}
	if a := s.get(t, c, "/again/x/%2Fexample.org"); a.location != "/" {
		t.Errorf("another address leads to %q", a.location)
	}
	next := sent("/resident/front", "flat", "3B", "pin", "471108", "act", "kept")
	if a := s.get(t, c, to); a.location != "/resident/front" {
		t.Errorf("the codes are shown when the person has gone on: %d, %q", a.status, a.location)
	}
	for i := range 100 { // who has no account fills what is for those
		s.send(t, browser(t), "/login", "name", fmt.Sprint("n", i), "password", "no")
	}
	if a := s.get(t, c, next); a.location != "/resident/front" {
		t.Errorf("what strangers were answered is kept without a bound: %d", a.status)
	}
}

// TestRefusalsAreShownAgain: what a form was refused with speaks the other language, too, and what is the owner's is
// for the account that got it, whatever strangers do meanwhile.
func TestRefusalsAreShownAgain(t *testing.T) {
	s := claimed(t)
	withResidents(s)
	c := browser(t)
	a := s.send(t, c, "/resident", "flat", "3B", "pin", "999998", "act", "lost")
	_, back, _ := strings.Cut(a.body, `name="back" value="`)
	back, _, _ = strings.Cut(back, `"`)
	if a.status != http.StatusUnprocessableEntity || !strings.HasPrefix(back, "/again/") || !strings.Contains(a.body, "data-again") || !strings.Contains(a.body, "对不上") {
		t.Fatalf("%d, back to %q: %s", a.status, back, a.body)
	}
	s.send(t, c, "/language", "to", "en", "back", back)
	if a := s.get(t, c, back); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Flat and PIN do not fit") || !strings.Contains(a.body, `value="3B"`) || strings.Contains(a.body, "999998") {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	owner := s.as(t, "owner")
	to := s.send(t, owner, "/access/invite", "name", "Helferin", "role", "helper").location
	for i := range 100 {
		s.send(t, browser(t), "/login", "name", fmt.Sprint("n", i), "password", "no")
	}
	if a := s.get(t, owner, to); !strings.Contains(a.body, `class="code"`) {
		t.Errorf("the invitation's code: %d %s", a.status, a.location)
	}
	s.post(t, owner, "/logout")
	if a := s.get(t, owner, to); a.location != "/access" {
		t.Errorf("signed out it is shown: %d, %q", a.status, a.location)
	}
}

// values are pairs as a form.
func values(pairs []string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}
