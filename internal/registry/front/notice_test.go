package front

import (
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestNotices: those whom a mandate asked about are told from the time on that it says and not before, of one that says
// never or nothing never; that it was told is kept, and nothing is listed under which nothing was answered.
func TestNotices(t *testing.T) {
	c := newCourt(t, 40, true)
	clock := &machine{wall: time.Now(), boot: time.Hour}
	c.by(clock)
	ask := func(reference byte, telling *mandates.Telling, times int) {
		m, _ := c.mandate(1, wire.ID{2})
		m.Reference, m.Telling, m.Answers = wire.ID{reference}, telling, 2
		envelope, err := mandates.Sign(m, "test-registry", c.approver)
		c.must(err)
		for range times {
			c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
		}
	}
	from := uint32(c.front.clock.Likely().Unix()) + 3600
	ask(1, &mandates.Telling{From: from}, 2)
	ask(2, &mandates.Telling{Basis: "刑事诉讼法第五十四条"}, 1)
	ask(3, nil, 1)
	due := func() (all []bool) {
		t.Helper()
		notices, err := c.front.client.Mandated().Notices(t.Context())
		c.must(err)
		if len(notices) != 3 || notices[0].Reference != (wire.ID{1}) || len(notices[0].Answers) != 2 || len(notices[0].Answers[0].Logs) != 1 || notices[0].Answers[0].Place.Gateway != "g1" {
			t.Fatalf("%+v", notices)
		}
		for _, n := range notices {
			all = append(all, n.Due)
		}
		return all
	}
	tell := func(reference byte) (api.Notice, error) {
		return c.front.client.Mandated().Tell(t.Context(), api.ToTell{Reference: wire.ID{reference}})
	}
	if all := due(); all[0] || all[1] || all[2] {
		t.Errorf("due before the time: %v", all)
	}
	if _, err := tell(1); err == nil {
		t.Error("told before the time")
	}
	clock.set(0, time.Hour+time.Minute)
	if all := due(); !all[0] || all[1] || all[2] {
		t.Errorf("due: %v", all)
	}
	for reference := range byte(4) {
		if n, err := tell(reference); (err == nil) != (reference == 1) || err == nil && (n.Told == nil || n.Told.By == "") {
			t.Errorf("mandate %d: %+v, %v", reference, n.Told, err)
		}
	}
	c.by(clock)
	notices, err := c.front.client.Mandated().Notices(t.Context())
	c.must(err)
	if notices[0].Told == nil || notices[1].Told != nil {
		t.Errorf("after a new start: %+v", notices)
	}
	was := *notices[0].Told
	clock.set(0, time.Hour)
	if n, err := tell(1); err != nil || *n.Told != was {
		t.Errorf("told again: %+v, %v; was %+v", n.Told, err, was)
	}
}
