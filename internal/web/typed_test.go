package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/webtest"
)

// both shows the person's page in both languages, and wants the words of each.
func (p *person) both(path, zh, en string) *person {
	p.t.Helper()
	for _, c := range [][2]string{{"zh", zh}, {"en", en}} {
		p.s.post(p.t, p.c, "/language", "to", c[0])
		p.page = p.s.get(p.t, p.c, path).body
		p.wants(c[1])
	}
	return p
}

// TestLastDayIsSaid: a last day that was typed beside another term is objected to, not dropped, and
// at the end the page says which day and doors it has become.
func TestLastDayIsSaid(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin")
	for _, term := range []string{"half", "year", "open"} {
		p.step("details", append(arriving("term", term), "until", "2027-05-05")...).wants("step 1 of 3").wants(`value="2027-05-05"`)
		p.both(deskPath, "填了最后一天，租期却没有选“到某日”", "A last day was typed, and another term is chosen")
	}
	p.step("details", append(arriving("term", "date"), "until", "2027-05-05")...).wants("step 2 of 3")
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	until := time.Date(2027, 5, 6, 0, 0, 0, 0, time.FixedZone("", 8*3600))
	f.mu.Lock()
	f.until = &until
	f.mu.Unlock()
	p.step("card", "door", "front").step("tenant", "informed", "1")
	p.both(deskPath, "最后一天：2027-05-05。能开的门：大门、院门。", "Last day: 2027-05-05. Doors: Front door, Yard.")
	if in := f.arrived[0]; in.Until == nil || !in.Until.Equal(until) {
		t.Errorf("the term ends %v", in.Until)
	}
}

// TestLastDayTooFar: a day that no record can hold is told as such, not as one that can't be read.
func TestLastDayTooFar(t *testing.T) {
	s := claimed(t)
	withFront(s)
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin")
	for _, day := range []string{"2110-01-01", "2106-02-07", "0027-05-05"} {
		p.step("details", append(arriving("term", "date"), "until", day)...).wants("step 1 of 3").wants(`value="` + day + `"`)
		p.both(deskPath, "最晚 2106-02-06", "2106-02-06 at most")
		if strings.Contains(p.page, "2026-12-01") {
			t.Errorf("%s is said to be written wrongly", day)
		}
	}
	p.step("details", append(arriving(), "from", "2110-01-01")...)
	p.both(deskPath, "最晚 2106-02-06", "2106-02-06 at most")
	p.step("details", append(arriving("term", "date"), "until", "2106-02-06")...).wants("step 2 of 3")
}

// TestGuestTooFar: a guest code that is to begin when no record can hold is not told to be written wrongly.
func TestGuestTooFar(t *testing.T) {
	s := claimed(t)
	withFront(s)
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "guest", "tenancy", "t1")
	for _, from := range []string{"2110-01-01T10:00", "0027-01-01T10:00"} {
		p.step("choose", "proof", "pin", "from", from, "hours", "4").wants(`value="` + from + `"`)
		p.both(deskPath, "这个时间太早或太远", "That time is too far away")
	}
}

// TestChildWantsAGuardian: the number of somebody under 14 goes on only with a guardian, who then has
// the phone; the page shows nothing of the child, and does not speak of it at the end.
func TestChildWantsAGuardian(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	const child = "440000201301011239"
	f.children = []string{child}
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin")
	p.step("details", arriving("number", child)...).wants("step 1 of 3").wants("Typed already").wants(`name="guardian"`)
	p.both(deskPath, "父母或其他监护人同意", "a parent or other guardian agrees")
	p.step("details", arriving("number", "")...).wants("is of somebody under 14")
	p.step("details", append(arriving("number", ""), "guardian", "1")...).wants("step 2 of 3")
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	p.step("card", "door", "front")
	p.both(deskPath, "请把手机递给孩子的监护人", "Hand the phone to the child&#39;s guardian")
	p.step("tenant", "informed", "1").wants("3B is checked in")
	for _, secret := range []string{"Testperson", child} {
		if strings.Contains(p.seen.String(), secret) {
			t.Errorf("a page has %q", secret)
		}
	}
	if strings.Contains(p.page, "under 14") || len(f.arrived) != 1 || f.arrived[0].Number != child {
		t.Errorf("%d arrived; at the end: %s", len(f.arrived), p.page)
	}
	p.send("/people/desk", "purpose", "checkin").step("details", append(arriving(), "guardian", "1")...)
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	p.step("card", "door", "front").wants("Hand the phone to the tenant") // a tick for somebody grown up is none
}

// TestTakenElsewhere: where a card was taken at one door and not held up at the other, the page says so,
// and never alone that no card came.
func TestTakenElsewhere(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.atCard(t)
	noCard := cardAnswer{err: &socket.Error{Status: http.StatusRequestTimeout, Message: "no card came", Hint: "gatehouse status"}}
	f.cards <- noCard
	p.step("card", "door", "front").wants("No card came.")
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front", Missing: []string{"yard"}}}
	p.step("card", "door", "front")
	f.cards <- noCard
	p.step("card", "door", "yard").wants("Leave out for now: Yard")
	p.both(deskPath, "这张卡另一扇门已经收下，没有坏；只是在这里没有等到它", "The card is well: another door has taken it. It was not held up here")
	if strings.Contains(p.page, "No card came") {
		t.Error("the page says that no card came")
	}
}

// TestWaitingAgain: in a real browser what was said of the wait before goes when somebody waits again.
func TestWaitingAgain(t *testing.T) {
	ctx := webtest.Chromium(t)
	s := claimed(t)
	f := withFront(s)
	p := s.atCard(t)
	f.cards <- cardAnswer{err: &socket.Error{Status: http.StatusRequestTimeout, Message: "no card came"}}
	p.step("card", "door", "front").wants("No card came.")
	eval := func(script string) (got bool) {
		t.Helper()
		got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	navigate := func(path string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(s.URL+path)); err != nil {
			t.Fatal(err)
		}
	}
	navigate("/static/page.css")
	for _, c := range p.c.Jar.Cookies(mustURL(t, s.URL)) {
		eval(fmt.Sprintf(`(document.cookie = %q) != ""`, c.Name+"="+c.Value+"; path=/"))
	}
	navigate(deskPath)
	const old, waiting = `document.querySelector("main [role=alert]").checkVisibility()`, `document.querySelector("[data-waiting]").innerText != ""`
	if !eval(old + ` && !(` + waiting + `)`) {
		t.Fatal("before the second wait the page does not say what was wrong")
	}
	// The form stays here, so that the page can be looked at while it would wait.
	eval(`document.querySelector("form[data-wait]").addEventListener("submit", (e) => e.preventDefault()) == undefined`)
	eval(`document.querySelector("button[value=front]").click() == undefined`)
	if eval(old) || !eval(waiting) {
		t.Error("what was wrong stands above the second wait")
	}
}
