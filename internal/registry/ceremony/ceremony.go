// Package ceremony makes the keys of a registry with two people at one terminal: the keys
// that belong offline go to sticks and never onto the machine's disk, each stick is read
// back and a restore rehearsed from it alone, and a record is left to print and sign.
//
// Until all of that is proved nothing has its name: directories end in ".new", and who
// begins again throws them away. Then the sticks get theirs first and the issuer's directory
// last, so that a ceremony that was interrupted there goes on. It refuses to overwrite a key.
package ceremony

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/authority"
)

// Ceremony is one key ceremony. Run does it once; for one goroutine.
type Ceremony struct {
	Dir     string          // gets front, issuer and the record
	Sticks  []string        // where they are mounted, in the order of their numbers
	Setup   authority.Setup // of the registry
	Trial   bool            // sticks may be directories of one disk; the record says that it was a trial
	Program Program         // what did it
	Network func() []string // names of the interfaces that are up now
	People  People

	sums    Sums
	network []string // that were up when the keys were made
	proved  []string // from each stick
}

// Program is what the two people run, as they can compare it with what they have brought.
type Program struct {
	Version string
	SHA256  string
	Go      string
}

// People are the two at the terminal.
type People struct {
	Wait func(Step) error // shows what to do and returns when they have done it; its error ends the ceremony
	Tell func(text string)
}

// Step is a thing that people do, and what the next lines then prove.
type Step struct {
	Number int
	Do     string
	Proves string
}

// Done is what a ceremony has made.
type Done struct {
	Front  string `json:"front"`
	Issuer string `json:"issuer"`
	Record string `json:"record"`
	Code   string `json:"code"` // of the sums in the record
	Trial  bool   `json:"trial,omitempty"`
}

func (c *Ceremony) front() string  { return filepath.Join(c.Dir, authority.DirFront) }
func (c *Ceremony) issuer() string { return filepath.Join(c.Dir, authority.DirIssuer) }
func (c *Ceremony) record() string { return filepath.Join(c.Dir, FileRecord) }

func (c *Ceremony) tell(format string, args ...any) { c.People.Tell(fmt.Sprintf(format, args...)) }

// Run makes the keys, or finishes a ceremony that was interrupted when all was proved.
func (c *Ceremony) Run() (Done, error) {
	done := Done{Front: c.front(), Issuer: c.issuer(), Record: c.record(), Trial: c.Trial}
	begun, err := c.begun()
	if err == nil && !begun {
		begun, err = c.look()
	}
	if err != nil {
		return done, err
	}
	if begun {
		c.tell("a ceremony was interrupted when all was proved: it goes on with the same keys")
	} else if err := c.prepare(); err != nil {
		return done, errors.Join(err, c.erase())
	}
	if err := c.finish(); err != nil {
		return done, err
	}
	done.Code = c.sums.Code()
	return done, nil
}

// begun reports whether sticks have whole sets of the registry that waits here for its
// name. It refuses whatever is somebody's already.
func (c *Ceremony) begun() (bool, error) {
	if exists(c.issuer()) {
		return false, api.Hinted("registryd ceremony verify looks at its sticks; for another registry name another --dir", "%s is there already: keys are never overwritten", c.issuer())
	}
	whole := false
	for _, path := range c.Sticks {
		s := stick(path)
		if !s.whole() {
			continue
		}
		own, err := idOf(c.issuer() + unfinished)
		label, labelErr := s.label()
		if err != nil || labelErr != nil || label.Root != own {
			return false, api.Hinted("take an empty stick: keys are never overwritten", "%s has a key set already: %s", s, s.set())
		}
		whole = true
	}
	if !whole && exists(c.front()) {
		return false, api.Hinted("name another --dir; keys are never overwritten", "%s is there already", c.front())
	}
	return whole, nil
}

// erase takes away what is not finished. A stick that is not there now is erased when the ceremony begins again.
func (c *Ceremony) erase() error {
	errs := []error{os.RemoveAll(c.front() + unfinished), os.RemoveAll(c.issuer() + unfinished)}
	for _, path := range c.Sticks {
		if s := stick(path); s.drafted() {
			errs = append(errs, s.explain(s.erase()))
		}
	}
	return errors.Join(errs...)
}

// look has people look at the machine and the sticks. With a stick in that has a whole set of
// the registry that waits here, an interrupted ceremony goes on.
func (c *Ceremony) look() (begun bool, err error) {
	if err := c.lookAtMachine(); err != nil {
		return false, err
	}
	if err := c.People.Wait(Step{2, fmt.Sprintf("Write 1 to %d on %s that have nothing on them, put all of them in, and mount each at its path.", len(c.Sticks), amount.Of(len(c.Sticks), "stick")),
		"that each is a disk of its own, takes what is written, and holds no key yet"}); err != nil {
		return false, err
	}
	if begun, err = c.begun(); err != nil || begun {
		return begun, err
	}
	return false, lookAtSticks(c.Dir, c.Sticks, c.Trial, c.tell)
}

// prepare makes the keys and proves every stick, and gives nothing its name.
func (c *Ceremony) prepare() error {
	if err := c.make(); err != nil {
		return err
	}
	for n := range c.Sticks {
		if err := c.rehearse(n); err != nil {
			return err
		}
	}
	return nil
}

func (c *Ceremony) lookAtMachine() error {
	c.tell("program   registryd %s, %s", c.Program.Version, c.Program.Go)
	c.tell("its sum   SHA-256 %s", c.Program.SHA256)
	c.tell("time      %s", c.Setup.Now.Format(time.RFC1123Z))
	c.tell("registry  %s, at %s", c.Setup.Registry, c.Setup.Hosts[0])
	if err := c.People.Wait(Step{1, "Pull the network cable. Each of you compares the program's sum with the one that you have brought, and the time with a watch.",
		"that the program is the one that was published, and that the record has the right time"}); err != nil {
		return err
	}
	c.network = c.Network()
	c.tell("network   %s", networkShown(c.network))
	return nil
}

// make makes all keys: those for the sticks on the first stick, and nowhere else.
func (c *Ceremony) make() error {
	if err := c.erase(); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil { // the directories in it are private, each to another user
		return api.Hinted("run this as root, or name a --dir that is yours", "key ceremony: %v", err)
	}
	front, issuer, first := c.front()+unfinished, c.issuer()+unfinished, stick(c.Sticks[0])
	for _, dir := range []string{front, issuer} {
		if err := durable.MakeDir(dir, 0o700); err != nil {
			return api.Hinted("run this as root, or name a --dir that is yours", "key ceremony: %v", err)
		}
	}
	if err := durable.MakeDir(first.draft(), 0o700); err != nil {
		return first.explain(err)
	}
	if err := c.Setup.Make(front, issuer, first.draft()); err != nil {
		return first.explain(err)
	}
	all := content{}
	if err := errors.Join(all.read(authority.DirFront, front), all.read(authority.DirIssuer, issuer)); err != nil {
		return err
	}
	if err := all.seal(first.draft()); err != nil {
		return first.explain(err)
	}
	c.tell("keys      root, second, records and escrow are on stick 1; issuer and front on this machine, with a sealed backup on the stick")
	root, err := idOf(first.draft())
	if err != nil {
		return err
	}
	if c.sums, err = sumsOf(first.draft()); err != nil {
		return first.explain(err)
	}
	for n, path := range c.Sticks {
		s := stick(path)
		if n > 0 {
			if err := first.copyTo(s); err != nil {
				return s.explain(err)
			}
			c.tell("stick %d   has a copy", n+1)
		}
		if err := s.setLabel(Label{c.Setup.Registry, root, n + 1, len(c.Sticks), c.Trial, c.Setup.Now.UTC()}); err != nil {
			return s.explain(err)
		}
	}
	return nil
}

// rehearse proves one stick alone, after it was out of the machine: what is read then comes from the stick.
func (c *Ceremony) rehearse(n int) error {
	s := stick(c.Sticks[n])
	step := Step{3 + n, fmt.Sprintf("Take all sticks out of the machine. Then put stick %d in, alone, and mount it at %s.", n+1, s),
		"that this stick alone brings the registry back"}
	for {
		if err := c.People.Wait(step); err != nil {
			return err
		}
		wrong := c.misplaced(n)
		if wrong == "" {
			break
		}
		c.tell("%s", wrong)
	}
	have, err := sumsOf(s.draft())
	if err != nil {
		return s.explain(err)
	}
	if bad := c.sums.differ(have); len(bad) > 0 {
		return api.Hinted("destroy this stick, take another one, and begin again", "stick %d does not have what was written to it: %v", n+1, bad)
	}
	c.tell("stick %d   read back: %s as they were written", n+1, amount.Of(len(have), "file"))
	if c.proved, err = prove(s.draft()); err == nil {
		c.tell("stick %d   proved: %s", n+1, strings.Join(c.proved, ";\n            "))
	}
	if err != nil {
		return api.Hinted("destroy this stick, take another one, and begin again", "stick %d: %v", n+1, err)
	}
	return nil
}

// misplaced says what is wrong with the sticks that are in; empty: stick n is there alone. In a
// trial nobody can take a directory out.
func (c *Ceremony) misplaced(n int) string {
	l, err := stick(c.Sticks[n]).label()
	if err != nil {
		return err.Error()
	}
	if l.Stick != n+1 {
		return fmt.Sprintf("that is stick %d; stick %d is asked for", l.Stick, n+1)
	}
	for other, path := range c.Sticks {
		if other != n && !c.Trial && stick(path).drafted() {
			return fmt.Sprintf("there is still a stick at %s: the rehearsal is from one stick alone", path)
		}
	}
	return ""
}

// finish leaves the record and gives everything its name, the issuer's directory last.
func (c *Ceremony) finish() error {
	step := Step{3 + len(c.Sticks), "Put all sticks in again, and mount each at its path.", "that all sticks hold the same, and that the record goes with each"}
	for {
		if err := c.People.Wait(step); err != nil {
			return err
		}
		wrong, err := c.allIn()
		if err != nil {
			return err
		}
		if wrong == "" {
			break
		}
		c.tell("%s", wrong)
	}
	text, err := c.leaveRecord()
	if err != nil {
		return err
	}
	for n, path := range c.Sticks {
		s := stick(path)
		if !s.whole() {
			if err := durable.Rename(s.draft(), s.set()); err != nil {
				return s.explain(err)
			}
		}
		c.tell("stick %d   is whole: %s", n+1, s.set())
	}
	if err := durable.WriteFile(c.record(), text, 0o644); err != nil {
		return err
	}
	for _, dir := range []string{c.front(), c.issuer()} {
		if !exists(dir) {
			if err := durable.Rename(dir+unfinished, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// allIn says what is wrong with the sticks that are in; empty: all are, with the same set.
func (c *Ceremony) allIn() (string, error) {
	own, err := idOf(c.issuer() + unfinished)
	if err != nil {
		return "", err
	}
	for n, path := range c.Sticks {
		s := stick(path)
		l, err := s.label()
		switch {
		case err != nil:
			return err.Error(), nil
		case l.Root != own:
			return fmt.Sprintf("the stick at %s is of another ceremony", path), nil
		case l.Stick != n+1:
			return fmt.Sprintf("at %s is stick %d; it is the place of stick %d", path, l.Stick, n+1), nil
		case l.Of != len(c.Sticks):
			return "", api.Hinted("name all of them, in their order, each with --stick", "the ceremony was begun with %s", amount.Of(l.Of, "stick"))
		}
		have, err := sumsOf(s.current())
		if err != nil {
			return "", s.explain(err)
		}
		if c.sums == nil { // it goes on after an interruption: the sticks were proved, and are to agree
			c.sums = have
		}
		if bad := c.sums.differ(have); len(bad) > 0 {
			return "", api.Hinted("destroy this stick, and begin again with another one", "stick %d does not have what was written to it: %v", n+1, bad)
		}
	}
	return "", nil
}

// leaveRecord writes the record into every set and returns it. After an interruption it is the one that was written.
func (c *Ceremony) leaveRecord() ([]byte, error) {
	for _, path := range c.Sticks {
		if s := stick(path); s.whole() {
			return os.ReadFile(filepath.Join(s.set(), FileRecord))
		}
	}
	text, err := c.text(stick(c.Sticks[0]).draft())
	if err != nil {
		return nil, err
	}
	for _, path := range c.Sticks {
		s := stick(path)
		if err := durable.WriteFile(filepath.Join(s.draft(), FileRecord), text, 0o600); err != nil {
			return nil, s.explain(err)
		}
	}
	return text, nil
}

func (c *Ceremony) text(set string) ([]byte, error) {
	s := sheet{Title: "The keys were made, and a restore from each stick was rehearsed.", Hosts: strings.Join(c.Setup.Hosts, ", "), Trial: c.Trial, Network: networkShown(c.network), Proved: c.proved}
	for n := range c.Sticks {
		s.Sticks = append(s.Sticks, n+1)
	}
	return s.fill(set, c.sums, c.Program, c.Setup.Now)
}
