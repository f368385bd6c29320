package operate

import (
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
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
	return report(s, d, err)
}

type fireDrillEndCmd struct{}

func (fireDrillEndCmd) Run(s *session.Session) error {
	d, err := s.Client.Doors.EndFireDrill(s.Ctx)
	return report(s, d, err)
}

// report prints a drill, and fails where one that is over did not prove every door.
func report(s *session.Session, d control.FireDrill, err error) error {
	if err := s.Print(d, err, func(w io.Writer) { writeDrill(w, d) }); err != nil {
		return err
	}
	what, doors := d.Short()
	names := strings.Join(doors, ", ")
	switch what {
	case control.DrillUnseen:
		return socket.Hinted("trip the fire contact while the drill is on: gatehouse status says ACTIVE then. If that was done, look at the contact's two wires, and at chip, line and active of [fire] in the site file; then gatehouse fire drill begin", "nothing was released: the fire input was not active during the drill")
	case control.DrillKept:
		return socket.Hinted("look at the relay's wires and the lock's current, and at relay in the site file; gatehouse door test DOOR shows the lock. Then gatehouse fire drill begin", "not released by the fire input: %s", names)
	case control.DrillCut:
		return socket.Hinted("trip the fire contact for some seconds, reset the fire panel, and only then gatehouse fire drill end. If that was done, look at active of [fire] in the site file, and at the contact's wires; then gatehouse fire drill begin", "released, but the fire input did not stay active and go idle again: %s", names)
	}
	return nil
}

func writeDrill(w io.Writer, d control.FireDrill) {
	fmt.Fprintf(w, "fire drill of %s, %s\n", session.Local(d.Begun), command.Choose(d.On, "it is on", "over"))
	clock := func(at *time.Time) string {
		if at == nil {
			return "-"
		}
		return at.Format("15:04:05.000")
	}
	command.Table(w, d.Doors, []string{"DOOR", "INPUT", "RELEASED", "INPUT IDLE", "RESET", "LOCKED AGAIN", "RESULT"}, func(r control.FireDrilling) []string {
		released := command.Choose(r.Refused, "LOCK DID NOT OBEY", clock(r.Released))
		return []string{r.Door, clock(r.Active), released, clock(r.Idle), clock(r.Reset), clock(r.Relocked), command.Choose(r.Worked, "worked", command.Choose(d.On, "not yet", "DID NOT WORK"))}
	})
}
