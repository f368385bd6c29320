package act

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/erasures"
	"gatehouse/sync/wire/qrpass"
)

// maxPasses is how many passes one tenancy gets within the longest life of a pass: enough for the
// doors of a house, too few to hand out to a crowd.
const maxPasses = 20

// Passes counts the passes of tenancies in this run of the issuer. It is used only within the
// ledger's transactions, one at a time.
type Passes struct {
	given map[wire.ID][]uint32 // times (unix s) at which each tenancy got one, in the last quarter of an hour
}

// NewPasses returns a counter at zero.
func NewPasses() *Passes { return &Passes{given: make(map[wire.ID][]uint32)} }

// Issue issues a pass for a tenancy. The issue is recorded in the same transaction, without the
// text.
func (p *Passes) Issue(c *ledger.Change, who string, n operator.NewPass) (out operator.Pass, err error) {
	if n.Minutes < qrpass.Min/60 || n.Minutes > qrpass.Max/60 {
		return out, api.Hinted("whoever photographs a pass has as long", "a pass is good for %d to %d minutes, not %d", qrpass.Min/60, qrpass.Max/60, n.Minutes)
	}
	b, grants, err := find(c, operator.Act{Tenancy: n.Tenancy})
	if err != nil {
		return out, err
	}
	now, sure := c.Clock.Agreed()
	if !sure {
		return out, api.Hinted("registryd clock says why", "the clock is in doubt, and a pass is good for minutes only: none is made")
	}
	if err := mayPass(b, grants, now); err != nil {
		return out, err
	}
	tenancy := b.Tenancies.Grants[grants[0]].Tenancy
	if err := p.count(tenancy, now); err != nil {
		return out, err
	}
	pass := qrpass.Pass{Tenancy: tenancy, From: now, Until: now + uint32(60*n.Minutes)}
	_, _ = rand.Read(pass.ID[:]) // never fails
	text, err := pass.Sign(b.ID, c.Keys.Epoch, c.Keys.Issuer)
	if err != nil {
		return out, err
	}
	out = operator.Pass{Building: b.ID, Tenancy: tenancy.String(), Text: text,
		From: time.Unix(int64(pass.From), 0).UTC(), Until: time.Unix(int64(pass.Until), 0).UTC()}
	c.Audit(who, "pass", b.ID, out.Tenancy, fmt.Sprintf("%d min", n.Minutes))
	return out, nil
}

// mayPass refuses a pass that no door would open for: one of the grants has to be active, with a
// card that is not suspended.
func mayPass(b *building.Building, grants []wire.ID, now uint32) error {
	why := "its check-in has not come yet"
	var rank int // how near to opening the grant of why came
	for _, id := range grants {
		g := b.Tenancies.Grants[id]
		near, text := 0, ""
		switch state := g.State(now); {
		case !g.Known:
			continue
		case state == fold.StateEnded:
			near, text = 1, "it is over"
		case !slices.ContainsFunc(g.Cards, func(c fold.Card) bool { return !c.Suspended }):
			near, text = 2, "all of its cards are suspended: registryd resume"
		case g.CheckIn.Change.From > now:
			near, text = 3, "it begins at "+b.Gateways.Minute(g.CheckIn.Change.From)
		default:
			return nil
		}
		if near > rank {
			rank, why = near, text
		}
	}
	return api.Hinted(why, "no door opens for this tenancy now, so that it gets no pass")
}

// count counts one pass of a tenancy, or refuses it.
func (p *Passes) count(tenancy wire.ID, now uint32) error {
	for id, times := range p.given { // few: only the last quarter of an hour
		times = slices.DeleteFunc(times, func(at uint32) bool { return at+qrpass.Max <= now })
		if p.given[id] = times; len(times) == 0 {
			delete(p.given, id)
		}
	}
	times := p.given[tenancy]
	if len(times) >= maxPasses {
		return api.Hinted("one pass opens one door once; try again in some minutes", "this tenancy got %s within %s", amount.Of(len(times), "pass"), amount.Of(qrpass.Max/60, "minute"))
	}
	p.given[tenancy] = append(times, now)
	return nil
}

// Look returns where the sealed person of a tenancy is. The look is recorded in the same
// transaction.
func Look(c *ledger.Change, who string, l operator.Look) (p operator.Person, err error) {
	if err := grounds("person", "look at a person", l.Reason, &l.Case); err != nil {
		return p, err
	}
	b, grants, err := find(c, operator.Act{Tenancy: l.Tenancy})
	if err != nil {
		return p, err
	}
	p.Building = b.ID
	for _, id := range grants {
		for _, e := range b.Tenancies.Events[id] { // cards that joined later are in seals of their own
			if e.Person != (wire.Hash{}) && e.Change.Tenancy == b.Tenancies.Grants[id].Tenancy {
				p.Seals = append(p.Seals, operator.Seal{Address: b.Place(e.Source).Address(), Hash: e.Person[:]})
			}
		}
	}
	if p.Seals == nil {
		return p, api.Hinted("a tenancy that was taken over from an old house has none", "no person was sealed for tenancy %s", l.Tenancy)
	}
	c.Audit(who, "person", b.ID, l.Tenancy, l.Reason+": "+l.Case)
	return p, nil
}

// grounds refuses an act without one of its reasons or without a case, which it trims.
func grounds(act, said, reason string, file *string) error {
	if !slices.Contains(operator.Reasons(act), reason) {
		return api.Hinted("one of "+strings.Join(operator.Reasons(act), ", "), "%q is no reason to %s", reason, said)
	}
	return caseOf(file)
}

// caseOf refuses an act without a case, which it trims.
func caseOf(file *string) error {
	if *file = strings.TrimSpace(*file); *file == "" || len(*file) > 64 {
		return api.Hinted("the number of the request or order that asks for it, at most 64 characters", "no case is named")
	}
	return nil
}

// Forget returns the building of a tenancy whose entries shall name it no more, and the order for its gateways. That is
// recorded in the same transaction; which entries they are is not for the issuer to know.
func Forget(c *ledger.Change, who string, f operator.Forget) (h operator.Home, err error) {
	if err := grounds("forget", "erase who entries name", f.Reason, &f.Case); err != nil {
		return h, err
	}
	b, grants, err := find(c, operator.Act{Tenancy: f.Tenancy})
	if err != nil {
		return h, err
	}
	h.Building = b.ID
	tenancy := b.Tenancies.Grants[grants[0]].Tenancy
	if f.Order {
		if h.Order, err = orderFor(c, b.ID, tenancy, f.Case); err != nil {
			return operator.Home{}, err
		}
	}
	store.ForgetRequests(c.Tx, tenancy)
	c.Audit(who, "forget", b.ID, f.Tenancy, f.Reason+": "+f.Case)
	return h, nil
}

// ordersFor is how long an order is kept that gateways may not have confirmed: longer than who parts stay anywhere.
const ordersFor = 400 * 24 * time.Hour

// orderFor has the gateways of a building forget whom entries of until now name, and keeps that it was made.
func orderFor(c *ledger.Change, building string, tenancy wire.ID, file string) ([]byte, error) {
	now, sure := c.Clock.Agreed()
	if !sure {
		return nil, api.Hinted("registryd clock says why; without --order the registry's own are erased all the same", "the clock is in doubt, and an order says until when it counts")
	}
	o := erasures.Order{Tenancy: tenancy, Made: now}
	_, _ = rand.Read(o.Number[:]) // never fails
	order, err := o.Sign(building, c.Keys.Epoch, c.Keys.Issuer)
	if err == nil {
		store.AddErasure(c.Tx, sha256.Sum256(order), building, tenancy, now, file, now-min(now, uint32(ordersFor.Seconds())))
	}
	return order, err
}
