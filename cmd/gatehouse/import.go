package main

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

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/cardlist"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"

	"golang.org/x/term"
)

type importCmd struct {
	signing
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
	Keys    int      `json:"keys"`              // new ones
	Version uint64   `json:"version,omitempty"` // of the list; 0: nothing was done
	Missing []string `json:"missing"`           // doors that do not read some of the cards yet
	Plan    planned  `json:"plan"`
}

// Run takes over all cards of a plan in one list, or none.
func (c importCmd) Run(s *session) error {
	issuer, err := c.issuer(s)
	if err != nil {
		return err
	}
	l, err := s.client.List(s.ctx)
	if err != nil {
		return err
	}
	list, err := c.read(s.in)
	if err != nil {
		return err
	}
	rows, err := s.resolve(list, l, c.FillZeros)
	if err != nil {
		return err
	}
	e, err := issuer.Editor(l)
	if err != nil {
		return err
	}
	h := houseOf(e, l.Labels)
	p := planOf(h, rows, list.Labelled)
	out := imported{Keys: p.count(lineNew), Missing: missingOf(rows), Plan: p.tell(list, c.Update, h)}
	if c.DryRun {
		return s.print(out, func(w io.Writer) { out.Plan.write(w, c.name()) })
	}
	if err := c.agreed(s, p, h, out); err != nil || !p.work(h, c.Update) {
		return err
	}
	done, err := c.edit(s, issuer, func(e *grantlist.Editor) error {
		now := houseOf(e, l.Labels)
		if again := planOf(now, rows, list.Labelled); !reflect.DeepEqual(again, p) {
			return hinted("do it again and look at the plan", "somebody changed the keys since the plan was made: nothing was imported")
		}
		return p.carryOut(e, now, c.Update, list.Labelled)
	})
	if err != nil {
		return err
	}
	out.Version = done.Version
	return s.print(out, func(w io.Writer) { out.write(w) })
}

func (c importCmd) name() string {
	if c.File == "-" {
		return "the list"
	}
	return c.File
}

func (out imported) write(w io.Writer) {
	fmt.Fprintf(w, "%s imported, in force since list %d\n", amount.Of(out.Keys, "key"), out.Version)
	if len(out.Missing) > 0 {
		fmt.Fprintf(w, "readers at %s see some of these cards in another form: hold those up there once (gatehouse adopt on, then adopt bind with the same label: the form joins the key)\n", strings.Join(out.Missing, ", "))
	}
}

// asks reports whether somebody has to agree first: lines would be left out.
func (p plan) asks(skipPast bool) bool {
	return p.count(lineRefused) > 0 || p.count(linePast) > 0 && !skipPast
}

// agreed shows a plan that is not just new keys, and asks where lines would be left out. An
// error means that nothing is to be done; so does a plan without work.
func (c importCmd) agreed(s *session, p plan, h house, out imported) (err error) {
	if !s.json && (len(out.Plan.Remarks) > 0 || p.count(lineNew) < len(p.lines)) {
		out.Plan.write(s.err, c.name())
	}
	switch work := p.work(h, c.Update); {
	case len(p.lines) == 0:
		return errors.New("no card in the file")
	case !work && (p.count(lineRefused) == len(p.lines) || p.count(lineRefused) > 0 && !c.Yes):
		err = hinted("put the lines right that the plan names", "nothing was imported: %s refused, and nothing to do for the others", amount.Of(p.count(lineRefused), "line"))
	case !work:
		return s.print(out, func(w io.Writer) { fmt.Fprintln(w, "nothing to do: no list was signed") })
	case !c.Yes && p.asks(c.SkipPast):
		err = c.ask(s, p)
	}
	if err != nil && s.json {
		_ = s.encode(out) // what stands in the way
	}
	return err
}

// ask asks on a terminal; elsewhere --yes says it.
func (c importCmd) ask(s *session, p plan) error {
	rest := len(p.lines) - p.count(lineRefused) - p.count(linePast)
	in, ok := s.in.(*os.File)
	if ok && c.File != "-" && term.IsTerminal(int(in.Fd())) {
		fmt.Fprintf(s.err, "take the other %s, and leave these out? [y/N] ", amount.Of(rest, "line"))
		answer, _ := bufio.NewReader(s.in).ReadString('\n')
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
			return nil
		}
		return errors.New("nothing was imported")
	}
	hint := fmt.Sprintf("put them right, or take the other %s with --yes", amount.Of(rest, "line"))
	if p.count(lineRefused) == 0 {
		hint = fmt.Sprintf("--skip-past leaves out who has left and takes the other %s", amount.Of(rest, "line"))
	}
	return hinted(hint, "nothing was imported: %s can't be taken", amount.Of(len(p.lines)-rest, "line"))
}

func (c importCmd) read(stdin io.Reader) (cardlist.List, error) {
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

// resolve makes grants of the lines. What is wrong with one stands in its why; an error
// is of the daemon.
func (s *session) resolve(list cardlist.List, l control.List, fill bool) ([]wanted, error) {
	zone, err := time.LoadLocation(l.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the building: %w", err)
	}
	rows := make([]wanted, 0, len(list.Rows))
	for _, r := range list.Rows {
		w := wanted{row: r, why: r.Fault}
		if w.why == "" {
			w.why = w.terms(l.Doors, zone)
		}
		if w.why == "" {
			if w.why, err = s.number(&w, fill); err != nil {
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

// terms reads all but the number; it returns what is wrong.
func (w *wanted) terms(doors []string, zone *time.Location) string {
	var g grantlist.NewGrant
	var known bool
	if g.Kind, known = kinds[strings.ToLower(plain(w.row.Kind))]; !known {
		return "kind " + cardlist.Shown([]string{w.row.Kind})[0] + ": want resident, staff, visitor or brigade"
	}
	for _, d := range w.row.Doors {
		i := slices.IndexFunc(doors, func(id string) bool { return strings.EqualFold(id, folded(d)) })
		if i < 0 {
			return "no door " + cardlist.Shown([]string{d})[0] + " here: doors are " + strings.Join(doors, ", ")
		}
		g.Doors = union(g.Doors, doors[i:i+1])
	}
	var err error
	if g.Label, err = naming.Label(w.row.Label); err != nil {
		return err.Error()
	}
	if g.Label == "" {
		return "it has no label: a word of your own for the flat, as 3B; where its cell was merged with others, write it in each of them"
	}
	if g.From, err = calendar.First(midnight.ReplaceAllString(w.row.From, ""), zone); err != nil {
		return "its first day can't be read: write it with the year first, as 2026-12-01"
	}
	if g.Until, err = calendar.Last(endOfDay.ReplaceAllString(w.row.Until, ""), zone); err != nil {
		return "its last day can't be read: write it with the year first, as 2027-11-30, or leave it empty for no end"
	}
	if !g.Until.IsZero() && !g.From.Before(g.Until) {
		return "its last day is before its first"
	}
	if g.Kind == kinds["visitor"] && g.Until.IsZero() {
		return "a visitor's key needs a last day"
	}
	w.past = !g.Until.IsZero() && g.Until.Before(time.Now())
	w.grant = g
	return ""
}

// What programs write for a whole number, in decimal.
var (
	fraction  = regexp.MustCompile(`^(\d+)\.0+$`)
	thousands = regexp.MustCompile(`^\d{1,3}(,\d{3})+$`)
)

// printedOf finds the number of a cell and its form, as the daemon reads them.
func printedOf(cell, form string, fill bool) (number, itsForm string, err error) {
	number, form = plain(cell), plain(form)
	if whole := strings.ToUpper(form); strings.HasSuffix(whole, "D") && !strings.Contains(whole, "+") {
		number = fraction.ReplaceAllString(number, "$1")
		if thousands.MatchString(number) {
			number = strings.ReplaceAll(number, ",", "")
		}
	}
	if _, err = cardnumber.ParsePrinted(number, form); fill && errors.Is(err, cardnumber.ErrZeros) {
		number = cardnumber.Fill(number, form)
		_, err = cardnumber.ParsePrinted(number, form)
	}
	if err == nil || errors.Is(err, cardnumber.ErrForm) {
		return number, form, err
	}
	one, itsForm, two := cardnumber.TwoPrints(folded(cell), form)
	switch {
	case two == nil:
		return plain(one), itsForm, nil
	case errors.Is(two, cardnumber.ErrTwo):
		return number, form, two
	}
	return number, form, err
}

// number asks the daemon what the card is called here.
func (s *session) number(w *wanted, fill bool) (why string, err error) {
	number, form, wrong := printedOf(w.row.Number, w.row.Form, fill)
	switch {
	case errors.Is(wrong, cardnumber.ErrZeros):
		return "its number has fewer digits than its form: spreadsheets drop leading zeros, and --fill-zeros puts them back", nil
	case errors.Is(wrong, cardnumber.ErrLost):
		return "its number is written like 1.23E+09, so digits are lost: in the program that has the list format the column as text, and export again", nil
	case errors.Is(wrong, cardnumber.ErrTwo):
		return "its cell has two numbers that are not of one card: give each card a line of its own, or put the wrong one right", nil
	case w.row.Form == "":
		return "it has no form: --form says it for the whole file", nil
	case errors.Is(wrong, cardnumber.ErrForm):
		return "form " + cardlist.Shown([]string{w.row.Form})[0] + " is not known: want " + strings.Join(cardnumber.PrintedForms(), ", "), nil
	case wrong != nil:
		return strings.TrimPrefix(wrong.Error(), "printed number: ") + ", as it is form " + form, nil
	}
	card, err := s.client.Printed(s.ctx, control.PrintedRequest{Form: form, Number: number})
	if err != nil {
		return "", err
	}
	if w.grant.Credentials, err = credentials(card); err != nil {
		return "", err
	}
	w.kin, err = parseAll(card.Kin)
	w.missing = among(card.Missing, w.grant.Doors)
	return "", err
}

// missingOf are the doors that do not read some of the cards.
func missingOf(rows []wanted) []string {
	out := []string{}
	for _, r := range rows {
		out = union(out, r.missing)
	}
	return out
}
