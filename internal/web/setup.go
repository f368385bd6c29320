package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/account"
	"gatehouse/internal/web/wizard"
)

// setup is the screens of a gateway that is not set up yet (S2, S3, S7): what was found, which
// door a reader is at, what the house is called, and its registry.
type setup struct{ *Server }

// settingUp may set a gateway up.
var settingUp = []account.Role{account.Owner, account.Installer}

func (s setup) routes() []route {
	return []route{
		{"GET /setup", settingUp, s.found},
		{"GET /setup/live", settingUp, s.live},
		{"POST /setup/look", settingUp, s.look},
		{"GET /setup/door", settingUp, s.door},
		{"POST /setup/door", settingUp, s.add},
		{"POST /setup/drop", settingUp, s.drop},
		{"GET /setup/house", settingUp, s.house},
		{"POST /setup/house", settingUp, s.write},
		{"GET /setup/wait", settingUp, s.wait},
		{"GET /setup/registry", settingUp, s.registry},
		{"POST /setup/registry", settingUp, s.enrol},
	}
}

// keyDraft is what was said until now, in a session.
const keyDraft = "setup"

func (s setup) draft(v *visit) wizard.Draft {
	return wizard.Read(s.sessions.GetString(v.Context(), keyDraft))
}

func (s setup) keep(v *visit, d wizard.Draft) { s.sessions.Put(v.Context(), keyDraft, d.Text()) }

func (s setup) daemon() control.SetupClient { return control.SettingUp(s.o.Daemon) }

// setupView is what the screens show.
type setupView struct {
	State   control.Setup
	Look    control.Look
	Readers []wizard.Reader
	Draft   control.Answers
	Names   []string // of doors, as chips: ids
	Form    wizard.Said
	Parts   []partView
	Said    *advice
	Live    string // where the live part comes from
}

// partView is one part of the proposal that somebody should look at.
type partView struct {
	What, Words string
	Fault       bool
}

// doorNames are the ids of the usual doors, whose words are setup.door_ID.
var doorNames = []string{"front", "back", "garage", "roof"}

// begun asks the daemon how far it is; where there is nothing to set up, or nothing that can
// be, it answers the visit itself.
func (s setup) begun(v *visit) (view setupView, answered bool, err error) {
	st, err := s.daemon().State(v.Context())
	switch {
	case err != nil:
		return view, true, err
	case st.State == control.SetupHouse:
		v.redirect("/")
		return view, true, nil
	case st.State == control.SetupWrong:
		return view, true, v.show("setup_wrong", st)
	}
	if st.Look == nil {
		if st, err = s.daemon().Look(v.Context(), control.LookRequest{Seconds: control.MostLook, Cards: true}); err != nil {
			return view, true, err
		}
	}
	return s.view(v, st), false, nil
}

func (s setup) view(v *visit, st control.Setup) setupView {
	d := s.draft(v)
	out := setupView{State: st, Draft: d.Answers, Names: doorNames}
	if st.Look != nil {
		out.Look, out.Readers = *st.Look, d.Readers(*st.Look)
	}
	return out
}

// found is S2.
func (s setup) found(v *visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	view.Live = "/setup/live"
	return v.show("setup_found", view)
}

// liveEach is how often a page that is live looks at what was found.
const liveEach = 700 * time.Millisecond

// live sends what was found whenever there is more of it: for S2, and for S3 the rows of readers.
func (s setup) live(v *visit) error {
	screen := "setup_found"
	if v.URL.Query().Get("on") == "door" {
		screen = "setup_door"
	}
	out := http.NewResponseController(v.w)
	v.w.Header().Set("Content-Type", "text/event-stream")
	if err := out.Flush(); err != nil {
		return err
	}
	for last := ""; ; {
		st, err := s.daemon().State(v.Context())
		if err == nil && st.State == control.SetupNew {
			part, err := s.screens.part(screen, "list", frame{v: v, Data: s.view(v, st)})
			if err != nil {
				return err
			}
			if part != last {
				fmt.Fprintf(v.w, "data: %s\n\n", strings.ReplaceAll(part, "\n", "\ndata: "))
				if out.Flush() != nil {
					return nil
				}
				last = part
			}
		}
		select {
		case <-time.After(liveEach):
		case <-v.Context().Done():
			return nil
		}
	}
}

// look looks again, at a board that somebody names if it was not found.
func (s setup) look(v *visit) error {
	if _, err := s.daemon().Look(v.Context(), control.LookRequest{Board: v.FormValue("board"), Seconds: control.MostLook, Cards: true}); err != nil {
		return v.told(err)
	}
	v.redirect("/setup")
	return nil
}

// door is S3.
func (s setup) door(v *visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	return s.showDoor(v, http.StatusOK, view)
}

func (s setup) showDoor(v *visit, status int, view setupView) error {
	view.Live = "/setup/live?on=door"
	return v.showStatus(status, "setup_door", view)
}

func (s setup) add(v *visit) error {
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
		view.Form, view.Said = form, v.advice(err, 0)
		return s.showDoor(v, http.StatusUnprocessableEntity, view)
	}
	s.keep(v, d)
	v.redirect("/setup/house")
	return nil
}

func (s setup) drop(v *visit) error {
	d := s.draft(v)
	d.Drop(v.FormValue("door"))
	s.keep(v, d)
	v.redirect("/setup/house")
	return nil
}

// house shows the doors as they will be, with what somebody should look at.
func (s setup) house(v *visit) error {
	view, answered, err := s.begun(v)
	if answered {
		return err
	}
	if len(view.Draft.Doors) == 0 {
		v.redirect("/setup/door")
		return nil
	}
	return s.showHouse(v, http.StatusOK, view)
}

// usualBuilding is what a house is called of which nobody says anything else.
const usualBuilding = "home"

func (s setup) showHouse(v *visit, status int, view setupView) error {
	view.Draft.Building = cmp.Or(view.Draft.Building, usualBuilding)
	plan, err := s.daemon().Propose(v.Context(), s.answers(view))
	if err != nil {
		return v.told(err)
	}
	for _, item := range plan.Items {
		a := v.advice(errors.New(item.Words), 0)
		if item.State == control.PartFault || item.State == control.PartLook && a.Message != item.Words { // what nobody at a page can do stands in the file
			view.Parts = append(view.Parts, partView{item.What, a.Message, item.State == control.PartFault})
		}
	}
	return v.showStatus(status, "setup_house", view)
}

// answers are those for the board that was found or named.
func (s setup) answers(view setupView) control.Answers {
	a := view.Draft
	a.Board = view.Look.Board
	return a
}

func (s setup) write(v *visit) error {
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
		view.Said = v.advice(err, 0)
		return s.showHouse(v, statusOf(err), view)
	}
	s.sessions.Remove(v.Context(), keyDraft)
	v.redirect("/setup/wait")
	return nil
}

// statusOf is the daemon's, or that of a form that does not do.
func statusOf(err error) int {
	var e *socket.Error
	if errors.As(err, &e) && e.Status != 0 {
		return e.Status
	}
	return http.StatusUnprocessableEntity
}

// wait is shown until the house is served; the page looks again by itself.
func (s setup) wait(v *visit) error {
	if st, err := s.daemon().State(v.Context()); err == nil && st.State == control.SetupHouse {
		to := "/setup/registry"
		if v.URL.Query().Get("for") == "registry" {
			to = s.next(v)
		}
		v.redirect(to)
		return nil
	}
	v.w.Header().Set("Refresh", "1")
	return v.show("setup_wait", nil)
}

// next is what comes after the setup: the first door of which is not proved that people get out.
func (s setup) next(v *visit) string {
	a, err := s.o.Daemon.Doors.Acceptance(v.Context())
	if err != nil || a.Begun == nil {
		return "/"
	}
	for _, d := range a.Doors {
		if !d.Ready {
			return "/prove/" + d.Door
		}
	}
	return "/"
}

// registryView is S7.
type registryView struct{ Said *advice }

func (s setup) registry(v *visit) error {
	if st, err := s.watch.now(v.Context()); err == nil && st.Uplink != nil { // it has one
		v.redirect(s.next(v))
		return nil
	}
	return v.show("setup_registry", registryView{})
}

func (s setup) enrol(v *visit) error {
	if _, err := s.daemon().Enrol(v.Context(), control.EnrolRequest{Token: v.FormValue("token")}); err != nil {
		return v.showStatus(statusOf(err), "setup_registry", registryView{v.advice(err, 0)})
	}
	v.redirect("/setup/wait?for=registry")
	return nil
}

// With is the frame about a part of what it shows.
func (f frame) With(part any) frame {
	f.Data = part
	return f
}

// Has says that there are words of a key.
func (f frame) Has(key string) bool { return f.v.s.words.Has(key) }

// Advice is a sentence of the daemon in the page's words, as far as there are some.
func (f frame) Advice(said string) *advice { return f.v.advice(errors.New(said), 0) }

// lineView is an input of the wiring.
type lineView struct {
	What, Words, Pin string
	Odd              bool // somebody should look after it
}

// Line puts an input's level into words: what it is that is wired as proposed.
func (f frame) Line(l control.FoundLine) lineView {
	door, what, ok := strings.Cut(strings.TrimPrefix(l.Name, "door "), " ")
	if !ok {
		door, what = "", l.Name
	}
	out := lineView{What: f.T("setup.line_" + what), Pin: l.Pin}
	if door != "" {
		out.What = f.T("setup.of_door", door) + out.What
	}
	switch {
	case what == "fire" && l.High:
		out.Odd, out.Words = true, f.T("setup.look_fire")
	case what == "exit" && !l.High:
		out.Odd, out.Words = true, f.T("setup.look_pressed")
	case strings.HasPrefix(what, "d") && !l.High:
		out.Odd, out.Words = true, f.T("setup.look_low")
	}
	return out
}
