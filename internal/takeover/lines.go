package takeover

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/cardlist"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Kinds are the kinds of grants by their names in lists and commands.
var Kinds = map[string]wire.GrantKind{"resident": wire.GrantResident, "staff": wire.GrantStaff,
	"visitor": wire.GrantVisitor, "brigade": wire.GrantBrigade}

// Resolver makes grants of the lines of an old list.
type Resolver struct {
	List      control.List // the active one
	FillZeros bool         // restore leading zeros that a spreadsheet dropped
	// Printed returns the credentials of the card with a printed number.
	Printed func(control.PrintedRequest) (control.Card, error)
}

// Resolve makes grants of the rows. Why of a Line is its fault; the error is Printed's.
func (r Resolver) Resolve(list cardlist.List) ([]Line, error) {
	zone, err := time.LoadLocation(r.List.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the building: %w", err)
	}
	rows := make([]Line, 0, len(list.Rows))
	for _, row := range list.Rows {
		w := Line{Row: row, Why: row.Fault}
		if w.Why == "" {
			w.Why = readTerms(&w, r.List.Doors, zone)
		}
		if w.Why == "" {
			if w.Why, err = r.askNumber(&w); err != nil {
				return nil, err
			}
		}
		rows = append(rows, w)
	}
	return rows, nil
}

// Times of day that exports append to a day.
var (
	midnight = regexp.MustCompile(`[ T]0?0:00(:00(\.0+)?)?$`)
	endOfDay = regexp.MustCompile(`[ T](0?0:00(:00(\.0+)?)?|23:59(:59(\.9+)?)?)$`)
)

// readTerms reads all cells but the number, and returns the line's fault.
func readTerms(w *Line, doors []string, zone *time.Location) string {
	var g grantlist.NewGrant
	var known bool
	if g.Kind, known = Kinds[strings.ToLower(Plain(w.Row.Kind))]; !known {
		return "kind " + cardlist.Shown([]string{w.Row.Kind})[0] + ": want resident, staff, visitor or brigade"
	}
	for _, d := range w.Row.Doors {
		i := slices.IndexFunc(doors, func(id string) bool { return strings.EqualFold(id, folded(d)) })
		if i < 0 {
			return "no door " + cardlist.Shown([]string{d})[0] + " here: doors are " + strings.Join(doors, ", ")
		}
		g.Doors = Union(g.Doors, doors[i:i+1])
	}
	var err error
	if g.Label, err = naming.Label(w.Row.Label); err != nil {
		return err.Error()
	}
	if g.Label == "" {
		return "it has no label: a word of your own for the flat, as 3B; where its cell was merged with others, write it in each of them"
	}
	if g.From, err = calendar.First(midnight.ReplaceAllString(w.Row.From, ""), zone); err != nil {
		return dayFault(err, "its first day", "as 2026-12-01", "leave it empty for one that has begun")
	}
	if g.Until, err = calendar.Last(endOfDay.ReplaceAllString(w.Row.Until, ""), zone); err != nil {
		return dayFault(err, "its last day", "as 2027-11-30, or leave it empty for no end", "leave it empty for no end")
	}
	if !g.Until.IsZero() && !g.From.Before(g.Until) {
		return "its last day is before its first"
	}
	if g.Kind == wire.GrantVisitor && g.Until.IsZero() {
		return "a visitor's key needs a last day"
	}
	w.Past = !g.Until.IsZero() && g.Until.Before(time.Now())
	w.Grant = g
	return ""
}

// dayFault returns why a day is none, without the cell's content, which may be anything.
func dayFault(err error, day, as, none string) string {
	if errors.Is(err, calendar.ErrRange) {
		return day + " is before 1970 or after 2106-02-06, which no key can hold: " + none
	}
	return day + " can't be read: write it with the year first, " + as
}

// askNumber asks the daemon for the credentials of the card.
func (r Resolver) askNumber(w *Line) (why string, err error) {
	number, form, wrong := PrintedOf(w.Row.Number, w.Row.Form, r.FillZeros)
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
	card, err := r.Printed(control.PrintedRequest{Form: form, Number: number})
	if err != nil {
		return "", err
	}
	if w.Grant.Credentials, err = Parse(card.Credentials); err != nil {
		return "", err
	}
	w.Kin, err = Parse(card.Kin)
	w.Missing = Among(card.Missing, w.Grant.Doors)
	return "", err
}
