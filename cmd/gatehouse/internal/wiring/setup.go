// Package wiring is the command that detects the devices of a machine and writes its site file.
package wiring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/commission"
	"gatehouse/internal/discovery"
	"gatehouse/internal/firstkeys"
	"gatehouse/internal/input"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// Setup is the command that writes the site file of a gateway.
type Setup struct {
	Config  string        `help:"The site file to write." default:"/etc/gatehouse/site.toml" placeholder:"FILE"`
	Answers string        `help:"A file with the answers (docs/setup.md); without it they are asked for." placeholder:"FILE"`
	Found   string        `help:"What gatehoused discover --json found, in a file; without it this machine is looked at." placeholder:"FILE"`
	Daemon  string        `help:"The program that looks at this machine." default:"gatehoused" placeholder:"PATH"`
	Port    []string      `help:"Look at this serial port, and at no others but those named so." placeholder:"PATH"`
	Listen  time.Duration `help:"How long to listen for cards where no reader answers." default:"20s"`
	Replace bool          `help:"Write over a site file that is there; it is kept beside the new one as FILE.old."`
	DryRun  bool          `help:"Show what would be written, and write nothing."`
}

// Help is further text for --help.
func (Setup) Help() string {
	return "It looks at the machine, by the daemon where that waits for a site file, else by itself (call it by sudo then, with the daemon stopped), shows what it found, asks for what it can't know, and writes the site file whole or not at all." +
		" The questions, in their order: the building's id, the gateway's; whether a fire contact is wired; how many doors; of each door its id, egress, lock, whether there is an exit button" +
		" (not where people leave by one), whether there is a contact, and its reader by number, 0 for none; at last, whether to write. Exit status 1: nothing was written."
}

// outcome is setup's result for programs.
type outcome struct {
	Found   discovery.Found   `json:"found"`
	Items   []commission.Item `json:"items"`
	Text    string            `json:"text,omitempty"`
	File    string            `json:"file"`
	Written bool              `json:"written"`
}

// Run detects, asks, proposes and writes.
func (c Setup) Run(s *session.Session) error {
	w := c.waiting(s)
	if err := c.ready(w.writes(c)); err != nil {
		return err
	}
	given, err := c.given(s)
	if err != nil {
		return err
	}
	found, err := c.look(s, w)
	if err != nil {
		return err
	}
	known := profile.Set{Dir: profile.DefaultDir}
	found.Write(s.Err, known)
	asker := s.Asker()
	answers := given
	if c.Answers == "" {
		if answers, err = ask(asker, found, known); err != nil {
			return err
		}
	}
	plan, err := w.propose(s, found, answers, known)
	if err != nil {
		return err
	}
	o := outcome{Found: found, Items: plan.Items, Text: plan.Text, File: c.Config}
	if !plan.Faulty() && !c.DryRun {
		if err := c.write(s, asker, plan, func() error { return w.write(s, c, answers, plan) }); err != nil {
			return err
		}
		o.Written = true
	}
	if err := s.Print(o, nil, func(out io.Writer) { c.tell(out, o, w) }); err != nil {
		return err
	}
	if plan.Faulty() {
		return socket.Hinted("mend what is marked fault above, and call setup again", "no site file was written")
	}
	return nil
}

// mostRead is the most bytes of answers, or of what was found: many times those of the largest house.
const mostRead = 1 << 20

// ready checks that the file can be written before anybody is asked anything; if the daemon writes
// it, it checks when it does.
func (c Setup) ready(byDaemon bool) error {
	if c.DryRun {
		return nil
	}
	if _, err := os.Lstat(c.Config); err == nil && !c.Replace {
		return socket.Hinted("sudo gatehoused check "+c.Config+" says how it is; setup --replace writes over it, setup --config FILE writes another", "%s is there already", c.Config)
	}
	if byDaemon {
		return nil
	}
	above := filepath.Dir(c.Config)
	for _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist) && above != filepath.Dir(above); _, err = os.Stat(above) {
		above = filepath.Dir(above)
	}
	f, err := os.CreateTemp(above, ".gatehouse-*")
	if err != nil {
		return socket.Hinted("call it by sudo, or name a file in a directory of yours by --config", "%v", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// look gets the findings: from a file, or from the daemon's program, which may open lines and
// ports. Its messages go to the person who holds the cards up.
func (c Setup) look(s *session.Session, w waiting) (found discovery.Found, err error) {
	var raw []byte
	if c.Found != "" {
		raw, err = input.ReadFile(s.Ctx, c.Found, mostRead)
	} else {
		if w.house {
			fmt.Fprintln(s.Err, "the daemon serves a house and has its lines and ports, so that what hangs at them is not found here: to have it found, stop the daemon before (sudo systemctl stop gatehoused)")
		}
		fmt.Fprintf(s.Err, "looking at this machine; for %s hold a card to each reader until it is named: three seconds to it, three seconds away\n", c.Listen)
		if raw, err = c.discover(s, w); err != nil {
			return found, err
		}
	}
	if err != nil {
		return found, fmt.Errorf("read what was found: %w", err)
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return found, socket.Hinted("want what gatehoused discover --json prints, of the same version", "read what was found: %v", err)
	}
	return found, nil
}

// discover has the waiting daemon or its program inspect the machine.
func (c Setup) discover(s *session.Session, w waiting) ([]byte, error) {
	if w.there {
		return w.look(s, c)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(s.Ctx, session.Program(c.Daemon), append([]string{"discover", "--json", "--listen", c.Listen.String()}, c.Port...)...)
	cmd.Stdout, cmd.Stderr = &out, s.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return nil, socket.Hinted("name the program by --daemon, or call sudo gatehoused discover to see what is wrong", "look at this machine: %v", err)
	}
	return out.Bytes(), nil
}

// given reads the answers from their file, before the machine is looked at, which takes a while.
func (c Setup) given(s *session.Session) (a commission.Answers, err error) {
	if c.Answers == "" {
		return a, nil
	}
	raw, err := input.ReadFile(s.Ctx, c.Answers, mostRead)
	if err != nil {
		return a, socket.Hinted("--answers names a file with the answers (docs/setup.md); without it they are asked for", "read answers: %v", err)
	}
	if a, err = commission.ParseAnswers(raw); err != nil {
		return a, socket.Hinted("docs/setup.md has every key, and examples/ has files of answers; an installed package has both in /usr/share/doc/gatehouse", "answers in %s: %v", c.Answers, err)
	}
	return a, nil
}

// write shows the plan, and writes it if the user agrees; answers in a file have agreed.
func (c Setup) write(s *session.Session, asker *session.Asker, plan commission.Plan, write func() error) error {
	if c.Answers == "" {
		list(s.Err, plan.Items)
		answer, err := asker.Ask("write "+c.Config+"? yes or no", yesOrNo)
		if err != nil {
			return err
		}
		if answer == "no" {
			return socket.Hinted("call setup again", "nothing was written")
		}
	}
	return write()
}

// list shows the parts of a plan.
func list(w io.Writer, items []commission.Item) {
	for _, i := range items {
		fmt.Fprintf(w, "%-6s %s: %s\n", i.State, i.What, i.Words)
	}
}

// tell prints the result and the next steps.
func (c Setup) tell(w io.Writer, o outcome, daemon waiting) {
	if !o.Written || c.Answers != "" { // otherwise they were shown before they were agreed to
		list(w, o.Items)
	}
	if !o.Written {
		if o.Text != "" {
			fmt.Fprintf(w, "\n%s", o.Text)
		}
		return
	}
	fmt.Fprintf(w, "%s is written. Next:\n  sudo gatehoused check %s\n", c.Config, c.Config)
	s, err := site.Parse([]byte(o.Text))
	switch {
	case err == nil && firstkeys.Missing(s.Path("keys")) != nil: // it has them, as after --replace
	case err == nil && s.Registry == site.NoRegistry:
		fmt.Fprintf(w, "  sudo gatehouse init --config %s --key /media/stick/issuer.key    # a stick is there: the keys are kept away from the gateway\n", c.Config)
	default:
		fmt.Fprintf(w, "  sudo gatehouse enrol --config %s    # with the registry's token; without a registry: gatehouse init\n", c.Config)
	}
	fmt.Fprintf(w, "  %s\n", c.start(daemon))
	if err == nil && (daemon.there || asked(s)) {
		fmt.Fprintf(w, "  gatehouse prove door %s    # at each door: prove that people get out\n", s.Doors[0].ID)
	}
}

// start is the command after which a daemon serves by the new site file.
func (c Setup) start(daemon waiting) string {
	next := session.Start(c.Config, daemon.there || daemon.house)
	switch unit := strings.Contains(next, "systemctl"); { // beside a daemon that runs, another would find the socket taken
	case daemon.there && !unit:
		return "gatehouse status    # the daemon serves the house by now"
	case daemon.house && !unit:
		return next + "    # once the daemon that serves now is stopped: it goes on by the file that it has read"
	case daemon.house:
		return next + "    # the daemon goes on by the file that it has read, until then"
	}
	return next
}
