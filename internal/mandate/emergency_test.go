package mandate

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// TestBlocked is the table of the rule: three that are older than 48 hours block, to the second.
func TestBlocked(t *testing.T) {
	now := time.Unix(noon, 0)
	old, due, fresh := now.Add(-ValidateWithin-time.Second), now.Add(-ValidateWithin), now.Add(-time.Hour)
	for name, c := range map[string]struct {
		open    []time.Time
		blocked bool
	}{
		"none":                         {},
		"two old ones":                 {open: []time.Time{old, old}},
		"three old ones":               {open: []time.Time{old, old, old}, blocked: true},
		"four":                         {open: []time.Time{old, old, old, old}, blocked: true},
		"the third is due this second": {open: []time.Time{old, old, due}},
		"many fresh ones":              {open: []time.Time{old, old, fresh, fresh, fresh, fresh}},
		"from a time to come":          {open: []time.Time{old, old, now.AddDate(1, 0, 0)}},
	} {
		if r := Blocked(c.open, now); (r != nil) != c.blocked || r != nil && r.Code != Unvalidated {
			t.Errorf("%s: %v", name, r)
		}
	}
}

// TestValidates: a validation counts for the very emergency, by another approver of the building's town
// for another authority, and by nobody else.
func TestValidates(t *testing.T) {
	urgent := func(change func(m *Mandate)) []byte {
		m := sample(t)
		emergencyOf(&m)
		m.Approval.Validating = mandates.Authority{}
		if change != nil {
			change(&m)
		}
		return sign(t, m, key(1))
	}
	good := urgent(nil)
	for name, c := range map[string]struct {
		emergency []byte
		by        ed25519.PrivateKey
		change    func(v *mandates.Validation)
		code      Code
	}{
		"the district":           {by: key(2)},
		"nobody":                 {by: key(9), code: UnknownApprover},
		"another town":           {by: key(3), code: NotHeld},
		"the same approver":      {by: key(1), code: OwnValidation},
		"the same authority":     {by: key(2), code: OwnValidation, change: func(v *mandates.Validation) { v.By.Name = "新镇派出所" }},
		"another reference":      {by: key(2), code: OtherMandate, change: func(v *mandates.Validation) { v.Reference = wire.ID{7} }},
		"another paper":          {by: key(2), code: OtherMandate, change: func(v *mandates.Validation) { v.Mandate = wire.Hash{7} }},
		"no paper":               {by: key(2), code: OtherMandate, emergency: []byte{1}},
		"an ordinary mandate":    {by: key(2), code: NoEmergency, emergency: urgent(func(m *Mandate) { m.Emergency = false })},
		"one of the two who ask": {by: key(2), code: ApproverIsOfficer, emergency: urgent(func(m *Mandate) { k := public(2); m.Approval.Officers[1].Key = wire.IDOf(k[:]) })},
	} {
		paper := good
		if c.emergency != nil {
			paper = c.emergency
		}
		v := mandates.Validation{Reference: sample(t).Reference, Mandate: sha256.Sum256(paper), By: mandates.Authority{Name: "北区分局", File: "440000-2"}}
		if c.change != nil {
			c.change(&v)
		}
		envelope, err := v.Sign("city", c.by)
		if err != nil {
			t.Fatal(err)
		}
		got, refusal := Validates(envelope, paper, trust())
		if c.code == 0 && (refusal != nil || got != v) || c.code != 0 && (refusal == nil || refusal.Code != c.code) {
			t.Errorf("%s: %v", name, refusal)
		}
	}
	if _, refusal := Validates(good, good, trust()); refusal == nil || refusal.Code != OtherMandate {
		t.Errorf("the mandate as its own validation: %v", refusal)
	}
}
