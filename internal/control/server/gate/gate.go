// Package gate checks requests on a socket of the daemon against the role of the caller.
//
// It knows no routes: the server of each route says who may call it.
package gate

import (
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"

	"gatehouse/internal/caller"
	"gatehouse/internal/socket"
)

// pageUser is the user that the page runs as.
const pageUser = "gatehouse-page"

// Gate checks each request against the role of the caller, so that a fault in the page can't do a
// landlord's act for a helper. It believes the claim for whom a request is from the page's user,
// and from users who may do everything anyway.
type Gate struct {
	Roles map[string][]caller.Role // by route, beside the operator; a route without roles is for the operator alone
	Page  uint32                   // its user; socket.UnknownUser: this machine has none
	Own   uint32                   // the daemon's
}

// New makes the gate for this machine's users.
func New(roles map[string][]caller.Role) Gate {
	g := Gate{Roles: roles, Page: socket.UnknownUser, Own: uint32(os.Getuid())}
	if u, err := user.Lookup(pageUser); err == nil {
		if id, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			g.Page = uint32(id)
		}
	}
	return g
}

// Admit returns the request with its caller, or refuses it: it is Options.Admit of a socket.
func (g Gate) Admit(pattern string, r *http.Request) (*http.Request, error) {
	who, err := g.who(r)
	if err != nil {
		return nil, err
	}
	if who.Role != caller.Operator && !slices.Contains(g.Roles[pattern], who.Role) {
		return nil, socket.Refused(http.StatusForbidden, "docs/refusals.md says who may ask for what; the tool gatehouse may, at the gateway", "%s is not for the role %s", pattern, who.Role)
	}
	return r.WithContext(caller.With(r.Context(), who)), nil
}

func (g Gate) who(r *http.Request) (caller.Caller, error) {
	uid := socket.User(r.Context())
	claim := r.Header.Get(socket.CallerHeader)
	switch {
	case claim == "" && uid == g.Page && uid != socket.UnknownUser:
		return caller.Caller{Role: caller.Page}, nil
	case claim == "":
		return caller.Caller{Role: caller.Operator}, nil
	case uid == socket.UnknownUser || uid != g.Page && uid != g.Own && uid != 0:
		return caller.Caller{}, socket.Refused(http.StatusForbidden, "run the page as the user "+pageUser+", or as the daemon's", "this user may not ask for others")
	}
	who, err := caller.Parse(claim)
	if err == nil && who.Role == caller.Operator && uid == g.Page {
		err = socket.Refused(http.StatusForbidden, "", "the page is no operator")
	}
	if err != nil {
		return caller.Caller{}, socket.Refused(http.StatusForbidden, "", "for whom this is asked: %v", err)
	}
	return who, nil
}
