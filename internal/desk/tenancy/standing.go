package tenancy

import (
	"bytes"
	"slices"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// The states of a tenancy, in order of precedence. A card is active, suspended or ended.
const (
	Active    = "active"
	OnNotice  = "notice"    // the landlord's notice runs
	Suspended = "suspended" // none of its cards opens
	Disputed  = "disputed"  // the tenant objects to the notice, which does not count unless the registry upholds it
	Ended     = "ended"
	NotBegun  = "not_begun" // for people alone: its first day is still to come
)

// Holdings groups the snapshot's records of residents by tenancy. Staff, visitors and the brigade
// are not the desk's.
func Holdings(g *access.Grants) map[wire.ID][]wire.Grant {
	all := map[wire.ID][]wire.Grant{}
	if g == nil {
		return all
	}
	for r := range g.All() {
		if r.Kind == wire.GrantResident {
			all[r.Tenancy] = append(all[r.Tenancy], *r)
		}
	}
	return all
}

// Holdings is as the function of that name, for the tenancies of l alone. A snapshot may have many
// thousand others, and to group those takes as long as to verify them.
func (l List) Holdings(g *access.Grants) map[wire.ID][]wire.Grant {
	held := make(map[wire.ID][]wire.Grant, len(l))
	if g == nil || len(l) == 0 {
		return held
	}
	for _, t := range l {
		held[t.ID] = nil
	}
	for r := range g.All() {
		if rows, ours := held[r.Tenancy]; ours && r.Kind == wire.GrantResident {
			held[r.Tenancy] = append(rows, *r)
		}
	}
	return held
}

// Card is a card of a tenancy by the active list.
type Card struct {
	Number int    // from 1, as it is named in commands
	State  string // active, suspended or ended
	Since  uint32 // unix s; 0: not known
	Forms  int    // number of forms in which readers may see it
	Proves bool   // holding it up is the tenant's word
	Ending bool   // the landlord has asked for it to stop: it does when the days of a notice have passed without its being used

	listed   bool // it is in the list and not in the file
	reported bool // a desk's word has stopped it

	grant       wire.ID
	credentials []wire.CredentialID
}

// Any reports whether one of these is a form of the card.
func (c Card) Any(ids []wire.CredentialID) bool {
	return slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(c.credentials, id) })
}

func (c Card) changed(op wire.Op) []wire.Change {
	return []wire.Change{{Op: op, Grant: c.grant, Credentials: c.credentials}}
}

// cards groups what a tenancy holds into cards. Credentials that the file does not group count as
// one card a grant, so that nobody takes two forms for two cards.
func (t *Tenancy) cards(held []wire.Grant) []Card {
	var cards []Card
	for _, k := range t.Cards {
		cards = append(cards, Card{Number: len(cards) + 1, Since: k.Since, Proves: !k.Unproven, Ending: k.Stop != nil && k.Stop.Left > 0,
			reported: k.Reported, grant: k.Grant, credentials: slices.Clone(k.Credentials)})
	}
	for _, h := range held {
		if t.Holding(h.Credential) != nil {
			continue
		}
		i := slices.IndexFunc(cards, func(c Card) bool { return c.Number == 0 && c.grant == h.ID })
		if i < 0 {
			i, cards = len(cards), append(cards, Card{grant: h.ID, listed: true})
		}
		cards[i].credentials = append(cards[i].credentials, h.Credential)
	}
	for i := range cards {
		c := &cards[i]
		c.Number, c.Forms, c.State = i+1, len(c.credentials), stateOf(c.credentials, held)
		slices.SortFunc(c.credentials, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
	}
	return cards
}

// stateOf returns the state of a card: it opens if any of its forms does.
func stateOf(credentials []wire.CredentialID, held []wire.Grant) string {
	state := Ended
	for _, h := range held {
		switch {
		case !slices.Contains(credentials, h.Credential):
		case h.State == wire.GrantActive:
			return Active
		case h.State == wire.GrantSuspended:
			state = Suspended
		}
	}
	return state
}

// Standing is how a tenancy stands by the active snapshot.
type Standing struct {
	Cards   []Card
	Unnamed bool // the active list names nothing of it

	from    uint32 // earliest start of what it holds; 0: from the start on, or it holds nothing
	end     uint32 // by term or notice; 0: none
	upheld  uint32 // end that the registry has set for a disputed notice; 0: none
	noticed uint32 // end by a notice that only the list shows; 0: none
	revoked bool   // all that it held is revoked
}

// Stand computes how a tenancy stands by what it holds. The end is the snapshot's, since the
// registry may have set another, or the file's where the snapshot knows nothing of it.
func (t *Tenancy) Stand(held []wire.Grant) Standing {
	s := Standing{Cards: t.cards(held), revoked: len(held) > 0}
	first := true
	for _, h := range held {
		if h.State == wire.GrantRevoked {
			continue
		}
		s.revoked = false
		if first || h.From < s.from {
			s.from = h.From
		}
		if first || s.end != 0 && (h.Until == 0 || h.Until > s.end) {
			s.end = h.Until
		}
		first = false
	}
	if first {
		s.end = t.ends()
	}
	t.hearOfNotice(&s)
	return s
}

// hearOfNotice reads from the list what the file does not say of a notice. Where a list without
// words on notices has an end before that of the term, the registry has decided on an objection, or
// this desk has missed a notice. Without the check-in there is no term to compare with.
func (t *Tenancy) hearOfNotice(s *Standing) {
	sooner := t.Lease.Since != 0 && (t.Lease.Until == 0 || s.end < t.Lease.Until)
	switch {
	case s.end == 0:
	case t.Decided.upheld != 0 && t.Notice.Given <= t.Decided.upheld:
		s.upheld = s.end
	case t.Decided.said || !sooner:
	case t.Disputed():
		s.upheld = s.end
	case t.OnNotice() == 0:
		s.noticed = s.end
	}
}

// Bar marks the cards that the registry has suspended besides a desk: they are not stopped by a
// desk's word alone.
func (s *Standing) Bar(barred map[wire.CredentialID]bool) {
	for i := range s.Cards {
		k := &s.Cards[i]
		k.reported = k.reported && !slices.ContainsFunc(k.credentials, func(id wire.CredentialID) bool { return barred[id] })
	}
}

// Gone reports whether no card of the tenancy opens or could again.
func (s *Standing) Gone() bool { return count(s.Cards, Active)+count(s.Cards, Suspended) == 0 }

// Tells reports whether the tenant has to be told, by the list, of a notice that the file does not
// have or has as disputed.
func (s *Standing) Tells() bool { return max(s.upheld, s.noticed) != 0 }

// Others counts the cards that open, other than k.
func (s *Standing) Others(k *KeptCard) (n int) {
	for _, c := range s.Cards {
		if c.State == Active && !k.Meets(c.credentials) {
			n++
		}
	}
	return n
}

// State returns the state of the tenancy; surely is the latest time that has certainly come, unix
// s. An unsure clock ends nothing.
func (t *Tenancy) State(s Standing, surely uint32) string {
	switch {
	case t.End.At != 0, t.End.Gone != 0, s.revoked, s.Unnamed, s.end != 0 && surely >= s.end:
		return Ended
	case t.Disputed() && s.upheld == 0:
		return Disputed
	case t.OnNotice() != 0, s.upheld != 0, s.noticed != 0:
		return OnNotice
	case count(s.Cards, Active) == 0:
		return Suspended
	}
	return Active
}

func count(cards []Card, state string) (n int) {
	for _, c := range cards {
		if c.State == state {
			n++
		}
	}
	return n
}
