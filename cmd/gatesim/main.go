// Command gatesim is a whole building without hardware: it plays the doors,
// the readers and the people, and lets the real daemon serve them, as a process
// of its own over fake lines and real terminals.
//
// It decides nothing that a daemon decides, and believes nothing that the
// daemon says of itself: what happened at the doors is counted here, and at the
// end the daemon's log must tell the same.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a small system has no time zones of its own

	"github.com/alecthomas/kong"

	"gatehouse/cmd/gatesim/internal/child"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/internal/command"
)

// cli is the command line; kong reads it from the tags.
type cli struct {
	Demo     demoCmd          `cmd:"" help:"Play a day in a building with two doors, and check the daemon's log against what happened."`
	Page     pageCmd          `cmd:"" help:"Open a house with its page at this machine's own address, until Ctrl-C."`
	Simulate simulateCmd      `cmd:"" help:"Play a building and its registry for days of virtual time, with all that goes wrong, and hold them to their laws."`
	Fleet    fleetCmd         `cmd:"" help:"Connect many gateways without doors to one registry, and measure what they cost it and how soon a revocation is everywhere."`
	IDCard   idCardCmd        `cmd:"" name:"idcard" help:"Play the reader of identity cards of a desk, for gatehouse checkin --id-card."`
	Child    simulateChildCmd `cmd:"" name:"simulate-child" hidden:"" help:"Be one process of a simulation."`
	Daemon   child.Daemon     `cmd:"" hidden:"" help:"Serve the building that the parent plays."`
	Verify   child.Verify     `cmd:"" hidden:"" help:"Check a file of the journal."`
	Broker   child.Broker     `cmd:"" hidden:"" help:"Carry messages between buildings and registry."`
	Front    child.Front      `cmd:"" hidden:"" help:"Be the front of a registry."`
	Issuer   child.Issuer     `cmd:"" hidden:"" help:"Be the issuer of a registry."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "gatesim", Version: "dev", Out: out, Err: errOut, Description: "Buildings without hardware, served by the real daemon."}
	cmd, status := tool.Parse(&c, args, kong.BindTo(ctx, (*context.Context)(nil)))
	if cmd == nil {
		return status
	}
	if err := cmd.Run(process.Streams{Out: out, Err: errOut}); err != nil {
		var code process.ExitCode
		if errors.As(err, &code) {
			return int(code)
		}
		command.Console{Name: tool.Name, Err: errOut}.Complain(err)
		return 1
	}
	return 0
}
