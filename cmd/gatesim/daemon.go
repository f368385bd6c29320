package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/clock"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
	"gatehouse/sync/wire"
)

// daemonCmd is the daemon under test: the gateway as gatehoused runs it, with
// the parent's board in place of GPIO.
type daemonCmd struct {
	Config string `required:"" help:"The site file." placeholder:"FILE"`
}

// inheritedAt is the file descriptor of what the parent passed: the connection to
// its board, or a pipe.
const inheritedAt = 3

// Run serves until it is told to stop, or until the building is gone: a daemon
// must not outlive a parent that was killed.
func (c daemonCmd) Run(ctx context.Context, _ streams) error {
	site, err := site.Load(c.Config)
	if err != nil {
		return err
	}
	conn, err := devicetest.Inherited(inheritedAt)
	if err != nil {
		return err
	}
	remote := devicetest.NewRemote(conn)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The wires outlive the doors, which still have relays to set at the end.
	wires, cut := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		defer cancel()
		_ = remote.Run(wires) // ends with the parent, or with cut
	})
	err = serve(ctx, site, gateway.Hardware{Lines: remote.Lines, Output: remote.Output, Port: new(uart.Ports).Open})
	cut()
	running.Wait()
	return err
}

func serve(ctx context.Context, site *site.Site, hw gateway.Hardware) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	log := zerolog.New(os.Stderr).With().Timestamp().Logger()
	g, err := gateway.New(gateway.Options{Site: site, Hardware: hw, Time: demoTime(), Version: "gatesim",
		Verify: segment.VerifyBy(self, "verify"), Dial: dialSoon, Log: log, Cadence: gateway.Cadence{Rest: restInDemo},
		Ready: func() { log.Info().Int("pid", os.Getpid()).Msg("doors are served") }})
	if err != nil {
		return err
	}
	srv := server.New(g, server.Options{Version: "gatesim", Log: log})
	return g.Run(ctx, srv.Serve)
}

// restInDemo is how long a card is away before it is held up again, once its door is
// secured: less than in a house, where people come and go in the meantime.
const restInDemo = time.Second

// dialSoon waits less between attempts than a gateway among 200,000 may.
func dialSoon(c mqtt.Config) (gateway.Link, error) {
	c.Jitter = mqtt.Jitter{First: 10 * time.Millisecond, Loss: 300 * time.Millisecond, Max: 2 * time.Second}
	return mqtt.New(c)
}

// demoTime is this machine's clock, taken as set by a time server: a visitor's
// key needs a clock that somebody vouches for, and few laptops or containers
// can say that of theirs.
func demoTime() clock.Source {
	t := clock.System()
	t.Quality = func() (wire.ClockQuality, time.Duration) { return wire.ClockNTP, 0 }
	return t
}

// verifyCmd checks a file of the journal in a process that may die of it.
type verifyCmd struct {
	File string `arg:"" help:"A file of the journal."`
}

func (c verifyCmd) Run(s streams) error {
	if code := segment.VerifyMain(c.File, s.out); code != 0 {
		return exitCode(code)
	}
	return nil
}
