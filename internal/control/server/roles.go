package server

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"gatehouse/internal/caller"
	"gatehouse/internal/socket"
)

// Roles beside the operator, who may ask for everything.
var (
	everybody = []caller.Role{caller.Owner, caller.Helper, caller.Installer, caller.Page}
	atHouse   = []caller.Role{caller.Owner, caller.Helper, caller.Installer}
	household = []caller.Role{caller.Owner, caller.Helper}
	landlord  = []caller.Role{caller.Owner}
	proving   = []caller.Role{caller.Owner, caller.Installer}
	residents = []caller.Role{caller.Resident}
)

// routeRoles is who may ask for what on the page's behalf. A route that does not stand here
// is for the operator alone: whoever adds one for the page adds it here, too.
var routeRoles = map[string][]caller.Role{
	"GET /v1/status":                      everybody,
	"GET /v1/setup":                       everybody,
	"POST /v1/doors/{door}/release":       atHouse,
	"POST /v1/doors/{door}/lock":          atHouse,
	"GET /v1/acceptance":                  proving,
	"POST /v1/doors/{door}/proofs/{part}": proving,
	"GET /v1/fire/drill":                  proving,
	"POST /v1/fire/drill":                 proving,
	"POST /v1/fire/drill/end":             proving,
	"POST /v1/enrol":                      proving,
	"GET /v1/log":                         landlord,
	"POST /v1/clock/confirm":              landlord,
	"GET /v1/adopt":                       landlord,
	"POST /v1/adopt":                      landlord,
	"POST /v1/listening":                  landlord,
	"GET /v1/keys":                        household,
	"GET /v1/tenancies":                   household,
	"GET /v1/tenancy":                     household,
	"POST /v1/desk":                       household,
	"DELETE /v1/desk/{session}":           household,
	"POST /v1/desk/{session}/swipe":       household,
	"POST /v1/desk/{session}/pin":         household,
	"POST /v1/desk/{session}/checkin":     household,
	"POST /v1/desk/{session}/change":      household,
	"GET /v1/recovery":                    landlord,
	"POST /v1/recovery":                   landlord,
	"POST /v1/recovery/rehearse":          landlord,
	"POST /v1/backup":                     landlord,
	"POST /v1/resident/{act}":             residents,
}

// pageUser is the user that the page runs as.
const pageUser = "gatehouse-page"

// unknownUser is the user of a caller of whom the kernel tells nothing.
const unknownUser = ^uint32(0)

// gate holds each request to the role of whoever asks, so that a page with a fault in it
// can't do a landlord's act for a helper. For whom a request is it takes from the page's
// user, and from those who may do everything anyway; from nobody else.
type gate struct {
	roles map[string][]caller.Role // by route, beside the operator
	page  uint32                   // its user; unknownUser: this machine has none
	own   uint32                   // the daemon's
}

func newGate(roles map[string][]caller.Role) gate {
	g := gate{roles: roles, page: unknownUser, own: uint32(os.Getuid())}
	if u, err := user.Lookup(pageUser); err == nil {
		if id, err := strconv.ParseUint(u.Uid, 10, 32); err == nil {
			g.page = uint32(id)
		}
	}
	return g
}

// Guard is what a socket of the daemon needs to hold each request to the role of whoever
// asks: Options.Caller and Options.Admit. A route that has no roles is for the operator alone.
func Guard(roles map[string][]caller.Role) (func(context.Context, net.Conn) context.Context, func(string, *http.Request) (*http.Request, error)) {
	return peer, newGate(roles).admit
}

type peerKey struct{}

// peer notes the user at the other end of a connection.
func peer(ctx context.Context, conn net.Conn) context.Context {
	uid := unknownUser
	if c, ok := conn.(*net.UnixConn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
					uid = cred.Uid
				}
			})
		}
	}
	return context.WithValue(ctx, peerKey{}, uid)
}

// admit returns the request with who asks, or refuses it.
func (g gate) admit(pattern string, r *http.Request) (*http.Request, error) {
	who, err := g.who(r)
	if err != nil {
		return nil, err
	}
	if who.Role != caller.Operator && !slices.Contains(g.roles[pattern], who.Role) {
		return nil, socket.Refused(http.StatusForbidden, "docs/refusals.md says who may ask for what; the tool gatehouse may, at the gateway", "%s is not for the role %s", pattern, who.Role)
	}
	return r.WithContext(caller.With(r.Context(), who)), nil
}

func (g gate) who(r *http.Request) (caller.Caller, error) {
	uid, known := r.Context().Value(peerKey{}).(uint32)
	if !known {
		uid = unknownUser
	}
	claim := r.Header.Get(socket.CallerHeader)
	switch {
	case claim == "" && uid == g.page && uid != unknownUser:
		return caller.Caller{Role: caller.Page}, nil
	case claim == "":
		return caller.Caller{Role: caller.Operator}, nil
	case uid == unknownUser || uid != g.page && uid != g.own && uid != 0:
		return caller.Caller{}, socket.Refused(http.StatusForbidden, "run the page as the user "+pageUser+", or as the daemon's", "this user may not ask for others")
	}
	who, err := caller.Parse(claim)
	if err == nil && who.Role == caller.Operator && uid == g.page {
		err = socket.Refused(http.StatusForbidden, "", "the page is no operator")
	}
	if err != nil {
		return caller.Caller{}, socket.Refused(http.StatusForbidden, "", "for whom this is asked: %v", err)
	}
	return who, nil
}
