package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"gatehouse/internal/caller"
	"gatehouse/internal/control/server/gate"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
)

// gated is a server that answers every route of the daemon with who asked, behind a gate.
func gated(t *testing.T, g gate.Gate) *socket.Client { return gatedOver(t, g, network.Network{}) }

func gatedOver(t *testing.T, g gate.Gate, n network.Network) *socket.Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	s := socket.NewServer(socket.Options{Path: path, Name: "daemon", Mode: 0o666, MostBody: 100, Admit: g.Admit, Log: zerolog.Nop()})
	for _, p := range patterns(t) {
		socket.Handle(s, p, func(r *http.Request, _ socket.None) (string, error) { return caller.Of(r.Context()).String(), nil })
	}
	ctx, cancel := context.WithCancel(t.Context())
	l, err := s.Listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	return socket.NewClient(n, path, socket.Peer{Name: "daemon"})
}

// ask returns who the daemon takes the caller for; empty: it refuses.
func ask(t *testing.T, c *socket.Client, pattern, as string) string {
	t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	who, err := caller.Parse(as)
	if as != "" && err != nil {
		t.Fatal(err)
	}
	var got string
	err = c.Call(caller.With(t.Context(), who), method, path, nil, &got)
	var no *socket.Error
	switch {
	case err == nil:
		return got
	case errors.As(err, &no) && no.Status == http.StatusForbidden && no.Message != "":
		return ""
	}
	t.Fatalf("%s as %q: %v", pattern, as, err)
	return ""
}

// TestRolesOfRoutes walks every route of the socket as every role that the page may speak
// for: whoever is not on its list in docs/refusals.md gets nothing of it, whatever the
// page's own list says.
func TestRolesOfRoutes(t *testing.T) {
	list := allowed(t)
	uid := uint32(os.Getuid())
	asPage := gated(t, gate.Gate{Roles: routeRoles, Page: uid, Own: uid + 1})
	asDaemon := gated(t, gate.Gate{Roles: routeRoles, Page: socket.UnknownUser, Own: uid})
	for _, pattern := range patterns(t) {
		for role, as := range map[caller.Role]string{caller.Owner: "owner-100000", caller.Helper: "helper-200000", caller.Installer: "installer-300000", caller.Resident: "resident", caller.Page: ""} {
			want := as
			if as == "" {
				want = string(caller.Page)
			}
			if !slices.Contains(list[pattern], string(role)) {
				want = ""
			}
			if got := ask(t, asPage, pattern, as); got != want {
				t.Errorf("%s as %q: %q, want %q", pattern, as, got, want)
			}
		}
		if got := ask(t, asPage, pattern, "operator"); got != "" {
			t.Errorf("%s: the page is the operator", pattern)
		}
		if got := ask(t, asDaemon, pattern, ""); got != "operator" || !slices.Contains(list[pattern], "operator") {
			t.Errorf("%s with the tool: %q", pattern, got)
		}
	}
	if got := ask(t, asDaemon, "GET /v1/log", "helper-200000"); got != "" {
		t.Errorf("who runs the page as the daemon's user reads the log as a helper: %q", got)
	}
}

// TestOthersClaims: a user who is neither the page's nor the daemon's nor root speaks for
// nobody else, and without a claim is the operator, as whoever may use the socket.
func TestOthersClaims(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP (needs root): a call by another user")
	}
	const nobody = 65534
	asNobody := network.Network{Dialer: func(_ context.Context, kind, address string) (net.Conn, error) {
		type dialled struct {
			net.Conn
			error
		}
		done := make(chan dialled)
		go func() {
			runtime.LockOSThread() // for good: the thread ends with the goroutine, and with it its user
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); e != 0 {
				done <- dialled{nil, e}
				return
			}
			c, err := net.Dial(kind, address)
			done <- dialled{c, err}
		}()
		d := <-done
		return d.Conn, d.error
	}}
	for _, x := range []struct {
		g      gate.Gate
		as, is string
	}{
		{gate.Gate{Roles: routeRoles, Page: socket.UnknownUser, Own: 0}, "", "operator"}, {gate.Gate{Roles: routeRoles, Page: socket.UnknownUser, Own: 0}, "owner-100000", ""},
		{gate.Gate{Roles: routeRoles, Page: nobody, Own: 0}, "", ""}, {gate.Gate{Roles: routeRoles, Page: nobody, Own: 0}, "owner-100000", "owner-100000"}, {gate.Gate{Roles: routeRoles, Page: nobody, Own: 0}, "operator", ""},
	} {
		if got := ask(t, gatedOver(t, x.g, asNobody), "GET /v1/log", x.as); got != x.is {
			t.Errorf("%+v as %q: %q, want %q", x.g, x.as, got, x.is)
		}
	}
	// Over a connection of which the kernel tells nothing nobody speaks for others.
	r, _ := http.NewRequest("GET", "http://daemon/v1/log", nil)
	r.Header.Set(socket.CallerHeader, "owner-100000")
	if _, err := (gate.Gate{Roles: routeRoles, Page: socket.UnknownUser, Own: 0}).Admit("GET /v1/log", r); err == nil {
		t.Error("a caller of whom nothing is known speaks for the owner")
	}
}
