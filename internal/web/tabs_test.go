package web

import (
	"net/http"
	"strings"
	"testing"
)

// tab is another window of the same browser.
func (p *person) tab() *person { return &person{t: p.t, s: p.s, c: p.c} }

// TestTwoTabs: what is pressed in a tab whose visit is no more is told as not done, whatever the
// other tab's visit is about and however far it is, and is no step of it.
func TestTwoTabs(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	a := s.person(t, "owner")
	b := a.tab()
	a.send("/people/desk", "purpose", "out", "tenancy", "t1")
	b.send("/people/desk", "purpose", "checkin").wants("step 1 of 3")
	older := a.page
	a.step("choose", "proof", "landlord", "cause", "lease_over").wants("Another visit was begun meanwhile").wants("no notice was given").wants(`href="/people"`)
	if _, n := f.count(); n != 0 || strings.Contains(a.page, "step 1 of 3") {
		t.Fatalf("%d changes; %s", n, a.page)
	}
	b.send("/people/desk", "purpose", "out", "tenancy", "t1")
	b.step("choose", "proof", "landlord", "cause", "lease_over").wants("3B: done.")
	for _, step := range []string{"choose", "pin", "card", "back", "resume", "tenant", "details"} {
		a.page = older
		if a.step(step, "proof", "pin", "cause", "agreed"); !strings.Contains(a.page, "Another visit was begun meanwhile") || strings.Contains(a.page, "3B: done.") {
			t.Errorf("%s: %s", step, a.page)
		}
	}
	if _, n := f.count(); n != 1 {
		t.Errorf("%d changes, want the other tab's", n)
	}
	s.post(t, a.c, "/language", "to", "zh")
	a.page = older
	a.step("choose", "proof", "pin").wants("这期间又开始了另一件").wants("没有发通知")
}

// TestGivenUpInAnotherTab: a visit that waits for a card is given up in another tab. Its answer says
// so; to give up what is on the screen is not to give up what was begun since.
func TestGivenUpInAnotherTab(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	a := s.person(t, "owner")
	b := a.tab()
	a.send("/people/desk", "purpose", "another", "tenancy", "t1")
	a.step("choose", "proof", "landlord")
	visit := visitOf.FindStringSubmatch(a.page)[1]
	answered := make(chan answer, 1)
	go func() { answered <- s.post(t, a.c, "/people/desk/card", "visit", visit, "door", "front") }()
	<-f.waits
	b.send("/people/desk", "purpose", "checkin").wants("You have not finished something else").wants(`name="give_up" value="` + visit + `"`)
	b.send("/people/desk", "purpose", "checkin", "give_up", visit).wants("step 1 of 3")
	got := <-answered // which may hear of the end before the other visit has begun
	if other := strings.Contains(got.body, "Another visit was begun meanwhile"); !other && !strings.Contains(got.body, "This visit is over") || other != (got.status == http.StatusConflict) {
		t.Errorf("who waited: %d %s %s", got.status, got.location, got.body)
	}
	b.step("details", arriving()...).wants("step 2 of 3")
	a.send("/people/desk", "purpose", "out", "tenancy", "t1", "give_up", visit).wants("You have not finished something else")
	if got := s.get(t, b.c, "/people/desk"); !strings.Contains(got.body, "step 2 of 3") {
		t.Errorf("the other tab's visit: %s", got.body)
	}
}
