package issuer

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/act"
	"gatehouse/internal/registry/issuer/adopt"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/enrol"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

// Orders of the operator's that change what a building's doors go by: each is one
// transaction with the list that follows, which is handed to the front at once.

// act carries out what the operator asks for of grants.
func (i *Issuer) act(ctx context.Context, who string, a operator.Act) (operator.Done, error) {
	did, err := answer(i, func(c *ledger.Change) (act.Result, error) { return act.Do(c, who, a) })
	if err != nil {
		return operator.Done{}, err
	}
	done := operator.Done{Building: did.Building, Grants: len(did.Grants)}
	if a.Act == operator.ActReinstate {
		for _, id := range did.Grants {
			done.New = append(done.New, id.String())
		}
	}
	done, err = i.finish(ctx, done)
	if err == nil && !done.Held {
		err = i.saidByNone(&done, did.Before, did.Grants)
	}
	return done, err
}

// saidByNone tells the operator that no list says what was done. before is the version of the list before.
func (i *Issuer) saidByNone(d *operator.Done, before uint64, grants []wire.ID) error {
	return i.ledger.View(func(v ledger.View) error {
		b, err := v.Building(d.Building)
		if err != nil || b == nil {
			return err
		}
		listed, out := b.Lists.Listed(), 0
		for _, id := range grants {
			if !listed[id] && !b.Lists.Revoked[id].Dropped {
				out++
			}
		}
		switch {
		case d.Version <= before:
			d.Sent, d.Hint = false, "it is kept, but NO NEW LIST could be made, so that no door knows of it: registryd tenancies --problems says why"
		case out > 0:
			d.Sent, d.Hint = false, fmt.Sprintf("it is kept, but %d of them are in NO list, so that no door knows of it: registryd tenancies --problems says why", out)
		}
		return nil
	})
}

// finish hands the new list to the front and says what became of it.
func (i *Issuer) finish(ctx context.Context, d operator.Done) (operator.Done, error) {
	failed := i.sender.send(ctx, d.Building)
	err := i.ledger.View(func(v ledger.View) error {
		b, err := v.Building(d.Building)
		if err != nil || b == nil {
			return err
		}
		d.Version, d.Sent = b.Lists.Newest.Manifest.Version, !v.Unsent(d.Building)
		if b.Lists.Held != nil {
			d.Version, d.Held, d.Sent = b.Lists.Held.Manifest.Version, true, false
			d.Hint = fmt.Sprintf("it removes many tenancies within a day: another issuer signs it by registryd countersign %s --key FILE", d.Building)
		} else if failed != nil {
			i.opts.Log.Warn().Err(failed).Msg("list not handed over yet")
			d.Hint = "the front does not take it now; it gets it as soon as it does"
		}
		return nil
	})
	return d, err
}

// order does something to a building in one transaction, and finishes it.
func (i *Issuer) order(r *http.Request, f func(*ledger.Change) (building string, err error)) (any, error) {
	building, err := answer(i, f)
	if err != nil {
		return nil, err
	}
	return i.finish(r.Context(), operator.Done{Building: building})
}

func (i *Issuer) deleteGateway(r *http.Request) (any, error) {
	b, g := r.PathValue("building"), r.PathValue("gateway")
	return i.order(r, func(c *ledger.Change) (string, error) {
		c.Audit(who(r), "gateway remove", b, g, "")
		return b, enrol.Remove(c, b, g)
	})
}

func (i *Issuer) postCountersign(r *http.Request, s operator.Countersign) (any, error) {
	return i.order(r, func(c *ledger.Change) (string, error) {
		b, err := c.Open(s.Building)
		if err != nil {
			return "", err
		}
		err = c.Countersign(b, s.Second, s.OldSecond, s.Newest)
		c.Audit(who(r), "countersign", b.ID, "list "+strconv.FormatUint(b.Lists.Newest.Manifest.Version, 10), "")
		return b.ID, err
	})
}

// postDecision takes what a gateway holds, or drops it.
func (i *Issuer) postDecision(r *http.Request, d operator.Decision) (any, error) {
	what := "offer drop"
	if d.Take {
		what = "offer take"
	}
	return i.order(r, func(c *ledger.Change) (string, error) {
		c.Audit(who(r), what, d.Building, d.ID, "")
		return d.Building, adopt.Decide(c, d)
	})
}

// postHouse takes the House document of a building that this database does not know, as one of its gateways has it.
func (i *Issuer) postHouse(r *http.Request, h operator.House) (any, error) {
	return i.order(r, func(c *ledger.Change) (string, error) {
		id, err := adopt.House(c, h.Envelope)
		c.Audit(who(r), "house import", id, "", "")
		return id, err
	})
}

// answer is what one transaction returns.
func answer[T any](i *Issuer, f func(*ledger.Change) (T, error)) (out T, err error) {
	failed := i.ledger.Update(func(c *ledger.Change) {
		out, err = f(c)
		c.Fail(err)
	})
	return out, failed
}

// audit writes down what a request has done.
func (i *Issuer) audit(r *http.Request, what, building, subject string) error {
	return i.ledger.Update(func(c *ledger.Change) { c.Audit(who(r), what, building, subject, "") })
}

// postUndo signs, as the first of two issuers, that a time was wrong that a gateway
// goes by. That time must not have come: who asks may be the front's thief.
func (i *Issuer) postUndo(r *http.Request, u operator.Undo) (any, error) {
	now, sure := i.ledger.Clock.Agreed()
	switch {
	case !sure:
		return nil, api.Hinted("registryd clock confirm, if this machine's clock is right", "the issuer doubts its own clock, so it can't say which time was wrong")
	case u.Floor.Unix <= now:
		return nil, api.Hinted("registryd gateways shows the times", "%s has come: it is no wrong time", calendar.Minute(time.Unix(int64(u.Floor.Unix), 0), time.UTC))
	}
	return answer(i, func(c *ledger.Change) (operator.Undo, error) {
		b, err := c.Open(u.Building)
		if err != nil {
			return u, err
		}
		if b.House.Gateway(u.Gateway) == nil {
			return u, api.Hinted("registryd gateway list shows them", "building %s has no gateway %s", u.Building, u.Gateway)
		}
		f := wire.Floor{Role: wire.Role(u.Floor.Role), Epoch: u.Floor.Epoch, Unix: u.Floor.Unix, Undos: u.Floor.Undos}
		payload, err := wire.Encode(wire.Undo{Floor: f})
		if err != nil {
			return u, api.Hinted("registryd gateways shows the times", "%v", err)
		}
		u.Trust = c.Keys.TrustEnvelope
		u.First, err = authority.SignAs(c.Keys.Trust, wire.TypeUndo, u.Building+"/"+u.Gateway, payload, c.Keys.Issuer)
		c.Audit(who(r), "clock undo", u.Building, u.Gateway+" "+time.Unix(int64(u.Floor.Unix), 0).UTC().Format(time.RFC3339), "")
		return u, err
	})
}
