package operate

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
)

// fireDrillCmd is the command for a fire drill.
type fireDrillCmd struct {
	Begin fireDrillBeginCmd `cmd:"" help:"Begin one: then trip the fire contact, reset the panel, and run gatehouse fire reset."`
	Show  fireDrillShowCmd  `cmd:"" help:"Show what it did so far, or the report of the last one."`
	End   fireDrillEndCmd   `cmd:"" help:"End it and print its report. An emergency it does not end."`
}

type fireDrillBeginCmd struct{}

func (fireDrillBeginCmd) Run(s *session.Session) error {
	d, err := s.Client.Doors.BeginFireDrill(s.Ctx)
	return s.Print(d, err, func(w io.Writer) {
		fmt.Fprintln(w, "the drill is on: trip the fire contact, look that every door opens, reset the panel, run gatehouse fire reset on site, then gatehouse fire drill end")
	})
}

type fireDrillShowCmd struct{}

func (fireDrillShowCmd) Run(s *session.Session) error {
	d, err := s.Client.Doors.FireDrill(s.Ctx)
	return s.Print(d, err, func(w io.Writer) { writeDrill(w, d) })
}

type fireDrillEndCmd struct{}

func (fireDrillEndCmd) Run(s *session.Session) error {
	d, err := s.Client.Doors.EndFireDrill(s.Ctx)
	return s.Print(d, err, func(w io.Writer) { writeDrill(w, d) })
}

func writeDrill(w io.Writer, d control.FireDrill) {
	fmt.Fprintf(w, "fire drill of %s, %s\n", session.Local(d.Begun), command.Choose(d.On, "it is on", "over"))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "DOOR\tINPUT\tRELEASED\tINPUT IDLE\tRESET\tLOCKED AGAIN\t")
	clock := func(at *time.Time) string {
		if at == nil {
			return "-"
		}
		return at.Format("15:04:05.000")
	}
	for _, r := range d.Doors {
		released := command.Choose(r.Refused, "LOCK DID NOT OBEY", clock(r.Released))
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Door, clock(r.Active), released, clock(r.Idle), clock(r.Reset), clock(r.Relocked), command.Choose(r.Worked, "worked", "DID NOT WORK"))
	}
	_ = t.Flush()
}
