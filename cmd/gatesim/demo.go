package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// demoCmd plays two days. With Keep, books that do not match end it all the same.
type demoCmd struct {
	Keep    bool   `help:"Leave buildings and registry running after the summary, until Ctrl-C."`
	Dir     string `help:"Folder for keys, logs and state, new or empty; it stays. Default: one that is removed." placeholder:"DIR"`
	Against string `enum:",mosquitto" default:"" help:"Play the same outage with what many would build instead: mosquitto (Debian's package)." placeholder:"mosquitto"`
	Tamper  string `hidden:"" enum:",forget,invent" default:"" help:"Forget or invent one release, so that the books are wrong."`
}

// Run returns nil only if the daemons did all that they must, and log and
// registry tell what happened at the doors.
func (c demoCmd) Run(ctx context.Context, s streams) (err error) {
	dir, remove, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	d, err := c.days(ctx, dir, s.out)
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
	d.tail(s.err)
	return err
}

// days is all that is played.
type days struct {
	cmd    demoCmd
	first  *play
	second *second
	rival  *mosquitto // nil: none asked for
}

// days makes the buildings and the registry. Nothing runs yet.
func (c demoCmd) days(ctx context.Context, dir string, out io.Writer) (*days, error) {
	d := &days{cmd: c}
	var err error
	if c.Against != "" {
		if d.rival, err = newMosquitto(dir); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	day := func(building string) (*play, error) {
		h, err := newHouse(filepath.Join(dir, building), building)
		if err != nil {
			return nil, err
		}
		return &play{house: h, ctx: ctx, client: control.NewClient(h.socket()), began: began, out: out}, nil
	}
	if d.first, err = day("lane-7"); err != nil {
		return nil, err
	}
	if d.first.keys, err = makeKeys(d.first.dir); err != nil {
		return nil, err
	}
	d.first.world.tamper = c.Tamper
	d.second = &second{lived: map[*person]string{}}
	if d.second.play, err = day(secondBuilding); err != nil {
		return nil, err
	}
	d.second.remote = true
	d.second.centre, err = newCentre(dir)
	return d, err
}

func (d *days) run() error {
	out := d.first.out
	fmt.Fprintln(out, "A building with three doors. The doors, readers and people are played; the daemon is the real one, a process of its own.")
	fmt.Fprintln(out)
	if err := through(d.first.day(), d.first.audit); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nAnother building, enrolled with a registry. Registry, broker and daemon are processes of their own.")
	fmt.Fprintln(out)
	if err := through(d.second.secondDay(), d.second.audit); err != nil {
		return err
	}
	if err := d.compete(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nall as it must be, in %.0f s\n", time.Since(d.first.began).Seconds())
	if d.cmd.Keep {
		d.howToLook(out)
		d.first.live()
	}
	return nil
}

// through plays a day and audits it.
func through(scenes []func() error, audit func() error) error {
	for _, scene := range scenes {
		if err := scene(); err != nil {
			return err
		}
	}
	return audit()
}

// rivalEvents is how many events the rival has to bring through.
const rivalEvents = 100

// compete plays the outage with the rival.
func (d *days) compete() error {
	if d.rival == nil {
		return nil
	}
	arrived, err := d.rival.outage(d.first.ctx, rivalEvents, true)
	if err != nil {
		return err
	}
	out := d.first.out
	fmt.Fprintf(out, "\nThe same outage with a Mosquitto on the gateway and its bridge to a Mosquitto at the centre, as Debian sets them up:\n")
	fmt.Fprintf(out, "the centre goes away, %s by QoS 1, each acknowledged; the gateway loses its power; both come back.\n", amount.Of(rivalEvents, "event"))
	fmt.Fprintf(out, "arrived %d, lost %d\n", arrived, rivalEvents-arrived)
	return nil
}

// end leaves nothing behind that runs.
func (d *days) end() error {
	return errors.Join(d.first.end(), d.second.end(), d.second.centre.stop())
}

// tail prints the last lines of the logs.
func (d *days) tail(w io.Writer) {
	for _, file := range []string{d.first.log(), d.second.log(), d.second.centre.log()} {
		tail(w, file)
	}
}

// live lets residents come in at random until Ctrl-C, so that there is something
// to see in the log. Whoever watches may have ended a key meanwhile.
func (p *play) live() {
	for p.wait(time.Duration(2+rand.IntN(5))*time.Second) == nil {
		who, door := p.people.residents[rand.IntN(len(p.people.residents)-1)], []string{frontDoor, yardDoor}[rand.IntN(2)]
		if err := p.comeIn(who, door); err != nil && p.ctx.Err() == nil {
			p.say(door, "%v", err)
		}
	}
}

func (d *days) howToLook(w io.Writer) {
	fmt.Fprintf(w, "\nBuildings and registry run on. In another terminal:\n")
	for _, command := range []string{"status", "log --follow", "release front",
		"grant list", "grant end GRANT --key " + filepath.Join(d.first.dir, "issuer.key")} {
		fmt.Fprintf(w, "  go run ./cmd/gatehouse --socket %s %s\n", d.first.socket(), command)
	}
	for _, command := range []string{"status", "tenancy list"} {
		fmt.Fprintf(w, "  go run ./cmd/gatehouse --socket %s %s\n", d.second.socket(), command)
	}
	c := d.second.centre
	for _, command := range []string{"gateways", "entries", "tenancies"} {
		fmt.Fprintf(w, "  go run ./cmd/registryd --front %s --issuer %s %s\n", c.frontSocket(), c.issuerSocket(), command)
	}
	fmt.Fprintf(w, "Ctrl-C ends it.\n\n")
}

// folder returns the folder of the demo and what to do with it at the end.
func (c demoCmd) folder() (string, func() error, error) {
	if c.Dir == "" {
		dir, err := os.MkdirTemp("", "gatesim-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("folder of the demo: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return "", nil, errors.Join(err, &control.Error{Message: dir + " is not empty", Hint: "name a new folder"})
	}
	return dir, func() error { return nil }, nil
}
