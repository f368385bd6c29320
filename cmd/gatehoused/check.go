package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"gatehouse/device/gpio"
	"gatehouse/device/uart"
	"gatehouse/internal/amount"
	"gatehouse/internal/discovery"
	"gatehouse/internal/gateway"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
)

// siteFile returns the file to check: of --config, or the argument.
func siteFile(flags *flag.FlagSet, config string) (string, error) {
	named := false
	flags.Visit(func(f *flag.Flag) { named = named || f.Name == "config" })
	switch {
	case flags.NArg() > 1, flags.NArg() == 1 && named:
		return "", misuse("check: want one site file")
	case flags.NArg() == 1:
		return flags.Arg(0), nil
	}
	return config, nil
}

// check lists the chips of this machine, and reports what is wrong with a site file, and what of it
// does not match this machine. A chip that is not there is an error: its lines can't be driven.
func check(flags *flag.FlagSet, config string, stdout io.Writer) error {
	file, err := siteFile(flags, config)
	if err != nil {
		return err
	}
	writeChips(stdout)
	site, err := site.Load(file)
	if err != nil {
		return err
	}
	found := look(site.Ports())
	fmt.Fprintf(stdout, "%s: building %s, gateway %s, %s\n", file, site.Building, site.Gateway, amount.Of(len(site.Doors), "door"))
	for _, remark := range append(site.Remarks(), site.Against(found)...) {
		fmt.Fprintf(stdout, "  - %s\n", remark)
	}
	if absent := found.AbsentChips(site); len(absent) > 0 {
		return fmt.Errorf("%s: this machine has no GPIO chip %s; those that there are stand above", file, strings.Join(absent, ", "))
	}
	return nil
}

// writeChips lists the GPIO chips of this machine with what a site file calls them by: name or label.
func writeChips(w io.Writer) {
	chips, err := gpio.Chips()
	for _, c := range chips {
		fmt.Fprintf(w, "GPIO chip %s, label %q: lines 0 to %d\n", strings.Join(c.Names, " or "), c.Label, c.Lines-1)
	}
	switch {
	case err != nil:
		fmt.Fprintf(w, "GPIO chips that can't be read (sudo gatehoused check may): %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	case len(chips) == 0:
		fmt.Fprintln(w, "no GPIO chip is on this machine: no door can be wired to it")
	}
}

// look inspects these ports, and the machine's chips and consoles. Missing ones are left out: a
// site file may be for another machine.
func look(ports []string) (found site.Found) {
	for _, path := range ports {
		who, whole, err := uart.Holders(path)
		if errors.Is(err, uart.ErrNoPort) {
			found.Ports = append(found.Ports, site.FoundPort{Path: path, NoPort: true})
		}
		if err != nil {
			continue
		}
		p := site.FoundPort{Path: path, TTY: ttyName(path), Hidden: !whole}
		for _, h := range who {
			p.Holders = append(p.Holders, site.PortHolder{Command: h.Name, PID: h.PID})
		}
		found.Ports = append(found.Ports, p)
	}
	if active, err := os.ReadFile("/sys/class/tty/console/active"); err == nil {
		found.Consoles = strings.Fields(string(active))
	}
	chips, _ := gpio.Chips() // a chip that can't be read counts as absent; writeChips tells of it
	for _, c := range chips {
		found.Chips = append(found.Chips, site.FoundChip{Names: c.Names, Label: c.Label, Lines: c.Lines, Users: c.Users})
	}
	return found
}

// ttyName returns the kernel's name of a port, whatever link leads to it.
func ttyName(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Base(path)
}

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
