// Package child is the processes that a demo starts: a building's daemon, a registry's front and issuer, and the
// broker between them, each as the real program runs it. They end with their parent.
package child

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/device/devicetest"
	"gatehouse/device/uart"
	"gatehouse/internal/control/server"
	"gatehouse/internal/gateway"
	"gatehouse/internal/journal/segment"
	"gatehouse/internal/site"
	"gatehouse/sync/mqtt"
)

// Daemon is the daemon under test: the gateway as gatehoused runs it, with
// the parent's board in place of GPIO.
type Daemon struct {
	Config string `required:"" help:"The site file." placeholder:"FILE"`
}

// Run serves until it is told to stop, or until the building is gone: a daemon
// must not outlive a parent that was killed.
func (c Daemon) Run(ctx context.Context, _ process.Streams) error {
	site, err := site.Load(c.Config)
	if err != nil {
		return err
	}
	conn, err := devicetest.Inherited(process.InheritedAt)
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
	return gateway.Serve(ctx, func() (*gateway.Gateway, []func(context.Context), error) {
		g, err := gateway.New(gateway.Options{Site: site, Hardware: hw, Time: house.Time(), Version: "gatesim",
			Verify: segment.VerifyBy(self, "verify"), Dial: dialSoon, Log: log, Cadence: gateway.Cadence{Rest: house.Rest},
			Ready: func() { log.Info().Int("pid", os.Getpid()).Msg("doors are served") }})
		if err != nil {
			return nil, nil, err
		}
		return g, []func(context.Context){server.New(g, server.Options{Version: "gatesim", Log: log}).Serve}, nil
	})
}

// dialSoon waits less between attempts than a gateway among 200,000 may.
func dialSoon(c mqtt.Config) (gateway.Link, error) {
	c.Jitter = mqtt.Jitter{First: 10 * time.Millisecond, Loss: 300 * time.Millisecond, Max: 2 * time.Second}
	return mqtt.New(c)
}

// Verify checks a file of the journal in a process that may die of it.
type Verify struct {
	File string `arg:"" help:"A file of the journal."`
}

func (c Verify) Run(s process.Streams) error {
	if code := segment.VerifyMain(c.File, s.Out); code != 0 {
		return process.ExitCode(code)
	}
	return nil
}
