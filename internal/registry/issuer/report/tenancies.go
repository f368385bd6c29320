package report

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/issuer/building"
	"gatehouse/internal/registry/issuer/fold"
	"gatehouse/internal/registry/issuer/ledger"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/registry/issuer/store"
	"gatehouse/sync/wire"
)

// Tenancies are those of a building, or of all (""), by flat, then by their beginning.
func Tenancies(l *ledger.Ledger, id string) ([]operator.Tenancy, error) {
	out := []operator.Tenancy{}
	err := l.Each(id, func(_ ledger.View, b *building.Building) error {
		out = append(out, tenanciesOf(b, l.Clock.Unix())...)
		return nil
	})
	return out, err
}

func tenanciesOf(b *building.Building, now uint32) (out []operator.Tenancy) {
	byID := make(map[wire.ID]bool)
	for _, g := range b.Tenancies.Grants {
		if g.Known {
			byID[g.Tenancy] = true
		}
	}
	odd := oddities(b, now)
	for id := range byID {
		out = append(out, tenancyOf(b, id, now, odd))
	}
	slices.SortFunc(out, func(a, o operator.Tenancy) int {
		return cmp.Or(strings.Compare(a.Flat, o.Flat), a.Since.Compare(o.Since), strings.Compare(a.ID, o.ID))
	})
	return out
}

// weight orders states of grants: a tenancy has that of its liveliest.
func weight(state string) int {
	return slices.Index([]string{fold.StateEnded, fold.StateSuspended, fold.StateActive, fold.StateNotice, fold.StateDisputed}, state)
}

func tenancyOf(b *building.Building, id wire.ID, now uint32, odd map[wire.ID][]string) operator.Tenancy {
	t := operator.Tenancy{ID: id.String(), Building: b.ID, State: fold.StateEnded, Zone: b.Gateways.Zone}
	flat, lively := fold.UnknownFlat, 0
	for n, gid := range b.Tenancies.Of(id) {
		g := b.Tenancies.Grants[gid]
		c := g.CheckIn.Change
		if c.Flat != "" && c.Flat != fold.UnknownFlat {
			flat = c.Flat
		}
		state := g.State(now)
		if n == 0 || weight(state) > lively {
			lively = weight(state)
			t.State, t.Flat, t.Kind, t.Document, t.Basis, t.Informed = state, c.Flat, c.Kind.String(), c.Document.String(), c.Basis.String(), c.Informed
			if g.CheckIn.ReadOff() {
				t.Document, t.Basis = "", "" // the list does not say
			}
			t.Until, t.Notice, t.Decided, t.Since = moment(g.Over()), moment(g.Notice), g.Decided, time.Unix(int64(max(c.From, c.At)), 0).UTC()
			switch {
			case g.Ended:
				t.Cause = g.End.Change.Cause.String()
			case state == fold.StateEnded:
				t.Cause = wire.CauseLeaseOver.String()
			}
		}
		if t.State == fold.StateActive && c.From > now {
			t.State = fold.StateNotBegun
		}
		t.Grants = append(t.Grants, gid.String())
		t.Problems = append(t.Problems, odd[gid]...)
	}
	if t.Flat == fold.UnknownFlat {
		t.Flat = flat // an earlier grant of it may say
	}
	return t
}

// moment is a time as JSON has it; nil for 0.
func moment(s uint32) *time.Time {
	if s == 0 {
		return nil
	}
	t := time.Unix(int64(s), 0).UTC()
	return &t
}

// oddities are what is odd about grants that are not over, by grant. The list names them all the same: a tenant may not
// stand outside because a flat was misspelt.
func oddities(b *building.Building, now uint32) map[wire.ID][]string {
	odd, user := make(map[wire.ID][]string), make(map[wire.CredentialID]wire.ID)
	doors, listed := b.Doors(), b.Lists.Listed()
	for _, id := range slices.SortedFunc(maps.Keys(b.Tenancies.Grants), func(a, o wire.ID) int { return bytes.Compare(a[:], o[:]) }) {
		g := b.Tenancies.Grants[id]
		odd[id] = append(odd[id], g.Problems...)
		if door := building.UnknownDoor(g, doors); g.Known && !listed[id] && door != "" {
			odd[id] = append(odd[id], fmt.Sprintf("it is in no list: no gateway has said that it has door %q; "+
				"if the landlord has added it, the gateway enrols again: registryd gateway add --replace", door))
		}
		if !g.Known || g.State(now) == fold.StateEnded {
			continue
		}
		if flat := g.CheckIn.Change.Flat; len(b.Flats) > 0 && flat != fold.UnknownFlat && !slices.Contains(b.Flats, flat) {
			odd[id] = append(odd[id], fmt.Sprintf("flat %q is not one of the building's", flat))
		}
		if g.CheckIn.ReadOff() {
			odd[id] = append(odd[id], readOffText)
		}
		for _, card := range g.Cards {
			if other, there := user[card.ID]; there && other != g.Tenancy {
				odd[id] = append(odd[id], fmt.Sprintf("a card of it opens for tenancy %s too", other))
			}
			user[card.ID] = g.Tenancy
		}
	}
	return odd
}

// readOffText says what is missing of a grant that was learnt from a list.
const readOffText = "it is known from a list alone: flat, document and basis come with its record, if a gateway still has that; " +
	"gatehouse tenancy list at the building shows the flat"

// Grants are those of a building, or of all (""), and of one tenancy, or of all (""), by building, tenancy and id.
func Grants(l *ledger.Ledger, id, tenancy string) ([]operator.Grant, error) {
	out := []operator.Grant{}
	err := l.Each(id, func(_ ledger.View, b *building.Building) error {
		now, listed := l.Clock.Unix(), b.Lists.Listed()
		odd := oddities(b, now)
		for gid, g := range b.Tenancies.Grants {
			if !g.Known || tenancy != "" && g.Tenancy.String() != strings.ToLower(tenancy) {
				continue
			}
			c := g.CheckIn.Change
			row := operator.Grant{ID: gid.String(), Zone: b.Gateways.Zone, Tenancy: g.Tenancy.String(), Building: b.ID, State: g.State(now), Kind: c.Kind.String(),
				Doors: c.Doors, From: moment(c.From), Until: moment(g.Over()), Listed: listed[gid], Problems: odd[gid], Cards: []operator.Card{}}
			for _, card := range g.Cards {
				row.Cards = append(row.Cards, operator.Card{Credential: card.ID.String(), Suspended: card.Suspended, Unproven: card.Unproven})
			}
			out = append(out, row)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b operator.Grant) int {
		return strings.Compare(a.Building+a.Tenancy+a.ID, b.Building+b.Tenancy+b.ID)
	})
	return out, err
}

// Problems are records that could not be taken in, those that wait for one before them, and what is odd about grants.
func Problems(l *ledger.Ledger, id string) ([]operator.Problem, error) {
	out := []operator.Problem{}
	err := l.Each(id, func(_ ledger.View, b *building.Building) error {
		for gid, texts := range oddities(b, l.Clock.Unix()) {
			g := b.Tenancies.Grants[gid]
			for _, text := range texts {
				p := operator.Problem{Building: b.ID, Grant: gid.String(), Text: text}
				if g.Known {
					p.Tenancy = g.Tenancy.String()
				}
				out = append(out, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b operator.Problem) int {
		return strings.Compare(a.Building+a.Grant+a.Text, b.Building+b.Grant+b.Text)
	})
	return out, l.View(func(v ledger.View) error {
		kept, err := store.Problems(v, id)
		out = append(out, kept...)
		return err
	})
}
