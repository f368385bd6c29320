package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/acceptance"
	"gatehouse/internal/backoff"
	"gatehouse/internal/control/server"
	"gatehouse/internal/control/server/setup"
	"gatehouse/internal/durable"
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
	profiles bool   // its socket serves profiles of the daemon
	hardware gateway.Hardware
	env      func(string) string
	stderr   io.Writer
}

// A house whose site file is in order and that can't be served all the same is tried again:
// soon at first, since a disk or the program before it may only be late, and each time later.
const (
	againFirst = time.Second
	againMost  = 30 * time.Second
)

// serve serves a building until ctx ends; without a site file it waits for one. To restart, it ends
// and is started again by a service manager, with all the steps before a house is served: time to
// check the log, ports without a login prompt. Without a manager it continues by itself.
// A manager would start it again at once and for ever where the house can't be served: under one it
// waits there, too, says why, and tries again by itself.
func serve(ctx context.Context, s service) error {
	manager, err := notify.FromEnvironment(s.env, os.Getpid())
	if err != nil {
		return err
	}
	out := newLogWriter(s.stderr)
	defer out.close()
	log := zerolog.New(out).With().Timestamp().Logger()
	tries, said := backoff.New(againFirst, againMost), ""
	for again := true; again; {
		house, err := site.Load(s.config)
		if err != nil {
			again = s.setup(ctx, manager, log, err, 0) && manager == nil
			continue
		}
		again, err = s.house(ctx, house, manager, log)
		var closed notServed
		switch {
		case manager != nil && errors.As(err, &closed):
			if err.Error() != said {
				said = err.Error()
				log.Error().Err(err).Msg("no door is served; it is tried again and again")
			}
			again = s.setup(ctx, manager, log, err, tries.Next())
		case err != nil:
			return err
		default:
			again = again && manager == nil
		}
	}
	return nil
}

// notServed is why a house can't be served although its site file is in order.
type notServed struct{ error }

func (n notServed) Unwrap() error { return n.error }

// house serves a building until ctx ends, or until it is to restart (again). An error is a
// notServed where no door was served.
func (s service) house(ctx context.Context, house *site.Site, manager *notify.Manager, log zerolog.Logger) (again bool, err error) {
	// A damaged file can kill the process that opens it; that must not be this one.
	self, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find own program: %w", err)
	}
	g, err := gateway.New(gateway.Options{
		Site: house, Hardware: s.hardware, Time: clock.System(), Version: version,
		Verify: segment.VerifyBy(self, "verify"), Log: log, Watchdog: watchdogOf(manager, log),
		Ready: func() { log.Info().Str("building", house.Building).Str("version", version).Msg("doors are served") },
	})
	if err != nil {
		return false, notServed{err}
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	var anew atomic.Bool
	srv := server.New(g, server.Options{Version: version, Profiles: s.profiles, Log: log, Again: func() { anew.Store(true); end() }})
	err = g.Run(ctx, srv.Serve, func(ctx context.Context) {
		<-ctx.Done()
		stopping(manager, log)
	})
	return anew.Load() || g.Decider.Changed(), err
}

// lookEach is the period at which a daemon without a house looks for a site file.
const lookEach = time.Second

// setup waits until there is a usable site file, or, where the house is tried again after a time,
// until then; false: ctx ended.
func (s service) setup(ctx context.Context, manager *notify.Manager, log zerolog.Logger, why error, tried time.Duration) bool {
	dog := watchdogOf(manager, log)
	waiting := setup.New(setup.Options{Socket: s.socket(), Group: server.Group, Version: version, File: s.config, Machine: machine(s.hardware), Again: tried,
		Written: asksForProofs, Each: min(lookEach, cmp.Or(dog.Each(), lookEach)), Tick: dog.Loop(), Log: log}, why)
	fed, end := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	feeding.Go(func() { dog.Run(fed) })
	found := waiting.Run(ctx)
	end()
	feeding.Wait()
	if !found || tried == 0 {
		stopping(manager, log)
	}
	return found
}

// asksForProofs makes a house that is being set up ask for proofs at its doors.
func asksForProofs(s *site.Site) error {
	if err := durable.MakeDir(s.State, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return acceptance.Create(s.State, acceptance.Act{At: time.Now()})
}

// socket returns the path of the socket while no site file names one: in the directory that the
// service manager made.
func (s service) socket() string {
	made, _, _ := strings.Cut(s.env("RUNTIME_DIRECTORY"), ":")
	if made == "" {
		return site.DefaultSocket
	}
	return filepath.Join(made, filepath.Base(site.DefaultSocket))
}

// unwatched is the longest time between two reports to a service manager that sets no time itself.
const unwatched = 10 * time.Second

// watchdogOf reports to the service manager that the daemon is ready when every door's loop has
// gone round once, and after that that it is alive whenever all have gone round again. Nil without
// a manager.
func watchdogOf(m *notify.Manager, log zerolog.Logger) *watchdog.Watchdog {
	if m == nil {
		return nil
	}
	next, failing := m.Ready, false
	return watchdog.New(cmp.Or(m.Within, unwatched), func() {
		err := next()
		if err == nil {
			next = m.Alive
		} else if !failing { // reported once, not every time
			warn(log, err)
		}
		failing = err != nil
	})
}

func stopping(m *notify.Manager, log zerolog.Logger) {
	if m != nil {
		warn(log, m.Stopping())
	}
}

func warn(log zerolog.Logger, err error) {
	if err != nil {
		log.Warn().Err(err).Msg("the service manager does not hear the daemon")
	}
}
