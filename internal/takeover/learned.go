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

// Learned counts the cards that were seen while the old controller decided, by what became of them.
type Learned struct {
	Keys int `json:"keys"` // cards that got a grant
	Same int `json:"same"` // cards that got one in another reader's form
	// Left is the number of cards without a grant: a grant from a list of the old system may be of
	// the same card, so the landlord is asked when the card is presented.
	Left   int `json:"left"`
	TooFew int `json:"seldom"` // seen on fewer days than requested
}

// Learn adds a grant for each card that was seen on at least days different days. The labels are
// prefix and number: "old card 3". A card of which a grant may exist gets none: with two grants the
// card would still open after one is revoked.
func Learn(e *grantlist.Editor, labels map[string]string, cards []control.Adopt, g grantlist.NewGrant, days int) (out Learned, err error) {
	prefix, taken := g.Label, map[string]bool{}
	for _, l := range labels {
		taken[l] = true
	}
	before, number := HouseOf(e, labels), 0
	cards = slices.Clone(cards)
	slices.SortStableFunc(cards, func(a, b control.Adopt) int { return cmp.Compare(b.Card.Bits, a.Card.Bits) }) // the longest number first
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

// Words returns the counts in English.
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
