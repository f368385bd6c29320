package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"gatehouse/device/gpio"
	"gatehouse/device/uart"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
)

// discover looks at this machine and prints what it has. What speaks meanwhile is told on
// stderr as it comes, for whoever holds a card up.
func discover(ctx context.Context, req discovery.Request, asJSON bool, stdout, stderr io.Writer) error {
	req.Told = func(text string) { fmt.Fprintf(stderr, "found: %s\n", text) }
	known := profile.Set{Dir: profile.DefaultDir}
	m := discovery.Machine{Root: "/", Look: look, Port: new(uart.Ports).Open, Lines: gpio.OpenLines, Profiles: known, Log: zerolog.Nop()}
	found := m.Discover(ctx, req)
	switch err := ctx.Err(); {
	case err != nil:
		return fmt.Errorf("look at this machine: %w", err)
	case asJSON:
		return json.NewEncoder(stdout).Encode(found)
	}
	found.Write(stdout, known)
	return nil
}
