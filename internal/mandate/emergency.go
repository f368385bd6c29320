package mandate

import (
	"crypto/sha256"
	"errors"
	"time"

	"gatehouse/sync/wire"
	"gatehouse/sync/wire/mandates"
)

// ValidateWithin is how long after its answer an emergency waits for a second authority, before it
// counts against the approver who signed it.
const ValidateWithin = 48 * time.Hour

// MostUnvalidated is how many such emergencies block the approver's next one. One may be forgotten
// over a holiday and a second in the same week; a third is a habit of going round the second authority.
const MostUnvalidated = 3

// Overdue reports whether an emergency that was answered then should have been validated by now.
func Overdue(answered, now time.Time) bool { return now.Sub(answered) > ValidateWithin }

// Blocked refuses an approver's next emergency. open: when those were answered that nobody has
// validated. The caller asks only where the time is known, since a clock in doubt blocks nobody.
func Blocked(open []time.Time, now time.Time) *Refusal {
	overdue := 0
	for _, at := range open {
		if Overdue(at, now) {
			overdue++
		}
	}
	if overdue < MostUnvalidated {
		return nil
	}
	return refuse(Unvalidated, number(int64(overdue)), number(int64(ValidateWithin/time.Hour)))
}

// Validates returns what a second authority says of an emergency, if the validation is for that very
// envelope and its signer may: another approver, who holds the building's town, for another authority
// than the issuing one. The emergency's own signature is the caller's to judge, before or now: its
// approver may have left since it was answered.
func Validates(validation, emergency []byte, trust wire.Trust) (mandates.Validation, *Refusal) {
	v, by, err := mandates.OpenValidation(validation, trust)
	switch {
	case errors.Is(err, wire.ErrUnknownKey):
		return v, refuse(UnknownApprover)
	case err != nil:
		return v, refuse(OtherMandate)
	}
	payload, p, err := wire.Read(emergency)
	var m Mandate
	if err == nil {
		m, err = mandates.Decode(payload)
	}
	if err != nil || v.Mandate != sha256.Sum256(emergency) || v.Reference != m.Reference {
		return v, refuse(OtherMandate)
	}
	return v, second(m, p.KeyID, v.By, by, trust)
}

// second refuses whoever is no second authority for a mandate that first has signed.
func second(m Mandate, first wire.KeyID, authority mandates.Authority, by wire.KeyID, trust wire.Trust) *Refusal {
	if !m.Emergency {
		return refuse(NoEmergency)
	}
	if by == first || authority.Name == m.Approval.Issuing.Name {
		return refuse(OwnValidation)
	}
	for _, a := range trust.Approvers {
		if wire.IDOf(a.Public[:]) == by {
			if r := m.Request; !a.Holds(r.District, r.Town) {
				return refuse(NotHeld, r.Building, r.District, r.Town)
			}
			break
		}
	}
	return officer(m, by)
}
