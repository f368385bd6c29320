package front

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// by restarts the front with the clock of a machine.
func (c *court) by(m *machine) {
	c.front.stop()
	link, make := newMemory()
	c.link = link
	c.front = c.start(Options{Link: make, CosignEvery: time.Nanosecond, Clock: m.source()})
}

// urgent is a mandate of an emergency; nobody validated it.
func (c *court) urgent(reference byte, by ed25519.PrivateKey) []byte {
	c.t.Helper()
	m, _ := c.mandate(1)
	m.Reference, m.Emergency, m.Expires, m.Approval.Validating, m.Telling = wire.ID{reference}, true, m.Issued+86400, mandates.Authority{}, &mandates.Telling{From: m.Issued + 86400}
	envelope, err := mandates.Sign(m, "test-registry", by)
	c.must(err)
	return envelope
}

func (c *court) validate(reference byte, emergency []byte, by ed25519.PrivateKey) (api.Validated, error) {
	c.t.Helper()
	v := mandates.Validation{Reference: wire.ID{reference}, Mandate: sha256.Sum256(emergency), By: mandates.Authority{Name: "乙分局", File: "440000-2"}}
	envelope, err := v.Sign("test-registry", by)
	c.must(err)
	return c.front.client.Mandated().Validate(c.t.Context(), api.Validating{Validation: envelope})
}

// outcome is the code of the refusal of an emergency, "" where it is answered.
func (c *court) outcome(envelope []byte) string {
	c.t.Helper()
	if d := c.disclose(api.Asked{Mandate: envelope, Gateway: "g1"}); d.Refusal != nil {
		return d.Refusal.Name
	}
	return ""
}

func (c *court) waiting() []api.Emergency {
	c.t.Helper()
	all, err := c.front.client.Mandated().Emergencies(c.t.Context())
	c.must(err)
	return all
}

// TestEmergenciesAreValidated: three emergencies that nobody validates within 48 hours block the next one
// of the same approver, and nothing else, until a second authority has looked at one of them.
func TestEmergenciesAreValidated(t *testing.T) {
	c := newCourt(t, 40, true)
	clock := &machine{wall: time.Now(), boot: time.Hour}
	c.by(clock)
	first := c.urgent(1, c.approver)
	for i, envelope := range [][]byte{first, c.urgent(2, c.approver), c.urgent(3, c.approver)} {
		if code := c.outcome(envelope); code != "" {
			t.Fatalf("emergency %d: %s", i+1, code)
		}
	}
	clock.set(0, 47*time.Hour)
	if open := c.waiting(); len(open) != 3 || open[0].Seat != "t1-1" || open[0].HoursLeft != 0 || open[0].Overdue || open[0].Due.Sub(open[0].Answered) != 48*time.Hour {
		t.Fatalf("%+v", open)
	}
	clock.set(0, 2*time.Hour)
	if open := c.waiting(); len(open) != 3 || !open[0].Overdue || open[0].HoursLeft != -2 {
		t.Fatalf("%+v", open)
	}
	c.blocks(first)
	clock.set(200*24*time.Hour, 0)
	if _, doubt := c.front.clock.Now(); doubt == agreed.None || c.waiting()[0].Overdue {
		t.Fatalf("the clock is in no doubt: %v, %+v", doubt, c.waiting())
	}
	if code := c.outcome(c.urgent(5, c.approver)); code != "" {
		t.Errorf("while the clock is in doubt: %s", code)
	}
	clock.set(0, 0)
	c.unblocks(first, clock)
}

// blocks: the fourth of the approver is refused; another approver's, an ordinary mandate and an answer
// that was given are not.
func (c *court) blocks(first []byte) {
	c.t.Helper()
	_, ordinary := c.mandate(1)
	for name, want := range map[string]struct {
		asked api.Asked
		code  string
	}{
		"the fourth":         {api.Asked{Mandate: c.urgent(4, c.approver)}, "unvalidated"},
		"another approver's": {api.Asked{Mandate: c.urgent(6, c.second)}, ""},
		"an ordinary one":    {api.Asked{Mandate: ordinary}, ""},
		"the first again":    {api.Asked{Mandate: first, Again: 1}, ""},
	} {
		want.asked.Gateway = "g1"
		code := ""
		if d := c.disclose(want.asked); d.Refusal != nil {
			code = d.Refusal.Name
		}
		if code != want.code {
			c.t.Errorf("%s: %q", name, code)
		}
	}
}

// unblocks: only a second authority's word counts, also if it comes late, and it is kept.
func (c *court) unblocks(first []byte, clock *machine) {
	c.t.Helper()
	if v, err := c.validate(1, first, c.approver); err != nil || v.Refusal == nil || v.Refusal.Name != "own_validation" {
		c.t.Errorf("by the same approver: %+v, %v", v, err)
	}
	if v, err := c.validate(1, first, newKey(c.t)); err != nil || v.Refusal == nil || v.Refusal.Name != "unknown_approver" {
		c.t.Errorf("by nobody: %+v, %v", v, err)
	}
	if _, err := c.validate(7, c.urgent(7, c.approver), c.second); err == nil {
		c.t.Error("an emergency that was never answered is validated")
	}
	if code := c.outcome(c.urgent(8, c.approver)); code != "unvalidated" {
		c.t.Errorf("after words that don't count: %q", code)
	}
	for range 2 { // handed in again it changes nothing
		if v, err := c.validate(1, first, c.second); err != nil || v.Refusal != nil || v.Reference != (wire.ID{1}) || v.Authority != "乙分局" {
			c.t.Errorf("%+v, %v", v, err)
		}
	}
	c.by(clock)
	for _, e := range c.waiting() {
		if e.Reference == (wire.ID{1}) {
			c.t.Error("it is still open after a new start")
		}
	}
	if code := c.outcome(c.urgent(8, c.approver)); code != "" {
		c.t.Errorf("after the validation: %q", code)
	}
}
