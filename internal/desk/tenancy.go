package desk

import (
	"bytes"
	"cmp"
	"slices"

	"gatehouse/internal/access"
	"gatehouse/sync/wire"
)

// The states of a tenancy, by what counts most.
const (
	stateActive    = "active"
	stateNotice    = "notice"    // the landlord's notice runs
	stateSuspended = "suspended" // none of its cards opens
	stateDisputed  = "disputed"  // the tenant objects to the notice, which does not count unless the registry upholds it
	stateEnded     = "ended"
	stateNotBegun  = "not_begun" // for people alone: its first day is still to come
)

// What the registry can have decided on a notice.
const (
	decidedUpheld   = "upheld"
	decidedRejected = "rejected"
)

// Card is a card of a tenancy as people see it.
type Card struct {
	Number int    // from 1, as it is named in commands
	State  string // active, suspended or ended
	Since  uint32 // unix s; 0: not known
	Forms  int    // in how many forms the readers may see it
	Proves bool   // holding it up is the tenant's word
	Ending bool   // the landlord has asked for it to stop: it does when the days of a notice have passed without its being used

	listed   bool // only the list knows it
	reported bool // a desk's word has stopped it

	grant       wire.ID
	credentials []wire.CredentialID
}

// Told says whether a tenant was told of a notice. It would tell that somebody
// came home, so nothing is said before the notice has ended.
type Told uint8

// What is said of it.
const (
	ToldUnsaid Told = iota
	ToldNotYet
	ToldYes
)

// Tenancy is a tenancy as people see it. Times are unix s, 0 for none.
type Tenancy struct {
	ID       wire.ID
	Flat     string
	Label    string
	State    string
	Doors    []string
	Since    uint32
	From     uint32 // of the term; 0: it counted from the start
	Until    uint32 // of the term
	Notice   uint32 // when the notice ends it
	Decided  string // by the registry on the newest notice: upheld or rejected; empty: nothing
	Cause    string // of the end or notice
	Ended    uint32
	Told     Told // of the notice at a door
	HasPIN   bool
	Cards    []Card
	Unstored int  // changes that the registry's list does not know yet
	Doubtful bool // only doubt about the time holds it open: by some clock it is over

	end uint32 // by term or notice, unix s; 0: none
}

// holding is one credential under a grant that names the tenancy.
type holding struct {
	grant      wire.ID
	credential wire.CredentialID
	state      wire.GrantState
	from       uint32 // unix s, inclusive; 0: since ever
	until      uint32 // unix s, exclusive; 0: no end
}

// holdings sorts the snapshot's records by tenancy, of residents alone: staff,
// visitors and the brigade are no business of the desk's.
func holdings(g *access.Grants) map[wire.ID][]holding {
	all := map[wire.ID][]holding{}
	if g == nil {
		return all
	}
	for r := range g.All() {
		if r.Kind == wire.GrantResident {
			id := r.Tenancy
			all[id] = append(all[id], holding{r.ID, r.Credential, r.State, r.From, r.Until})
		}
	}
	return all
}

// cards groups what a tenancy holds into cards. What the book does not group
// counts as one card a grant: then nobody takes two forms for two cards.
func (t *tenancy) cards(held []holding) []Card {
	var cards []Card
	for _, k := range t.Cards {
		c := Card{Number: len(cards) + 1, Since: k.Since, Proves: !k.Unproven, Ending: k.Stop != nil && k.Stop.Left > 0, grant: k.Grant}
		for _, id := range k.Credentials {
			c.credentials = append(c.credentials, id)
		}
		c.reported = k.Reported
		cards = append(cards, c)
	}
	for _, h := range held {
		if t.has(h.credential) {
			continue
		}
		i := slices.IndexFunc(cards, func(c Card) bool { return c.Number == 0 && c.grant == h.grant })
		if i < 0 {
			i, cards = len(cards), append(cards, Card{grant: h.grant, listed: true})
		}
		cards[i].credentials = append(cards[i].credentials, h.credential)
	}
	for i := range cards {
		c := &cards[i]
		c.Number, c.Forms, c.State = i+1, len(c.credentials), stateOf(c.credentials, held)
		slices.SortFunc(c.credentials, func(a, b wire.CredentialID) int { return bytes.Compare(a[:], b[:]) })
	}
	return cards
}

// lone returns the only card that the list knows and the book does not, nil for
// none. On whose word such a card came is not known, so it proves only if no
// other could have been the tenant's.
func lone(cards []Card) (k *Card) {
	for i := range cards {
		c := &cards[i]
		switch {
		case c.State == stateEnded:
		case c.Proves, c.listed && k != nil:
			return nil
		case c.listed:
			k = c
		}
	}
	return k
}

// stateOf is that of a card: it opens if any of its forms does.
func stateOf(credentials []wire.CredentialID, held []holding) string {
	state := stateEnded
	for _, h := range held {
		switch {
		case !slices.Contains(credentials, h.credential):
		case h.state == wire.GrantActive:
			return stateActive
		case h.state == wire.GrantSuspended:
			state = stateSuspended
		}
	}
	return state
}

// standing is how a tenancy stands by the snapshot in force.
type standing struct {
	cards   []Card
	from    uint32 // first of what it holds; 0: it began at once, or holds nothing
	end     uint32 // by term or notice; 0: none
	upheld  uint32 // end that the registry has set for a disputed notice; 0: it has not decided so
	noticed uint32 // end by a notice that only the list shows; 0: there is none
	revoked bool   // all that it held is
	unnamed bool   // the list in force has nothing of it (any more)
}

// stand reads a tenancy's standing from what it holds. The end is the
// snapshot's, since the registry may have set another; the book's where the
// snapshot knows nothing of it.
func (t *tenancy) stand(held []holding) standing {
	s := standing{cards: t.cards(held), revoked: len(held) > 0}
	first := true
	for _, h := range held {
		if h.state == wire.GrantRevoked {
			continue
		}
		s.revoked = false
		if first || h.from < s.from {
			s.from = h.from
		}
		if first || s.end != 0 && (h.until == 0 || h.until > s.end) {
			s.end = h.until
		}
		first = false
	}
	if first {
		s.end = t.end()
	}
	t.onNotice(&s)
	return s
}

// onNotice reads from the list what the book does not say of a notice. An objection
// sets the end by the notice aside; where the list of a registry of an earlier
// version, which says nothing of notices, has an end before that of the term all the
// same, the registry has decided on it, or this desk has missed a notice. A gateway
// that has not heard of the check-in knows no term and can't tell.
func (t *tenancy) onNotice(s *standing) {
	sooner := t.Since != 0 && (t.Until == 0 || s.end < t.Until)
	switch {
	case s.end == 0:
	case t.decided.upheld != 0 && t.Noticed <= t.decided.upheld:
		s.upheld = s.end
	case t.decided.said || !sooner:
	case t.disputed():
		s.upheld = s.end
	case t.notice() == 0:
		s.noticed = s.end
	}
}

// standing is that of a tenancy by what it holds. What no list names any more
// has been ended by the registry, whatever the clock says.
func (d *Desk) standing(t *tenancy, held []holding) standing {
	s := t.stand(held)
	for i := range s.cards {
		k := &s.cards[i]
		k.reported = k.reported && !slices.ContainsFunc(k.credentials, func(id wire.CredentialID) bool { return d.barred[id] })
	}
	if len(s.cards) > 0 && t.gone(s.cards) {
		list := d.p.Keyring.Status()
		s.unnamed = list.Version != 0 && !list.Lost
	}
	return s
}

// end is that of the book: of the term, or of a notice that comes before.
func (t *tenancy) end() uint32 {
	n := t.notice()
	if n == 0 || t.disputed() || t.Until != 0 && t.Until < n {
		return t.Until
	}
	return n
}

// state is that of the tenancy when surely is the latest time that has certainly
// come. An unsure clock ends nothing.
func (t *tenancy) state(s standing, surely uint32) string {
	switch {
	case t.Ended != 0, t.Gone != 0, s.revoked, s.unnamed, s.end != 0 && surely >= s.end:
		return stateEnded
	case t.disputed() && s.upheld == 0:
		return stateDisputed
	case t.notice() != 0, s.upheld != 0, s.noticed != 0:
		return stateNotice
	case count(s.cards, stateActive) == 0:
		return stateSuspended
	}
	return stateActive
}

func count(cards []Card, state string) (n int) {
	for _, c := range cards {
		if c.State == state {
			n++
		}
	}
	return n
}

// by is the tenancy as it stands at the likeliest time: what has not begun is not
// active yet, whatever its cards would do.
func (v Tenancy) by(clock Time) Tenancy {
	if v.State == stateActive && v.From > clock.now() {
		v.State = stateNotBegun
	}
	v.Doubtful = v.State != stateEnded && v.end != 0 && clock.Latest >= int64(v.end)
	return v
}

// show is the tenancy for people.
func (t *tenancy) show(s standing, surely uint32, unstored int) Tenancy {
	v := Tenancy{ID: t.ID, Flat: t.Flat, Label: t.Label, State: t.state(s, surely), Doors: t.Doors, Since: t.Since, From: s.from,
		Until: t.Until, Notice: t.notice(), Ended: t.Ended, HasPIN: t.PIN != nil, Cards: s.cards, Unstored: unstored}
	v.end = s.end
	switch end := max(s.upheld, s.noticed); {
	case end != 0:
		v.Notice = end
	case v.Notice == 0:
		v.Until = s.end
	}
	switch {
	case s.upheld != 0:
		v.Decided = decidedUpheld
	case t.decided.rejected != 0 && t.notice() == 0:
		v.Decided = decidedRejected
	}
	switch cause := cmp.Or(t.EndCause, t.decided.cause); {
	case cause != 0:
		v.Cause = cause.String()
	case t.notice() != 0:
		v.Cause = t.Cause.String()
	}
	if v.Ended == 0 {
		v.Ended = t.Gone
	}
	if v.Notice != 0 && surely >= v.Notice && v.State == stateEnded {
		v.Told = ToldNotYet
		if t.Told {
			v.Told = ToldYes
		}
	}
	return v
}

// word is how the tenancy is called towards people.
func (t *tenancy) word() string {
	id := t.ID.String()[:8]
	switch {
	case t.Label != "" && t.Label != t.Flat:
		return id + " (" + t.Flat + ", " + t.Label + ")"
	case t.Flat != "":
		return id + " (" + t.Flat + ")"
	}
	return id
}
