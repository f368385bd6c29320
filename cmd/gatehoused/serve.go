package main

import (
	"cmp"
	"context"
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
	profiles bool   // its socket has profiles of the daemon
	hardware gateway.Hardware
	env      func(string) string
	stderr   io.Writer
}

// serve serves a building until ctx ends, and until it has a site file waits for one. Where
// it is to begin anew a service manager starts it again, with all that comes before a house
// is served: time to check the log, ports without a login prompt. Without one it goes on.
func serve(ctx context.Context, s service) error {
	manager, err := notify.FromEnvironment(s.env, os.Getpid())
	if err != nil {
		return err
	}
	out := newLogWriter(s.stderr)
	defer out.close()
	log := zerolog.New(out).With().Timestamp().Logger()
	for again := true; again; {
		house, err := site.Load(s.config)
		if err == nil {
			again, err = s.house(ctx, house, manager, log)
		} else {
			again, err = s.setup(ctx, manager, log, err), nil
		}
		if err != nil {
			return err
		}
		again = again && manager == nil
	}
	return nil
}

// house serves a building until ctx ends, or until it is to begin anew.
func (s service) house(ctx context.Context, house *site.Site, manager *notify.Manager, log zerolog.Logger) (again bool, err error) {
	// A damaged file can kill who opens it; that must not be this process.
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
		return false, err
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

// lookEach is how often a daemon without a house looks for a site file.
const lookEach = time.Second

// setup waits until there is a site file with which a house can be served; false: ctx ended.
func (s service) setup(ctx context.Context, manager *notify.Manager, log zerolog.Logger, why error) bool {
	dog := watchdogOf(manager, log)
	waiting := setup.New(setup.Options{Socket: s.socket(), Group: server.Group, File: s.config, Machine: machine(s.hardware),
		Written: asksForProofs, Each: min(lookEach, cmp.Or(dog.Each(), lookEach)), Tick: dog.Loop(), Log: log}, why)
	fed, end := context.WithCancel(ctx)
	var feeding sync.WaitGroup
	feeding.Go(func() { dog.Run(fed) })
	found := waiting.Run(ctx)
	end()
	feeding.Wait()
	stopping(manager, log)
	return found
}

// asksForProofs has a house that is being set up ask for what is proved at its doors.
func asksForProofs(s *site.Site) error {
	if err := durable.MakeDir(s.State, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	return acceptance.Create(s.State, acceptance.Act{At: time.Now()})
}

// socket is where it answers while no site file says where: in the directory that the
// service manager made for it.
func (s service) socket() string {
	made, _, _ := strings.Cut(s.env("RUNTIME_DIRECTORY"), ":")
	if made == "" {
		return site.DefaultSocket
	}
	return filepath.Join(made, filepath.Base(site.DefaultSocket))
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
