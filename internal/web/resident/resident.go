// Package resident has the page for residents' own phones (R1): what is done by flat and own PIN, and, with the own card
// held up as well, what the gateway holds about them.
//
// It refuses to show anybody's movements but those of the card held up, and keeps nothing of them: the daemon has what was
// read, for some minutes. There is no account, and the landlord's screens do not lead here.
package resident

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/page"
	"gatehouse/internal/web/qrcode"
	"gatehouse/internal/web/reception"
	"gatehouse/internal/web/tries"
)

// acts has what is done by flat and own PIN, without a session: the sticker at a door leads there. It shows what belongs
// to that PIN, and nobody's movements: mine does, of the card that is held up.
type acts struct {
	*page.Page
	pins *tries.Tries // limits tries of residents' PINs
}

// Routes are those of the page for residents.
func Routes(p *page.Page) []page.Route {
	r := acts{p, tries.New(tries.ResidentEvery)}
	return append(mine{p, r.pins}.routes(), []page.Route{
		page.At("GET /resident", page.Anybody, r.page),
		page.At("GET /resident/{door}", page.Anybody, r.page),
		page.At("POST /resident", page.Anybody, r.act),
		page.At("POST /resident/{door}", page.Anybody, r.act),
		page.At("GET /stickers", page.EveryRole, r.stickers),
	}...)
}

// residentActs are the buttons, in order; open only at a door.
var residentActs = []string{"open", "lost", "found", "object", "codes", "kept"}

// askAct is the form's first button, which Enter in a field presses: it only shows the acts.
const askAct = "ask"

// guestActs are the acts about guest codes; guest_end follows a list of them.
var guestActs = []string{"guest", "guests", "guest_end"}

// residentView is the data of the screen. It never has the PIN.
type residentView struct {
	Door, Flat, Act string
	Acts            []string
	Said            *page.Advice
	Cards           []control.TenancyCard // the cards of which one must be chosen
	Done            *control.ForResident
	Codes           []string
	OfGuests        bool // the act is one of guestActs
	Guest           reception.GuestForm
	zone            string // of the building
	Alone           bool   // a standalone house, which has no tenancies
}

// view returns the screen at a door, or at none. gone: the sticker is of a door that is not here, so
// nothing is done, and the screen is the one without a door.
func (r acts) view(v *page.Visit) (shown residentView, gone bool) {
	shown = residentView{Door: v.PathValue("door"), Acts: residentActs, Guest: reception.GuestFormOf(v.Request)}
	if st, err := r.Watch.Now(v.Context()); err == nil {
		shown.Alone, shown.zone = st.Registry == "none", st.Clock.Zone
		gone = shown.Door != "" && !slices.ContainsFunc(st.Doors, func(d control.Door) bool { return d.ID == shown.Door })
	}
	if gone {
		shown.Door, shown.Said = "", v.Words("resident.gone_door", 0)
	}
	if shown.Door == "" {
		shown.Acts = residentActs[1:]
	}
	return shown, gone
}

func (r acts) page(v *page.Visit) error {
	shown, gone := r.view(v)
	if gone {
		return v.ShowStatus(http.StatusNotFound, "resident", shown)
	}
	return v.Show("resident", shown)
}

func (r acts) act(v *page.Visit) error {
	shown, gone := r.view(v)
	if gone {
		return v.ShowStatus(http.StatusNotFound, "resident", shown)
	}
	shown.Flat, shown.Act = strings.TrimSpace(v.FormValue("flat")), v.FormValue("act")
	shown.OfGuests = slices.Contains(guestActs, shown.Act)
	if shown.Act == askAct {
		return v.Show("resident", shown)
	}
	if shown.Alone || !slices.Contains(shown.Acts, shown.Act) && !shown.OfGuests {
		return v.ShowStatus(http.StatusUnprocessableEntity, "resident", shown)
	}
	in, err := shown.request(v)
	if err != nil {
		shown.Said = v.Advice(err, 0)
		return v.ShowStatus(http.StatusUnprocessableEntity, "resident", shown)
	}
	if !r.pins.Allow(v.RemoteAddr, "") {
		shown.Said = v.Words("resident.too_many", 0)
		return v.ShowStatus(http.StatusTooManyRequests, "resident", shown)
	}
	done, err := control.AskAsResident(caller.With(v.Context(), caller.Caller{Role: caller.Resident}), r.Daemon, shown.Act, in)
	if tookPIN(err) {
		r.pins.Back(v.RemoteAddr, "")
	}
	switch {
	case err != nil:
		shown.Said = v.Advice(err, 0)
		return v.ShowStatus(http.StatusUnprocessableEntity, "resident", shown)
	case done.Choose:
		shown.Cards = slices.DeleteFunc(done.Tenancy.Cards, func(c control.TenancyCard) bool { return c.State != choosable(shown.Act) })
	default:
		shown.Done, shown.Codes = &done, reception.Spaced(done.Codes)
	}
	return v.Show("resident", shown)
}

// request returns the request to the daemon.
func (s residentView) request(v *page.Visit) (in control.Resident, err error) {
	card, err := strconv.Atoi(v.FormValue("card"))
	if err != nil {
		card = 0 // the only one
	}
	in = control.Resident{Flat: s.Flat, PIN: v.FormValue("pin"), Door: s.Door, Card: card, GuestID: v.FormValue("guest")}
	if s.Act != "guest" {
		return in, nil
	}
	in.Guest, err = s.Guest.Terms(s.zone)
	return in, err
}

// choosable returns the state of the cards to choose from.
func choosable(act string) string {
	if act == "found" {
		return "suspended"
	}
	return "active"
}

// tookPIN reports whether the daemon accepted the PIN: a right PIN uses no try, even if the act is
// refused.
func tookPIN(err error) bool {
	var no *socket.Error
	return err == nil || errors.As(err, &no) && no.Status == http.StatusUnprocessableEntity
}

func (r acts) stickers(v *page.Visit) error {
	st, err := r.Watch.Now(v.Context())
	if err != nil {
		return v.Told(err)
	}
	var doors []string
	for _, d := range st.Doors {
		doors = append(doors, d.ID)
	}
	all, err := qrcode.Stickers(v.TLS != nil, v.Host, doors)
	if err != nil {
		return err
	}
	return v.Show("stickers", all)
}
