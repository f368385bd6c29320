package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/gateway/watchdog"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/notify"
	"gatehouse/internal/site"
)

// service is the daemon's service of one building.
type service struct {
	config   string // the site file
	profiles bool   // its socket has profiles of the daemon
	hardware gateway.Hardware
	env      func(string) string
	stderr   io.Writer
}

// serve serves a building until ctx ends.
func serve(ctx context.Context, s service) error {
	site, err := site.Load(s.config)
	if err != nil {
		return err
	}
	manager, err := notify.FromEnvironment(s.env, os.Getpid())
	if err != nil {
		return err
	}
	out := newLogWriter(s.stderr)
	defer out.close()
	log := zerolog.New(out).With().Timestamp().Logger()
	// A damaged file can kill who opens it; that must not be this process.
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	g, err := gateway.New(gateway.Options{
		Site: site, Hardware: s.hardware, Time: clock.System(), Version: version,
		Verify: segment.VerifyBy(self, "verify"), Log: log, Watchdog: watchdogOf(manager, log),
		Ready: func() { log.Info().Str("building", site.Building).Str("version", version).Msg("doors are served") },
	})
	if err != nil {
		return err
	}
	srv := server.New(g, server.Options{Version: version, Profiles: s.profiles, Log: log})
	return g.Run(ctx, srv.Serve, func(ctx context.Context) {
		<-ctx.Done()
		if manager != nil {
			warn(log, manager.Stopping())
		}
	})
}

// unwatched is how often a service manager is told at least that the doors are served, where
// it sets no time itself.
const unwatched = 10 * time.Second

// watchdogOf tells the service manager that the daemon is ready when every door's loop has
// gone round once, and from then on that it lives whenever all of them have again. Nil
// without a manager.
func watchdogOf(m *notify.Manager, log zerolog.Logger) *watchdog.Watchdog {
	if m == nil {
		return nil
	}
	next, failing := m.Ready, false
	return watchdog.New(cmp.Or(m.Within, unwatched), func() {
		err := next()
		if err == nil {
			next = m.Alive
		} else if !failing { // said once, and not at each time
			warn(log, err)
		}
		failing = err != nil
	})
}

func warn(log zerolog.Logger, err error) {
	if err != nil {
		log.Warn().Err(err).Msg("the service manager does not hear the daemon")
	}
}
