package tenancy

import "gatehouse/sync/wire"

// A tenancy that was ended may get new grants from the registry, for the same cards. Its end, and
// the words on a notice, were about the earlier grants.

// Follow updates the file to what the tenancy holds by the list, and reports whether anything
// changed.
func (t *Tenancy) Follow(held []wire.Grant) (changed bool) {
	renewed := t.renew(held)
	return t.brought(held) || renewed
}

// brought clears that a card was reported at a desk, once the card opens again: the next to stop it
// may be the registry. It reports whether there was such a card.
func (t *Tenancy) brought(held []wire.Grant) (changed bool) {
	for i := range t.Cards {
		k := &t.Cards[i]
		if k.Reported && stateOf(k.Credentials, held) == Active {
			k.Reported, changed = false, true
		}
	}
	return changed
}

// renew reports whether the tenancy holds a new grant in place of one that is over.
func (t *Tenancy) renew(held []wire.Grant) (changed bool) {
	live, of := map[wire.ID]bool{}, map[wire.CredentialID]wire.ID{}
	for _, h := range held {
		if h.State != wire.GrantRevoked {
			live[h.ID], of[h.Credential] = true, h.ID
		}
	}
	if len(live) == 0 {
		return false
	}
	for i := range t.Cards {
		k := &t.Cards[i]
		for _, id := range k.Credentials {
			if g, there := of[id]; there && !live[k.Grant] {
				k.Grant, changed = g, true
			}
		}
	}
	if against := t.Notice.Against; t.End.At == 0 && (against == (wire.ID{}) || live[against]) {
		return changed
	}
	t.End, t.Notice, t.Told = End{}, Notice{}, false
	return true
}
