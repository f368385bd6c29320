package web

import (
	"net/http"

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
	default:
		v.redirect("/doors")
	}
	return nil
}
