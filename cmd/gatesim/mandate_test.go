package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/keys"
	"gatehouse/internal/network"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/sealing"
)

// court is a town with an approver, whom the gateway gw1 of lane-7 knows.
type court struct {
	*town
	by     ed25519.PrivateKey
	client *control.Client
}

// newCourt enrols the gateway and has the root name the approver.
func newCourt(t *testing.T) *court {
	c := &court{town: newTown(t, false)}
	c.start(t)
	dir := shortDir(t)
	g := stand(t, dir, network.Network{})
	if _, err := g.client.Enrol(t.Context(), control.EnrolRequest{Token: c.token(t, "lane-7", false)}); err != nil {
		t.Fatal(err)
	}
	g.begins(t)
	g.stop()
	stand(t, dir, network.Network{})
	c.client = control.NewClient(filepath.Join(dir, "sock"))
	all, err := c.front.Trusts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	payload, p, err := wire.Read(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	trust, err := wire.DecodeTrust(p.Version, payload)
	if err != nil {
		t.Fatal(err)
	}
	root, err := keys.LoadPrivateKey(filepath.Join(c.dir, authority.DirOffline, authority.FileRootKey))
	if err != nil {
		t.Fatal(err)
	}
	var public ed25519.PublicKey
	if public, c.by, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	trust.Version++
	trust.Approvers = []approver.Approver{{Seat: "seat-1", Public: [32]byte(public), District: "d", Town: "t"}}
	envelope, err := authority.SignTrust(trust, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.front.PutTrust(t.Context(), envelope); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway knows the approver", func() bool {
		return c.count(t, wire.KindAuthority, func(e api.Entry) bool { return e.Count == trust.Version }) > 0
	})
	return c
}

// count counts stored entries of a kind.
func (c *court) count(t *testing.T, kind wire.Kind, counts func(api.Entry) bool) (n int) {
	t.Helper()
	_, err := c.front.Entries(t.Context(), api.EntryFilter{Kind: kind.String(), Limit: 1000}, func(e api.Entry) error {
		if counts(e) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// mandate is for one answer about the front door and the hour before.
func (c *court) mandate(t *testing.T, reference byte) []byte {
	t.Helper()
	_, recipient, err := sealing.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	now := uint32(time.Now().Unix())
	m := mandates.Mandate{Reference: wire.ID{reference}, Status: mandates.Active, Issued: now, Expires: now + 86400, Answers: 1,
		Request:  mandates.Request{District: "d", Town: "t", Building: "lane-7", From: now - 3600, Until: now, Gateways: []mandates.Gateway{{ID: "gw1", Doors: []string{"front"}}}},
		Delivery: mandates.Delivery{Recipient: recipient, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "某派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "某分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{1}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{2}}},
			Purpose:  "盗窃案侦查", Case: "A440000-1", Notice: "调证-1"}}
	envelope, err := mandates.Sign(m, "bench", c.by)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// onSite shows a mandate at the gateway, which answers it, and waits until the registry has the entry of that.
func (c *court) onSite(t *testing.T, envelope []byte) {
	t.Helper()
	before := c.count(t, wire.KindSealed, func(api.Entry) bool { return true })
	got, err := control.InquiryRequest{Mandate: envelope}.Ask(t.Context(), c.client)
	if err != nil || got.Refusal != nil || got.Use != 1 {
		t.Fatalf("on site: %+v, %v", got, err)
	}
	eventually(t, "the registry has the entry of the use", func() bool {
		return c.count(t, wire.KindSealed, func(api.Entry) bool { return true }) > before
	})
}

// TestUsedOnBothSides: what a gateway answered on site counts at its registry once it has sent that; and what the
// registry answered first is not answered again there, but told of.
func TestUsedOnBothSides(t *testing.T) {
	c := newCourt(t)
	ask := func(envelope []byte, last bool) api.Disclosed {
		t.Helper()
		d, err := c.front.Mandated().Disclose(t.Context(), api.Asked{Mandate: envelope, Gateway: "gw1", Last: last})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := c.mandate(t, 1)
	c.onSite(t, first)
	for _, last := range []bool{false, true} {
		if d := ask(first, last); d.Refusal == nil || d.Refusal.Name != "used_up" || len(d.OnSite) != 1 || d.OnSite[0].Uses != 1 || d.OnSite[0].Other != 0 {
			t.Errorf("used on site, the registry answers %d, refused %v, on site %+v", d.Number, d.Refusal, d.OnSite)
		}
	}
	second := c.mandate(t, 2)
	var d api.Disclosed
	eventually(t, "the registry answers", func() bool { d = ask(second, true); return d.Number > 0 })
	if d.Number != 1 || len(d.OnSite) != 0 {
		t.Errorf("answer %d, on site %+v", d.Number, d.OnSite)
	}
	c.onSite(t, second)
	if d = ask(second, true); d.Number != 1 || d.Fresh || len(d.OnSite) != 1 || d.OnSite[0].Uses != 1 {
		t.Errorf("heard of later: answer %d, fresh %v, on site %+v", d.Number, d.Fresh, d.OnSite)
	}
	if d = ask(second, false); d.Refusal == nil || d.Refusal.Name != "used_up" {
		t.Errorf("a second answer: %d", d.Number)
	}
}
