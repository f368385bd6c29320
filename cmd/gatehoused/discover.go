package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"gatehouse/internal/discovery"
	"gatehouse/internal/gateway"
	"gatehouse/internal/profile"
)

// discover inspects this machine and prints its devices. Readers that send something meanwhile are
// printed on stderr at once, for the person who holds a card up.
func discover(ctx context.Context, req discovery.Request, asJSON bool, stdout, stderr io.Writer) error {
	req.Told = func(text string) { fmt.Fprintf(stderr, "found: %s\n", text) }
	m := machine(hardware())
	found := m.Discover(ctx, req)
	switch err := ctx.Err(); {
	case err != nil:
		return fmt.Errorf("look at this machine: %w", err)
	case asJSON:
		return json.NewEncoder(stdout).Encode(found)
	}
	found.Write(stdout, m.Profiles)
	return nil
}

func machine(hw gateway.Hardware) discovery.Machine {
	return discovery.Machine{Root: "/", Look: look, Port: hw.Port, Lines: hw.Lines, Profiles: profile.Set{Dir: profile.DefaultDir}, Log: zerolog.Nop()}
}
