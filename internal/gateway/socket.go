package gateway

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
)

// group may use the socket. Where it is missing only the daemon's user may.
const group = "gatehouse"

// serve answers the tool on the unix socket until ctx ends. A socket that can't
// be opened is tried again: doors do not wait for it.
func (g *Gateway) serve(ctx context.Context) {
	for wait := retryFirst; ctx.Err() == nil; wait = min(2*wait, retryMost) {
		err := g.serveOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		g.o.Log.Error().Err(err).Msg("the tool can't connect")
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (g *Gateway) serveOnce(ctx context.Context) error {
	l, err := g.listen(ctx, g.o.Site.Socket)
	if err != nil {
		return err
	}
	// Requests end with ctx, so that a follower of the log does not hold up a stop.
	server := &http.Server{Handler: g.handler(), ReadHeaderTimeout: 10 * time.Second,
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
		g.requests.Wait()
	}()
	defer g.watchSocket(ctx, server)()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", g.o.Site.Socket, err)
	}
	return nil
}

// watchSocket ends the server when somebody has removed the socket, so that it
// is opened anew. The returned function waits for its end.
func (g *Gateway) watchSocket(ctx context.Context, server *http.Server) (wait func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		tick := time.NewTicker(g.o.Cadence.Socket)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := os.Lstat(g.o.Site.Socket); errors.Is(err, os.ErrNotExist) {
				g.o.Log.Warn().Str("socket", g.o.Site.Socket).Msg("the socket was removed; it is opened anew")
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
func (g *Gateway) listen(ctx context.Context, path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("folder of the socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := g.o.Network.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	mode := os.FileMode(0o660)
	if err := chgrp(path); err != nil {
		mode = 0o600
		g.o.Log.Warn().Err(err).Str("socket", path).Msgf("only this user and root may use the socket: make the group %s for others", group)
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
