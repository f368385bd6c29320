package keylist

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"
	"gatehouse/internal/socket"
	"gatehouse/internal/takeover"
)

// terms are the terms of a key.
type terms struct {
	Label string   `required:"" help:"Your own word for the flat; no names and no numbers of six digits." placeholder:"TEXT"`
	Door  []string `required:"" help:"A door that it opens; may be given again." placeholder:"ID"`
	Kind  string   `help:"resident, staff, visitor or brigade." enum:"resident,staff,visitor,brigade" default:"resident"`
	From  string   `help:"First day, as 2026-12-01, in the building's zone." placeholder:"DATE"`
	Until string   `help:"Last day, as 2027-11-30; without it, or as 9999-12-31, there is no end." placeholder:"DATE"`
}

func (t terms) grant(l control.List) (g grantlist.NewGrant, err error) {
	zone, err := session.Zone(l.TimeZone)
	if err != nil {
		return g, err
	}
	label, err := naming.Label(t.Label) // before the card is held up
	if err == nil && label == "" {
		err = errors.New("the label is empty")
	}
	if err != nil {
		return g, socket.Hinted("a word of your own for the flat, as 3B", "%v", err)
	}
	g = grantlist.NewGrant{Kind: takeover.Kinds[t.Kind], Doors: takeover.Union(nil, t.Door), Label: label}
	for _, d := range t.Door {
		if !slices.Contains(l.Doors, d) {
			return g, socket.Hinted("doors of this gateway: "+strings.Join(l.Doors, ", "), "no door %q here", d)
		}
	}
	if g.From, err = calendar.First(t.From, zone); err != nil {
		return g, err
	}
	if g.Until, err = calendar.Last(t.Until, zone); err != nil {
		return g, err
	}
	switch ends := !g.Until.IsZero(); {
	case ends && !g.From.Before(g.Until):
		err = socket.Hinted("--until is the last day on which the card opens", "the key would end before it begins")
	case ends && g.Until.Before(time.Now()):
		err = socket.Hinted("--until is the last day on which the card opens", "%s is in the past", t.Until)
	case t.Kind == "visitor" && !ends:
		err = socket.Hinted("give --until", "a visitor's key needs an end")
	}
	return g, err
}

type grantAddCmd struct {
	session.IssuerKey
	terms
	cardSource
}

func (c grantAddCmd) Run(s *session.Session) error {
	return newKey(c.IssuerKey, s, c.terms, false, func(g grantlist.NewGrant) (control.Card, error) { return c.card(s, g.Doors) })
}

// newKey gives a key to the card that show returns; kept: a door saw the card before.
func newKey(k session.IssuerKey, s *session.Session, t terms, kept bool, show func(grantlist.NewGrant) (control.Card, error)) error {
	issuer, l, err := k.Open(s)
	if err != nil {
		return err
	}
	g, err := t.grant(l)
	if err != nil {
		return err
	}
	card, err := show(g)
	if err != nil {
		return err
	}
	if g.Credentials, err = takeover.Parse(card.Credentials); err != nil {
		return err
	}
	shown := takeover.Shown{Card: card, Kept: kept}
	if shown.Kin, err = takeover.Parse(card.Kin); err != nil {
		return err
	}
	var a takeover.Added
	done, err := k.Edit(s, issuer, func(e *grantlist.Editor) error {
		a, err = takeover.Give(e, takeover.HouseOf(e, l.Labels), g, shown)
		return err
	})
	if err != nil {
		return err
	}
	a.Version = done.Version
	return s.Print(a, nil, func(w io.Writer) { a.Write(w) })
}

// Adopt is the command that names the unknown cards of a house that is being taken over.
type Adopt struct {
	On   adoptOnCmd   `cmd:"" help:"Keep unknown cards for some days, so that they can be named; they never open by that."`
	Off  adoptOffCmd  `cmd:"" help:"Stop, and forget the cards that nobody named."`
	List adoptListCmd `cmd:"" help:"Show the unknown cards."`
	Bind adoptBindCmd `cmd:"" help:"Say whose an unknown card is, and give it a key."`

	Listen adoptListenCmd `cmd:"" help:"Let the old controller decide, and learn the cards of those who come in."`
	Drive  adoptDriveCmd  `cmd:"" help:"End listening: this gateway decides, and learned cards get keys."`
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
	a, err := control.Takeover{Daemon: s.Client}.SetAdopt(s.Ctx, control.AdoptRequest{Days: days})
	return s.Print(a, err, func(w io.Writer) { fmt.Fprintln(w, adoptState(a)) })
}

func adoptState(a control.AdoptState) string {
	switch {
	case a.Listening && a.Until == nil:
		return "the old controller decides, and no cards are learned any more"
	case a.Listening:
		return "the old controller decides; its cards are learned until " + session.Local(*a.Until)
	case a.Until == nil:
		return "unknown cards are not kept (gatehouse adopt on)"
	}
	return "unknown cards are kept until " + session.Local(*a.Until)
}

type adoptListCmd struct{}

func (adoptListCmd) Run(s *session.Session) error {
	a, err := control.Takeover{Daemon: s.Client}.Adopts(s.Ctx)
	return s.Print(a, err, func(w io.Writer) { writeAdopts(w, a) })
}

func writeAdopts(w io.Writer, a control.AdoptState) {
	fmt.Fprintln(w, adoptState(a))
	if len(a.Cards) == 0 {
		return
	}
	fmt.Fprintln(w)
	if a.Listening {
		command.Table(w, a.Cards, []string{"CARD", "DAYS"}, func(c control.Adopt) []string { return []string{c.ID, seenOn(c.Days)} })
		fmt.Fprintln(w, "\nwhose? gatehouse adopt bind CARD --label FLAT --door DOOR --key FILE; gatehouse adopt drive gives keys to the others")
		return
	}
	command.Table(w, a.Cards, []string{"CARD", "SEEN AT", "TIMES", "FIRST", "LAST"}, func(c control.Adopt) []string {
		return []string{c.ID, c.Door, fmt.Sprint(c.Count), session.Local(c.FirstSeen), session.Local(c.LastSeen)}
	})
	fmt.Fprintln(w, "\nwhose? gatehouse adopt bind CARD --label FLAT --door DOOR --key FILE")
}

// seenOn says on how many days a card was seen; beyond three the number is not kept.
func seenOn(days int) string {
	return command.Choose(days >= 3, "3 or more", fmt.Sprint(days))
}

type adoptBindCmd struct {
	session.IssuerKey
	terms
	Card string `arg:"" help:"The card, as gatehouse adopt list names it."`
}

func (c adoptBindCmd) Run(s *session.Session) error {
	return newKey(c.IssuerKey, s, c.terms, true, func(grantlist.NewGrant) (control.Card, error) {
		a, err := control.Takeover{Daemon: s.Client}.Adopts(s.Ctx)
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
