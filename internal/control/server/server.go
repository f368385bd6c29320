// Package server answers the tool and the page on the daemon's unix socket: HTTP and
// JSON, with the messages of package control.
//
// It refuses to decide: a request acts through the gateway, whose doors never wait for
// it. docs/refusals.md says what is not among its routes.
package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/backoff"
	"gatehouse/internal/gateway"
	"gatehouse/internal/network"
	"gatehouse/internal/socket"
)

// Options of a Server.
type Options struct {
	Version string          // of the daemon
	Network network.Network // where the socket is
	// Look is how often the server looks whether the socket is still there; 0: 5 s.
	Look time.Duration
	// Profiles has the server answer with profiles of the daemon, too. Then the socket is for
	// root and the daemon's user alone.
	Profiles bool
	Log      zerolog.Logger
}

// Server answers the tool. Make it with New, and run Serve beside the gateway.
type Server struct {
	o       Options
	path    string // of the socket
	socket  *socket.Server
	teacher *teacher
}

// maxRequest bounds a request, in bytes: a whole list of 100,000 grants in base64.
const maxRequest = 32 << 20

// New makes the server of a gateway. It reads which doors were tested today.
func New(g *gateway.Gateway, o Options) *Server {
	if o.Look <= 0 {
		o.Look = 5 * time.Second
	}
	mode, callers := os.FileMode(0o660), group
	if o.Profiles {
		mode, callers = 0o600, ""
	}
	srv := &Server{o: o, path: g.Site.Socket, teacher: &teacher{Gateway: g}, socket: socket.NewServer(socket.Options{Path: g.Site.Socket, Name: "daemon", Network: o.Network,
		Mode: mode, Group: callers, Look: o.Look, Grace: time.Second, MostBody: maxRequest, Log: o.Log})}
	shown := logs{g, o.Log}
	for _, part := range []interface{ routes(*socket.Server) }{
		report{g, o.Version, time.Now()}, acts{g}, &clocks{Gateway: g}, grants{g, o.Log}, counter{g}, readers{g}, srv.teacher, shown,
		doorTest{shown, newDoorTests(g.Site.Path("doortests.json"), g.Clock.Elapsed, g.Site.DoorIDs(), o.Log)},
	} {
		part.routes(srv.socket)
	}
	if o.Profiles {
		profiles{}.routes(srv.socket)
	}
	return srv
}

// Back-off of a socket that can't be opened.
const (
	retryFirst = time.Second
	retryMost  = 30 * time.Second
)

// group may use the socket. Where it is missing only the daemon's user may.
const group = "gatehouse"

// Serve answers the tool on the unix socket until ctx ends, and returns when no request
// is at work any more. A socket that can't be opened is tried again: doors do not wait
// for it.
func (srv *Server) Serve(ctx context.Context) {
	defer srv.teacher.learning.close()
	for retry := backoff.New(retryFirst, retryMost); ctx.Err() == nil; retry.Wait(ctx) {
		err := srv.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		srv.o.Log.Error().Err(err).Msg("the tool can't connect")
	}
}

func (srv *Server) serve(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(srv.path), 0o755); err != nil {
		return fmt.Errorf("directory of the socket: %w", err)
	}
	return srv.socket.Run(ctx)
}
