// Package server answers the tool and the page on the daemon's unix socket: HTTP and
// JSON, with the messages of package control.
//
// It refuses to decide: a request acts through the gateway, whose doors never wait for
// it. docs/refusals.md says what is not among its routes.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/gateway"
	"gatehouse/internal/network"
)

// Options of a Server.
type Options struct {
	Version string          // of the daemon
	Network network.Network // where the socket is
	// Look is how often the server looks whether the socket is still there; 0: 5 s.
	Look time.Duration
	Log  zerolog.Logger
}

// Server answers the tool. Make it with New, and run Serve beside the gateway.
type Server struct {
	gw      *gateway.Gateway
	o       Options
	started time.Time
	asked   clockAsk
	school  school
	tests   *doorTests
	// requests counts those that are being answered.
	requests sync.WaitGroup
}

// New makes the server of a gateway. It reads which doors were tested today.
func New(g *gateway.Gateway, o Options) *Server {
	if o.Look <= 0 {
		o.Look = 5 * time.Second
	}
	return &Server{gw: g, o: o, started: time.Now(),
		tests: newDoorTests(g.Site.Path("doortests.json"), g.Clock.Elapsed, g.Site.DoorIDs(), o.Log)}
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
	defer srv.school.close()
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryMost) {
		err := srv.serveOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		srv.o.Log.Error().Err(err).Msg("the tool can't connect")
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (srv *Server) serveOnce(ctx context.Context) error {
	l, err := srv.listen(ctx, srv.gw.Site.Socket)
	if err != nil {
		return err
	}
	// Requests end with ctx, so that a follower of the log does not hold up a stop.
	server := &http.Server{Handler: srv.handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	defer func() {
		if !stop() {
			<-ended // no request may outlive the journal that keeps it
		}
		srv.requests.Wait()
	}()
	defer srv.watchSocket(ctx, server)()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", srv.gw.Site.Socket, err)
	}
	return nil
}

// watchSocket ends the server when somebody has removed the socket, so that it
// is opened anew. The returned function waits for its end.
func (srv *Server) watchSocket(ctx context.Context, server *http.Server) (wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(srv.o.Look)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := os.Lstat(srv.gw.Site.Socket); errors.Is(err, os.ErrNotExist) {
				srv.o.Log.Warn().Str("socket", srv.gw.Site.Socket).Msg("the socket was removed; it is opened anew")
				_ = server.Close()
				return
			}
		}
	})
	return func() { cancel(); watch.Wait() }
}

// listen opens the socket for the group, or for this user alone where there is
// no such group. What a dead daemon left behind is removed; the lock on the
// state folder has made sure that it is dead.
func (srv *Server) listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("folder of the socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := srv.o.Network.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	mode := os.FileMode(0o660)
	if err := chgrp(path); err != nil {
		mode = 0o600
		srv.o.Log.Warn().Err(err).Str("socket", path).Msgf("only this user and root may use the socket: make the group %s for others", group)
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("mode of the socket: %w", err)
	}
	return l, nil
}

func chgrp(path string) error {
	found, err := user.LookupGroup(group)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, -1, gid)
}
