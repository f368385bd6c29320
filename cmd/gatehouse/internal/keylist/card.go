package keylist

import (
	"bufio"
	"errors"
	"fmt"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/takeover"
)

// cardSource says how a card is given.
type cardSource struct {
	Printed string `help:"Read the card's printed number from standard input instead of a swipe: 3+5D, 5+5D, 6H, 8D, 8H, 10D, 10D-reversed, 10H, 12D, 13D, 14D, uid or uid-reversed." placeholder:"FORM"`
	Reader  string `help:"The door whose reader takes the first swipe; if not given, the first of --door." placeholder:"DOOR"`
	Once    bool   `help:"Take one swipe and do not ask for more."`
}

// card gets the card that is to open some doors.
func (c cardSource) card(s *session.Session, doors []string) (control.Card, error) {
	if c.Printed != "" {
		return printed(s, c.Printed)
	}
	return holdUp(s, c, doors)
}

// holdUp takes the card at one reader, and at readers of the other families that see it in another
// form.
func holdUp(s *session.Session, c cardSource, doors []string) (control.Card, error) {
	// Never at any reader: a stranger at another door must not get the key.
	if c.Reader == "" && len(doors) > 0 {
		c.Reader = doors[0]
	}
	if c.Reader == "" {
		return control.Card{}, socket.Hinted("say at which door you hold it up", "give --reader")
	}
	where := "the reader of door " + c.Reader
	fmt.Fprintf(s.Err, "hold the card up to %s; the door stays as it is ...\n", where)
	card, err := s.Client.Swipe(s.Ctx, control.SwipeRequest{Door: c.Reader})
	if err != nil {
		return card, err
	}
	fmt.Fprintf(s.Err, "read at door %s\n", card.Door)
	for missing := takeover.Among(card.Missing, doors); len(missing) > 0 && !c.Once; missing = takeover.Among(card.Missing, doors) {
		fmt.Fprintf(s.Err, "door %s sees it in another form: hold it up there too (or wait a minute to leave that door out) ...\n", missing[0])
		more, err := s.Client.Swipe(s.Ctx, control.SwipeRequest{Door: missing[0]})
		if err != nil {
			fmt.Fprintf(s.Err, "left out: %v\n", err)
			return card, s.Ctx.Err()
		}
		card.Credentials = append(card.Credentials, more.Credentials...)
		card.Missing = takeover.Among(card.Missing, more.Missing)
	}
	return card, nil
}

// printed reads a number from standard input.
func printed(s *session.Session, form string) (control.Card, error) {
	if session.Terminal(s.In) != nil {
		fmt.Fprintf(s.Err, "number printed on the card (%s): ", form)
	}
	line, err := bufio.NewReader(s.In).ReadString('\n')
	number, form, wrong := takeover.PrintedOf(line, form, false)
	if number == "" {
		return control.Card{}, socket.Hinted("type it, or pipe it: it must not stand in the command line", "no number came on standard input (%v)", err)
	}
	if errors.Is(wrong, cardnumber.ErrTwo) {
		return control.Card{}, socket.Hinted("give one of them", "%s", wrong)
	}
	return s.Client.Printed(s.Ctx, control.PrintedRequest{Form: form, Number: number})
}
