package web

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/tries"
)

// withResidents lets the daemon of a site answer residents: flat 3B has a PIN and two cards.
func withResidents(s *site) func() []string {
	var mu sync.Mutex
	var all []string
	socket.Handle(s.daemon.socket, "POST /v1/resident/{act}", func(r *http.Request, in control.Resident) (control.ForResident, error) {
		mu.Lock()
		defer mu.Unlock()
		act := r.PathValue("act")
		all = append(all, r.Header.Get(socket.CallerHeader)+" "+act+" "+in.Door)
		if in.Flat != "3B" || in.PIN != "471108" {
			return control.ForResident{}, &socket.Error{Status: http.StatusUnauthorized, Message: "flat and PIN do not fit", Hint: "gatehouse tenancy pin"}
		}
		out := control.ForResident{Done: control.Done{Tenancy: tenancyOne(), Remarks: []string{}}}
		switch {
		case act == "found" && in.Door == "yard":
			if out.Choose = in.Card == 0; out.Choose {
				out.Tenancy.Cards = append(out.Tenancy.Cards, control.TenancyCard{Number: 3, State: "suspended"}, control.TenancyCard{Number: 4, State: "suspended"})
			}
		case act == "found":
			return out, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "no card of yours is stopped"}
		case act == "codes":
			out.Codes, out.CodeDoors = []string{"1234567890"}, []string{"front"}
		case act == "guest" && in.Guest.From != nil && in.Guest.From.Year() == 2027:
			return out, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "a guest code begins at most 30 days from now", Hint: "make it when the day is nearer"}
		case act == "guest":
			out.Guest = guestOne()
			out.Guest.Once, out.Guest.From = in.Guest.Once, in.Guest.From
		case act == "guests":
			out.Guests = []control.Guest{guestOne().Guest}
			out.Guests[0].Used = true
		case act == "guest_end" && in.GuestID != "5f0c21aa":
			return out, &socket.Error{Status: http.StatusUnprocessableEntity, Message: `no guest code "x" is good now`, Hint: "gatehouse guest list"}
		case act == "open" && in.Door == "shed":
			return out, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "the lost card is stopped, but the lock of door shed can't be driven: no chip", Hint: "gatehouse status"}
		case act == "open" && in.Card == 0:
			out.Choose = true
		case act == "open":
			out.Opened = true
		}
		return out, nil
	})
	return func() []string { mu.Lock(); defer mu.Unlock(); return all }
}

// TestResidentPage: flat and PIN, no account; which card is asked where there are several;
// the PIN is in no page, and nobody's movements are.
func TestResidentPage(t *testing.T) {
	s := claimed(t)
	s.daemon.status.Doors = append(s.daemon.status.Doors, control.Door{ID: "shed", State: "normal", Lock: "ok"})
	asked := withResidents(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	p.page = s.get(t, p.c, "/resident").body
	p.wants("scan the sticker")
	if strings.Contains(p.page, `value="open"`) {
		t.Error("a door can be opened without its sticker")
	}
	p.page = s.get(t, p.c, "/resident/front").body
	p.wants(`name="act" value="open"`)
	fields := []string{"flat", "3B", "pin", "471108"}
	p.send("/resident/front", append(fields, "act", "ask")...).wants("Nothing was done yet").wants(`value="3B"`)
	if len(asked()) > 0 {
		t.Errorf("a question what is to be done asked the daemon %q", asked())
	}
	p.send("/resident/front", append(fields, "act", "open")...).wants("nothing was done yet").wants("Card 2")
	p.send("/resident/front", append(fields, "act", "open", "card", "2")...).wants("The door is open (Front door)")
	p.send("/resident/yard", append(fields, "act", "found")...).wants("Choose the one that you found").wants(`name="card" value="4"`)
	if strings.Contains(p.page, `name="card" value="1"`) {
		t.Error("a card that opens can be found")
	}
	p.send("/resident/yard", append(fields, "act", "found", "card", "4")...).wants("The card opens again")
	p.send("/resident/shed", append(fields, "act", "open", "card", "2")...).wants("The lost card is stopped, but the door did not open").wants("press “Found”")
	p.send("/resident/front", append(fields, "act", "codes")...).wants("12345 67890").wants("shown this once")
	p.send("/resident/front", append(fields, "act", "guest", "hours", "24")...).wants("1234567890 #").wants("<svg").wants("any number of times")
	p.send("/resident", append(fields, "act", "guests")...).wants(`value="5f0c21aa"`).wants("(used)")
	p.send("/resident", append(fields, "act", "guest_end", "guest", "5f0c21aa")...).wants("The guest code is ended")
	p.send("/resident", append(fields, "act", "guest_end", "guest", "x")...).wants("is over, or was ended")
	p.send("/resident/front", append(fields, "act", "kept")...).wants("All that the box has of you").wants("hold up your own card")
	p.send("/resident/front", "flat", "3B", "pin", "999998", "act", "open").wants("Flat and PIN do not fit")
	if strings.Contains(p.seen.String(), "471108") || strings.Contains(p.page, "gatehouse tenancy") {
		t.Error("a page has the PIN, or names a command")
	}
	p.send("/resident/front", append(fields, "act", "log")...)
	for _, a := range asked() {
		if !strings.HasPrefix(a, "resident ") || strings.Contains(a, "log") {
			t.Errorf("the daemon was asked %q", a)
		}
	}
	for range 3 * tries.Burst { // a right PIN costs nothing, whatever becomes of the request
		p.send("/resident/front", append(fields, "act", "found")...).wants("No card of yours is stopped")
		p.send("/resident/front", append(fields, "act", "open")...).wants("nothing was done yet")
	}
	before := len(asked())
	for range 1000 {
		s.post(t, p.c, "/resident/front", "flat", "3B", "pin", "999998", "act", "open")
	}
	if n := len(asked()) - before; n > tries.Burst {
		t.Errorf("%d of a thousand wrong PINs went to the daemon", n)
	}
	p.send("/resident/front", append(fields, "act", "open")...).wants("Too many tries").wants("Cards and one-time codes go on")
}

// TestStickerOfNoDoor: the sticker of a door that is not here any more leads to a page that says so and
// what to do, in both languages, opens nothing, and does not repeat what stands in its address.
func TestStickerOfNoDoor(t *testing.T) {
	s := claimed(t)
	asked := withResidents(s)
	c := browser(t)
	for language, words := range map[string][]string{"zh": {"这台网关没有", "现在的贴纸", "告诉房东"}, "en": {"not at this gateway", "present sticker", "ask the landlord"}} {
		s.post(t, c, "/language", "to", language)
		for _, a := range []answer{s.get(t, c, "/resident/cellar"), s.post(t, c, "/resident/cellar", "flat", "3B", "pin", "471108", "act", "lost")} {
			if a.status != http.StatusNotFound || strings.Contains(a.body, "· cellar") || strings.Contains(a.body, `value="open"`) || !strings.Contains(a.body, `action="/resident"`) {
				t.Errorf("%s: %d %s", language, a.status, a.body)
			}
			says(t, a, words...)
		}
	}
	if len(asked()) > 0 {
		t.Errorf("the daemon was asked %q", asked())
	}
}

// TestGuestTermsOfAResident: from when, for how long and how often a guest code is good is typed in the
// building's time; what is wrong with it is said, and what was typed stays.
func TestGuestTermsOfAResident(t *testing.T) {
	s := claimed(t)
	s.daemon.status.Clock.Zone = "Asia/Shanghai"
	asked := withResidents(s)
	p := &person{t: t, s: s, c: browser(t)}
	s.post(t, p.c, "/language", "to", "en")
	ask := func(from string) *person {
		return p.send("/resident", "flat", "3B", "pin", "471108", "act", "guest", "from", from, "hours", "4", "once", "1")
	}
	ask("tomorrow").wants("can&#39;t be read").wants(`value="tomorrow"`).wants(`value="4" checked`).wants(`name="once" value="1" checked`).wants("<details open>")
	if len(asked()) > 0 {
		t.Errorf("the daemon was asked %q", asked())
	}
	ask("2027-06-01T18:00").wants("at most 30 days from now").wants("Give it when the day is nearer").wants(`value="2027-06-01T18:00"`)
	ask("2026-12-01T18:00").wants("From 2026-12-01 18:00. Until").wants("It opens from 2026-12-01 18:00 on. It opens once.</textarea>")
	ask("").wants("The guest code is given")
	if strings.Contains(p.page, "From 2026") {
		t.Error("without a start it begins later")
	}
}

// TestResidentPageAlone: a standalone house keeps no tenancies, so its page shows no button, and
// says who stops a card.
func TestResidentPageAlone(t *testing.T) {
	s := claimed(t)
	s.daemon.status.Registry = "none"
	asked := withResidents(s)
	c := browser(t)
	for _, a := range []answer{s.get(t, c, "/resident/front"), s.get(t, c, "/resident"), s.post(t, c, "/resident/front", "flat", "3B", "pin", "471108", "act", "open")} {
		if strings.Contains(a.body, `name="act"`) || !strings.Contains(a.body, "由房东停卡") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if len(asked()) > 0 {
		t.Errorf("the daemon was asked %q", asked())
	}
}

// TestStickers: one for each door, with the address that this page has.
func TestStickers(t *testing.T) {
	s := claimed(t)
	a := s.get(t, s.as(t, "owner"), "/stickers")
	if n := strings.Count(a.body, `<svg class="qr"`); n != 2 || !strings.Contains(a.body, s.URL+"/resident/yard") {
		t.Errorf("%d codes in %s", n, a.body)
	}
}
