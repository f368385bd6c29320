package web

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/internal/web/reception"
)

// people are the flats and who lives in them (P1, P3): flats and the landlord's own
// labels, never a name, and nobody's passages.
type people struct{ *Server }

func (p people) routes() []route {
	return []route{
		{"GET /people", household, p.page},
		{"GET /people/roster", household, p.roster},
		{"GET /people/{tenancy}", household, p.tenancy},
		{"GET /people/{tenancy}/slip", household, p.sheet("slip")},
		{"GET /people/{tenancy}/notice", household, p.sheet("notice")},
	}
}

// flatView is one flat: each tenancy is one person in it.
type flatView struct {
	Flat      string
	People    int // who live there today
	Tenancies []control.Tenancy
	Number    int // of its first tenancy in the list: a name where there is neither flat nor label
}

// peopleView is the screen.
type peopleView struct {
	Flats  []flatView
	Ended  []control.Tenancy
	Alone  bool          // a standalone house, which has keys and no tenancies
	Keys   []control.Key // of it
	People int
	At     time.Time
}

func (p people) page(v *visit) error {
	shown, err := p.flats(v)
	if err != nil {
		return err
	}
	if st, err := p.watch.now(v.Context()); err == nil && st.Registry == "none" {
		shown.Alone = true
		if shown.Keys, err = p.o.Daemon.Keys(v.Context()); err != nil {
			return v.told(err)
		}
	}
	return v.show("people", shown)
}

// roster is the list for a fire drill: heads of a flat, no names.
func (p people) roster(v *visit) error {
	shown, err := p.flats(v)
	if err != nil {
		return err
	}
	return v.show("roster", shown)
}

// flats groups the tenancies by flat; those without one stand alone.
func (p people) flats(v *visit) (shown peopleView, err error) {
	all, err := p.o.Daemon.Tenancies(v.Context())
	if err != nil {
		return shown, v.told(err)
	}
	shown.At = time.Now()
	for i, t := range all {
		if t.State == "ended" {
			shown.Ended = append(shown.Ended, t)
			continue
		}
		shown.At = shown.At.In(zone(t))
		at := slices.IndexFunc(shown.Flats, func(f flatView) bool { return f.Flat != "" && f.Flat == t.Flat })
		if at < 0 {
			shown.Flats = append(shown.Flats, flatView{Flat: t.Flat, Number: i + 1})
			at = len(shown.Flats) - 1
		}
		f := &shown.Flats[at]
		f.Tenancies = append(f.Tenancies, t)
		if t.State != "not_begun" {
			f.People++
			shown.People++
		}
	}
	return shown, nil
}

func zone(t control.Tenancy) *time.Location {
	z, err := time.LoadLocation(t.Zone)
	if err != nil {
		return time.UTC
	}
	return z
}

// tenancyView is one tenancy, and what can be done at the desk for it now.
type tenancyView struct {
	control.Tenancy
	At      time.Time
	Suspect bool // a card of it came on the landlord's word
	Stopped bool // a card of it is suspended, or is to stop
	// Codes are its new one-time codes, while the visit that made them is not forgotten.
	Codes     []string
	CodeDoors []string
}

func (p people) tenancy(v *visit) error {
	t, err := p.view(v)
	if err != nil {
		return err
	}
	return v.show("tenancy", t)
}

func (p people) view(v *visit) (tenancyView, error) {
	t, err := p.o.Daemon.Tenancy(v.Context(), v.PathValue("tenancy"))
	if err != nil {
		return tenancyView{}, v.told(err)
	}
	shown := tenancyView{Tenancy: t, At: time.Now().In(zone(t))}
	for _, c := range t.Cards {
		shown.Suspect = shown.Suspect || c.State == "active" && !c.Proves
		shown.Stopped = shown.Stopped || c.State == "suspended" || c.Ending
	}
	return shown, nil
}

// sheet is one to print: the resident's slip, the notice.
func (p people) sheet(name string) func(*visit) error {
	return func(v *visit) error {
		t, err := p.view(v)
		if err != nil {
			return err
		}
		if at := p.counter.Of(p.sessions.GetString(v.Context(), keyDesk)); at != nil && name == "slip" {
			if done := at.View(v.Context()).Done; done != nil && done.Tenancy.ID == t.ID {
				t.Codes, t.CodeDoors = reception.Spaced(done.Codes), done.CodeDoors
			}
		}
		return v.show(name, t)
	}
}

// List joins words.
func (frame) List(all []string) string { return strings.Join(all, ", ") }

// Called is how the page calls a tenancy: by its flat and the landlord's label.
func (f frame) Called(t control.Tenancy) string {
	switch {
	case t.Flat != "" && t.Label != "" && t.Label != t.Flat:
		return t.Flat + " (" + t.Label + ")"
	case t.Flat != "":
		return t.Flat
	case t.Label != "":
		return t.Label
	}
	return f.T("people.tenancy_number", t.ID[:min(8, len(t.ID))])
}

// State is that of a tenancy in words.
func (f frame) State(t control.Tenancy) string {
	if t.State == "notice" && t.Notice != nil {
		days := int((time.Until(*t.Notice) + 24*time.Hour - 1) / (24 * time.Hour))
		return f.T("people.state_notice_days", max(days, 0))
	}
	return f.T("people.state_" + t.State)
}

// Day is a day in the building's zone; a dash for none.
func (f frame) Day(at *time.Time) string {
	if at == nil {
		return "–"
	}
	return at.Format(time.DateOnly)
}

// LastDay is the last day of a term that ends with this midnight.
func (f frame) LastDay(end *time.Time) string {
	if end == nil {
		return f.T("people.no_end")
	}
	return calendar.LastDay(end, end.Location())
}

// Minute is a moment in the building's zone, as people write it.
func (f frame) Minute(at time.Time) string { return at.Format("2006-01-02 15:04") }

// Plus adds, for numbers that people count from one.
func (frame) Plus(a, b int) int { return a + b }

// In reports whether a list has a word.
func (frame) In(word string, all []string) bool { return slices.Contains(all, word) }

// First is the first day of a term, or that of the check-in where it began at once.
func (frame) First(t control.Tenancy) *time.Time {
	if t.From != nil && (t.Since == nil || t.From.After(*t.Since)) {
		return t.From
	}
	return t.Since
}

// doView is a button that begins a visit for a tenancy.
type doView struct{ Purpose, Tenancy, Words string }

// Do is the button of a purpose, on the screen of a tenancy.
func (f frame) Do(purpose string) doView {
	t, _ := f.Data.(tenancyView)
	return doView{purpose, t.ID, f.T("desk.do_" + purpose)}
}
