package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"gatehouse/cmd/gatesim/internal/enrolled"
	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/cmd/gatesim/internal/play"
	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/cmd/gatesim/internal/rival"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// demoCmd plays two days. Ledgers that do not match end it also with Keep.
type demoCmd struct {
	Keep    bool   `help:"Leave buildings and registry running after the summary, until Ctrl-C."`
	Dir     string `help:"Directory for keys, logs and state, new or empty; it stays. Default: one that is removed." placeholder:"DIR"`
	Against string `enum:",mosquitto" default:"" help:"Play the same outage with what many would build instead: mosquitto (Debian's package)." placeholder:"mosquitto"`
	Tamper  string `hidden:"" enum:",forget,invent" default:"" help:"Forget or invent one release, so that the ledger is wrong."`
}

// Run returns nil only if the daemons did all that they must, and log and
// registry tell what happened at the doors.
func (c demoCmd) Run(ctx context.Context, s process.Streams) (err error) {
	if err := process.Loopback(); err != nil {
		return err
	}
	dir, remove, err := c.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	d, err := c.days(ctx, dir, s.Out)
	if err != nil {
		return err
	}
	err = d.run()
	if err = errors.Join(err, d.end()); err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped before the end of the day")
	}
	d.tail(s.Err)
	return err
}

// days is all that is played.
type days struct {
	cmd    demoCmd
	first  *play.Play
	second *enrolled.Second
	rival  *rival.Mosquitto // nil: none asked for
}

// days makes the buildings and the registry. Nothing runs yet.
func (c demoCmd) days(ctx context.Context, dir string, out io.Writer) (*days, error) {
	d := &days{cmd: c}
	var err error
	if c.Against != "" {
		if d.rival, err = rival.New(dir); err != nil {
			return nil, err
		}
	}
	told := &play.Story{Began: time.Now(), Out: out}
	day := func(building string) (*play.Play, error) {
		h, err := house.New(filepath.Join(dir, building), building)
		if err != nil {
			return nil, err
		}
		return play.New(ctx, h, told), nil
	}
	if d.first, err = day("lane-7"); err != nil {
		return nil, err
	}
	if d.first.House.Keys, err = house.MakeKeys(d.first.House.Dir); err != nil {
		return nil, err
	}
	d.first.House.World.Tamper = c.Tamper
	second, err := day(enrolled.Building)
	if err != nil {
		return nil, err
	}
	d.second, err = enrolled.New(dir, second)
	return d, err
}

func (d *days) run() error {
	out := d.first.Story.Out
	fmt.Fprintln(out, "A building with three doors. The doors, readers and people are played; the daemon is the real one, a process of its own.")
	fmt.Fprintln(out)
	if err := d.first.Day(play.FirstDay()); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nAnother building, enrolled with a registry. Registry, broker and daemon are processes of their own.")
	fmt.Fprintln(out)
	if err := d.second.Through(); err != nil {
		return err
	}
	if err := d.compete(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nall as it must be, in %.0f s\n", time.Since(d.first.Story.Began).Seconds())
	if d.cmd.Keep {
		if err := d.second.Day.Start(); err != nil { // the audit has stopped it
			return err
		}
		d.howToLook(out)
		play.Live(d.first, d.first.House.People.Residents[:19], 4*time.Second, nil) // the 20th moved out
	}
	return nil
}

// rivalEvents is how many events the rival has to bring through.
const rivalEvents = 100

// compete plays the outage with the rival.
func (d *days) compete() error {
	if d.rival == nil {
		return nil
	}
	arrived, err := d.rival.Outage(d.first.Ctx, rivalEvents, true)
	if err != nil {
		return err
	}
	out := d.first.Story.Out
	fmt.Fprintf(out, "\nThe same outage with a Mosquitto on the gateway and its bridge to a Mosquitto at the centre, as Debian sets them up:\n")
	fmt.Fprintf(out, "the centre goes away, %s by QoS 1, each acknowledged; the gateway loses its power; both come back.\n", amount.Of(rivalEvents, "event"))
	fmt.Fprintf(out, "arrived %d, lost %d\n", arrived, rivalEvents-arrived)
	return nil
}

// end leaves nothing behind that runs.
func (d *days) end() error {
	return errors.Join(d.first.End(), d.second.End())
}

// tail prints the last lines of the logs.
func (d *days) tail(w io.Writer) {
	for _, file := range []string{d.first.House.Log(), d.second.Day.House.Log(), d.second.Centre.Log()} {
		play.Tail(w, file)
	}
}

func (d *days) howToLook(w io.Writer) {
	fmt.Fprintf(w, "\nBuildings and registry run on. In another terminal:\n")
	for _, command := range []string{"status", "log --follow", "release front",
		"grant list", "grant end GRANT --key " + filepath.Join(d.first.House.Dir, "issuer.key")} {
		fmt.Fprintf(w, "  go run ./cmd/gatehouse --socket %s %s\n", d.first.House.Socket(), command)
	}
	for _, command := range []string{"status", "tenancy list"} {
		fmt.Fprintf(w, "  go run ./cmd/gatehouse --socket %s %s\n", d.second.Day.House.Socket(), command)
	}
	c := d.second.Centre
	for _, command := range []string{"gateways", "entries", "tenancies"} {
		fmt.Fprintf(w, "  go run ./cmd/registryd --front %s --issuer %s %s\n", c.FrontSocket(), c.IssuerSocket(), command)
	}
	fmt.Fprintf(w, "Ctrl-C ends it.\n\n")
}

// directory returns the directory of the demo and what to do with it at the end.
func (c demoCmd) directory() (string, func() error, error) {
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "gatesim-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("directory of the demo: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return "", nil, errors.Join(err, &control.Error{Message: dir + " is not empty", Hint: "name a new directory"})
	}
	return dir, func() error { return nil }, nil
}
