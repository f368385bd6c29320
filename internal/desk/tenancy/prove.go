package tenancy

import (
	"slices"

	"gatehouse/sync/wire"
)

// ProvePIN refuses the word of a PIN that the landlord may know.
func (s *Situation) ProvePIN(action string) error {
	if s.Tenancy.PIN == nil {
		return nil // there is none to be checked, and that is said then
	}
	return proven(s.Tenancy.PIN.Own, action, "with a card of the tenancy its tenant chooses another: gatehouse tenancy pin --by card",
		"this PIN was typed at check-in, on the landlord's word: it opens doors, and proves nothing")
}

// ProveCard looks for a card of the tenancy among those that were held up, each in
// all its forms. A suspended one proves nothing, but that it is found; nor does one
// that came on the landlord's word.
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

// proven refuses a word of a card or PIN that the landlord may have given to
// himself, but for what only keeps a tenancy going.
func proven(proves bool, action, hint, message string) error {
	if proves || action == Dispute {
		return nil
	}
	return Refuse(hint, "%s (refusal N3)", message)
}

// lone returns the only card that the list knows and the file does not, nil for
// none. On whose word such a card came is not known, so it proves only if no
// other could have been the tenant's.
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
