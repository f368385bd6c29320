package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/control"
)

// doors is the screen of the doors (D1): in order, held, forced, emergency, fault. That
// somebody goes through shows nowhere, since the daemon does not tell.
type doors struct{ *Server }

func (d doors) routes() []route {
	return []route{
		{"GET /doors", everyRole, d.page},
		{"GET /doors/live", everyRole, d.live},
		{"POST /doors/{door}/release", everyRole, d.release},
		{"POST /doors/{door}/lock", everyRole, d.lock},
	}
}

// doorView is one door as the page shows it.
type doorView struct {
	ID      string
	State   string // key of its words
	Alarm   bool
	Lock    string // what is wrong with it; empty: nothing
	Stuck   bool   // the exit button
	Readers []control.Device
	Unready bool // it was not proved that people get out
}

func (d doors) views(st control.Status) []doorView {
	out := []doorView{}
	for _, each := range st.Doors {
		v := doorView{ID: each.ID, State: "doors.state_" + each.State, Alarm: each.State != doorNormal, Stuck: each.ExitPressed > 0}
		v.Unready = slices.ContainsFunc(st.ToDo, func(item control.ToDo) bool { return item.Door == each.ID && ofProof(item.Code) })
		if each.Lock != "ok" {
			v.Lock = each.Lock
		}
		for _, dev := range each.Devices {
			if !dev.Online || dev.Fault != "" {
				v.Readers = append(v.Readers, dev)
			}
		}
		out = append(out, v)
	}
	return out
}

// alarms counts the doors that somebody should look at.
func alarms(st control.Status) (n int) {
	for _, d := range st.Doors {
		if d.State != doorNormal {
			n++
		}
	}
	return n
}

// doorNormal is the state of a door at which nothing is wrong, whoever goes through it.
const doorNormal = "normal"

// doorsView is the screen.
type doorsView struct {
	Doors  []doorView
	Fire   *control.Fire
	Opened string // a door that was just opened from here
	Locked string // one whose release from here was just taken back
}

func (d doors) page(v *visit) error {
	st, err := d.watch.now(v.Context())
	if err != nil {
		return err
	}
	return v.show("doors", doorsView{d.views(st), st.Fire, v.URL.Query().Get("opened"), v.URL.Query().Get("locked")})
}

// live sends the list of doors whenever it is another one (server-sent events), for as long
// as the session is good: a stolen phone hears no more from when it was ended.
func (d doors) live(v *visit) error {
	out := http.NewResponseController(v.w)
	v.w.Header().Set("Content-Type", "text/event-stream")
	if err := out.Flush(); err != nil {
		return err
	}
	for last := ""; ; {
		st, err := d.watch.now(v.Context())
		f := frame{v: v, Silent: err != nil, Data: doorsView{Doors: d.views(st), Fire: st.Fire}}
		part, err := d.screens.part("doors", "list", f)
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
		if !d.watch.next(v.Context()) || !v.stays() {
			return nil
		}
	}
}

func (d doors) release(v *visit) error {
	r, err := d.o.Daemon.Release(v.Context(), v.PathValue("door"))
	if err != nil {
		return err
	}
	v.redirect("/doors?opened=" + r.Door)
	return nil
}

// lock takes back a release from here. Who was let through otherwise keeps their time, and
// that somebody was does not show.
func (d doors) lock(v *visit) error {
	r, err := d.o.Daemon.Doors.LockNow(v.Context(), v.PathValue("door"))
	if err != nil {
		return err
	}
	v.redirect("/doors?locked=" + r.Door)
	return nil
}
