package main

import (
	"testing"

	"gatehouse/internal/web/webtest"
)

// TestScreensOfTheDesk looks at a visit, an arrival, a lost card, moving out, and the sheets: axe finds nothing serious. Make screens makes their
// pictures.
func TestScreensOfTheDesk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve()
	c := camera{h, webtest.NewCamera(t, h.page.URL, h.http)}
	const desk = "/people/desk"
	page := h.post(desk, "purpose", "checkin")
	c.take(desk, "desk-1-details")
	h.step(&page, "details", "step 2 of 3", "document", "resident_id", "number", tenantNumber(), "person", tenantName, "flat", "3B", "term", "year", "basis", "contract")
	c.take(desk, "desk-2-card")
	h.shows(&page, tenantCard, false, "Hand the phone to the tenant")
	c.take(desk, "desk-3-tenant")
	h.step(&page, "tenant", "is checked in", "pin", "4711", "again", "4711", "informed", "1")
	c.take(desk, "desk-4-done")
	tenancy := h.first()
	c.take("/people", "people-tenants")
	c.take("/people/"+tenancy.ID, "tenancy")
	c.take("/people/"+tenancy.ID+"/slip", "slip")
	c.look("/people/roster", "roster")
	c.look(desk+"?visit=gone", "desk-none")
	for _, purpose := range []string{"another", "found", "confirm", "dispute", "codes", "pin"} {
		page = h.post(desk, "purpose", purpose, "tenancy", tenancy.ID)
		c.look(desk, "desk-"+purpose)
	}
	page = h.post(desk, "purpose", "dispute", "tenancy", tenancy.ID) // for which that of the check-in is taken
	h.step(&page, "choose", "PIN of the tenant", "proof", "pin")
	c.look(desk, "desk-by-pin")
	page = h.post(desk, "purpose", "lost", "tenancy", tenancy.ID, "give_up", visitOf.FindStringSubmatch(page)[1])
	c.take(desk, "desk-lost")
	page = h.post(desk, "purpose", "out", "tenancy", tenancy.ID)
	c.take(desk, "desk-out")
	h.step(&page, "choose", "Notice is given", "proof", "landlord", "cause", "lease_over")
	c.take("/people/"+tenancy.ID+"/notice", "notice")
}

// camera photographs what the landlord sees, who goes on in English.
type camera struct {
	h *house
	c *webtest.Camera
}

func (c camera) take(path, screen string) {
	c.h.t.Helper()
	c.c.Take(path, screen)
	c.h.post("/language", "to", "en")
}

func (c camera) look(path, screen string) {
	c.h.t.Helper()
	c.c.Look(path, screen)
	c.h.post("/language", "to", "en")
}
