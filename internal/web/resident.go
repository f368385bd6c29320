package web

import (
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/qrcode"
	"gatehouse/internal/web/reception"
)

// resident is the page of a resident's own phone (R1), which the sticker at a door leads
// to: flat and own PIN, no account and no session. It shows what belongs to that PIN, and
// nobody's movements, not the resident's own either.
type resident struct{ *Server }

func (r resident) routes() []route {
	return []route{
		{"GET /resident", anybody, r.page},
		{"GET /resident/{door}", anybody, r.page},
		{"POST /resident", anybody, r.act},
		{"POST /resident/{door}", anybody, r.act},
		{"GET /stickers", everyRole, r.stickers},
	}
}

// residentActs are the buttons, in their order; open only at a door.
var residentActs = []string{"open", "lost", "found", "object", "codes", "kept"}

// residentView is the screen. The PIN never comes back.
type residentView struct {
	Door, Flat, Act string
	Acts            []string
	Said            *advice
	Cards           []control.TenancyCard // of which one has to be chosen
	Done            *control.ForResident
	Codes           []string
}

func newResidentView(door string) residentView {
	shown := residentView{Door: door, Acts: residentActs}
	if door == "" {
		shown.Acts = residentActs[1:]
	}
	return shown
}

func (r resident) page(v *visit) error {
	return v.show("resident", newResidentView(v.PathValue("door")))
}

func (r resident) act(v *visit) error {
	shown := newResidentView(v.PathValue("door"))
	shown.Flat, shown.Act = strings.TrimSpace(v.FormValue("flat")), v.FormValue("act")
	if !(frame{}).In(shown.Act, shown.Acts) {
		return v.showStatus(http.StatusUnprocessableEntity, "resident", shown)
	}
	if !r.pins.Allow(v.RemoteAddr) {
		shown.Said = v.words("resident.too_many", 0)
		return v.showStatus(http.StatusTooManyRequests, "resident", shown)
	}
	card, err := strconv.Atoi(v.FormValue("card"))
	if err != nil {
		card = 0 // the only one
	}
	ctx := caller.With(v.Context(), caller.Caller{Role: caller.Resident})
	done, err := control.AskAsResident(ctx, r.o.Daemon, shown.Act, control.Resident{Flat: shown.Flat, PIN: v.FormValue("pin"), Door: shown.Door, Card: card})
	switch {
	case err != nil:
		shown.Said = v.advice(err, 0)
		return v.showStatus(http.StatusUnprocessableEntity, "resident", shown)
	case done.Choose:
		for _, c := range done.Tenancy.Cards {
			if c.State == "active" {
				shown.Cards = append(shown.Cards, c)
			}
		}
	default:
		r.pins.Back(v.RemoteAddr)
		shown.Done, shown.Codes = &done, reception.Spaced(done.Codes)
	}
	return v.show("resident", shown)
}

func (r resident) stickers(v *visit) error {
	st, err := r.watch.now(v.Context())
	if err != nil {
		return v.told(err)
	}
	var doors []string
	for _, d := range st.Doors {
		doors = append(doors, d.ID)
	}
	all, err := qrcode.Stickers(v.TLS != nil, v.Host, doors)
	if err != nil {
		return err
	}
	return v.show("stickers", all)
}
