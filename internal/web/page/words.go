package page

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
)

// DoorName returns the name of a door: words for the ids that the setup offers, else the id itself,
// as it is in the site file.
func (v *Visit) DoorName(id string) string {
	if key := "doors.name_" + id; v.page.Words.Has(key) {
		return v.Say(key)
	}
	return id
}

// DeviceName returns the name of a reader or input of a door: words for the ids that the setup gives,
// else the id itself.
func (v *Visit) DeviceName(id string) string {
	if key := "doors.device_" + id; v.page.Words.Has(key) {
		return v.Say(key)
	}
	return id
}

// DeviceName returns the name of a reader or input of a door.
func (f frame) DeviceName(id string) string { return f.v.DeviceName(id) }

// DoorName returns the name of a door.
func (f frame) DoorName(id string) string { return f.v.DoorName(id) }

// DoorNames joins the names of doors.
func (f frame) DoorNames(ids []string) string {
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, f.v.DoorName(id))
	}
	return strings.Join(names, f.T("page.comma"))
}

// Called returns the page's name of a tenancy: its flat and the landlord's label.
func (f frame) Called(t control.Tenancy) string { return f.v.Called(t) }

// Called returns the page's name of a tenancy: its flat and the landlord's label.
func (v *Visit) Called(t control.Tenancy) string {
	switch {
	case t.Flat != "" && t.Label != "" && t.Label != t.Flat:
		return t.Flat + v.Say("page.in_brackets", t.Label)
	case t.Flat != "":
		return t.Flat
	case t.Label != "":
		return t.Label
	}
	return v.Say("people.tenancy_number", t.ID[:min(8, len(t.ID))])
}

// State returns the state of a tenancy in words.
func (f frame) State(t control.Tenancy) string {
	if t.Counting {
		return f.T("people.state_counting")
	}
	if t.State == "notice" && t.Notice != nil {
		days := int((time.Until(*t.Notice) + 24*time.Hour - 1) / (24 * time.Hour))
		return f.T("people.state_notice_days", max(days, 0))
	}
	return f.T("people.state_" + t.State)
}

// Day formats a day in the building's zone; a dash for none.
func (frame) Day(at *time.Time) string { return Day(at) }

// Day formats a day in the building's zone; a dash for none.
func Day(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.Format(time.DateOnly)
}

// LastDay formats the last day of a term that ends with this midnight.
func (f frame) LastDay(end *time.Time) string {
	if end == nil {
		return f.T("people.no_end")
	}
	return calendar.LastDay(end, end.Location())
}

// Minute formats a time in the building's zone.
func (f frame) Minute(at time.Time) string {
	if f.zone != nil { // the page's own times are in its machine's zone
		at = at.In(f.zone)
	}
	return Minute(at)
}

// Minute formats a time in its own zone, which is the building's for the daemon's times.
func Minute(at time.Time) string { return at.Format("2006-01-02 15:04") }

// Gap returns what stands between two sentences; Chinese has nothing there.
func (f frame) Gap() string {
	if f.v.Lang == text.Chinese {
		return ""
	}
	return " "
}

// Plus adds, for numbers counted from one.
func (frame) Plus(a, b int) int { return a + b }

// In reports whether a list has a word.
func (frame) In(word string, all []string) bool { return slices.Contains(all, word) }

// First returns the first day of a term, or of the check-in if the term began at once.
func (frame) First(t control.Tenancy) *time.Time {
	if t.From != nil && (t.Since == nil || t.From.After(*t.Since)) {
		return t.From
	}
	return t.Since
}

// Second formats a time of day for a report; a dash for none.
func (f frame) Second(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.Format("15:04:05")
}
