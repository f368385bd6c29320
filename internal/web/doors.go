package web

import (
	"slices"

	"gatehouse/internal/control"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/watch"
)

// doors has the screen of the doors (D1): normal, held, forced, emergency, fault. It never shows
// that somebody goes through, since the daemon does not tell.
type doors struct{ *page.Page }

func (d doors) routes() []page.Route {
	return []page.Route{
		page.At("GET /doors", page.EveryRole, d.page),
		page.At("GET /doors/live", page.EveryRole, d.live),
		page.At("POST /doors/{door}/release", page.EveryRole, d.release),
		page.At("POST /doors/{door}/lock", page.EveryRole, d.lock),
		page.At("GET /fire", page.EveryRole, func(v *page.Visit) error { return d.afterFire(v, nil) }),
		page.At("POST /fire", page.EveryRole, d.endFire),
	}
}

// doorView is a door on the screen.
type doorView struct {
	ID      string
	State   string // key of the words
	Alarm   bool
	Lock    string // its fault; empty: none
	Stuck   bool   // the exit button is stuck
	Readers []faultyReader
	Unready bool // it is not proved that people get out
}

// faultyReader is a reader or input with a fault.
type faultyReader struct {
	control.Device
	Key bool // it needs a key of its own, which it gets on another screen
}

func (d doors) views(st control.Status) []doorView {
	out := []doorView{}
	for _, each := range st.Doors {
		v := doorView{ID: each.ID, State: "doors.state_" + each.State, Alarm: each.State != watch.DoorNormal, Stuck: each.ExitPressed > 0}
		v.Unready = slices.ContainsFunc(st.ToDo, func(item control.ToDo) bool { return item.Door == each.ID && ofProof(item.Code) })
		if each.Lock != "ok" {
			v.Lock = each.Lock
		}
		for _, dev := range each.Devices {
			if !dev.Online || dev.Fault != "" {
				v.Readers = append(v.Readers, faultyReader{dev, ofKey(dev.Fault)})
			}
		}
		out = append(out, v)
	}
	return out
}

// doorsView is the data of the screen.
type doorsView struct {
	Doors  []doorView
	Fire   *control.Fire
	Opened string // a door that was just released from the page
	Locked string // a door whose release from the page was just ended
	Silent bool   // the daemon does not answer
}

func (d doors) page(v *page.Visit) error {
	st, err := d.Watch.Now(v.Context())
	if err != nil {
		return err
	}
	return v.Show("doors", doorsView{Doors: d.views(st), Fire: st.Fire, Opened: v.URL.Query().Get("opened"), Locked: v.URL.Query().Get("locked")})
}

// live sends the list of doors whenever it changes (server-sent events), as long as the session is
// valid: a stolen phone gets nothing once its session has ended.
func (d doors) live(v *page.Visit) error {
	look := func() (any, bool) {
		st, err := d.Watch.Now(v.Context())
		return doorsView{Doors: d.views(st), Fire: st.Fire, Silent: err != nil}, true
	}
	return v.Live("doors", look, func() bool { return d.Watch.Next(v.Context()) && v.Stays() })
}

func (d doors) release(v *page.Visit) error {
	r, err := d.Daemon.Release(v.Context(), v.PathValue("door"))
	if err != nil {
		return err
	}
	v.Redirect("/doors?opened=" + r.Door)
	return nil
}

// lock ends a release from the page. People who were let in or out otherwise keep their time, and
// the page does not show that.
func (d doors) lock(v *page.Visit) error {
	r, err := d.Daemon.Doors.LockNow(v.Context(), v.PathValue("door"))
	if err != nil {
		return err
	}
	v.Redirect("/doors?locked=" + r.Door)
	return nil
}

// fireView is the data of the screen after a fire alarm.
type fireView struct {
	Fire *control.Fire
	Said *page.Advice
}

func (d doors) afterFire(v *page.Visit, wrong error) error {
	st, err := d.Watch.Now(v.Context())
	if err != nil {
		return v.Told(err)
	}
	view := fireView{st.Fire, v.Advice(wrong, 0)}
	if wrong != nil {
		return v.ShowStatus(page.StatusOf(wrong), "fire", view)
	}
	return v.Show("fire", view)
}

// endFire secures the doors again once somebody acts at one of them, for which the gateway waits
// (refusal N11).
func (d doors) endFire(v *page.Visit) error {
	if _, err := d.Daemon.ResetFire(v.Context()); err != nil {
		return d.afterFire(v, err)
	}
	v.Redirect("/doors")
	return nil
}
