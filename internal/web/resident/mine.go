package resident

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/resident"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/tries"
)

// mine has what the gateway holds about a resident, for the phone with which flat and own PIN were typed and near which
// the own card was held up. The phone keeps the name of the daemon's reading in a cookie, and the page nothing.
type mine struct {
	*page.Page
	pins *tries.Tries // of residents' PINs, together with those of what needs no card
}

// minePath is the path of the screen.
const minePath = "/mine"

func (m mine) routes() []page.Route {
	return []page.Route{
		page.At("GET /mine", page.Anybody, m.show),
		page.At("POST /mine", page.Anybody, m.begin),
		page.At("POST /mine/card", page.Anybody, m.card),
		page.At("POST /mine/correct", page.Anybody, m.correct),
		page.At("POST /mine/leave", page.Anybody, m.leave),
		page.At("GET /mine/copy/{format}", page.Anybody, m.take),
	}
}

// mineView is the data of the screen: flat and PIN are to be typed, or the card is to be held up (Hold), or all is shown
// (Held).
type mineView struct {
	Said    *page.Advice
	Flat    string
	Hold    []control.MineBegun // one: where
	Held    bool
	Facts   []resident.Fact
	Days    []oneDay
	Entries []resident.Event
	Acts    []resident.Event
	Kept    []string
	Police  string
	Asked   control.MineCorrection // that was refused
	Number  string                 // of a request that is in the log
	Abouts  []string
	Alone   bool
}

// oneDay are entries of a day, the newest first.
type oneDay struct {
	Day     string
	Entries []resident.Event
}

// abouts are what a request may be about besides an entry.
var abouts = []string{"name", "number", "flat", "term", "card", "other"}

// cookie is the name of the cookie with the daemon's reading.
const cookie = "gatehouse-mine"

// asResident is the context of requests to the daemon.
func asResident(v *page.Visit) context.Context {
	return caller.With(v.Context(), caller.Caller{Role: caller.Resident})
}

// reading returns the phone's reading; without one there is no session.
func (m mine) reading(v *page.Visit) control.Reading {
	out := control.Reading{Daemon: m.Daemon}
	if c, err := v.Cookie(cookie); err == nil {
		out.Session = c.Value
	}
	return out
}

// keep gives the phone the name of a reading, until the browser is closed; empty: takes it away.
func keep(v *page.Visit, session string) {
	c := &http.Cookie{Name: cookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if session == "" {
		c.MaxAge = -1
	}
	http.SetCookie(v.W, c)
}

// now returns the screen as the phone's reading stands. What went wrong is told on the one without a reading.
func (m mine) now(v *page.Visit) (shown mineView, status int) {
	at := m.reading(v)
	if at.Session == "" {
		st, err := m.Watch.Now(v.Context())
		return mineView{Alone: err == nil && st.Registry == "none"}, http.StatusOK
	}
	now, err := at.Now(asResident(v))
	if err != nil {
		if over(err) {
			keep(v, "")
		}
		return mineView{Said: v.Advice(err, 0)}, page.StatusOf(err)
	}
	v.W.Header().Set("Refresh", fmt.Sprintf("%d;url=%s", now.Left, minePath)) // what is over goes from the phone, too, without a script
	if now.Held == nil {
		return mineView{Hold: []control.MineBegun{now.MineBegun}}, http.StatusOK
	}
	t := m.teller(v)
	shown = mineView{Held: true, Facts: t.Facts(*now.Held), Entries: t.Entries(*now.Held), Acts: t.Acts(*now.Held), Kept: t.Kept(*now.Held), Police: t.Police(),
		Asked: control.MineCorrection{About: "other"}, Abouts: abouts}
	shown.Days = days(shown.Entries)
	return shown, http.StatusOK
}

func (m mine) teller(v *page.Visit) resident.Teller {
	return resident.Teller{Words: m.Words, Lang: v.Lang}
}

// days puts entries under their days. One whose time is not sure stands under the day that its clock said.
func days(all []resident.Event) (out []oneDay) {
	for _, e := range all {
		if n := len(out); n == 0 || out[n-1].Day != e.Day {
			out = append(out, oneDay{Day: e.Day})
		}
		last := &out[len(out)-1]
		last.Entries = append(last.Entries, e)
	}
	return out
}

// over reports whether there is no such reading any more.
func over(err error) bool {
	var e *socket.Error
	return errors.As(err, &e) && e.Status == http.StatusGone
}

func (m mine) show(v *page.Visit) error {
	shown, status := m.now(v)
	return v.ShowStatus(status, "mine", shown)
}

// told answers a form that was refused, with the screen as it stands.
func (m mine) told(v *page.Visit, err error, change func(*mineView)) error {
	shown, status := m.now(v)
	if status == http.StatusOK {
		status, shown.Said = page.StatusOf(err), v.Advice(err, 0)
	}
	change(&shown)
	return v.ShowPassing(minePath, status, "mine", shown)
}

func unchanged(*mineView) {}

func (m mine) begin(v *page.Visit) error {
	flat := strings.TrimSpace(v.FormValue("flat"))
	typed := func(shown *mineView) { shown.Flat = flat }
	if !m.pins.Allow(v.RemoteAddr, "") {
		keep(v, "")
		return v.ShowPassing(minePath, http.StatusTooManyRequests, "mine", mineView{Said: v.Words("resident.too_many", 0), Flat: flat})
	}
	begun, err := control.MineRequest{Flat: flat, PIN: v.FormValue("pin")}.Begin(asResident(v), m.Daemon)
	if tookPIN(err) {
		m.pins.Back(v.RemoteAddr, "")
	}
	if err != nil {
		return m.told(v, err, typed)
	}
	if at := m.reading(v); at.Session != "" {
		_ = at.End(asResident(v)) // of whoever had the phone before
	}
	keep(v, begun.Session)
	v.Redirect(minePath)
	return nil
}

// card waits until the own card was held up, for little more than a minute.
func (m mine) card(v *page.Visit) error {
	at := m.reading(v)
	if at.Session == "" {
		return m.none(v)
	}
	if _, err := at.Card(asResident(v), control.MineCard{}); err != nil {
		return m.told(v, err, unchanged)
	}
	v.Redirect(minePath)
	return nil
}

func (m mine) correct(v *page.Visit) error {
	in := control.MineCorrection{About: v.FormValue("about"), Entry: v.FormValue("entry"), Text: v.FormValue("text")}
	if in.Entry != "" {
		in.About = "entry"
	}
	at := m.reading(v)
	if at.Session == "" {
		return m.none(v)
	}
	taken, err := at.Correct(asResident(v), in)
	if err != nil {
		return m.told(v, err, func(shown *mineView) { shown.Asked = in })
	}
	shown, status := m.now(v)
	shown.Number = taken.Number
	return v.ShowPassing(minePath, status, "mine", shown)
}

func (m mine) leave(v *page.Visit) error {
	if at := m.reading(v); at.Session != "" {
		_ = at.End(asResident(v)) // it ends by itself
	}
	keep(v, "")
	return m.none(v)
}

// none says that there is no reading any more.
func (m mine) none(v *page.Visit) error {
	return v.ShowPassing(minePath, http.StatusOK, "mine", mineView{Said: v.Words("mine.over", 0)})
}

// take gives all of it as a file, the same as gatehouse mine --export writes.
func (m mine) take(v *page.Visit) error {
	at := m.reading(v)
	now, err := at.Now(asResident(v))
	if at.Session == "" || err != nil || now.Held == nil {
		v.Redirect(minePath)
		return nil
	}
	format, kind := v.PathValue("format"), map[string]string{resident.CSV: "text/csv; charset=utf-8", resident.JSON: "application/json"}
	if kind[format] == "" {
		return &socket.Error{Status: http.StatusNotFound, Message: v.Say("page.gone")}
	}
	v.W.Header().Set("Content-Type", kind[format])
	v.W.Header().Set("Content-Disposition", `attachment; filename="gatehouse-`+now.Held.Time.Format(time.DateOnly)+"."+format+`"`)
	return m.teller(v).Write(v.W, *now.Held, format)
}
