// Package doctor is the command that checks everything a gateway depends on, and says of each thing
// what was found, why it matters, and what to do.
//
// It changes nothing, works without the daemon and as any user, and says what it could not see. The
// file that it writes for others names nobody and no door.
package doctor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Doctor is the command.
type Doctor struct {
	Config string `help:"The site file." default:"/etc/gatehouse/site.toml" aliases:"site" placeholder:"FILE"`
	Bundle string `help:"Write a file for whoever helps you, without anything about people, flats, cards or doors' names." placeholder:"FILE"`
	Report bool   `help:"Print the line for docs/hardware.md by which you tell that this board and these readers work."`
}

// state is the result of a check.
type state string

const (
	good   state = "ok"
	bad    state = "problem"
	unseen state = "not seen" // by this user, or on this machine
)

// check is one thing that was checked.
type check struct {
	Name  string `json:"name"`
	State state  `json:"state"`
	What  string `json:"what"`          // the finding
	Why   string `json:"why,omitempty"` // it matters
	Do    string `json:"do,omitempty"`  // what to do
}

// seen are the findings on which the checks, the bundle and the report rest.
type seen struct {
	machine machine
	site    *site.Site // nil: it could not be read
	status  *control.Status
	checks  []check
}

// Run runs the checks, and fails where something is to be done.
func (c Doctor) Run(s *session.Session) error {
	if _, err := os.Lstat(c.Bundle); c.Bundle != "" && err == nil {
		return socket.Hinted("name another file", "%s is there already", c.Bundle)
	}
	found := c.look(s, machine{root: "/"})
	switch {
	case c.Report:
		row := found.report(s.Version)
		if err := s.Print(row, nil, func(w io.Writer) { row.write(w) }); err != nil || row.lacks == "" {
			return err
		}
		hint := "sudo gatehouse doctor, where the daemon runs; --config names the site file, --socket the daemon"
		if found.status != nil && found.site != nil {
			hint = "gatehouse doctor says what is wrong with each, and what to do"
		}
		return socket.Hinted(hint, "there is nothing to send in yet: %s", row.lacks)
	case c.Bundle != "":
		if err := found.bundle(s, c.Bundle); err != nil {
			return err
		}
		lacks := ""
		if found.status == nil {
			lacks = "; the daemon gave no answer to this user, so its state and log are not in it: sudo gatehouse doctor --bundle FILE, where it runs"
		}
		fmt.Fprintf(s.Err, "%s has what a helper needs, and nobody's name, flat or card%s: look into it with tar -tzf before you send it\n", c.Bundle, lacks)
	}
	if err := s.Print(found.checks, nil, func(w io.Writer) { write(w, found.checks) }); err != nil {
		return err
	}
	return summary(found.checks)
}

// summary is an error that counts the checks which need somebody; nil: none does.
func summary(all []check) error {
	n := 0
	for _, k := range all {
		if k.State == bad {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d of %s %s somebody", n, amount.Of(len(all), "check"), command.Choose(n == 1, "needs", "need"))
}

func (c Doctor) look(s *session.Session, m machine) *seen {
	f := &seen{machine: m}
	f.checks = append(f.checks, f.siteFile(c.Config))
	st, err := s.Client.Status(s.Ctx)
	if err == nil {
		f.status = &st
	}
	f.checks = append(f.checks, daemonCheck(st, err))
	if f.status != nil {
		f.checks = append(f.checks, ofStatus(st)...)
		backups, err := control.BackupsOf(s.Client).Status(s.Ctx)
		f.checks = append(f.checks, backupCheck(backups, err, time.Now()))
	}
	f.checks = append(f.checks, f.ofMachine(time.Now())...)
	return f
}

// siteFile reads the site file, which names the places of everything else.
func (f *seen) siteFile(path string) check {
	k := check{Name: "site file", State: good, Why: "it says how the doors are wired: no door is served without it"}
	s, err := site.Load(path)
	if err == nil {
		f.site, k.What = s, fmt.Sprintf("%s, %s", path, amount.Of(len(s.Doors), "door"))
		return k
	}
	k.State, k.What, k.Do = bad, err.Error(), "mend it until gatehoused check "+path+" is content; docs/site-file.md has every key"
	if denied(err) {
		k.State, k.Do = unseen, "run this as root: sudo gatehouse doctor"
	} else if absent(err) {
		k.Do = "open the gateway's page, or call sudo gatehouse setup, which makes it; or say where it is with --config"
	}
	return k
}

func daemonCheck(st control.Status, err error) check {
	k := check{Name: "daemon", State: good, Why: "without it no card opens; exit buttons work only as they are wired"}
	var fail *control.Error
	switch {
	case err == nil:
		k.What = fmt.Sprintf("gatehoused %s answers, up since %s", st.Version, session.Local(st.Started))
	case errors.As(err, &fail) && strings.HasPrefix(fail.Message, "not allowed"):
		k.State, k.What, k.Do = unseen, fail.Message, fail.Hint
	case errors.As(err, &fail) && fail.Status != 0: // the daemon has no house yet
		k.State, k.What, k.Do = bad, fail.Message, fail.Hint
	case errors.As(err, &fail):
		k.State, k.What, k.Do = bad, fail.Message, fail.Hint+"; if it does not stay up: journalctl -u gatehoused"
	default:
		k.State, k.What, k.Do = bad, err.Error(), "it runs and does not answer: start it again, and keep journalctl -u gatehoused for whoever helps you"
	}
	return k
}

func write(w io.Writer, all []check) {
	for _, k := range all {
		mark := map[state]string{good: "ok      ", bad: "PROBLEM ", unseen: "not seen"}[k.State]
		fmt.Fprintf(w, "%s  %s: %s\n", mark, k.Name, strings.ReplaceAll(k.What, "\n", "\n              "))
		if k.State == good {
			continue
		}
		if k.Why != "" {
			fmt.Fprintf(w, "          why: %s\n", k.Why)
		}
		if k.Do != "" {
			fmt.Fprintf(w, "          do:  %s\n", k.Do)
		}
	}
}
