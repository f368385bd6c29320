package answer

import (
	"fmt"
	"io"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
)

// Mandate is the command of what happened to mandates: emergencies that wait for a second authority, and refusals.
type Mandate struct {
	Validate validateCmd    `cmd:"" help:"Take a second authority's word that a mandate of an emergency was right."`
	Refused  refusedCmd     `cmd:"" help:"Show which mandates the registry refused: when, of which town, why. What they asked for was never kept."`
	List     emergenciesCmd `cmd:"" help:"Show emergencies that were answered and that no second authority has validated: seat, when, hours left."`
}

type validateCmd struct {
	Validation string `arg:"" help:"What gatehouse mandate validate has written."`
}

// Run hands a validation to the front.
func (c validateCmd) Run(s *Session) error {
	envelope, err := command.ReadFile(s.Ctx, c.Validation, mostMandate, "写明 gatehouse mandate validate --out 写出的文件 name the file that gatehouse mandate validate --out wrote")
	if err != nil {
		return err
	}
	v, err := s.Front.Mandated().Validate(s.Ctx, api.Validating{Validation: envelope})
	if err == nil && v.Refusal != nil {
		err = socket.Hinted(v.Refusal.Do.ZH+" "+v.Refusal.Do.EN, "the validation is refused: %s: %v", v.Refusal.Name, v.Refusal)
	}
	return s.Print(v, err, func(w io.Writer) {
		fmt.Fprintf(w, "mandate %s is validated by %s (%s)\n", v.Reference, v.Authority, v.File)
	})
}

type emergenciesCmd struct{}

// Run shows what waits. Which building was asked for is not in it.
func (emergenciesCmd) Run(s *Session) error {
	all, err := s.Front.Mandated().Emergencies(s.Ctx)
	if err != nil {
		return err
	}
	zone, err := s.Zone("")
	return s.Print(all, err, func(w io.Writer) {
		for _, e := range all {
			left := fmt.Sprintf("%d h left", e.HoursLeft)
			if e.Overdue {
				left = fmt.Sprintf("overdue since %s: counts against the approver", calendar.Stamp(e.Due, zone))
			}
			fmt.Fprintf(w, "%s  seat %s  answered %s  %s\n", e.Reference, e.Seat, calendar.Stamp(e.Answered, zone), left)
		}
		if len(all) == 0 {
			fmt.Fprintln(w, "none")
		}
	})
}
