package main

import (
	"strings"
	"testing"
)

// TestLandlordsTricksByPage is law W8 over the page: a landlord who has seen the PIN of the check-in,
// holds a card of his own and sends whatever forms he likes stops no card of a tenant who says
// nothing: not at once, and not with a restart. What he may begin is a notice. It takes as long as
// people hold cards up.
func TestLandlordsTricksByPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stop := h.serve()
	h.arrive()
	id := h.first().ID
	const own = tenantCard + 7
	page := h.post("/people/desk", "purpose", "another", "tenancy", id)
	h.step(&page, "choose", "Hold the card that is to be given", "proof", "landlord")
	h.shows(&page, own, false, "")
	tricks := 0
	for _, purpose := range []string{"confirm", "pin", "found", "lost", "another", "codes", "dispute", "withdraw", "out", "", "end"} {
		for _, proof := range []string{"pin", "landlord", "registry", ""} {
			for _, more := range [][]string{nil, {"cause", "moved_out", "card", "1", "only", "1"}, {"cause", "rent_arrears", "card", "99", "only", "1"}} {
				if more != nil && proof != "pin" && proof != "landlord" {
					continue
				}
				h.trick(id, purpose, proof, more)
				h.stays(purpose + " by " + proof + " with " + strings.Join(more, " "))
				tricks++
			}
		}
	}
	if now := h.first(); now.State != "notice" || !now.Cards[0].Ending {
		t.Errorf("he began neither a notice nor the wish to stop a card: %s, %+v", now.State, now.Cards)
	}
	page = h.post("/people/desk", "purpose", "out", "tenancy", id)
	h.step(&page, "choose", "holds up a card of this tenancy", "proof", "card", "cause", "moved_out")
	h.shows(&page, own, true, "proves nothing")
	h.stays("out by his own card")
	h.opens(tenantCard)
	stop()
	h.serve()
	h.opens(tenantCard)
	h.stays("a restart")
	t.Logf("%d tricks", tricks)
}

// trick sends all forms of a change as far as they lead, with the PIN of the check-in, and steps
// out of their order; then the visit is left.
func (h *house) trick(id, purpose, proof string, more []string) {
	page := h.post("/people/desk", "purpose", purpose, "tenancy", id)
	m := visitOf.FindStringSubmatch(page)
	if m == nil {
		return
	}
	with := func(pairs ...string) []string { return append(pairs, "visit", m[1]) }
	h.post("/people/desk/pin", with("pin", "4711", "new", "1379", "again", "1379")...)
	h.post("/people/desk/choose", with(append([]string{"proof", proof}, more...)...)...)
	h.post("/people/desk/pin", with("pin", "4711", "new", "1379", "again", "1379")...)
	h.post("/people/desk/pin", with("pin", "1379", "again", "1379")...)
	h.post("/people/desk/tenant", with("pin", "1379", "again", "1379", "informed", "1")...)
	h.post("/people/desk/details", with("flat", "3B", "document", "other", "number", "X1", "person", "Nobody", "term", "year", "basis", "contract")...)
	h.post("/people/desk/leave", with()...)
}

// stays: the tenant's card is as it was.
func (h *house) stays(after string) {
	h.t.Helper()
	t := h.first()
	if len(t.Cards) == 0 || t.Cards[0].State != "active" || t.State == "ended" || t.State == "suspended" {
		h.t.Fatalf("after %s the tenancy is %s, its cards %+v", after, t.State, t.Cards)
	}
}
