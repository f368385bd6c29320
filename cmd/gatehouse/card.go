package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"

	"golang.org/x/term"
)

// cardSource says how a card is shown.
type cardSource struct {
	Printed string `help:"Read the card's printed number from standard input instead of a swipe: 3+5D, 5+5D, 6H, 8D, 8H, 10D, 10D-reversed, 10H, 12D, 13D, 14D, uid or uid-reversed." placeholder:"FORM"`
	Reader  string `help:"The door whose reader takes the first swipe; if not given, the first of --door." placeholder:"DOOR"`
	Once    bool   `help:"Take one swipe and do not ask for more."`
}

// card takes it; doors are those that it is to open.
func (c cardSource) card(s *session, doors []string) (control.Card, error) {
	if c.Printed != "" {
		return s.printed(c.Printed)
	}
	return s.swipe(c, doors)
}

// free refuses a card that has another grant already. It returns those of ids
// that the grant itself has.
func free(e *grantlist.Editor, ids []wire.CredentialID, grant wire.ID, labels map[string]string) (have []wire.CredentialID, err error) {
	for _, g := range e.Grants() {
		if !slices.Contains(ids, g.Credential) {
			continue
		}
		if g.ID == grant {
			have = append(have, g.Credential)
		} else if g.State != wire.GrantRevoked {
			holder := g.ID.String()[:8]
			if l := labels[g.ID.String()]; l != "" {
				holder += " (" + l + ")"
			}
			return nil, hinted("gatehouse grant card "+g.ID.String()[:8]+" adds the form in which a reader sees it to that key; for another flat use another card", "this card has key %s already, which is %s", holder, g.State)
		}
	}
	return have, nil
}

func credentials(card control.Card) ([]wire.CredentialID, error) { return parseAll(card.Credentials) }

func parseAll(texts []string) ([]wire.CredentialID, error) {
	var ids []wire.CredentialID
	for _, text := range texts {
		id, err := wire.ParseCredentialID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// among returns those of a that are in b.
func among(a, b []string) []string {
	out := []string{}
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

// printed reads a number from standard input.
func (s *session) printed(form string) (control.Card, error) {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(s.err, "number printed on the card (%s): ", form)
	}
	line, err := bufio.NewReader(s.in).ReadString('\n')
	number, form, wrong := printedOf(line, form, false)
	if number == "" {
		return control.Card{}, hinted("type it, or pipe it: it must not stand in the command line", "no number came on standard input (%v)", err)
	}
	if errors.Is(wrong, cardnumber.ErrTwo) {
		return control.Card{}, hinted("give one of them", "%s", wrong)
	}
	return s.client.Printed(s.ctx, control.PrintedRequest{Form: form, Number: number})
}

// plain drops the spaces of a printed number and folds full-width digits.
func plain(text string) string { return strings.Join(strings.Fields(folded(text)), "") }

// folded makes full-width characters those of ASCII.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\uff01' && r <= '\uff5e' {
			return r - 0xfee0
		}
		return r
	}, text)
}

// swipe takes the card at one reader, and at the other reader families that
// see it in another form.
func (s *session) swipe(c cardSource, doors []string) (control.Card, error) {
	// Never any reader: a stranger at another door must not get the key.
	if c.Reader == "" && len(doors) > 0 {
		c.Reader = doors[0]
	}
	if c.Reader == "" {
		return control.Card{}, hinted("say at which door you hold it up", "give --reader")
	}
	where := "the reader of door " + c.Reader
	fmt.Fprintf(s.err, "hold the card up to %s; the door stays as it is ...\n", where)
	card, err := s.client.Swipe(s.ctx, control.SwipeRequest{Door: c.Reader})
	if err != nil {
		return card, err
	}
	fmt.Fprintf(s.err, "read at door %s\n", card.Door)
	for missing := among(card.Missing, doors); len(missing) > 0 && !c.Once; missing = among(card.Missing, doors) {
		fmt.Fprintf(s.err, "door %s sees it in another form: hold it up there too (or wait a minute to leave that door out) ...\n", missing[0])
		more, err := s.client.Swipe(s.ctx, control.SwipeRequest{Door: missing[0]})
		if err != nil {
			fmt.Fprintf(s.err, "left out: %v\n", err)
			return card, s.ctx.Err()
		}
		card.Credentials = append(card.Credentials, more.Credentials...)
		card.Missing = among(card.Missing, more.Missing)
	}
	return card, nil
}

type grantCardCmd struct {
	chosen
	cardSource
}
