package keylist

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/cmd/gatehouse/internal/signing"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
)

// Adopt is the command that names the unknown cards of a house that is being taken over.
type Adopt struct {
	On   adoptOnCmd   `cmd:"" help:"Keep unknown cards for some days, so that they can be named; they never open by that."`
	Off  adoptOffCmd  `cmd:"" help:"Stop, and forget the cards that nobody named."`
	List adoptListCmd `cmd:"" help:"Show the unknown cards."`
	Bind adoptBindCmd `cmd:"" help:"Say whose an unknown card is, and give it a key."`
}

type adoptOnCmd struct {
	Days int `help:"For how many days, 1 to 60." default:"14"`
}

func (c adoptOnCmd) Run(s *session.Session) error {
	if c.Days < 1 {
		return socket.Hinted("gatehouse adopt off stops it", "--days must be at least 1")
	}
	return adopt(s, c.Days)
}

type adoptOffCmd struct{}

func (adoptOffCmd) Run(s *session.Session) error { return adopt(s, 0) }

func adopt(s *session.Session, days int) error {
	a, err := s.Client.SetAdopt(s.Ctx, control.AdoptRequest{Days: days})
	return s.Print(a, err, func(w io.Writer) { fmt.Fprintln(w, adoptState(a)) })
}

func adoptState(a control.AdoptState) string {
	if a.Until == nil {
		return "unknown cards are not kept (gatehouse adopt on)"
	}
	return "unknown cards are kept until " + session.Local(*a.Until)
}

type adoptListCmd struct{}

func (adoptListCmd) Run(s *session.Session) error {
	a, err := s.Client.Adopts(s.Ctx)
	return s.Print(a, err, func(w io.Writer) { writeAdopts(w, a) })
}

func writeAdopts(w io.Writer, a control.AdoptState) {
	fmt.Fprintln(w, adoptState(a))
	if len(a.Cards) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nCARD\tSEEN AT\tTIMES\tFIRST\tLAST")
	for _, c := range a.Cards {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", c.ID, c.Door, c.Count, session.Local(c.FirstSeen), session.Local(c.LastSeen))
	}
	_ = t.Flush()
	fmt.Fprintln(w, "\nwhose? gatehouse adopt bind CARD --label FLAT --door DOOR --key FILE")
}

type adoptBindCmd struct {
	signing.Flags
	terms
	Card string `arg:"" help:"The card, as gatehouse adopt list names it."`
}

func (c adoptBindCmd) Run(s *session.Session) error {
	return newKey(c.Flags, s, c.terms, true, func(grantlist.NewGrant) (control.Card, error) {
		a, err := s.Client.Adopts(s.Ctx)
		if err != nil {
			return control.Card{}, err
		}
		for _, card := range a.Cards {
			if strings.EqualFold(card.ID, c.Card) {
				return card.Card, nil
			}
		}
		return control.Card{}, socket.Hinted("gatehouse adopt list shows them", "no unknown card %q", c.Card)
	})
}
