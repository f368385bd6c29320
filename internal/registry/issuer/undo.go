package issuer

import (
	"net/http"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/sync/wire"
)

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
	err := i.ledger.Update(func(c *ledger.Change) error {
		b, err := c.Open(u.Building)
		if err != nil {
			return err
		}
		if b.House.Gateway(u.Gateway) == nil {
			return api.Hinted("registryd gateway list shows them", "building %s has no gateway %s", u.Building, u.Gateway)
		}
		f := wire.Floor{Role: wire.Role(u.Floor.Role), Epoch: u.Floor.Epoch, Unix: u.Floor.Unix, Undos: u.Floor.Undos}
		payload, err := wire.Encode(wire.Undo{Floor: f})
		if err != nil {
			return api.Hinted("registryd gateways shows the times", "%v", err)
		}
		if u.First, err = authority.SignAs(i.ledger.Keys.Trust, wire.TypeUndo, u.Building+"/"+u.Gateway, payload, i.ledger.Keys.Issuer); err != nil {
			return err
		}
		c.Audit(who(r), "clock undo", u.Building, u.Gateway+" "+time.Unix(int64(u.Floor.Unix), 0).UTC().Format(time.RFC3339), "")
		return nil
	})
	u.Trust = i.ledger.Keys.TrustEnvelope
	return u, err
}
