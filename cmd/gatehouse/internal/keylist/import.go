package keylist

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/cmd/gatehouse/internal/takeover"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/cardlist"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"
	"gatehouse/internal/socket"
)

// Import is the command that takes over the cards of an old system.
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

// imported tells what an import did, or would do.
type imported struct {
	Keys    int              `json:"keys"`              // new ones
	Version uint64           `json:"version,omitempty"` // of the list; 0: nothing was done
	Missing []string         `json:"missing"`           // doors that do not read some of the cards yet
	Plan    takeover.Planned `json:"plan"`
}

// Run takes over all cards of a plan in one list, or none.
func (c Import) Run(s *session.Session) error {
	issuer, l, err := c.Open(s)
	if err != nil {
		return err
	}
	list, err := c.read(s.In)
	if err != nil {
		return err
	}
	rows, err := resolve(s, list, l, c.FillZeros)
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

// agreed shows a plan that is not just new keys, and asks where lines would be left out. An
// error means that nothing is to be done; so does a plan without work.
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
		_ = s.Encode(out) // what stands in the way
	}
	return err
}

// ask asks on a terminal; elsewhere --yes says it.
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

func (c Import) read(stdin io.Reader) (cardlist.List, error) {
	in := stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return cardlist.List{}, fmt.Errorf("open cards: %w", err)
		}
		defer f.Close()
		in = f
	}
	return cardlist.Read(in, cardlist.Options{Columns: c.Column, Form: c.Form, Doors: c.Door, Kind: c.Kind, Encoding: c.Encoding})
}

// resolve makes grants of the lines. What is wrong with one stands in its why; an error is of the daemon.
func resolve(s *session.Session, list cardlist.List, l control.List, fill bool) ([]takeover.Line, error) {
	zone, err := session.Zone(l.TimeZone)
	if err != nil {
		return nil, err
	}
	rows := make([]takeover.Line, 0, len(list.Rows))
	for _, r := range list.Rows {
		w := takeover.Line{Row: r, Why: r.Fault}
		if w.Why == "" {
			w.Why = readTerms(&w, l.Doors, zone)
		}
		if w.Why == "" {
			if w.Why, err = askNumber(s, &w, fill); err != nil {
				return nil, err
			}
		}
		rows = append(rows, w)
	}
	return rows, nil
}

// What exports write behind a day that is meant as a whole.
var (
	midnight = regexp.MustCompile(`[ T]0?0:00(:00(\.0+)?)?$`)
	endOfDay = regexp.MustCompile(`[ T](0?0:00(:00(\.0+)?)?|23:59(:59(\.9+)?)?)$`)
)

// readTerms reads all but the number; it returns what is wrong.
func readTerms(w *takeover.Line, doors []string, zone *time.Location) string {
	var g grantlist.NewGrant
	var known bool
	if g.Kind, known = kinds[strings.ToLower(plain(w.Row.Kind))]; !known {
		return "kind " + cardlist.Shown([]string{w.Row.Kind})[0] + ": want resident, staff, visitor or brigade"
	}
	for _, d := range w.Row.Doors {
		i := slices.IndexFunc(doors, func(id string) bool { return strings.EqualFold(id, folded(d)) })
		if i < 0 {
			return "no door " + cardlist.Shown([]string{d})[0] + " here: doors are " + strings.Join(doors, ", ")
		}
		g.Doors = takeover.Union(g.Doors, doors[i:i+1])
	}
	var err error
	if g.Label, err = naming.Label(w.Row.Label); err != nil {
		return err.Error()
	}
	if g.Label == "" {
		return "it has no label: a word of your own for the flat, as 3B; where its cell was merged with others, write it in each of them"
	}
	if g.From, err = calendar.First(midnight.ReplaceAllString(w.Row.From, ""), zone); err != nil {
		return "its first day can't be read: write it with the year first, as 2026-12-01"
	}
	if g.Until, err = calendar.Last(endOfDay.ReplaceAllString(w.Row.Until, ""), zone); err != nil {
		return "its last day can't be read: write it with the year first, as 2027-11-30, or leave it empty for no end"
	}
	if !g.Until.IsZero() && !g.From.Before(g.Until) {
		return "its last day is before its first"
	}
	if g.Kind == kinds["visitor"] && g.Until.IsZero() {
		return "a visitor's key needs a last day"
	}
	w.Past = !g.Until.IsZero() && g.Until.Before(time.Now())
	w.Grant = g
	return ""
}

// askNumber asks the daemon what the card is called here.
func askNumber(s *session.Session, w *takeover.Line, fill bool) (why string, err error) {
	number, form, wrong := printedOf(w.Row.Number, w.Row.Form, fill)
	switch {
	case errors.Is(wrong, cardnumber.ErrZeros):
		return "its number has fewer digits than its form: spreadsheets drop leading zeros, and --fill-zeros puts them back", nil
	case errors.Is(wrong, cardnumber.ErrLost):
		return "its number is written like 1.23E+09, so digits are lost: in the program that has the list format the column as text, and export again", nil
	case errors.Is(wrong, cardnumber.ErrTwo):
		return "its cell has two numbers that are not of one card: give each card a line of its own, or put the wrong one right", nil
	case w.Row.Form == "":
		return "it has no form: --form says it for the whole file", nil
	case errors.Is(wrong, cardnumber.ErrForm):
		return "form " + cardlist.Shown([]string{w.Row.Form})[0] + " is not known: want " + strings.Join(cardnumber.PrintedForms(), ", "), nil
	case wrong != nil:
		return strings.TrimPrefix(wrong.Error(), "printed number: ") + ", as it is form " + form, nil
	}
	card, err := s.Client.Printed(s.Ctx, control.PrintedRequest{Form: form, Number: number})
	if err != nil {
		return "", err
	}
	if w.Grant.Credentials, err = parse(card.Credentials); err != nil {
		return "", err
	}
	w.Kin, err = parse(card.Kin)
	w.Missing = session.Among(card.Missing, w.Grant.Doors)
	return "", err
}
