// Package setup has the screens of a landlord's first hour: what was found and which door a reader
// is at (S1 to S3), the proof that people get out (S4, S5), old cards (S6), the registry (S7), the
// recovery code (S8) and the acceptance (S9); and of later changes to these.
package setup

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/backoff"
	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/watch"
	"gatehouse/internal/web/wizard"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/typed"
)

// setup has the screens of a gateway that is not set up yet (S2, S3, S7): what was found, which
// door a reader is at, the building's name, and its registry, or its keys if it has none.
type setup struct{ *page.Page }

// Routes returns the routes of all these screens.
func Routes(p *page.Page) []page.Route {
	return slices.Concat(setup{p}.routes(), prove{p}.routes(), pairing{p}.routes(), backups{p}.routes(), (&oldCards{Page: p}).routes())
}

func (s setup) routes() []page.Route {
	return []page.Route{
		page.At("GET /setup", page.Builders, s.found),
		page.At("GET /setup/live", page.Builders, s.live),
		page.At("POST /setup/look", page.Builders, s.look),
		page.At("GET /setup/door", page.Builders, s.door),
		page.At("POST /setup/door", page.Builders, s.add),
		page.At("POST /setup/drop", page.Builders, s.drop),
		page.At("GET /setup/house", page.Builders, s.house),
		page.At("POST /setup/house", page.Builders, s.write),
		page.At("GET /setup/wait", page.Builders, s.wait),
		page.At("GET /setup/registry", page.Builders, s.registry),
		page.At("POST /setup/registry", page.Builders, s.enrol),
		page.At("GET /setup/keys", page.Builders, s.keys),
		page.At("POST /setup/keys", page.Builders, s.install),
		page.At("POST /setup/keys/file", page.Builders, s.keyFile),
	}
}

// keyDraft is the session's key of the answers so far.
const keyDraft = "setup"

func (s setup) draft(v *page.Visit) wizard.Draft {
	return wizard.Read(s.Sessions.GetString(v.Context(), keyDraft))
}

func (s setup) keep(v *page.Visit, d wizard.Draft) { s.Sessions.Put(v.Context(), keyDraft, d.Text()) }

func (s setup) daemon() control.SetupClient { return control.SettingUp(s.Daemon) }

// setupView is the data of the screens.
type setupView struct {
	State   control.Setup
	Look    control.Look
	Readers []wizard.Reader
	Draft   control.Answers
	Names   []string // ids of usual doors, as buttons
	Form    wizard.Said
	Lines   []lineView
	Parts   []partView
	Said    *page.Advice
	Live    string // path of the live part
}

// partView is a part of the proposal that needs attention.
type partView struct {
	What, Words string
	Fault       bool
}

// doorNames are the ids of the usual doors, with the words doors.name_ID.
var doorNames = []string{"front", "back", "yard", "garage", "roof"}

// begun returns the daemon's state; if there is nothing to set up, or setup is not possible, it
// answers the request itself.
func (s setup) begun(v *page.Visit) (view setupView, answered bool, err error) {
	st, err := s.daemon().State(v.Context())
	switch {
	case err != nil:
		return view, true, err
	case st.State == control.SetupHouse:
		v.Redirect("/")
		return view, true, nil
	case st.State != control.SetupNew:
		return view, true, v.Show("setup_wrong", st)
	}
	if st.Look == nil {
		if st, err = s.daemon().Look(v.Context(), control.LookRequest{Seconds: control.MostLook, Cards: true}); err != nil {
			return view, true, err
		}
	}
	return s.view(v, st), false, nil
}

func (s setup) view(v *page.Visit, st control.Setup) setupView {
	d := s.draft(v)
	out := setupView{State: st, Draft: d.Answers, Names: doorNames}
	if st.Look != nil {
		out.Look, out.Readers = *st.Look, d.Readers(*st.Look)
		for _, l := range st.Look.Lines {
			out.Lines = append(out.Lines, line(v, l))
		}
	}
	return out
}

// found shows what was found (S2).
func (s setup) found(v *page.Visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	view.Live = "/setup/live"
	return v.Show("setup_found", view)
}

// liveEach is how often a live page checks what was found.
const liveEach = 700 * time.Millisecond

// live sends the findings whenever there are more: for S2, and for S3 the rows of readers.
func (s setup) live(v *page.Visit) error {
	screen := "setup_found"
	if v.URL.Query().Get("on") == "door" {
		screen = "setup_door"
	}
	look := func() (any, bool) {
		st, err := s.daemon().State(v.Context())
		if err != nil || st.State != control.SetupNew {
			return nil, false
		}
		return s.view(v, st), true
	}
	return v.Live(screen, look, func() bool { return backoff.Sleep(v.Context(), liveEach) })
}

// look starts another discovery, with the board that the form names, if it was not found.
func (s setup) look(v *page.Visit) error {
	if _, err := s.daemon().Look(v.Context(), control.LookRequest{Board: v.FormValue("board"), Seconds: control.MostLook, Cards: true}); err != nil {
		return v.Told(err)
	}
	v.Redirect("/setup")
	return nil
}

// door shows the form for a door and its reader (S3).
func (s setup) door(v *page.Visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	return s.showDoor(v, http.StatusOK, view)
}

func (s setup) showDoor(v *page.Visit, status int, view setupView) error {
	view.Live = "/setup/live?on=door"
	return v.ShowStatus(status, "setup_door", view)
}

func (s setup) add(v *page.Visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	form := wizard.Said{Reader: v.FormValue("reader"), Name: v.FormValue("name"), Direction: v.FormValue("direction"), Lock: v.FormValue("lock"),
		Egress: v.FormValue("egress"), Exit: v.FormValue("exit") != "", Contact: v.FormValue("contact") != ""}
	if form.Name == "" || form.Name == "other" {
		form.Name = v.FormValue("other")
	}
	d := s.draft(v)
	if err := d.Add(view.Look, form); err != nil {
		view.Form, view.Said = form, v.Advice(err, 0)
		return s.showDoor(v, http.StatusUnprocessableEntity, view)
	}
	s.keep(v, d)
	v.Redirect("/setup/house")
	return nil
}

func (s setup) drop(v *page.Visit) error {
	d := s.draft(v)
	d.Drop(v.FormValue("door"))
	s.keep(v, d)
	v.Redirect("/setup/house")
	return nil
}

// house shows the doors of the draft, with the parts that need attention.
func (s setup) house(v *page.Visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	if len(view.Draft.Doors) == 0 {
		v.Redirect("/setup/door")
		return nil
	}
	return s.showHouse(v, http.StatusOK, view)
}

// usualBuilding is the default name of a house.
const usualBuilding = "home"

func (s setup) showHouse(v *page.Visit, status int, view setupView) error {
	view.Draft.Building = cmp.Or(view.Draft.Building, usualBuilding)
	plan, err := s.daemon().Propose(v.Context(), s.answers(view))
	if err != nil {
		return v.Told(err)
	}
	for _, item := range plan.Items {
		a := v.Advice(errors.New(item.Words), 0)
		if item.State == control.PartFault || item.State == control.PartLook && a.Message != item.Words { // a remark without words on the page is in the file
			view.Parts = append(view.Parts, partView{s.part(v, item.What), a.Message, item.State == control.PartFault})
		}
	}
	return v.ShowStatus(status, "setup_house", view)
}

// part returns the name of a part of the proposal; an unknown one is returned unchanged.
func (s setup) part(v *page.Visit, what string) string {
	if door, of, ok := strings.Cut(what, ", "); ok {
		return s.part(v, door) + " · " + s.part(v, of)
	}
	if id, ok := strings.CutPrefix(what, "door "); ok {
		return v.DoorName(id)
	}
	if id, ok := strings.CutPrefix(what, "reader "); ok {
		return v.Say("setup.part_reader", id)
	}
	if key := "setup.part_" + strings.ReplaceAll(what, " ", "_"); s.Words.Has(key) {
		return v.Say(key)
	}
	return what
}

// answers returns the answers for the board that was found or named.
func (s setup) answers(view setupView) control.Answers {
	a := view.Draft
	a.Board = view.Look.Board
	return a
}

func (s setup) write(v *page.Visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	d := s.draft(v)
	if err = d.Name(v.FormValue("building"), v.FormValue("fire") != ""); err == nil {
		s.keep(v, d)
		view.Draft = d.Answers
		_, err = s.daemon().Write(v.Context(), control.WriteSite{Answers: s.answers(view)})
	}
	if err != nil {
		view.Said = v.Advice(err, 0)
		return s.showHouse(v, page.StatusOf(err), view)
	}
	s.Sessions.Remove(v.Context(), keyDraft)
	v.Redirect("/setup/wait")
	return nil
}

// wait is shown until the house is served; the page asks again by itself.
func (s setup) wait(v *page.Visit) error {
	if st, err := s.daemon().State(v.Context()); err == nil && st.State == control.SetupHouse {
		to := s.firstKey(v)
		if v.URL.Query().Get("for") == "registry" {
			to = s.next(v)
		}
		v.Redirect(to)
		return nil
	}
	v.W.Header().Set("Refresh", "1")
	return v.Show("setup_wait", nil)
}

// firstKey returns the screen once the house is served: its first OSDP reader without a key of its
// own, or the registry.
func (s setup) firstKey(v *page.Visit) string {
	all, err := s.Daemon.Readers(v.Context())
	if path := nextReader(all, ""); err == nil && path != "" {
		return path
	}
	return "/setup/registry"
}

// next returns the screen after the setup: the first door whose proofs are missing, and then the
// acceptance sheet (S9), from which the first tenant is checked in.
func (s setup) next(v *page.Visit) string {
	a, err := s.Daemon.Doors.Acceptance(v.Context())
	if err != nil || a.Begun == nil {
		return "/"
	}
	for _, d := range a.Doors {
		if !d.Ready {
			return "/prove/" + d.Door
		}
	}
	return "/prove"
}

// registryView is the data of the registry's screen (S7).
type registryView struct{ Said *page.Advice }

func (s setup) registry(v *page.Visit) error {
	st, err := s.Watch.Now(v.Context())
	again := slices.ContainsFunc(watch.ToDo(st), func(i control.ToDo) bool { return i.Code == "key_file" })
	if err == nil && st.Uplink != nil && !again { // it is enrolled, with all keys
		v.Redirect(s.next(v))
		return nil
	}
	return v.Show("setup_registry", registryView{})
}

func (s setup) enrol(v *page.Visit) error {
	token := v.FormValue("token")
	var slip *typed.Mistake
	if _, err := wire.ParseToken(token); errors.As(err, &slip) && slip.At > 0 {
		return v.ShowStatus(http.StatusUnprocessableEntity, "setup_registry", registryView{v.Words("setup.said_mistyped", slip.At)})
	}
	if _, err := s.daemon().Enrol(v.Context(), control.EnrolRequest{Token: token}); err != nil {
		return v.ShowStatus(page.StatusOf(err), "setup_registry", registryView{v.Advice(err, 0)})
	}
	v.Redirect("/setup/wait?for=registry")
	return nil
}

// lineView is an input of the wiring.
type lineView struct {
	What, Words, Pin string
	Odd              bool // it needs attention
}

// line returns an input's level in words: the meaning of its proposed wiring.
func line(v *page.Visit, l control.FoundLine) lineView {
	door, what, ok := strings.Cut(strings.TrimPrefix(l.Name, "door "), " ")
	if !ok {
		door, what = "", l.Name
	}
	out := lineView{What: v.Say("setup.line_" + what), Pin: l.Pin}
	if door != "" {
		out.What = v.Say("setup.of_door", door) + out.What
	}
	switch {
	case what == "fire" && l.High:
		out.Odd, out.Words = true, v.Say("setup.look_fire")
	case what == "exit" && !l.High:
		out.Odd, out.Words = true, v.Say("setup.look_pressed")
	case strings.HasPrefix(what, "d") && !l.High:
		out.Odd, out.Words = true, v.Say("setup.look_low")
	}
	return out
}
