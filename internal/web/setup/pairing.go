package setup

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
)

// pairing is the screen on which an OSDP reader gets a key of its own: after the setup for those
// that were found, and from Doors and To do for one that was exchanged or reset.
type pairing struct{ *page.Page }

func (p pairing) routes() []page.Route {
	const reader = "/doors/{door}/readers/{reader}"
	return []page.Route{
		page.At("GET "+reader, page.Builders, func(v *page.Visit) error { return p.show(v, nil) }),
		page.At("GET "+reader+"/live", page.Builders, p.live),
		page.At("POST "+reader+"/install", page.Builders, p.open),
		page.At("POST "+reader+"/stop", page.Builders, p.stop),
	}
}

// readerPath is where the page shows an OSDP reader.
func readerPath(door, reader string) string { return "/doors/" + door + "/readers/" + reader }

// pairMinutes is how long the page opens an installation window: as long as the tool does.
const pairMinutes = 10

// pairView is the data of the screen.
type pairView struct {
	control.Reader
	Tried  bool   // somebody has just opened the window here
	Why    string // key: what keeps the reader from its key; empty: nothing that is known
	To     string // where to go on
	ToNext string // key of its words
	Live   string
	Said   *page.Advice
}

// Open reports whether the window is.
func (v pairView) Open() bool { return v.OSDP.Install }

// Over reports whether the window was closed again without a key.
func (v pairView) Over() bool { return v.Tried && !v.Open() }

// waits reports whether a reader must have a key of its own, and does not show it.
func waits(r control.Reader) bool { return r.OSDP != nil && r.Line == control.LineWaiting }

// nextReader returns the path of the next reader without a key of its own, except one; empty if all
// have theirs.
func nextReader(all []control.Reader, but string) string {
	for _, r := range all {
		if path := readerPath(r.Door, r.ID); waits(r) && path != but {
			return path
		}
	}
	return ""
}

// look finds the reader of a visit. It leads away from one that is not there or no OSDP reader.
func (p pairing) look(v *page.Visit) (view pairView, found bool, err error) {
	all, err := p.Daemon.Readers(v.Context())
	if err != nil {
		return view, false, err
	}
	i := slices.IndexFunc(all, func(r control.Reader) bool {
		return r.Door == v.PathValue("door") && r.ID == v.PathValue("reader") && r.OSDP != nil
	})
	if i < 0 {
		return view, false, nil
	}
	view.Reader, view.Tried = all[i], v.URL.Query().Get("tried") != ""
	here := readerPath(view.Door, view.ID)
	if view.Live = here + "/live"; view.Tried {
		view.Live += "?tried=1"
	}
	view.Why = p.why(view)
	view.To, view.ToNext = p.next(v, nextReader(all, here))
	return view, true, nil
}

// why is the key of what is to be done before the reader takes a key: what the gateway saw of it
// last, or why a key that was made did not get there.
func (p pairing) why(v pairView) string {
	for _, key := range []string{"pair.key_" + v.OSDP.KeyFault, "pair.fault_" + v.Fault, "todo.fault_" + v.Fault} {
		if v.Line == control.LineWaiting && p.Words.Has(key) {
			return key
		}
	}
	return ""
}

// next is where it goes on: the next reader, what is left of the setup, or the doors.
func (p pairing) next(v *page.Visit, reader string) (to, words string) {
	st, err := p.Watch.Now(v.Context())
	unproved := func(i control.ToDo) bool { return strings.HasPrefix(i.Code, "door_unproved") }
	switch {
	case reader != "":
		return reader, "pair.next"
	case err == nil && !st.Initialised && st.Uplink == nil:
		return "/setup/registry", "pair.go_on"
	case err == nil && slices.ContainsFunc(st.ToDo, unproved):
		return "/prove", "pair.go_on"
	}
	return "/doors", "page.doors"
}

// show answers with the reader as it is, and with what was refused.
func (p pairing) show(v *page.Visit, wrong error) error {
	view, found, err := p.look(v)
	switch {
	case err != nil:
		return v.Told(err)
	case !found:
		v.Redirect("/doors")
		return nil
	case wrong == nil:
		return v.Show("reader", view)
	}
	view.Said = v.Advice(wrong, 0)
	return v.ShowStatus(page.StatusOf(wrong), "reader", view)
}

// live sends what becomes of the reader, for as long as the session is good.
func (p pairing) live(v *page.Visit) error {
	look := func() (any, bool) {
		view, found, err := p.look(v)
		return view, err == nil && found
	}
	return v.Live("reader", look, func() bool {
		select {
		case <-time.After(liveEach):
			return v.Stays()
		case <-v.Context().Done():
			return false
		}
	})
}

// open opens the window. A reader that has its key meanwhile needs none.
func (p pairing) open(v *page.Visit) error {
	door, reader := v.PathValue("door"), v.PathValue("reader")
	if err := p.Daemon.Install(v.Context(), door, reader, control.Install{Minutes: pairMinutes}); err != nil {
		return p.show(v, err)
	}
	v.Redirect(readerPath(door, reader) + "?tried=1")
	return nil
}

func (p pairing) stop(v *page.Visit) error {
	door, reader := v.PathValue("door"), v.PathValue("reader")
	if err := p.Daemon.CloseInstall(v.Context(), door, reader); err != nil {
		return p.show(v, err)
	}
	v.Redirect(readerPath(door, reader))
	return nil
}
