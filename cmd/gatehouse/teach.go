package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"gatehouse/internal/control"
)

type teachCmd struct {
	oneReader
	Swipes  int  `default:"3" help:"How many different cards to hold up, 1 to 10."`
	Printed bool `help:"Ask for the number printed on each card, which tells formats apart that no bits tell apart."`
}

// Help is shown by --help.
func (teachCmd) Help() string {
	return `Finds out which format a Wiegand or OSDP reader sends. Hold up some cards, each
once; while this runs the reader opens nothing. Write the format that fits into
the site file (formats = ["..."]).

Numbers of cards are shown: let nobody look on, and keep no record.`
}

func (c teachCmd) Run(s *session) error {
	if c.Swipes < 1 || c.Swipes > 10 {
		return hinted("--swipes 3 is enough as a rule", "--swipes %d: want 1 to 10", c.Swipes)
	}
	var t control.Taught
	ask := s.asker()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), time.Second)
		defer cancel()
		_ = s.client.EndTeach(last, c.Door, c.Reader) // it ends by itself
	}()
	for i := 0; t.Cards < c.Swipes; i++ {
		fmt.Fprintf(s.err, "card %d of %d: hold it up at reader %s of door %s\n", t.Cards+1, c.Swipes, c.Reader, c.Door)
		in := control.Teach{Again: i == 0}
		var err error
		before := t.Cards
		if t, err = s.client.Teach(s.ctx, c.Door, c.Reader, in); err != nil {
			return err
		}
		if t.Cards == before {
			fmt.Fprintln(s.err, "that one was held up before: take another")
			continue
		}
		fmt.Fprintf(s.err, "read %d bits\n", t.Bits)
		if c.Printed {
			printed, err := ask.ask("number printed on this card (as 0006171021 or 094,10637; empty: none)", anything)
			if err != nil {
				return err
			}
			if printed != "" {
				if t, err = s.client.Teach(s.ctx, c.Door, c.Reader, control.Teach{Printed: printed}); err != nil {
					return err
				}
			}
		}
	}
	return s.print(t, func(w io.Writer) { writeTaught(w, t) })
}

func writeTaught(w io.Writer, t control.Taught) {
	if len(t.Proposals) > 0 {
		tab := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for i, p := range t.Proposals {
			mark := ""
			if i == 0 {
				mark = "likeliest"
			}
			fmt.Fprintf(tab, "%s\t%s\t%s\n", p.Format, mark, p.Why)
			for n, f := range p.Fields {
				fmt.Fprintf(tab, "  card %d\t%s\t\n", n+1, f)
			}
		}
		_ = tab.Flush()
	}
	for _, r := range t.Remarks {
		fmt.Fprintln(w, r)
	}
}
