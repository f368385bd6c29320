package disclosure

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/mandate"
	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/disclosure/acts"
	"gatehouse/internal/registry/store"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// judge says whether a mandate may be answered now: by itself and its uses so far, and by what its
// approver left open.
func (d Desk) judge(tx *store.Tx, envelope []byte, q mandate.Question) (use mandate.Use, refusal *mandate.Refusal, err error) {
	use, refusal = mandate.Judge(envelope, d.Active.Load().Trust, q)
	if refusal != nil || !use.Mandate.Emergency {
		return use, refusal, nil
	}
	now, doubt := d.Agreed()
	if doubt != agreed.None {
		return use, nil, nil
	}
	open, err := tx.Emergencies.OpenOf(wire.IDOf(use.Approver.Public[:]))
	return use, mandate.Blocked(open, now), err
}

// owe stores that an emergency was answered, from when on a second authority's word is owed.
func owe(tx *acts.Tx, place wire.Place, use mandate.Use, at time.Time) error {
	if !use.Mandate.Emergency {
		return nil
	}
	return tx.Do(acts.Act{Emergency: &acts.Emergency{Place: api.Place(place), Mandate: use.Sum, Reference: use.Mandate.Reference, Number: use.Number,
		Approver: wire.IDOf(use.Approver.Public[:]), Seat: use.Approver.Seat, At: at}})
}

// Validate takes a second authority's word on an emergency that was answered; handed in again it
// changes nothing. A refusal of the validation is no error.
func (d Desk) Validate(ctx context.Context, v api.Validating) (out api.Validated, err error) {
	trust := d.Active.Load().Trust
	said, _, err := mandates.OpenValidation(v.Validation, trust)
	if err != nil {
		_, out.Refusal = mandate.Validates(v.Validation, nil, trust)
		return out, nil
	}
	err = d.Acts.Update(context.WithoutCancel(ctx), func(tx *acts.Tx) error {
		answered, err := tx.Emergencies.Envelope(said.Mandate)
		if err != nil {
			return err
		}
		if _, out.Refusal = mandate.Validates(v.Validation, answered, trust); out.Refusal != nil {
			return nil
		}
		out.Reference, out.Authority, out.File = said.Reference, said.By.Name, said.By.File
		return tx.Do(acts.Act{Validated: &acts.Validated{Mandate: said.Mandate, Validation: v.Validation}})
	})
	if errors.Is(err, store.ErrNotFound) {
		return out, socket.Refused(http.StatusNotFound, "registryd mandate list shows those that wait; what a gateway answered on site is not counted here",
			"no emergency was answered here under that very mandate")
	}
	return out, err
}

// Emergencies returns those that nobody has validated, oldest first, with no word of what they asked for.
func (d Desk) Emergencies(ctx context.Context, _ url.Values) ([]api.Emergency, error) {
	var open []store.Emergency
	err := d.Store.Update(ctx, func(tx *store.Tx) (err error) {
		open, err = tx.Emergencies.Open()
		return err
	})
	now, doubt := d.Agreed()
	out := make([]api.Emergency, len(open))
	for i, e := range open {
		due := e.At.Add(mandate.ValidateWithin)
		out[i] = api.Emergency{Reference: e.Reference, Seat: e.Seat, Answered: e.At.UTC(), Due: due.UTC(), HoursLeft: int(math.Floor(due.Sub(now).Hours())),
			Overdue: doubt == agreed.None && mandate.Overdue(e.At, now)}
	}
	return out, err
}
