package reception

import (
	"fmt"
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
	Guest                  GuestForm
}

// GuestForm is the input of a guest code.
type GuestForm struct {
	From  string // day and time in the building's zone; empty: from now on
	Hours int    // from then on; 0: to the midnight that follows
	Once  bool   // it opens once; else any number of times until its end
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
		return in, text.Word("desk.bad_day")
	}
	if !first.IsZero() {
		in.From = &first
	}
	months, listed := terms[f.Term]
	switch {
	case f.Term == "date" && strings.TrimSpace(f.Until) == "", f.Term != "date" && !listed:
		return in, text.Word("desk.no_term")
	case f.Term == "date":
		last, err := calendar.Last(f.Until, zone)
		if err != nil {
			return in, text.Word("desk.bad_day")
		}
		if !last.IsZero() {
			in.Until = &last
		}
	case months > 0 && first.IsZero() && !d.Trusted:
		return in, text.Word("desk.no_clock")
	case months > 0:
		if first.IsZero() {
			first = time.Now().In(zone)
		}
		end := after(first, months)
		in.Until = &end
	}
	return in, nil
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
