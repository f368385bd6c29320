package web

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// front is the desk of the daemon that the tests play. Answers to cards come from cards.
type front struct {
	mu         sync.Mutex
	session    string
	checkInPIN bool // the PIN of t1 is that of the check-in
	visits     int  // opened so far
	calls      []string
	changes    []control.Change
	arrived    []control.CheckIn
	refuse     error // the next check-in or change
	never      error // the terms of a guest code, before the proof
	quit       bool  // the next of these cuts the connection, after it was done
	cards      chan cardAnswer
	waits      chan struct{}      // one for each wait that has begun
	codes      []string           // that a check-in or change gives
	guest      *control.GuestCode // likewise
	notice     *time.Time         // of t1, which is on notice; its days still count
	children   []string           // numbers of persons under 14
	until      *time.Time         // end of the term of who is checked in
}

type cardAnswer struct {
	card control.DeskCard
	err  error
}

const deskOver = "this visit at the desk is over: it was idle for too long, or somebody took the desk over"

// childRemark is the daemon's, of somebody under 14.
const childRemark = "the number is of somebody under 14, or the clock can't tell: a parent or other guardian has to agree"

func gone() error {
	return &socket.Error{Status: http.StatusGone, Message: deskOver, Hint: "begin anew"}
}

// withFront lets the daemon of a site have a desk.
func withFront(s *site) *front {
	f := &front{cards: make(chan cardAnswer, 10), waits: make(chan struct{}, 100)}
	d := s.daemon.socket
	socket.Handle(d, "POST /v1/desk", f.open)
	socket.Handle(d, "DELETE /v1/desk/{session}", func(r *http.Request, _ socket.None) (struct{}, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.session == r.PathValue("session") {
			f.session = ""
		}
		return struct{}{}, nil
	})
	socket.Handle(d, "POST /v1/desk/{session}/swipe", f.swipe)
	socket.Handle(d, "POST /v1/desk/{session}/pin", func(r *http.Request, in control.DeskPIN) (struct{}, error) {
		return struct{}{}, f.at(r, "pin at "+in.Door)
	})
	socket.Handle(d, "POST /v1/desk/{session}/checkin", f.checkIn)
	socket.Handle(d, "POST /v1/desk/{session}/change", f.change)
	socket.Handle(d, "GET /v1/tenancy", func(r *http.Request, _ socket.None) (control.Tenancy, error) {
		if r.URL.Query().Get("name") != "t1" {
			return control.Tenancy{}, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "no tenancy here"}
		}
		t := tenancyOne()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.guest != nil {
			t.GuestsAt = []string{"front"}
		}
		t.OwnPIN = !f.checkInPIN
		if f.notice != nil {
			t.State, t.Notice, t.Counting = "notice", f.notice, true
		}
		return t, nil
	})
	socket.Handle(d, "GET /v1/guests", func(*http.Request, socket.None) ([]control.Guest, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return []control.Guest{f.guest.Guest, {ID: "ffffffff", Tenancy: "t2"}}, nil
	})
	socket.Handle(d, "POST /v1/guests/{id}/end", func(r *http.Request, _ socket.None) (struct{}, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, "guest end "+r.PathValue("id"))
		return struct{}{}, nil
	})
	return f
}

func tenancyOne() control.Tenancy {
	return control.Tenancy{ID: "t1", Flat: "3B", State: "active", Zone: "UTC", Doors: []string{"front", "yard"}, HasPIN: true, OwnPIN: true,
		Cards: []control.TenancyCard{{Number: 1, State: "active", Proves: true, Copyable: true}, {Number: 2, State: "active", Proves: true}}}
}

func (f *front) open(_ *http.Request, in control.DeskRequest) (control.Desk, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.session != "" && !in.TakeOver {
		return control.Desk{}, &socket.Error{Status: http.StatusConflict, Conflict: true, Message: "somebody has been at the desk for 1 min"}
	}
	f.visits++
	f.session = strings.Repeat("s", f.visits)
	return control.Desk{Session: f.session, TimeZone: "Asia/Shanghai", Doors: []string{"front", "yard"}, Here: []string{"front", "yard"}, Keys: []string{"yard"}, Flats: []string{"3A", "3B"},
		Pause: map[string]int{"front": 5, "yard": 5}, NoticeDays: 3, Trusted: true}, nil
}

// at notes a call and refuses one of a visit that is over.
func (f *front) at(r *http.Request, call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
	if f.session == "" || r.PathValue("session") != f.session {
		return gone()
	}
	return nil
}

func (f *front) swipe(r *http.Request, in control.DeskSwipe) (control.DeskCard, error) {
	call := "card at "
	if in.Proof {
		call = "proof at "
	}
	if err := f.at(r, call+in.Door); err != nil {
		return control.DeskCard{}, err
	}
	f.waits <- struct{}{}
	select {
	case a := <-f.cards:
		return a.card, a.err
	case <-r.Context().Done():
		return control.DeskCard{}, r.Context().Err()
	}
}

// outcome is what is answered to a check-in or a change: a refusal, a connection that is
// cut, or that it is done.
func (f *front) outcome(t control.Tenancy) (control.Done, error) {
	switch {
	case f.refuse != nil:
		err := f.refuse
		f.refuse = nil
		return control.Done{}, err
	case f.quit:
		panic(http.ErrAbortHandler)
	}
	return control.Done{Tenancy: t, Remarks: []string{}, Codes: f.codes, CodeDoors: []string{"front"}, Guest: f.guest}, nil
}

func (f *front) checkIn(r *http.Request, in control.CheckIn) (control.Done, error) {
	if err := f.at(r, "checkin"); err != nil {
		return control.Done{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.Number == "1" {
		return control.Done{}, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "resident_id: the check digit does not fit", Hint: "read it again"}
	}
	if in.Check && slices.Contains(f.children, in.Number) {
		return control.Done{Remarks: []string{childRemark}}, nil
	}
	if in.Check {
		return control.Done{}, nil
	}
	f.arrived = append(f.arrived, in)
	t := tenancyOne()
	t.Until = f.until
	done, err := f.outcome(t)
	if slices.Contains(f.children, in.Number) {
		done.Remarks = []string{childRemark}
	}
	return done, err
}

func (f *front) change(r *http.Request, in control.Change) (control.Done, error) {
	if err := f.at(r, "change"); err != nil {
		return control.Done{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.Check {
		return control.Done{}, f.never
	}
	f.changes = append(f.changes, in)
	return f.outcome(tenancyOne())
}

// count returns how much was done.
func (f *front) count() (arrived, changed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.arrived), len(f.changes)
}

// end ends the daemon's visit, as a restart or somebody else does.
func (f *front) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.session = ""
}

// person is a browser with somebody at the desk.
type person struct {
	t    *testing.T
	s    *site
	c    *http.Client
	seen strings.Builder
	page string
}

func (s *site) person(t *testing.T, role string) *person {
	p := &person{t: t, s: s, c: s.as(t, role)}
	s.post(t, p.c, "/language", "to", "en")
	return p
}

// send sends a form and shows where it leads.
func (p *person) send(path string, pairs ...string) *person {
	p.t.Helper()
	a := p.s.post(p.t, p.c, path, pairs...)
	if a.location != "" {
		p.seen.WriteString(a.location)
		a = p.s.get(p.t, p.c, a.location)
	}
	p.page = a.body
	p.seen.WriteString(a.body)
	return p
}

var givenUp = regexp.MustCompile(`name="give_up" value="(\w+)"`)

var visitOf = regexp.MustCompile(`name="visit" value="(\w+)"`)

// step sends a form of the visit that the page shows.
func (p *person) step(name string, pairs ...string) *person {
	p.t.Helper()
	m := visitOf.FindStringSubmatch(p.page)
	if m == nil {
		p.t.Fatalf("no visit on the page before %s:\n%s", name, p.page)
	}
	return p.send("/people/desk/"+name, append(pairs, "visit", m[1])...)
}

func (p *person) wants(words string) *person {
	p.t.Helper()
	if !strings.Contains(p.page, words) {
		p.t.Fatalf("the page does not say %q:\n%s", words, p.page)
	}
	return p
}

// arriving is the form of a check-in, with some of its fields changed: pairs of name and value.
func arriving(changed ...string) []string {
	form := []string{"document", "resident_id", "number", "440000199003071237", "person", "Testperson Eins", "flat", "3B", "term", "half", "basis", "contract"}
	for i := 0; i < len(form); i += 2 {
		for j := 0; j < len(changed); j += 2 {
			if form[i] == changed[j] {
				form[i+1] = changed[j+1]
			}
		}
	}
	return form
}

// atCard is a check-in up to the card.
func (s *site) atCard(t *testing.T) *person {
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin").wants("step 1 of 3").step("details", arriving()...).wants("step 2 of 3")
	return p
}

// TestCheckInByForms: the three steps, each by a form, and nothing twice: not by a second
// press, not by going back.
func TestCheckInByForms(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.person(t, "owner")
	p.send("/people/desk", "purpose", "checkin")
	p.step("details", arriving()...).wants("step 2 of 3")
	p.step("back").wants("step 1 of 3").wants("Typed already")
	first := p.page
	p.step("details", "document", "resident_id", "flat", "3B", "term", "open", "basis", "contract").wants("step 2 of 3") // name and number stayed
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front", Missing: []string{"yard"}}}
	p.step("card", "door", "front").wants("The reader here (Yard) sees it in another form")
	f.cards <- cardAnswer{err: &socket.Error{Status: http.StatusRequestTimeout, Message: "no card came", Hint: "gatehouse status"}}
	p.step("card", "door", "yard").wants("another door has taken it").wants("Wait here once more")
	if strings.Contains(p.page, "gatehouse status") {
		t.Error("the page names a command")
	}
	p.step("card", "enough", "1").wants("Hand the phone to the tenant").wants("opened only by a legal paper")
	tenant := p.page
	p.step("tenant", "informed", "1", "pin", "4711", "again", "4711").wants("3B is checked in").wants("This card does not open “Yard” yet")
	for _, page := range []string{tenant, first} {
		p.page = page
		p.step("tenant", "informed", "1").wants("3B is checked in")
	}
	if n, _ := f.count(); n != 1 {
		t.Errorf("%d check-ins, want one", n)
	}
	in := f.arrived[0]
	if in.Number != "440000199003071237" || in.Name != "Testperson Eins" || in.PIN != "4711" || !in.Informed || in.Until != nil {
		t.Errorf("check-in without what was typed: until %v", in.Until)
	}
	for _, secret := range []string{"Testperson", "440000199003071237", "4711"} {
		if strings.Contains(p.seen.String(), secret) {
			t.Errorf("a page or an address has %q", secret)
		}
	}
	if got := p.send("/people/desk/leave", "visit", visitOf.FindStringSubmatch(tenant)[1]).page; !strings.Contains(got, "3B") {
		t.Errorf("after it: %s", got)
	}
	if a := s.get(t, p.c, "/people/desk"); a.status != http.StatusGone || !strings.Contains(a.body, "This visit is over") {
		t.Errorf("a visit that was finished: %d", a.status)
	}
}

// TestCountedOn: of a notice whose date has come, and whose days have not passed, the page says
// that they still count, and never that cards open until a day that is over.
func TestCountedOn(t *testing.T) {
	s := claimed(t)
	end := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC)
	withFront(s).notice = &end
	p := s.person(t, "owner")
	for language, c := range map[string]struct{ state, why, never string }{
		"zh": {"通知中，天数未满", "到期日 2026-12-01 09:30 已到，但天数还没有数满", "在此之前卡照常开门"},
		"en": {"Notice (its days still count)", "Its date, 2026-12-01 09:30, has come, and its days have not passed", "The cards open until then"},
	} {
		s.post(t, p.c, "/language", "to", language)
		p.page = s.get(t, p.c, "/people/t1").body
		if p.wants(c.state).wants(c.why); strings.Contains(p.page, c.never) {
			t.Errorf("%s: the page says %q", language, c.never)
		}
	}
}

// TestCodesOnTheSlip: one-time codes stand on the slip of their tenancy, for who did the
// check-in and as long as that visit is not forgotten.
func TestCodesOnTheSlip(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	f.codes = []string{"1234567890", "2345678901"}
	p := s.atCard(t)
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	p.step("card", "door", "front")
	tenant := p.page
	p.step("tenant", "informed", "1").wants("are on the slip")
	if a := s.get(t, p.c, "/people/t1/slip"); !strings.Contains(a.body, "<li>12345 67890</li>") || !strings.Contains(a.body, "keys (Front door)") {
		t.Errorf("the slip: %s", a.body)
	}
	if a := s.get(t, s.as(t, "helper"), "/people/t1/slip"); strings.Contains(a.body, "67890") {
		t.Error("somebody else sees the codes")
	}
	p.send("/people/desk/leave", "visit", visitOf.FindStringSubmatch(tenant)[1])
	if a := s.get(t, p.c, "/people/t1/slip"); strings.Contains(a.body, "67890") {
		t.Error("the codes are shown after the visit")
	}
	p.send("/people/desk", "purpose", "codes", "tenancy", "t1").wants("Tenant&#39;s PIN")
	if strings.Contains(p.page, "my word alone") {
		t.Error("the landlord renews codes by himself")
	}
}

// TestSlipsAtCheckIn: what is wrong is told at its step in the page's words, and the card
// is not asked for before.
func TestSlipsAtCheckIn(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.person(t, "helper")
	p.send("/people/desk", "purpose", "checkin")
	for words, change := range map[string][]string{
		"one of its digits is wrong": {"number", "1"},
		"Choose a term":              {"term", ""},
		"That is no day":             {"from", "yesterday"},
	} {
		form := arriving(change...)
		if change[0] == "from" {
			form = append(form, change...)
		}
		p.step("details", form...).wants(words).wants("step 1 of 3")
	}
	p.step("details", arriving()...).wants("step 2 of 3")
	f.cards <- cardAnswer{err: &socket.Error{Status: http.StatusUnprocessableEntity, Message: "this is another card than the one before"}}
	p.step("card", "door", "front").wants("That was another card than before")
	f.mu.Lock()
	visits := f.visits
	f.mu.Unlock()
	if visits != 2 {
		t.Errorf("%d visits at the daemon, want one anew, without the first card", visits)
	}
	p.send("/people/desk", "purpose", "lost", "tenancy", "t1").wants("You have not finished something else")
	p.send("/people/desk", "purpose", "lost", "tenancy", "t1", "give_up", givenUp.FindStringSubmatch(p.page)[1]).wants("Card lost")
	p.send("/people/desk", "purpose", "rent", "tenancy", "t1").wants("can&#39;t be done at the desk")
}

// TestDaemonAnew: the daemon was started anew, or fell silent, in the middle. What was
// typed stays, the card is held up again, and nothing is done twice.
func TestDaemonAnew(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.atCard(t)
	f.end()
	p.step("card", "door", "front").wants("The visit was interrupted").wants("What was typed is still here")
	p.step("resume").wants("step 2 of 3")
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front"}}
	p.step("card", "door", "front").wants("Hand the phone")
	f.mu.Lock()
	f.quit = true
	f.mu.Unlock()
	p.step("tenant", "informed", "1").wants("not known whether it was done").wants("What was typed is still here")
	if n, _ := f.count(); n != 1 {
		t.Errorf("%d check-ins, want one", n)
	}
	f.mu.Lock()
	f.quit, f.session = false, "somebody"
	f.mu.Unlock()
	p.step("resume").wants("Somebody is at the desk").wants("Take it over")
	p.step("resume", "take_over", "1").wants("step 2 of 3")
	f.cards <- cardAnswer{err: &socket.Error{Status: http.StatusUnprocessableEntity, Message: "this card is in use already, in tenancy 3B"}}
	p.step("card", "door", "front").wants("in use already")
}

// TestDeskOfOne: somebody else is told, and may take the desk over; the first one hears
// it, and nothing of theirs is left.
func TestDeskOfOne(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.atCard(t)
	waiting := make(chan answer, 1)
	visit := visitOf.FindStringSubmatch(p.page)[1]
	go func() { waiting <- s.post(t, p.c, "/people/desk/card", "door", "front", "visit", visit) }()
	<-f.waits
	other := s.person(t, "helper")
	other.send("/people/desk", "purpose", "checkin").wants("Somebody is at the desk")
	other.send("/people/desk", "purpose", "checkin", "take_over", "1").wants("step 1 of 3")
	if strings.Contains(other.page, "Typed already") {
		t.Error("the second one has what the first one typed")
	}
	if a := <-waiting; a.status != http.StatusConflict || !strings.Contains(a.body, "Another visit was begun meanwhile") {
		t.Errorf("the first one, who waited for a card: %d %s", a.status, a.body)
	}
	if a := s.get(t, p.c, "/people/desk"); a.status != http.StatusGone {
		t.Errorf("the first one: %d", a.status)
	}
	p.page = `name="visit" value="` + visit + `"`
	p.step("details", arriving()...).wants("Another visit was begun meanwhile")
	other.wants("step 1 of 3")
}

// TestSignOutForgets: who signs out leaves nothing at the desk, and a request that waits
// for a card meanwhile brings the session back to nobody.
func TestSignOutForgets(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.atCard(t)
	visit := visitOf.FindStringSubmatch(p.page)[1]
	stolen := *p.c.Jar.Cookies(mustURL(t, s.URL))[0]
	for _, c := range p.c.Jar.Cookies(mustURL(t, s.URL)) {
		if c.Name == "gatehouse" {
			stolen = *c
		}
	}
	waiting := make(chan answer, 1)
	r, _ := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/people/desk/card", strings.NewReader("door=front&visit="+visit))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&stolen)
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	go func() { waiting <- do(t, plain, r) }()
	<-f.waits
	s.post(t, p.c, "/logout")
	<-waiting
	if s.page.counter.Taken() {
		t.Error("the visit is still there")
	}
	f.mu.Lock()
	if f.session != "" {
		t.Error("the daemon's visit is still open")
	}
	f.mu.Unlock()
	again, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/people", nil)
	again.AddCookie(&stolen)
	if a := do(t, plain, again); a.location != "/login" {
		t.Errorf("the session that was ended: %d %q", a.status, a.location)
	}
}

// TestChangesByForms: what each purpose asks for, and what it asks the daemon to do.
func TestChangesByForms(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	p := s.person(t, "owner")
	mine, given := cardAnswer{card: control.DeskCard{Door: "front", Tenancy: &control.Tenancy{ID: "t1"}}}, cardAnswer{card: control.DeskCard{Door: "front"}}
	begin := func(purpose string) { p.send("/people/desk", "purpose", purpose, "tenancy", "t1") }

	begin("lost")
	p.step("choose").wants("Say whether the tenant is here")
	p.step("choose", "proof", "card", "card", "2", "only", "0").wants("holds up a card")
	f.cards <- cardAnswer{card: control.DeskCard{Door: "front", Tenancy: &control.Tenancy{ID: "t2"}}}
	p.step("card", "door", "front").wants("not of this tenancy")
	f.cards <- mine
	p.step("card", "door", "front").wants("card that is to be given")
	f.cards <- given
	p.step("card", "door", "front").wants("the card is stopped and the new one opens")

	begin("lost")
	p.step("choose", "proof", "pin", "card", "1", "only", "1")
	if !strings.Contains(p.page, `name="door" value="yard"`) || strings.Contains(p.page, `name="door" value="front"`) {
		t.Errorf("a PIN is asked for at the keys of a door without keys: %s", p.page)
	}
	f.mu.Lock()
	f.refuse = &socket.Error{Status: http.StatusUnprocessableEntity, Message: "wrong PIN", Hint: "after five"}
	f.mu.Unlock()
	p.step("pin", "pin", "0815").wants("Wrong PIN").step("pin", "pin", "1379").wants("the card is stopped")

	begin("pin")
	p.step("choose", "proof", "card")
	f.cards <- mine
	p.step("card", "door", "front").wants("New PIN").step("pin", "door", "yard").wants("once more").step("pin", "door", "yard").wants("the new PIN is good")

	// A new PIN that is refused is asked for again; the card that was held up, or the old PIN, counts on.
	easy := func() {
		f.mu.Lock()
		f.refuse = &socket.Error{Status: http.StatusUnprocessableEntity, Message: "this PIN is the first that anybody would try"}
		f.mu.Unlock()
	}
	begin("pin")
	p.step("choose", "proof", "card")
	f.cards <- mine
	easy()
	p.step("card", "door", "front").step("pin", "pin", "111111", "again", "111111").wants("would try").wants(`name="again"`)
	p.step("pin", "pin", "471108", "again", "471108").wants("the new PIN is good")
	begin("pin")
	easy()
	p.step("choose", "proof", "pin").step("pin", "pin", "0815").step("pin", "pin", "111111", "again", "111111").wants("would try").wants(`name="again"`)
	p.step("pin", "pin", "471108", "again", "471108").wants("the new PIN is good")

	begin("out")
	p.wants("Rent owed or a permit over stops no card").wants("Give notice (days: 3)")
	p.step("choose", "proof", "landlord").wants("Choose the cause").step("choose", "proof", "landlord", "cause", "lease_over").wants("done")

	begin("withdraw")
	choose := p.page
	p.step("choose", "proof", "landlord").wants("taken back")
	p.page = choose
	p.step("choose", "proof", "landlord").wants("taken back")

	want := []control.Change{{Action: "replace", Tenancy: "t1", Proof: "card", Card: 2}, {Action: "suspend", Tenancy: "t1", Proof: "pin", Card: 1, PIN: "0815"},
		{Action: "suspend", Tenancy: "t1", Proof: "pin", Card: 1, PIN: "1379"}, {Action: "pin", Tenancy: "t1", Proof: "card", Typed: true},
		{Action: "pin", Tenancy: "t1", Proof: "card", NewPIN: "111111"}, {Action: "pin", Tenancy: "t1", Proof: "card", NewPIN: "471108"},
		{Action: "pin", Tenancy: "t1", Proof: "pin", PIN: "0815", NewPIN: "111111"}, {Action: "pin", Tenancy: "t1", Proof: "pin", PIN: "0815", NewPIN: "471108"},
		{Action: "checkout", Tenancy: "t1", Proof: "landlord", Cause: "lease_over"}, {Action: "withdraw", Tenancy: "t1", Proof: "landlord"}}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.changes) != len(want) {
		t.Fatalf("%d changes, want %d: %+v", len(f.changes), len(want), f.changes)
	}
	for i := range want {
		if f.changes[i] != want[i] {
			t.Errorf("change %d: %+v, want %+v", i, f.changes[i], want[i])
		}
	}
}

// TestFlats: heads by flat, what has ended apart, and a house without flats by its labels
// and numbers.
func TestFlats(t *testing.T) {
	s := claimed(t)
	soon := time.Now().Add(36 * time.Hour)
	all := []control.Tenancy{{ID: "a", Label: "left door", State: "active"}, {ID: "b", State: "suspended"}, {ID: "c", Flat: "3B", State: "active"},
		{ID: "d", Flat: "3B", State: "notice", Notice: &soon}, {ID: "e", Flat: "3B", State: "not_begun"}, {ID: "f", Flat: "9Z", State: "ended"}}
	s.daemon.mu.Lock()
	s.daemon.tenancies = all
	s.daemon.mu.Unlock()
	p := s.person(t, "owner")
	p.page = s.get(t, p.c, "/people").body
	p.wants("left door · 1 living here").wants("Tenancy b · 1 living here").wants("3B · 2 living here").wants("Notice (days left: 2)").wants("Not begun").wants("Ended: 1")
	p.page = s.get(t, p.c, "/people/roster").body
	p.wants("<td>3B</td><td>2</td>").wants("<td>4</td>")
	if strings.Contains(p.page, "9Z") {
		t.Error("who has moved out is on the list for a fire drill")
	}
}

// TestSaid: the daemon says what the page has words for; a sentence that was changed
// there would leave the tool's commands on the page.
func TestSaid(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../desk/*.go", "../desk/tenancy/*.go", "../control/server/*.go", "../gateway/*.go", "../gateway/swipe/*.go", "../idnumber/*.go", "../naming/*.go", "../socket/*.go", "../commission/*.go", "../site/*.go", "../enrol/*.go", "../control/server/setup/*.go", "../control/server/exits/*.go", "../gateway/exitbutton/*.go", "../control/server/keyfile/*.go", "../acceptance/*.go", "../takeover/*.go", "../control/server/takeover/*.go", "../cardlist/*.go", "../issue/*.go", "../firstkeys/*.go", "../../sync/wire/*.go", "../gateway/listening/*.go", "../cardnumber/*.go", "../backup/*.go", "../backup/recovery/*.go", "../backup/restore/*.go", "../registry/issuer/enrol/*.go", "../discovery/*.go", "oldcards/*.go", "../inquiry/*.go", "../control/server/inquiries/*.go", "../control/server/mine/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(raw)
		}
	}
	all := strings.NewReplacer(`\"`, `"`, `%s answers`, `daemon answers`).Replace(source.String())
	for _, part := range text.Said() {
		if !strings.Contains(all, part) {
			t.Errorf("nobody says %q any more: mend it in text/said.go", part)
		}
	}
	s := claimed(t)
	for _, key := range []string{"lost", "another", "found", "confirm", "pin", "out", "dispute", "withdraw", "checkin"} {
		for _, part := range []string{"do_", "did_"} {
			if !s.page.base.Words.Has("desk." + part + key) {
				t.Errorf("no words for %s%s", part, key)
			}
		}
	}
}

// TestFaultHasWords: a refusal that comes without a screen of its own is told in the page's words,
// with the daemon's status.
func TestFaultHasWords(t *testing.T) {
	s := claimed(t)
	daemon := socket.NewServer(socket.Options{Path: filepath.Join(t.TempDir(), "s.sock"), Name: "daemon", Mode: 0o600, Log: zerolog.Nop()})
	socket.Handle(daemon, "POST /v1/doors/{door}/release", func(*http.Request, socket.None) (control.Released, error) {
		return control.Released{}, socket.Refused(http.StatusBadGateway, "see gatehouse status", "the lock of door front can't be driven: relay: gatehoused check lists it")
	})
	ctx, cancel := context.WithCancel(t.Context())
	l, err := daemon.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = daemon.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	s.page.base.Daemon = control.NewClient(l.Addr().String())
	if a := s.post(t, s.as(t, "owner"), "/doors/front/release"); a.status != http.StatusBadGateway || !strings.Contains(a.body, "锁控制不了") || !strings.Contains(a.body, "看看锁的电源和线") || strings.Contains(a.body, "gatehouse") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestCopyableCards: a card that can be copied is told as such, once why; of another nothing
// is said.
func TestCopyableCards(t *testing.T) {
	s := claimed(t)
	withFront(s)
	body := s.get(t, s.as(t, "owner"), "/people/t1").body
	if strings.Count(body, "· 可复制") != 1 || strings.Count(body, "可复制：这里的读卡器只认号码") != 1 {
		t.Errorf("the cards of a tenancy:\n%s", body)
	}
}

// guestOne is a guest code of the tenancy of tests.
func guestOne() *control.GuestCode {
	return &control.GuestCode{Guest: control.Guest{ID: "5f0c21aa", Tenancy: "t1", Flat: "3B", Until: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Zone: "UTC", Once: true},
		Code: "1234567890", QR: "GHG1-1234567890", Keys: []string{"front"}, Scanners: []string{"yard"}}
}

// TestGuestAtTheDesk: P3 gives a guest code on the tenant's word alone, with the phone in the
// tenant's hand, and shows it until the tenant says so; the list has no digits, and ends it.
func TestGuestAtTheDesk(t *testing.T) {
	s := claimed(t)
	f := withFront(s)
	f.guest = guestOne()
	p := &person{t: t, s: s, c: s.as(t, "owner")}
	s.post(t, p.c, "/language", "to", "en")
	p.page = s.get(t, p.c, "/people/t1").body
	p.wants("Guest code").wants("Until 2026-12-01 00:00").wants("Whether one was used is not shown")
	if strings.Contains(p.page, "1234567890") || strings.Contains(p.page, "ffffffff") {
		t.Error("the list has digits, or another's code")
	}
	p.send("/people/desk", "purpose", "guest", "tenancy", "t1").wants("until midnight")
	if strings.Contains(p.page, "my word alone") {
		t.Error("the landlord gives guest codes by himself")
	}
	p.step("choose", "proof", "pin", "from", "soon", "hours", "72").wants("can&#39;t be read").wants(`value="soon"`).wants(`value="72" checked`)
	over := &socket.Error{Status: http.StatusUnprocessableEntity, Message: "this guest code would be over already", Hint: "it counts from its start"}
	f.mu.Lock()
	f.never = over
	f.mu.Unlock()
	p.step("choose", "proof", "pin", "from", "2026-01-01 18:00", "hours", "72").wants("over already").wants("none for from now on").wants(`value="2026-01-01 18:00"`).wants(`value="72" checked`)
	f.mu.Lock()
	f.never, f.refuse = nil, over // while the phone was handed over
	f.mu.Unlock()
	p.step("choose", "proof", "pin", "from", "2026-01-01 18:00", "hours", "72")
	p.step("pin", "pin", "471108").wants("over already").wants("none for from now on").wants(`value="2026-01-01 18:00"`)
	p.step("choose", "proof", "pin", "from", "2026-12-01T18:00", "hours", "72", "once", "1")
	p.step("pin", "pin", "471108").wants("1234567890 #").wants("<svg").wants("send it to your guest now").wants("scanner (Yard)")
	f.mu.Lock()
	in := f.changes[len(f.changes)-1]
	f.mu.Unlock()
	if in.Action != "guest" || in.Proof != "pin" || in.Guest == nil || in.Guest.Hours != 72 || !in.Guest.Once || !in.Guest.From.Equal(time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", in)
	}
	p.send("/people/desk/leave", "visit", visitOf.FindStringSubmatch(p.page)[1])
	if a := s.get(t, p.c, "/people/desk"); strings.Contains(a.body, "1234567890") {
		t.Error("the code is shown after the tenant has it")
	}
	p.send("/people/guest/end", "tenancy", "t1", "guest", "5f0c21aa")
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.calls, "guest end 5f0c21aa") {
		t.Errorf("%q", f.calls)
	}
}
