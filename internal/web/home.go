package web

import (
	"net/http"

	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// home is where the page begins.
type home struct{ *Server }

func (h home) routes() []route {
	return []route{
		{"GET /{$}", anybody, h.begin},
		{"/", anybody, func(v *visit) error {
			return &socket.Error{Status: http.StatusNotFound, Message: v.say("page.gone")}
		}},
	}
}

// begin leads to what comes first: the owner's first run, the sign-in, the people.
func (h home) begin(v *visit) error {
	switch {
	case !h.o.Accounts.Claimed():
		v.redirect("/welcome")
	case v.Account.ID == "":
		v.redirect("/login")
	case h.noHouse(v):
		v.redirect("/setup")
	default:
		v.redirect("/doors")
	}
	return nil
}

// noHouse says that the daemon has no house to serve yet. One of before does not know.
func (h home) noHouse(v *visit) bool {
	st, err := control.SettingUp(h.o.Daemon).State(v.Context())
	return err == nil && st.State != control.SetupHouse
}
