package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gatehouse/internal/durable"
	"gatehouse/internal/registry/ceremony"
	"gatehouse/internal/registry/issuer/authority"
	"gatehouse/internal/socket"
)

type ceremonyCmd struct {
	Make    ceremonyMakeCmd    `cmd:"" help:"Make the keys of a registry, in the place of init: the offline ones on sticks alone, each proved, with a record to sign."`
	Verify  ceremonyVerifyCmd  `cmd:"" help:"Look at the sticks, as every year: readable, sums as in the record, a restore rehearsed."`
	Restore ceremonyRestoreCmd `cmd:"" help:"Put the keys of front and issuer back from one stick, on a new machine."`
}

type ceremonyMakeCmd struct {
	initCmd
	Stick []string `required:"" help:"Where a stick is mounted; one flag for each, two at least." placeholder:"DIRECTORY"`
	Trial bool     `help:"For practice: sticks may be directories of one disk, and the record says that it was a trial."`
}

// Run makes the keys. It asks for no names: the record has lines for them.
func (c ceremonyMakeCmd) Run(s *session) error {
	setup, dir, err := c.place()
	if err != nil {
		return err
	}
	if len(c.Stick) < 2 {
		return socket.Hinted("--stick for a second one", "keys on one stick are lost with it")
	}
	for n := range c.Stick {
		if c.Stick[n], err = filepath.Abs(c.Stick[n]); err != nil {
			return err
		}
	}
	program, err := thisProgram()
	if err != nil {
		return err
	}
	done, err := (&ceremony.Ceremony{Dir: dir, Sticks: c.Stick, Setup: setup, Trial: c.Trial, Program: program, Network: networkUp, People: s.people()}).Run()
	return s.Print(done, err, func(w io.Writer) {
		fmt.Fprintf(w, "record    %s: print it twice (lp %s), sign both, put each stick into a bag of its own; code %s\n", done.Record, done.Record, done.Code)
		fmt.Fprintf(w, "front     %s  for registryd serve\n", done.Front)
		fmt.Fprintf(w, "issuer    %s  for registryd issue: another user, better another machine\n", done.Issuer)
		if done.Trial {
			fmt.Fprintln(w, "A TRIAL: delete these directories and what is on the sticks")
		}
	})
}

// people returns the people at the terminal.
func (s *session) people() ceremony.People {
	lines := bufio.NewReader(s.In)
	return ceremony.People{
		Tell: func(text string) { fmt.Fprintln(s.Err, "  "+text) },
		Wait: func(step ceremony.Step) error {
			fmt.Fprintf(s.Err, "\nSTEP %d  %s\n        It proves %s.\n        Enter when you have done it, Ctrl-C to end: ", step.Number, step.Do, step.Proves)
			if _, err := lines.ReadString('\n'); err != nil {
				return errors.New("nobody answers: standard input has ended") // or this was interrupted, which run says
			}
			fmt.Fprintln(s.Err)
			return nil
		},
	}
}

// thisProgram identifies the running program, for the two people to compare.
func thisProgram() (p ceremony.Program, err error) {
	p = ceremony.Program{Version: version, Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}
	path, err := os.Executable()
	if err != nil {
		return p, err
	}
	f, err := os.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return p, err
	}
	p.SHA256 = fmt.Sprintf("%x", hash.Sum(nil))
	return p, nil
}

// networkUp returns the running network interfaces other than loopback.
func networkUp() (up []string) {
	all, err := net.Interfaces()
	if err != nil {
		return []string{"perhaps one: " + err.Error()}
	}
	for _, i := range all {
		if i.Flags&net.FlagRunning != 0 && i.Flags&net.FlagLoopback == 0 {
			up = append(up, i.Name)
		}
	}
	return up
}

type ceremonyVerifyCmd struct {
	Stick  []string `required:"" help:"Where a stick is mounted; one flag for each that is at hand, in any order." placeholder:"DIRECTORY"`
	Record string   `help:"The record of the ceremony." default:"/var/lib/gatehouse-registry/ceremony.txt" placeholder:"FILE"`
	Backup string   `help:"Also a directory that registryd backup made: that it is whole, and that the escrow key opens it." placeholder:"DIRECTORY"`
	Out    string   `help:"New file for the record of this look, to print and sign." placeholder:"FILE"`
}

func (c ceremonyVerifyCmd) Run(s *session) error {
	record, err := os.ReadFile(c.Record)
	if err != nil {
		return socket.Hinted("--record names ceremony.txt as you have kept it; the one on a stick is changed with the stick", "%v", err)
	}
	if _, err := os.Lstat(c.Out); c.Out != "" && err == nil {
		return socket.Hinted("name another file", "%s is there already", c.Out)
	}
	program, err := thisProgram()
	if err != nil {
		return err
	}
	seen, err := ceremony.Look{Sticks: c.Stick, Record: record, Backup: c.Backup, Program: program, Now: time.Now()}.Run(s.ctx)
	if err == nil && c.Out != "" && seen.Paper != nil {
		err = durable.WriteFile(c.Out, seen.Paper, 0o644)
	}
	err = s.Print(seen, err, func(w io.Writer) {
		for _, l := range seen.Lines {
			mark := "ok "
			if l.Bad {
				mark = "BAD"
			}
			fmt.Fprintf(w, "%s  %s\n", mark, l.Text)
		}
		switch {
		case seen.Same:
			fmt.Fprintf(w, "code %s: the same stands on the paper\n", seen.Code)
		case seen.Code != "":
			fmt.Fprintf(w, "code %s: the paper has another, since keys were replaced: print the record of --out and keep it in its place\n", seen.Code)
		}
	})
	if err == nil && seen.Bad {
		return socket.Hinted("docs/ceremony.md, what to do with a bad stick", "not all is as it should be")
	}
	return err
}

type ceremonyRestoreCmd struct {
	Stick string `required:"" help:"Where one stick is mounted." placeholder:"DIRECTORY"`
	Dir   string `help:"Where front and issuer are made." default:"/var/lib/gatehouse-registry" placeholder:"DIRECTORY"`
}

func (c ceremonyRestoreCmd) Run(s *session) error {
	err := ceremony.Restore(c.Stick, c.Dir)
	front, issuer := filepath.Join(c.Dir, authority.DirFront), filepath.Join(c.Dir, authority.DirIssuer)
	return s.Print(map[string]string{"front": front, "issuer": issuer}, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s and %s have their keys again; now their databases, out of the newest backup: docs/restore.md\n", front, issuer)
	})
}
