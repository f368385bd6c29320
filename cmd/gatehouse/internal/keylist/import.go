package keylist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/cardlist"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/input"
	"gatehouse/internal/socket"
	"gatehouse/internal/takeover"
)

// Import is the command that imports the cards of an old system.
type Import struct {
	session.IssuerKey
	File string `arg:"" help:"The list as the old system or a spreadsheet wrote it: CSV with commas, semicolons or tabs, in UTF-8, UTF-16 or GB18030; - reads standard input. Columns: label, doors, form, number, and if need be kind, from, until."`

	Column   map[string]string `help:"A column by its own heading, as number=\"Card Number\", or door:ID=HEADING for one with yes and no; columns that nobody names are left out then." placeholder:"FIELD=HEADING" mapsep:"none"`
	Form     string            `help:"How the numbers are printed, where no column says it: 3+5D, 5+5D, 6H, 8D, 8H, 10D, 10D-reversed, 10H, 12D, 13D, 14D, uid or uid-reversed." placeholder:"FORM"`
	Door     []string          `help:"A door that all cards open, where no column says it; may be given again." placeholder:"ID"`
	Kind     string            `help:"resident, staff, visitor or brigade, where no column says it." enum:"resident,staff,visitor,brigade" default:"resident"`
	Encoding string            `help:"utf-8, gb18030 or utf-16, where the file is read as the wrong one." enum:",utf-8,gb18030,utf-16" default:""`

	FillZeros bool `help:"Put the zeros back that a spreadsheet took from the front of numbers."`
	SkipPast  bool `help:"Leave out who has left, without asking."`
	Update    bool `help:"Change keys whose label, doors, kind or term the list has otherwise."`
	DryRun    bool `help:"Show the plan and do nothing."`
	Yes       bool `help:"Take what can be taken, without asking."`
}

// imported is the result of an import, or of a trial.
type imported struct {
	Keys    int              `json:"keys"`              // new ones
	Version uint64           `json:"version,omitempty"` // of the list; 0: nothing was done
	Missing []string         `json:"missing"`           // doors that do not read some of the cards yet
	Plan    takeover.Planned `json:"plan"`
}

// Run imports all cards of a plan in one list, or none.
func (c Import) Run(s *session.Session) error {
	issuer, l, err := c.Open(s)
	if err != nil {
		return err
	}
	list, err := c.read(s)
	if err != nil {
		return err
	}
	rows, err := takeover.Resolver{List: l, FillZeros: c.FillZeros, Printed: func(r control.PrintedRequest) (control.Card, error) { return s.Client.Printed(s.Ctx, r) }}.Resolve(list)
	if err != nil {
		return err
	}
	e, err := issuer.Editor(l)
	if err != nil {
		return err
	}
	h := takeover.HouseOf(e, l.Labels)
	p := takeover.PlanOf(h, rows, list.Labelled)
	out := imported{Keys: p.Count(takeover.LineNew), Missing: takeover.MissingOf(rows), Plan: p.Tell(list, c.Update, h)}
	if c.DryRun {
		return s.Print(out, nil, func(w io.Writer) { out.Plan.Write(w, c.name()) })
	}
	if err := c.agreed(s, p, h, out); err != nil || !p.Work(h, c.Update) {
		return err
	}
	done, err := c.Edit(s, issuer, func(e *grantlist.Editor) error {
		now := takeover.HouseOf(e, l.Labels)
		if again := takeover.PlanOf(now, rows, list.Labelled); !reflect.DeepEqual(again, p) {
			return socket.Hinted("do it again and look at the plan", "somebody changed the keys since the plan was made: nothing was imported")
		}
		return p.CarryOut(e, now, c.Update, list.Labelled)
	})
	if err != nil {
		return err
	}
	out.Version = done.Version
	return s.Print(out, nil, func(w io.Writer) { out.write(w) })
}

func (c Import) name() string { return command.Choose(c.File == "-", "the list", c.File) }

func (out imported) write(w io.Writer) {
	fmt.Fprintf(w, "%s imported, active since list %d\n", amount.Of(out.Keys, "key"), out.Version)
	if len(out.Missing) > 0 {
		fmt.Fprintf(w, "readers at %s see some of these cards in another form: hold those up there once (gatehouse adopt on, then adopt bind with the same label: the form joins the key)\n", strings.Join(out.Missing, ", "))
	}
}

// agreed shows a plan that is more than new keys, and asks where lines would be left out. An error
// means that nothing is to be done; so does a plan without work.
func (c Import) agreed(s *session.Session, p takeover.Plan, h takeover.House, out imported) (err error) {
	if !s.JSON && (len(out.Plan.Remarks) > 0 || p.Count(takeover.LineNew) < len(p.Lines)) {
		out.Plan.Write(s.Err, c.name())
	}
	switch work := p.Work(h, c.Update); {
	case len(p.Lines) == 0:
		return errors.New("no card in the file")
	case !work && (p.Count(takeover.LineRefused) == len(p.Lines) || p.Count(takeover.LineRefused) > 0 && !c.Yes):
		err = socket.Hinted("put the lines right that the plan names", "nothing was imported: %s refused, and nothing to do for the others", amount.Of(p.Count(takeover.LineRefused), "line"))
	case !work:
		return s.Print(out, nil, func(w io.Writer) { fmt.Fprintln(w, "nothing to do: no list was signed") })
	case !c.Yes && p.Asks(c.SkipPast):
		err = c.ask(s, p)
	}
	if err != nil && s.JSON {
		_ = s.Encode(out) // the obstacles
	}
	return err
}

// ask asks on a terminal; without one --yes answers.
func (c Import) ask(s *session.Session, p takeover.Plan) error {
	rest := len(p.Lines) - p.Count(takeover.LineRefused) - p.Count(takeover.LinePast)
	if c.File != "-" && session.Terminal(s.In) != nil {
		fmt.Fprintf(s.Err, "take the other %s, and leave these out? [y/N] ", amount.Of(rest, "line"))
		answer, _ := bufio.NewReader(s.In).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was imported")
	}
	hint := fmt.Sprintf("put them right, or take the other %s with --yes", amount.Of(rest, "line"))
	if p.Count(takeover.LineRefused) == 0 {
		hint = fmt.Sprintf("--skip-past leaves out who has left and takes the other %s", amount.Of(rest, "line"))
	}
	return socket.Hinted(hint, "nothing was imported: %s can't be taken", amount.Of(len(p.Lines)-rest, "line"))
}

func (c Import) read(s *session.Session) (cardlist.List, error) {
	in := s.In
	if c.File != "-" {
		f, err := input.Open(s.Ctx, c.File)
		if err != nil {
			return cardlist.List{}, fmt.Errorf("open cards: %w", err)
		}
		defer f.Close()
		in = f
	}
	return cardlist.Read(in, cardlist.Options{Columns: c.Column, Form: c.Form, Doors: c.Door, Kind: c.Kind, Encoding: c.Encoding})
}
