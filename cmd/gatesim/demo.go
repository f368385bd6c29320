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

	"gatehouse/internal/control"
)

// demoCmd plays one day. With Keep, books that do not match end it all the same.
type demoCmd struct {
	Keep   bool   `help:"Leave the building running after the summary, until Ctrl-C."`
	Dir    string `help:"Folder for keys, log and state, new or empty; it stays. Default: one that is removed." placeholder:"DIR"`
	Tamper string `hidden:"" enum:",forget,invent" default:"" help:"Forget or invent one release, so that the books are wrong."`
}

// Run returns nil only if the daemon did all that it must, and its log tells
// what happened at the doors.
func (c demoCmd) Run(ctx context.Context, s streams) (err error) {
	dir, remove, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	h, err := newHouse(dir)
	if err != nil {
		return err
	}
	h.world.tamper = c.Tamper
	p := &play{house: h, ctx: ctx, client: control.NewClient(h.socket()), began: time.Now(), out: s.out}
	err = p.run(c.Keep)
	if err = errors.Join(err, p.end()); err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped before the end of the day")
	}
	p.tail(s.err)
	return err
}

func (p *play) run(keep bool) error {
	fmt.Fprintln(p.out, "A building with two doors. The doors, readers and people are played; the daemon is the real one, a process of its own.")
	fmt.Fprintln(p.out)
	for _, scene := range p.day() {
		if err := scene(); err != nil {
			return err
		}
	}
	if err := p.audit(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nall as it must be, in %.0f s\n", time.Since(p.began).Seconds())
	if keep {
		p.howToLook(p.out)
		p.live()
	}
	return nil
}

// live lets residents come in at random until Ctrl-C, so that there is something
// to see in the log. Whoever watches may have ended a key meanwhile.
func (p *play) live() {
	for p.wait(time.Duration(2+rand.IntN(5))*time.Second) == nil {
		who, door := p.people.residents[rand.IntN(len(p.people.residents)-1)], []string{front, yard}[rand.IntN(2)]
		if err := p.comeIn(who, door); err != nil && p.ctx.Err() == nil {
			p.say(door, "%v", err)
		}
	}
}

func (p *play) howToLook(w io.Writer) {
	fmt.Fprintf(w, "\nThe building runs on. In another terminal:\n")
	for _, command := range []string{"status", "log --follow", "release front",
		"grant list", "grant end GRANT --key " + filepath.Join(p.dir, "issuer.key")} {
		fmt.Fprintf(w, "  go run ./cmd/gatehouse --socket %s %s\n", p.socket(), command)
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
