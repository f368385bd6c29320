package front

import (
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// preserves shows an enrolled officer's order for a span at the front door.
func (c *court) preserves(from, until uint32) api.Hold {
	c.t.Helper()
	p := c.shows("front", from, until)
	if p.Refusal != nil || p.DoorUnknown {
		c.t.Fatalf("%+v", p)
	}
	return *p.Hold
}

// shows shows an enrolled officer's order for a span at a door.
func (c *court) shows(door string, from, until uint32) api.Preserved {
	c.t.Helper()
	now := uint32(c.front.clock.Likely().Unix())
	key := newKey(c.t)
	certificate, err := mandates.Certificate{Public: public(key), Unit: "一队", Badge: "000001", District: "d1", Town: "t1", From: now - 60, Until: now + 86400}.Sign("test-registry", 1, c.issuer)
	c.must(err)
	envelope, err := mandates.Order{Reference: wire.ID{5}, Gateway: "b1/g1", Door: door, From: from, Until: until, Case: "A440000-2026-1", Signed: now, Certificate: certificate}.Sign("test-registry", key)
	c.must(err)
	p, err := c.front.client.Preserve(c.t.Context(), api.Order{Envelope: envelope})
	c.must(err)
	return p
}

// TestPreserveDoor: the front knows a gateway's doors by its house document, and refuses an order for another one, unless
// something of a door of that name is stored of the time.
func TestPreserveDoor(t *testing.T) {
	c := newCourt(t, 40, true)
	m, _ := c.mandate(1, wire.ID{2})
	if p := c.shows("back", m.Request.From+60, m.Request.Until); p.Hold == nil || p.DoorUnknown {
		t.Errorf("a door of before: %+v", p)
	}
	if p := c.shows("nodoor", m.Request.From+60, m.Request.Until); p.Refusal == nil || p.Refusal.Name != "no_such_door" {
		t.Errorf("%+v", p)
	}
}

// TestMandateProlongs: what is preserved lasts until the mandate expires that covers it, once that is answered; a
// refused one, or the same answer again, changes nothing.
func TestMandateProlongs(t *testing.T) {
	c := newCourt(t, 40, true)
	m, _ := c.mandate(1, wire.ID{2})
	m.Expires = m.Issued + 30*86400
	envelope, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	h := c.preserves(m.Request.From+60, m.Request.Until)
	ends := func() time.Time {
		t.Helper()
		all, err := c.front.client.Holds(t.Context())
		c.must(err)
		if len(all) != 1 || all[0].ID != h.ID {
			t.Fatalf("%+v", all)
		}
		return all[0].Ends
	}
	if d := c.disclose(api.Asked{Mandate: envelope[1:], Gateway: "g1"}); d.Refusal == nil || !ends().Equal(h.Ends) {
		t.Errorf("refused as %v, and it lasts until %s", d.Refusal, ends())
	}
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Refusal != nil || !ends().Equal(time.Unix(int64(m.Expires), 0)) {
		t.Errorf("%v; it lasts until %s", d.Refusal, ends())
	}
}
