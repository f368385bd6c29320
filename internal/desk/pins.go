package desk

import (
	"fmt"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

// pinPause is how long the desk takes no PIN of a tenancy after five wrong ones.
const pinPause = 15 * time.Minute

// pins checks the tenants' PINs at the desk. The book's lock guards it.
type pins struct {
	book    *book
	journal Journal
	pauses  map[wire.ID]time.Time // until when no PIN is taken
}

// check proves a tenant by PIN; by is who asks. Five wrong PINs in a row cost a pause of a quarter
// of an hour; a restart starts it again.
func (p *pins) check(t *tenancy.Tenancy, text, by string) error {
	if t.PIN == nil {
		return tenancy.Refuse("prove it by card", "this tenancy has no PIN here")
	}
	until, paused := p.pauses[t.ID]
	if t.PIN.Wrong >= tenancy.PINTries && !paused {
		until = time.Now().Add(pinPause)
		p.pauses[t.ID] = until
	}
	if wait := time.Until(until); wait > 0 {
		p.enter(t, wire.OutcomeRefused, wire.ReasonWrongPIN, by)
		return tenancy.Refuse("or prove it by card", "too many wrong PINs: wait %s", amount.Of(int((wait+time.Minute-1)/time.Minute), "minute"))
	}
	if t.PIN.Wrong >= tenancy.PINTries {
		t.PIN.Wrong = 0
	}
	delete(p.pauses, t.ID)
	t.PIN.Wrong++
	if err := p.book.save(); err != nil {
		t.PIN.Wrong--
		return fmt.Errorf("a try that can't be counted is not taken: %w", err)
	}
	switch right, err := t.PIN.Is(idnumber.Fold(text)); {
	case err != nil:
		return err
	case right:
		t.PIN.Wrong = 0
		_ = p.book.save() // logged there; at worst a right PIN counts as a try
		return nil
	}
	p.enter(t, wire.OutcomeRefused, wire.ReasonWrongPIN, by)
	if t.PIN.Wrong >= tenancy.PINTries {
		p.pauses[t.ID] = time.Now().Add(pinPause)
	}
	return tenancy.Refuse("after five wrong ones it waits for a quarter of an hour", "wrong PIN")
}

// keep saves a PIN that the tenant chose, and that the tenant chose it.
func (p *pins) keep(t *tenancy.Tenancy, chosen *tenancy.PIN, by string) (remarks []string) {
	chosen.Own = true
	if p.book.Tenancies.Find(t.ID) == nil { // only the list had it
		p.book.Tenancies = append(p.book.Tenancies, t)
	}
	t.PIN = chosen
	delete(p.pauses, t.ID)
	if p.book.save() != nil {
		remarks = append(remarks, "the PIN could not be written: see gatehouse status about the disk")
	}
	p.enter(t, wire.OutcomeDone, wire.ReasonPINChosen, by)
	return remarks
}

func (p *pins) enter(t *tenancy.Tenancy, o wire.Outcome, r wire.Reason, by string) {
	id := t.ID
	p.journal.Queue(wire.Header{Kind: wire.KindTenancy, Outcome: o, Reason: r, Source: by}, wire.Who{Tenancy: &id})
}
