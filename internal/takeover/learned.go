package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// Learned says what became of the cards that were learned while the old controller
// decided.
type Learned struct {
	Keys int `json:"keys"` // new ones
	Same int `json:"same"` // a card that has one already, by another reader's form
	// Left is how many got none: somebody has a key that may be of the same card, which a
	// list of the old system gave; the door will ask whose they are.
	Left   int `json:"left"`
	TooFew int `json:"seldom"` // seen on fewer days than requested
}

// Learn gives a key to each card that was seen on so many days, in one list, with a label
// of its own after the prefix: "old card 3". Nothing is given for a card of which a key
// may be there already: two keys of one card would be a card that does not stop with its
// key.
func Learn(e *grantlist.Editor, labels map[string]string, cards []control.Adopt, g grantlist.NewGrant, days int) (out Learned, err error) {
	prefix, taken := g.Label, map[string]bool{}
	for _, l := range labels {
		taken[l] = true
	}
	before, number := HouseOf(e, labels), 0
	cards = slices.Clone(cards)
	slices.SortStableFunc(cards, func(a, b control.Adopt) int { return cmp.Compare(b.Card.Bits, a.Card.Bits) }) // the whole number first
	given := map[wire.CredentialID]bool{}
	for _, card := range cards {
		ids, err := Parse(card.Card.Credentials)
		if err != nil {
			return out, err
		}
		kin, err := Parse(card.Card.Kin)
		if err != nil {
			return out, err
		}
		live, ended := before.holders(slices.Concat(ids, kin))
		again := slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return given[id] })
		switch {
		case card.Days < days:
			out.TooFew++
		case len(ids) > 0 && given[ids[0]]:
			out.Same++
		case len(ids) == 0, len(live)+len(ended) > 0, again:
			out.Left++
		default:
			for number++; taken[fmt.Sprintf("%s %d", prefix, number)]; number++ {
			}
			g.Label, g.Credentials = fmt.Sprintf("%s %d", prefix, number), ids
			if _, err := e.Add(g); err != nil {
				return out, err
			}
			for _, id := range ids {
				given[id] = true
			}
			out.Keys++
		}
	}
	return out, nil
}

// Words say what became of the cards.
func (l Learned) Words() string {
	all := []string{fmt.Sprintf("%d got a key", l.Keys)}
	for _, c := range []struct {
		n    int
		what string
	}{{l.Same, "more are the same cards at another reader"}, {l.Left, "may have a key already and got none"}, {l.TooFew, "were seen on too few days and got none"}} {
		if c.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(all, ", ")
}
