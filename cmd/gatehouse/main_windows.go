package main

import (
	"context"
	"errors"
	"io"

	"github.com/alecthomas/kong"

	"gatehouse/cmd/gatehouse/internal/exhibit"
	"gatehouse/internal/command"
	"gatehouse/internal/input"
)

// cli is the command line on Windows: what a police officer or a court's expert does at a desk. All
// else is done at a gateway.
type cli struct {
	JSON bool `help:"Print JSON for programs."`

	Verify   exhibit.Verify   `cmd:"" help:"Say what an evidence file proves, and what not; needs no network and no daemon."`
	Evidence exhibit.Evidence `cmd:"" help:"Print what is in an evidence file."`

	Version kong.VersionFlag `help:"Print the version."`
}

// run returns the exit status: 0 done, 1 failed, 2 called wrongly, or what the command says.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	var c cli
	tool := command.Tool{Name: "gatehouse", Version: version, Out: out, Err: errOut, Description: "Evidence files of the doors of a rental building."}
	cmd, status := tool.Parse(&c, args)
	if cmd == nil {
		return status
	}
	console := command.Console{Name: tool.Name, JSON: c.JSON, In: input.Reader{Ctx: ctx, From: in}, Out: command.Screen{To: out}, Err: command.Screen{To: errOut}}
	if err := cmd.Run(&exhibit.Caller{Console: console, Ctx: ctx}); err != nil {
		var ended command.Ended
		if errors.As(err, &ended) {
			return ended.Status
		}
		console.Complain(err)
		return 1
	}
	return 0
}
