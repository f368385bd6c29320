package front

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestCounts: what is published of a town is counted once where it was done, in its span of time alone, also after a new
// start, a refusal too; an answer that is given again is not.
func TestCounts(t *testing.T) {
	c := newCourt(t, 40, true)
	now := c.front.clock.Likely()
	m, envelope := c.mandate(2, wire.ID{2})
	c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	c.disclose(api.Asked{Mandate: envelope, Gateway: "g1", Again: 1})
	c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"})
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Refusal == nil {
		t.Fatal("a third answer")
	}
	if d := c.disclose(api.Asked{Mandate: envelope[1:], Gateway: "g1"}); d.Refusal == nil || d.Refusal.Name != "unsigned" {
		t.Fatalf("no envelope: %+v", d.Refusal)
	}
	m.Reference, m.Emergency, m.Answers, m.Telling = wire.ID{10}, true, 1, &mandates.Telling{From: m.Issued}
	m.Expires = m.Issued + 86400
	m.Approval.Validating = mandates.Authority{}
	urgent, err := mandates.Sign(m, "test-registry", c.approver)
	c.must(err)
	if d := c.disclose(api.Asked{Mandate: urgent, Gateway: "g1"}); d.Refusal != nil {
		t.Fatal(d.Refusal)
	}
	c.preserves(began, began+3600)
	for range 2 {
		_, err = c.front.client.Forget(t.Context(), []api.Forget{{Gateway: "b1/g1", Epoch: c.g.epoch, Sequences: []uint64{1, 3}}})
		c.must(err)
	}
	_, err = c.front.client.Forget(t.Context(), nil) // nothing was there
	c.must(err)
	want := api.TownCounts{Town: api.Town{District: "d1", Town: "t1"}, Answers: 3, Emergencies: 1, Refused: 1, Preserved: 1, Forgotten: 2}
	sums := []wire.Hash{sha256.Sum256(envelope), sha256.Sum256(urgent)}
	nobodys := api.TownCounts{Refused: 1} // what nobody has signed is of no town
	look := func(from, to time.Time, sums int, want ...api.TownCounts) api.Counts {
		t.Helper()
		got, err := c.front.client.Mandated().Counts(t.Context(), from, to)
		c.must(err)
		if !slices.Equal(got.Towns, want) || len(got.Mandates) != sums {
			t.Errorf("%+v", got)
		}
		return got
	}
	got := look(now.Add(-time.Hour), now.Add(time.Hour), 2, nobodys, want)
	for _, sum := range sums {
		if !slices.Contains(got.Mandates, sum) {
			t.Errorf("%x is not in the list", sum)
		}
	}
	look(now.Add(-time.Hour), now.Add(-time.Minute), 0, api.TownCounts{Town: want.Town})
	look(now.Add(time.Minute), now.Add(time.Hour), 0, api.TownCounts{Town: want.Town})
	if v, err := c.validate(10, urgent, c.second); err != nil || v.Refusal != nil {
		t.Fatal(v.Refusal, err)
	}
	want.Validated = 1
	c.restart()
	look(now.Add(-time.Hour), now.Add(time.Hour), 2, nobodys, want)
	refused, err := c.front.client.Mandated().Refusals(t.Context(), now.Add(-time.Hour), now.Add(time.Hour))
	c.must(err)
	if len(refused) != 2 || refused[0].Reason != "used_up" || refused[0].Town != want.Town || refused[1].Reason != "unsigned" || refused[1].Town != (api.Town{}) {
		t.Errorf("%+v", refused)
	}
	if later, err := c.front.client.Mandated().Refusals(t.Context(), now.Add(time.Minute), now.Add(time.Hour)); err != nil || len(later) != 0 {
		t.Errorf("%+v, %v", later, err)
	}
}
