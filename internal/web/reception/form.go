package reception

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
)

// Form is the input of a check-in.
type Form struct {
	Document, Number, Name string
	Flat, Label            string
	Doors                  []string // none: all
	Term                   string   // year, half, open, or date (Until)
	From, Until            string   // days as people write them; empty: now, and no end
	Basis                  string
	Guardian               bool // of a child agrees that its data are kept; false for others
	Guest                  GuestForm
}

// GuestForm is the input of a guest code.
type GuestForm struct {
	From  string // day and time in the building's zone; empty: from now on
	Hours int    // from then on; 0: to the midnight that follows
	Once  bool   // it opens once; else any number of times until its end
}

// GuestFormOf parses the form of a guest code: until midnight if it has no number of hours.
func GuestFormOf(r *http.Request) GuestForm {
	hours, err := strconv.Atoi(r.FormValue("hours"))
	if err != nil {
		hours = 0
	}
	return GuestForm{From: strings.TrimSpace(r.FormValue("from")), Hours: hours, Once: r.FormValue("once") == "1"}
}

// Lengths returns the hours that can be chosen.
func (GuestForm) Lengths() []int { return []int{0, 4, 24, 72, 168} }

// Terms returns the terms for a building in a time zone. The error is a text.Word, or that of the
// zone.
func (f GuestForm) Terms(timeZone string) (*control.GuestTerms, error) {
	zone, err := time.LoadLocation(timeZone)
	if err != nil {
		return nil, fmt.Errorf("time zone of the building: %w", err)
	}
	from, err := calendar.Moment(f.From, zone)
	if errors.Is(err, calendar.ErrRange) {
		return nil, text.Word("guest.out_of_range")
	}
	if err != nil {
		return nil, text.Word("guest.bad_from")
	}
	terms := control.GuestTerms{Hours: f.Hours, Once: f.Once}
	if !from.IsZero() {
		terms.From = &from
	}
	return &terms, nil
}

// terms are the lengths that can be chosen, in months; 0: no end.
var terms = map[string]int{"year": 12, "half": 6, "open": 0}

// arrival returns the daemon's request for the form, for a building.
func (f Form) arrival(d control.Desk) (in control.CheckIn, err error) {
	in = control.CheckIn{Document: f.Document, Number: f.Number, Name: f.Name, Flat: f.Flat, Label: f.Label, Doors: f.Doors, Basis: f.Basis}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return in, fmt.Errorf("time zone of the building: %w", err)
	}
	first, err := calendar.First(f.From, zone)
	if err != nil {
		return in, unread(err)
	}
	if !first.IsZero() {
		in.From = &first
	}
	in.Until, err = f.end(first, zone, d.Trusted)
	return in, err
}

// end returns the end of the term that begins with first (zero: now); nil: it has none.
func (f Form) end(first time.Time, zone *time.Location, trusted bool) (*time.Time, error) {
	months, listed := terms[f.Term]
	typed := strings.TrimSpace(f.Until) != ""
	switch {
	case f.Term == "date" && typed:
		last, err := calendar.Last(f.Until, zone)
		if err != nil {
			return nil, unread(err)
		}
		if last.IsZero() {
			return nil, nil
		}
		return &last, nil
	case !listed:
		return nil, text.Word("desk.no_term")
	case typed:
		return nil, text.Word("desk.two_terms")
	case months == 0:
		return nil, nil
	case first.IsZero() && !trusted:
		return nil, text.Word("desk.no_clock")
	case first.IsZero():
		first = time.Now().In(zone)
	}
	end := after(first, months)
	return &end, nil
}

// unread returns the words for a day that package calendar refused.
func unread(err error) error {
	if errors.Is(err, calendar.ErrRange) {
		return text.Word("desk.day_range")
	}
	return text.Word("desk.bad_day")
}

// after returns the midnight that ends a term of some months. Half a year from the 31st of August
// ends with February.
func after(first time.Time, months int) time.Time {
	y, m, day := first.Date()
	end := time.Date(y, m+time.Month(months), day, 0, 0, 0, 0, first.Location())
	if end.Day() != day {
		end = end.AddDate(0, 0, 1-end.Day())
	}
	return end
}

// Spaced returns codes in two halves, as people read and type them.
func Spaced(codes []string) (all []string) {
	for _, c := range codes {
		all = append(all, c[:len(c)/2]+" "+c[len(c)/2:])
	}
	return all
}
