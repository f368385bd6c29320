package web

import (
	"net/url"
	"slices"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/reception"
)

// people has the flats and their tenancies (P1, P3): flats and the landlord's labels, never a name,
// and nobody's passages.
type people struct {
	*page.Page
	counter *reception.Counter
}

func (p people) routes() []page.Route {
	return []page.Route{
		page.At("GET /people", page.Household, p.page),
		page.At("GET /people/roster", page.Household, p.roster),
		page.At("GET /people/{tenancy}", page.Household, p.tenancy),
		page.At("POST /people/guest/end", page.Household, p.endGuest),
		page.At("GET /people/{tenancy}/slip", page.Household, p.sheet("slip")),
		page.At("GET /people/{tenancy}/notice", page.Household, p.sheet("notice")),
	}
}

// flatView is a flat: each tenancy is one person in it.
type flatView struct {
	Flat      string
	People    int // number of people who live there today
	Tenancies []control.Tenancy
	Number    int // of its first tenancy in the list: its name if there is neither flat nor label
}

// peopleView is the data of the screen.
type peopleView struct {
	Flats  []flatView
	Ended  []control.Tenancy
	Alone  bool          // a standalone house, which has keys and no tenancies
	Keys   []control.Key // of it
	People int
	At     time.Time
}

func (p people) page(v *page.Visit) error {
	shown, err := p.flats(v)
	if err != nil {
		return err
	}
	if st, err := p.Watch.Now(v.Context()); err == nil && st.Registry == "none" {
		shown.Alone = true
		if shown.Keys, err = p.Daemon.Keys(v.Context()); err != nil {
			return v.Told(err)
		}
	}
	return v.Show("people", shown)
}

// roster is the list for a fire drill: the number of people in each flat, no names.
func (p people) roster(v *page.Visit) error {
	shown, err := p.flats(v)
	if err != nil {
		return err
	}
	return v.Show("roster", shown)
}

// flats groups the tenancies by flat; each one without a flat is on its own.
func (p people) flats(v *page.Visit) (shown peopleView, err error) {
	all, err := p.Daemon.Tenancies(v.Context())
	if err != nil {
		return shown, v.Told(err)
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

// tenancyView is a tenancy, and what can be done for it at the desk now.
type tenancyView struct {
	control.Tenancy
	At      time.Time
	Suspect bool // only the landlord vouched for a card of it
	Stopped bool // a card of it is suspended, or will be
	// Codes are its new one-time codes, until the visit that made them is wiped.
	Codes     []string
	CodeDoors []string
	Guests    []control.Guest // its guest codes, without whether they were used
}

func (p people) tenancy(v *page.Visit) error {
	t, err := p.view(v)
	if err != nil {
		return err
	}
	if len(t.GuestsAt) > 0 {
		all, err := control.Guests(v.Context(), p.Daemon)
		if err != nil {
			return v.Told(err)
		}
		t.Guests = slices.DeleteFunc(all, func(g control.Guest) bool { return g.Tenancy != t.ID })
	}
	return v.Show("tenancy", t)
}

// endGuest ends a guest code.
func (p people) endGuest(v *page.Visit) error {
	if err := control.EndGuest(v.Context(), p.Daemon, v.FormValue("guest")); err != nil {
		return v.Told(err)
	}
	v.Redirect("/people/" + url.PathEscape(v.FormValue("tenancy")))
	return nil
}

func (p people) view(v *page.Visit) (tenancyView, error) {
	t, err := p.Daemon.Tenancy(v.Context(), v.PathValue("tenancy"))
	if err != nil {
		return tenancyView{}, v.Told(err)
	}
	shown := tenancyView{Tenancy: t, At: time.Now().In(zone(t))}
	for _, c := range t.Cards {
		shown.Suspect = shown.Suspect || c.State == "active" && !c.Proves
		shown.Stopped = shown.Stopped || c.State == "suspended" || c.Ending
	}
	return shown, nil
}

// sheet returns a handler for a page to print: the resident's slip, the notice.
func (p people) sheet(name string) func(*page.Visit) error {
	return func(v *page.Visit) error {
		t, err := p.view(v)
		if err != nil {
			return err
		}
		if at := p.counter.Of(p.Sessions.Token(v.Context())); at != nil && name == "slip" {
			if done := at.View(v.Context()).Done; done != nil && done.Tenancy.ID == t.ID {
				t.Codes, t.CodeDoors = reception.Spaced(done.Codes), done.CodeDoors
			}
		}
		return v.Show(name, t)
	}
}

// doView is a button that begins a visit for a tenancy.
type doView struct{ Purpose, Tenancy string }

// Do returns the button of a purpose, on the screen of a tenancy.
func (t tenancyView) Do(purpose string) doView { return doView{purpose, t.ID} }
