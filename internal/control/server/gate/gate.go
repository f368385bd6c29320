// Package gate holds requests on a socket of the daemon to the role of whoever asks.
//
// It refuses to know routes: who may ask for what is told by whoever answers them.
package gate

import (
	"context"
	"net"
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

// UnknownUser is the user of a caller of whom the kernel tells nothing.
const UnknownUser = ^uint32(0)

// Gate holds each request to the role of whoever asks, so that a page with a fault in it
// can't do a landlord's act for a helper. For whom a request is it takes from the page's
// user, and from those who may do everything anyway; from nobody else.
type Gate struct {
	Roles map[string][]caller.Role // by route, beside the operator; a route that has none is for the operator alone
	Page  uint32                   // its user; UnknownUser: this machine has none
	Own   uint32                   // the daemon's
}

// New makes the gate of this machine's users.
func New(roles map[string][]caller.Role) Gate {
	g := Gate{Roles: roles, Page: UnknownUser, Own: uint32(os.Getuid())}
	if u, err := user.Lookup(pageUser); err == nil {
		if id, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			g.Page = uint32(id)
		}
	}
	return g
}

type peerKey struct{}

// Peer notes the user at the other end of a connection: it is Options.Caller of a socket that
// has a gate.
func Peer(ctx context.Context, conn net.Conn) context.Context {
	uid := UnknownUser
	if c, ok := conn.(*net.UnixConn); ok {
		uid = userOf(c)
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// Admit returns the request with who asks, or refuses it: it is Options.Admit of a socket.
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
	uid, known := r.Context().Value(peerKey{}).(uint32)
	if !known {
		uid = UnknownUser
	}
	claim := r.Header.Get(socket.CallerHeader)
	switch {
	case claim == "" && uid == g.Page && uid != UnknownUser:
		return caller.Caller{Role: caller.Page}, nil
	case claim == "":
		return caller.Caller{Role: caller.Operator}, nil
	case uid == UnknownUser || uid != g.Page && uid != g.Own && uid != 0:
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
