package reception

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// Mine is the command by which a resident reads the own entries.
type Mine struct {
	keypadFlag
	deskReader
}

func (Mine) Help() string {
	return `The resident holds the card up, twice, and types the PIN that was chosen with a
card. Then all is shown that this gateway holds: the tenancy, and the entries of
that card while it was of this tenancy; no other's, also not of somebody in the
same flat. gatehouse --json mine > FILE writes it for the resident to take along.
That it was read stands in the log, and no owner sees it. What is older than the
days of journal.who_days was erased here; the registry has it, sealed.`
}

func (c Mine) Run(s *session.Session) error {
	return atDesk(s, c.TakeOver, func(v visit) error {
		if _, err := v.swipe(c.Reader, true, "the card"); err != nil {
			return err
		}
		var in control.MineRequest
		if c.Keypad != "" {
			if err := v.typed(c.Keypad, "the PIN of the resident"); err != nil {
				return err
			}
		} else {
			a := s.Asker()
			pin, err := a.Secret("PIN of the resident")
			if err != nil {
				return err
			}
			in.PIN, s.In = pin, a.Rest()
		}
		m, err := s.Client.Mine(s.Ctx, v.desk.Session, in)
		return s.Print(m, err, func(w io.Writer) { ownEntries(w, m) })
	})
}

func ownEntries(w io.Writer, m control.Mine) {
	t := m.Tenancy
	fmt.Fprintf(w, "tenancy %s %s\n", called(t), inWords(t.State))
	fmt.Fprintf(w, "doors %s, first day %s, last day %s (%s)\n", cmp.Or(strings.Join(t.Doors, ", "), "-"), session.Date(firstDay(t), 0), lastDay(t), t.Zone)
	for _, k := range t.Cards {
		fmt.Fprintf(w, "card %d: %s, given %s\n", k.Number, cardState(k), session.Date(k.Since, 0))
	}
	fmt.Fprintf(w, "%s of this card at %s/%s (%s):\n", amount.Of(len(m.Entries), "entry"), m.Building, m.Gateway, m.Zone)
	for _, e := range m.Entries {
		line := fmt.Sprintf("%s  %-8s %s", session.Local(e.Time), e.Clock, e.Kind)
		for _, word := range []string{e.Outcome, e.Reason, e.Direction, e.Method} {
			if word != "" && !strings.HasSuffix(line, " "+word) {
				line += " " + word
			}
		}
		if e.Count > 0 {
			line += fmt.Sprintf(" x%d", e.Count)
		}
		if e.Door != "" {
			line += " at " + e.Door
		}
		fmt.Fprintln(w, line)
	}
}
