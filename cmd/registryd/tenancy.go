package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/cmd/registryd/internal/answer"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/keys"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

type tenanciesCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Problems bool   `help:"Show records that could not be taken in, and what is odd."`
}

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
			command.Choose(len(t.Problems) > 0, "see --problems", "")}
	})
}

// stateShown returns a state for people.
func stateShown(state string) string { return strings.ReplaceAll(state, "_", " ") }

// decisionShown returns the decision on the newest notice, in the desk's words.
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
		return []string{p.Building, p.Gateway, command.Choose(p.Record > 0, fmt.Sprint(p.Record), ""), p.Tenancy, p.Text}
	})
}

type grantsCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Tenancy  string `help:"Only of this tenancy." placeholder:"ID"`
}

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
			command.Choose(g.Listed, "", "off the list")}
	})
}

// cardsShown counts the ids of a grant's cards, one for each form in which readers see a card, and
// of those the ones that do not open or prove nothing.
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

type personCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Key     string `required:"" help:"records.key, on its stick." placeholder:"FILE"`
	Reason  string `required:"" help:"resident, correction, mandate or emergency."`
	Case    string `required:"" help:"Number of the request or order that asks for it." placeholder:"TEXT"`
}

// Run shows the person of a tenancy: the only way to see a name. The look is recorded before
// anything is fetched; the key never leaves this process.
func (c personCmd) Run(s *session) error {
	if err := operator.CheckFile(c.Case); err != nil {
		return err
	}
	key, err := keys.LoadSealKey(c.Key)
	if err != nil {
		return socket.Hinted("--key names records.key, which registryd init wrote into the offline directory", "%v", err)
	}
	if c.Tenancy, err = s.tenancyID(c.Tenancy); err != nil {
		return err
	}
	at, err := s.issuer.Look(s.ctx, operator.Look{Tenancy: c.Tenancy, Reason: c.Reason, Case: c.Case})
	if err != nil {
		return err
	}
	p := answer.Person{Tenancy: c.Tenancy, Cards: []string{}}
	for _, seal := range at.Seals {
		if err := p.Add(s.ctx, s.front, key, seal); err != nil {
			return err
		}
	}
	if p.Missing == len(at.Seals) {
		return socket.Hinted("it comes with the tenancy record, when the gateway is online", "the front has not got this person, or not as it was sealed")
	}
	return s.Print(p, nil, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n%s %s\n", p.Name, p.Document, p.Number)
		if p.Holder != p.Number {
			fmt.Fprintf(w, "its holder's for life: %s (the rest counts renewals)\n", p.Holder)
		}
		for _, card := range p.Cards {
			fmt.Fprintf(w, "card %s\n", card)
		}
		if p.Missing > 0 {
			fmt.Fprintf(w, "not come yet, or not as it was sealed: %d of %s\n", p.Missing, amount.Of(len(at.Seals), "seal"))
		}
	})
}

type passCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Minutes int    `help:"How long it is good for: 1 to 15." default:"5"`
}

// Run prints a pass. Only the text goes to standard output, so that it can be piped into a program
// that draws QR codes; notes for people do not.
func (c passCmd) Run(s *session) error {
	tenancy, err := s.tenancyID(c.Tenancy)
	if err != nil {
		return err
	}
	p, err := s.issuer.Pass(s.ctx, operator.NewPass{Tenancy: tenancy, Minutes: c.Minutes})
	if err != nil {
		return err
	}
	if s.JSON {
		return s.Encode(p)
	}
	fmt.Fprintf(s.Err, "opens once, in building %s, until %s: whoever has it can use it; an alphanumeric QR code, as of qrencode, shows it to a scanner\n",
		p.Building, clock(&p.Until))
	_, err = fmt.Fprintln(s.Out, p.Text)
	return err
}
