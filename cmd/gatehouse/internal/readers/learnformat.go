package readers

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// LearnFormat is the command that finds out which format a reader sends.
type LearnFormat struct {
	oneReader
	Swipes  int  `default:"3" help:"How many different cards to hold up, 1 to 10."`
	Printed bool `help:"Ask for the number printed on each card, which tells formats apart that no bits tell apart."`
}

func (LearnFormat) Help() string {
	return `Finds out which format a Wiegand or OSDP reader sends. Hold up some cards, each
once; while this runs the reader opens nothing. Write the format that fits into
the site file (formats = ["..."]).

Numbers of cards are shown: let nobody look on, and keep no record.`
}

func (c LearnFormat) Run(s *session.Session) error {
	if c.Swipes < 1 || c.Swipes > 10 {
		return socket.Hinted("--swipes 3 is enough as a rule", "--swipes %d: want 1 to 10", c.Swipes)
	}
	if err := c.exists(s); err != nil {
		return err
	}
	t, err := c.learn(s)
	if !isConflict(err) { // otherwise somebody else's format learning is in progress
		c.end(s)
	}
	if err != nil {
		return err
	}
	return s.Print(t, nil, func(w io.Writer) { writeLearned(w, t) })
}

func isConflict(err error) bool {
	var answer *control.Error
	return errors.As(err, &answer) && answer.Status == http.StatusConflict
}

func (c LearnFormat) end(s *session.Session) {
	last, cancel := s.Parting()
	defer cancel()
	_ = s.Client.EndLearnFormat(last, c.Door, c.Reader) // it ends by itself
}

// exists refuses a reader that is not there, or has no formats, before anybody walks to it with a
// card.
func (c LearnFormat) exists(s *session.Session) error {
	r, err := c.find(s, false)
	if err == nil && r.Type != "wiegand" && r.Type != "osdp" {
		err = socket.Hinted("gatehouse decode serial shows what a serial reader sends",
			"reader %s of door %s is of type %s, whose cards have no formats to find out", c.Reader, c.Door, r.Type)
	}
	return err
}

// learn asks for one card after another.
func (c LearnFormat) learn(s *session.Session) (t control.LearnedFormat, err error) {
	ask := s.Asker()
	for i := 0; t.Cards < c.Swipes; i++ {
		fmt.Fprintf(s.Err, "card %d of %d: hold it up at reader %s of door %s\n", t.Cards+1, c.Swipes, c.Reader, c.Door)
		before := t.Cards
		if t, err = s.Client.LearnFormat(s.Ctx, c.Door, c.Reader, control.LearnFormat{Again: i == 0}); err != nil {
			return t, err
		}
		if t.Cards == before {
			fmt.Fprintln(s.Err, "that one was held up before: take another")
			continue
		}
		fmt.Fprintf(s.Err, "read %s\n", amount.Of(t.Bits, "bit"))
		if !c.Printed {
			continue
		}
		printed, err := ask.Ask("number printed on this card (as 0006171021 or 094,10637; empty: none)", session.Anything)
		if err != nil {
			return t, err
		}
		if printed == "" {
			continue
		}
		if t, err = s.Client.LearnFormat(s.Ctx, c.Door, c.Reader, control.LearnFormat{Printed: printed}); err != nil {
			return t, err
		}
	}
	return t, nil
}

// writeLearned shows the formats that fit, what to do next, and the likeliest format as a line of
// the site file.
func writeLearned(w io.Writer, t control.LearnedFormat) {
	var lines [][]string
	for i, p := range t.Proposals {
		why := p.Why
		if i == 0 {
			why = "likeliest: " + why
		}
		lines = append(lines, []string{p.Format, why})
		for n, f := range p.Fields {
			lines = append(lines, []string{fmt.Sprintf("  card %d", n+1), f})
		}
	}
	command.Columns(w, lines)
	for _, r := range t.Remarks {
		fmt.Fprintln(w, r)
	}
	if len(t.Proposals) > 0 {
		fmt.Fprintf(w, "In the site file the likeliest is\nformats = [%q]\n", t.Proposals[0].Format)
	}
}
