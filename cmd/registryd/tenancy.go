package main

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/registry/issuer/operator"
)

type tenanciesCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Problems bool   `help:"Show records that could not be taken in, and what is odd."`
}

// Run lists tenancies; nobody's name.
func (c tenanciesCmd) Run(s *session) error {
	if c.Problems {
		return c.problems(s)
	}
	all, err := s.issuer.Tenancies(s.ctx, c.Building)
	if err != nil {
		return err
	}
	s.fillZones(tenancyDays(all))
	return showTenancies(s, all)
}

func showTenancies(s *session, all []operator.Tenancy) error {
	head := []string{"TENANCY", "BUILDING", "FLAT", "STATE", "FIRST DAY", "LAST DAY" + zonesOf(tenancyDays(all)), "CAUSE", "DOCUMENT", ""}
	return table(s, all, nil, "none", head, func(t operator.Tenancy) []string {
		zone := zoneNamed(t.Zone)
		return []string{t.ID, t.Building, t.Flat, stateShown(t.State) + decisionShown(t), t.Since.In(zone).Format(time.DateOnly), calendar.LastDay(t.Until, zone), t.Cause, t.Document,
			choose(len(t.Problems) > 0, "see --problems", "")}
	})
}

// stateShown is a state as people read it.
func stateShown(state string) string { return strings.ReplaceAll(state, "_", " ") }

// decisionShown is what was decided on the newest notice, as the desk says it too.
func decisionShown(t operator.Tenancy) string {
	switch t.Decided {
	case "upheld":
		return " (upheld)"
	case "rejected":
		return " (notice rejected)"
	}
	return ""
}

func (c tenanciesCmd) problems(s *session) error {
	all, err := s.issuer.Problems(s.ctx, c.Building)
	return table(s, all, err, "none", []string{"BUILDING", "GATEWAY", "RECORD", "TENANCY", "PROBLEM"}, func(p operator.Problem) []string {
		return []string{p.Building, p.Gateway, choose(p.Record > 0, fmt.Sprint(p.Record), ""), p.Tenancy, p.Text}
	})
}

type grantsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Tenancy  string `help:"Only of this tenancy." placeholder:"ID"`
}

// Run lists grants.
func (c grantsCmd) Run(s *session) error {
	tenancy, err := s.tenancyID(c.Tenancy)
	if err != nil {
		return err
	}
	all, err := s.issuer.Grants(s.ctx, c.Building, tenancy)
	if err != nil {
		return err
	}
	s.fillZones(grantDays(all))
	head := []string{"GRANT", "TENANCY", "BUILDING", "STATE", "LAST DAY" + zonesOf(grantDays(all)), "CARD IDS", "DOORS", ""}
	return table(s, all, nil, "none", head, func(g operator.Grant) []string {
		return []string{g.ID, g.Tenancy, g.Building, stateShown(g.State), calendar.LastDay(g.Until, zoneNamed(g.Zone)), cardsShown(g.Cards), strings.Join(g.Doors, " "),
			choose(g.Listed, "", "off the list")}
	})
}

// cardsShown counts the ids of a grant's cards, one for each form in which readers see
// a card, and of those the ones that do not open or prove nothing.
func cardsShown(cards []operator.Card) string {
	suspended, unproven := 0, 0
	for _, card := range cards {
		if card.Suspended {
			suspended++
		}
		if card.Unproven {
			unproven++
		}
	}
	text := fmt.Sprint(len(cards))
	if suspended > 0 {
		text += fmt.Sprintf(", %d suspended", suspended)
	}
	if unproven > 0 {
		text += fmt.Sprintf(", %d to be confirmed", unproven)
	}
	return text
}
