package tenancy

import (
	"slices"

	"gatehouse/sync/wire"
)

// ProvePIN refuses a PIN that the landlord may know as proof, whatever was typed: a word on right or
// wrong would tell a guesser which one opens the doors.
func (s *Situation) ProvePIN(action string) error {
	if s.Tenancy.PIN == nil {
		return nil // there is none to check, which is said later
	}
	return proven(s.Tenancy.PIN.Own, action, "with a card of the tenancy its tenant chooses another: gatehouse tenancy pin --by card",
		"no PIN was chosen with a card of this tenancy yet: that of the check-in proves nothing")
}

// ProveCard looks for a card of the tenancy among those that were held up, each in all its forms. A
// suspended card proves only that it was found, and one that came on the landlord's word proves
// nothing.
func (s *Situation) ProveCard(shown [][]wire.CredentialID, action string) error {
	var no error
	alone := lone(s.Standing.Cards)
	for _, ids := range shown {
		missing := func(id wire.CredentialID) bool { return !slices.Contains(ids, id) }
		for _, k := range s.Standing.Cards {
			if !slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(k.credentials, id) }) {
				continue
			}
			found := k.State == Suspended && action == Resume
			whole := alone != nil && alone.Number == k.Number && !slices.ContainsFunc(k.credentials, missing)
			switch {
			case k.State == Active || found:
				if no = proven(k.Proves || whole || found, action, "an older card of the tenancy or its PIN confirms it: gatehouse card confirm; or the registry: registryd confirm-card",
					"this card came on the landlord's word, or nobody here knows on whose: it opens, and proves nothing"); no == nil {
					s.held = k.Number
					return nil
				}
			case k.State == Suspended && no == nil:
				no = Refuse("gatehouse card resume brings it back", "the card that was held up is suspended, so it proves nothing")
			}
		}
	}
	if no != nil {
		return no
	}
	return Refuse("hold up a card that opens for this tenancy", "no card of tenancy %s was held up", s.Tenancy.Word())
}

// proven refuses the proof of a card or PIN that the landlord may have given to himself, except for
// actions that only keep a tenancy going.
func proven(proves bool, action, hint, message string) error {
	if proves || action == Dispute {
		return nil
	}
	return Refuse(hint, "%s (refusal N3)", message)
}

// lone returns the only card that is in the list and not in the file; nil: there is none, or
// several. It is not known on whose word such a card came, so it proves only if no other could be
// the tenant's.
func lone(cards []Card) (k *Card) {
	for i := range cards {
		c := &cards[i]
		switch {
		case c.State == Ended:
		case c.Proves, c.listed && k != nil:
			return nil
		case c.listed:
			k = c
		}
	}
	return k
}
