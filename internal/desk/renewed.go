package desk

import (
	"gatehouse/sync/wire"
)

// A tenancy that was ended may get new grants, by the registry, for the same cards. The
// end, and what was said of a notice, was about the grants before: it says nothing of
// these, and what is asked for at the desk from now on is about these.

// held is what tenancies hold by the snapshot in force; the book follows what its list
// says: nobody at the desk is a step behind the doors. Callers hold mu.
func (d *Desk) held() map[wire.ID][]holding {
	d.hearWords()
	d.takeDecisions()
	all, changed := holdings(d.p.Keyring.Grants()), false
	for _, t := range d.book.Tenancies {
		changed = t.renew(all[t.ID]) || changed
		changed = t.brought(all[t.ID]) || changed
	}
	if changed {
		_ = d.save() // logged there; it is found again
	}
	return all
}

// brought forgets that a card was reported at a desk, once it opens again: the next one
// who stops it may be the registry. It reports whether there was such a card.
func (t *tenancy) brought(held []holding) (changed bool) {
	for i := range t.Cards {
		k := &t.Cards[i]
		if !k.Reported {
			continue
		}
		var ids []wire.CredentialID
		for _, id := range k.Credentials {
			ids = append(ids, id)
		}
		if stateOf(ids, held) == stateActive {
			k.Reported, changed = false, true
		}
	}
	return changed
}

// renew reports whether the tenancy holds a new grant in the place of one that is over,
// of which the book did not know.
func (t *tenancy) renew(held []holding) (changed bool) {
	live, of := map[wire.ID]bool{}, map[wire.CredentialID]wire.ID{}
	for _, h := range held {
		if h.state != wire.GrantRevoked {
			live[h.grant], of[h.credential] = true, h.grant
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
	if against := t.Against; t.Ended == 0 && (against == (wire.ID{}) || live[against]) {
		return changed
	}
	t.Ended, t.EndCause, t.Gone = 0, 0, 0
	t.Notice, t.Noticed, t.Objected, t.Withdrew, t.Cause, t.Told, t.Against = 0, 0, 0, 0, 0, false, wire.ID{}
	return true
}
