// Package officers are those who ask under mandates, on site and at the registry, have spans preserved, and bring
// to the registry what residents and courts want to be forgotten. Laws W9 and W10 see what comes of that.
package officers

import (
	"crypto/ed25519"
	"crypto/rand"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/frontdb"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
	"gatehouse/internal/simulate/world"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/approver"
	"gatehouse/sync/wire/mandates"
	"gatehouse/sync/wire/periods"
	"gatehouse/sync/wire/sealing"
)

// Officers are all of them, with the approver who signs for them.
type Officers struct {
	w        *world.World
	approver ed25519.PrivateKey // nil: the root has certified nobody yet
	inbox    []byte             // the key that opens answers
	receive  []byte             // and its public half
	officer  ed25519.PrivateKey // who orders that something is preserved
	badge    []byte             // the officer's certificate
	signed   periods.Periods    // the policy; empty: there is none
}

// NewOfficers are those of a town whose approver is not certified yet.
func NewOfficers(w *world.World) *Officers { return &Officers{w: w} }

// Events are what they do, by the names that plans have for it.
func (o *Officers) Events() map[string]func(n [4]int) {
	return map[string]func(n [4]int){
		"appoint":          o.appoint,
		"ask on site":      o.askOnSite,
		"ask registry":     o.askRegistry,
		"preserve":         o.preserve,
		"preserve on site": o.preserveOnSite,
		"forget":           o.forget,
		"cut in rewrite":   o.cutInRewrite,
		"search":           o.searchAll,
		"policy":           o.policy,
	}
}

// appoint has the root certify an approver of the town, as docs/mandate.md says.
func (o *Officers) appoint([4]int) {
	r := o.w.Bed.Registry
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err == nil {
		o.inbox, o.receive, err = sealing.GenerateKey()
	}
	if err == nil {
		_, err = authority.NextTrust{Dir: r.Issuer.Disk.Dir(), Front: r.Front.Disk.Dir(), Root: o.w.Bed.Path("offline/" + authority.FileRootKey),
			Certify: []approver.Approver{{Seat: "seat-1", Public: [32]byte(public), District: "d", Town: "t"}}, Now: r.Issuer.Clock.Wall()}.Sign()
	}
	o.w.Report.Say("the root certifies an approver: registryd approver add%s", world.Said(err))
	if err != nil {
		o.w.Report.Breach("W4", "an approver can't be certified: %v", err)
		return
	}
	o.approver = key
	o.w.RestartIssuer()
	time.Sleep(time.Second) // until it answers
	o.enrol()
}

// enrol has the issuer certify an officer, as registryd officer add does.
func (o *Officers) enrol() {
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return
	}
	c, err := o.w.Bed.Registry.Op.AddOfficer(o.w.Bed.Ctx, operator.NewOfficer{Public: public, Unit: "一队", Badge: "000001", District: "d", Town: "t", Days: 90})
	o.w.Report.Say("the operator: registryd officer add%s", world.Said(err))
	if err != nil {
		o.w.Report.Breach("W4", "an officer can't be enrolled: %v", err)
		return
	}
	o.officer, o.badge = key, c.Certificate
}

// records is the key that lies offline.
func (o *Officers) records() ([]byte, error) {
	return keys.LoadSealKey(o.w.Bed.Path("offline/" + authority.FileRecords))
}

// paper is a mandate, signed for one gateway: for the passages of a tenancy there, or of everybody for nil.
type paper struct {
	mandates.Mandate
	envelope []byte
}

// mandate has the approver sign one for the last day of a gateway.
func (o *Officers) mandate(b *testbed.Gateway, of *model.Tenancy) (p paper, err error) {
	at, now := testbed.PlaceOf(b.Name), uint32(time.Now().Unix())-60
	p.Mandate = mandates.Mandate{Status: mandates.Active, Issued: now, Expires: now + 2*86400, Answers: 3,
		Request: mandates.Request{District: at.District, Town: at.Town, Building: at.Building, From: now - 86400, Until: now,
			Gateways: []mandates.Gateway{{ID: at.Gateway, Doors: []string{b.Door}}}},
		Delivery: mandates.Delivery{Recipient: o.receive, Format: mandates.EvidenceFile},
		Approval: mandates.Approval{Issuing: mandates.Authority{Name: "某派出所", File: "440000-1"}, Validating: mandates.Authority{Name: "某分局", File: "440000-2"},
			Officers: [2]mandates.Officer{{Unit: "一队", Badge: "000001", Key: wire.KeyID{1}}, {Unit: "一队", Badge: "000002", Key: wire.KeyID{2}}},
			Purpose:  "侦查", Case: "A440000-1", Notice: "调证-1"}}
	_, _ = rand.Read(p.Reference[:]) // never fails
	if of != nil {
		var id wire.ID
		if err := id.UnmarshalText([]byte(of.ID)); err != nil {
			return p, err
		}
		p.Request.Tenancies = []wire.ID{id}
	}
	p.envelope, err = mandates.Sign(p.Mandate, "town", o.approver)
	return p, err
}

// about says whom a mandate is about.
func about(of *model.Tenancy) string {
	if of == nil {
		return "everybody"
	}
	return of.Name()
}

// whom picks the subject of a mandate: a tenancy, or everybody who passed.
func (o *Officers) whom(n int) *model.Tenancy {
	if t, ok := o.w.Someone(n); ok && n%4 > 0 {
		return t
	}
	return nil
}

// refused are words for a paper that got no answer.
func refused(code string, err error) string {
	if code != "" {
		return ": refused: " + code
	}
	return world.Said(err)
}

// order is an officer's signed one to preserve a day of a gateway's door, up to some full hours ago.
func (o *Officers) order(b *testbed.Gateway, hours int) (envelope []byte, from, to time.Time, err error) {
	to = time.Now().Truncate(time.Hour).Add(-time.Duration(hours) * time.Hour)
	from = to.Add(-24 * time.Hour)
	order := mandates.Order{Gateway: testbed.PlaceOf(b.Name).Address(), Door: b.Door, From: uint32(from.Unix()), Until: uint32(to.Unix()),
		Case: "A440000-1", Signed: uint32(time.Now().Unix()) - 60, Certificate: o.badge}
	_, _ = rand.Read(order.Reference[:]) // never fails
	if envelope, err = order.Sign("town", o.officer); err != nil {
		o.w.Report.Breach("W4", "no order can be signed: %v", err)
	}
	return envelope, from, to, err
}

// preserve has the registry keep a day of a door, by an officer's order.
func (o *Officers) preserve(n [4]int) {
	b, ok := world.Pick(n[0], o.w.Bed.Gateways)
	r := o.w.Bed.Registry
	if !ok || !r.Front.Running() || o.officer == nil {
		return
	}
	o.w.Look()
	envelope, from, to, err := o.order(b, n[1]%24)
	if err != nil {
		return
	}
	kept, err := r.API.Preserve(o.w.Bed.Ctx, api.Order{Envelope: envelope})
	code := ""
	if kept.Refusal != nil {
		code = kept.Refusal.Name
	}
	o.w.Report.Say("an officer orders the registry to preserve a day of the door of %s%s", b.Name, refused(code, err))
	there, readErr := frontdb.Read(o.w.Bed.Ctx, r.Front.Disk, o.w.Bed.Dir)
	if err == nil && kept.Hold != nil && readErr == nil {
		o.w.Erased.Preserve(b.Name, b.Door, from, to, o.w.Now()+kept.Hold.Ends.Sub(r.Front.Clock.Wall()), there)
	}
}

// preserveOnSite has a gateway keep a day of its door, by an officer's order.
func (o *Officers) preserveOnSite(n [4]int) {
	b, ok := world.Pick(n[0], o.w.Bed.Running())
	if !ok || o.officer == nil {
		return
	}
	o.w.Look()
	envelope, from, to, err := o.order(b, n[1]%24)
	if err != nil {
		return
	}
	kept, err := control.PreserveRequest{Order: envelope}.Ask(o.w.Bed.Ctx, b.Client)
	code := ""
	if kept.Refusal != nil {
		code = kept.Refusal.Code
	}
	o.w.Report.Say("an officer orders %s to preserve a day of its door%s", b.Name, refused(code, err))
	if err == nil && kept.Refusal == nil {
		o.w.Erased.PreserveOnSite(b.Name, b.Door, from, to, o.w.Now()+time.Duration(kept.Seconds)*time.Second)
	}
}
