package issuer

import (
	"crypto/rand"
	"fmt"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/fold"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// maxPasses is how many passes one tenancy gets within the longest life of one:
// enough for the doors of a house and a phone that lost some, few enough that
// nobody hands them out to a crowd.
const maxPasses = 20

// pass issues a pass for a tenancy. It is written down first, without the text.
func (i *Issuer) pass(who string, n operator.NewPass) (p operator.Pass, err error) {
	if n.Minutes < wire.MinPass/60 || n.Minutes > wire.MaxPass/60 {
		return p, api.Hinted("whoever photographs a pass has as long", "a pass is good for %d to %d minutes, not %d", wire.MinPass/60, wire.MaxPass/60, n.Minutes)
	}
	err = i.locked(func(c *change) error {
		b, grants, err := c.find(operator.Act{Tenancy: n.Tenancy})
		if err != nil {
			return err
		}
		now, sure := i.agreed()
		if !sure {
			return api.Hinted("registryd clock says why", "the clock is in doubt, and a pass is good for minutes only: none is made")
		}
		if err := b.mayPass(grants, now); err != nil {
			return err
		}
		if err := c.countPass(b.grants[grants[0]].Tenancy, now); err != nil {
			return err
		}
		if p, err = c.signPass(b, grants[0], now, n.Minutes); err != nil {
			return err
		}
		return c.audit(who, "pass", b.id, p.Tenancy, fmt.Sprintf("%d min", n.Minutes))
	})
	return p, err
}

// mayPass refuses what no door would open for: one of the grants has to be in
// force, with a card of it that is not suspended.
func (b *building) mayPass(grants []wire.ID, now uint32) error {
	why := "its check-in has not come yet"
	var rank int // of why: how near a grant came
	for _, id := range grants {
		g := b.grants[id]
		near, text := 0, ""
		switch state := g.State(now); {
		case !g.Known:
			continue
		case state == fold.StateEnded:
			near, text = 1, "it is over"
		case !slices.ContainsFunc(g.Cards, func(c fold.Card) bool { return !c.Suspended }):
			near, text = 2, "all of its cards are suspended: registryd resume"
		case g.CheckIn.Change.From > now:
			near, text = 3, "it begins at "+b.minute(g.CheckIn.Change.From)
		default:
			return nil
		}
		if near > rank {
			rank, why = near, text
		}
	}
	return api.Hinted(why, "no door opens for this tenancy now, so that it gets no pass")
}

// countPass counts the passes of a tenancy, in this run of the issuer.
func (c *change) countPass(tenancy wire.ID, now uint32) error {
	for id, times := range c.issuer.passes { // few: those of the last quarter of an hour
		times = slices.DeleteFunc(times, func(at uint32) bool { return at+wire.MaxPass <= now })
		if c.issuer.passes[id] = times; len(times) == 0 {
			delete(c.issuer.passes, id)
		}
	}
	times := c.issuer.passes[tenancy]
	if len(times) >= maxPasses {
		return api.Hinted("one pass opens one door once; try again in some minutes", "this tenancy got %s within %s", amount.Of(len(times), "pass"), amount.Of(wire.MaxPass/60, "minute"))
	}
	c.issuer.passes[tenancy] = append(times, now)
	return nil
}

func (c *change) signPass(b *building, grant wire.ID, now uint32, minutes int) (operator.Pass, error) {
	p := wire.Pass{Tenancy: b.grants[grant].Tenancy, From: now, Until: now + uint32(60*minutes)}
	_, _ = rand.Read(p.ID[:]) // never fails
	text, err := p.Sign(b.id, c.issuer.keys.Epoch, c.issuer.keys.Issuer)
	if err != nil {
		return operator.Pass{}, err
	}
	return operator.Pass{Building: b.id, Tenancy: p.Tenancy.String(), Text: text,
		From: time.Unix(int64(p.From), 0).UTC(), Until: time.Unix(int64(p.Until), 0).UTC()}, nil
}
