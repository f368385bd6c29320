package operate

import (
	"fmt"
	"io"
	"slices"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/acceptance"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// Prove is the command that proves at the doors that people get out.
type Prove struct {
	Show  proveShowCmd  `cmd:"" help:"Show what is proved and what is not."`
	Door  proveDoorCmd  `cmd:"" help:"Try a door part by part, standing at it."`
	Begin proveBeginCmd `cmd:"" help:"Have a house ask for proofs that was wired by hand; gatehouse setup does that by itself."`
}

type proveBeginCmd struct{}

func (proveBeginCmd) Run(s *session.Session) error {
	a, err := s.Client.Doors.AskForProofs(s.Ctx)
	return s.Print(a, err, func(w io.Writer) { writeAcceptance(w, a) })
}

type proveShowCmd struct{}

func (proveShowCmd) Run(s *session.Session) error {
	a, err := s.Client.Doors.Acceptance(s.Ctx)
	return s.Print(a, err, func(w io.Writer) { writeAcceptance(w, a) })
}

// proofWords are the states of a part for people.
var proofWords = map[acceptance.State]string{
	acceptance.Unproved: "not proved", acceptance.Begun: "begun", acceptance.Seen: "current came back: did the door open from inside?", acceptance.Passed: "passed",
	acceptance.Failed: "FAILED", acceptance.Absent: "NOT THERE, and the site file names it", acceptance.NotFitted: "not fitted",
	control.Unfitted: "not fitted, says the site file: is there really none?",
}

func proofWord(p control.Proof) string {
	text, known := proofWords[acceptance.State(p.Shown())]
	if !known {
		text = p.State
	}
	if p.At != nil {
		text += ", " + session.Local(*p.At)
	}
	if p.By != "" {
		text += ", " + p.By
	}
	return text
}

func writeAcceptance(w io.Writer, a control.Acceptance) {
	if a.Begun == nil {
		fmt.Fprintln(w, "this house does not ask for proofs; gatehouse prove begin makes it ask")
		return
	}
	var t [][]string
	for _, d := range a.Doors {
		ready := "NOT READY"
		if d.Ready {
			ready = "ready"
		}
		t = append(t, []string{"door " + d.Door, ready})
		for _, p := range d.Parts {
			t = append(t, []string{"  " + p.Part, proofWord(p)})
		}
	}
	command.Columns(w, t)
}

type proveDoorCmd struct {
	Door string `arg:"" help:"The door's id."`
	Part string `help:"Only this one, also if it is proved: lock, exit, contact, fire or power." placeholder:"PART"`
}

func (proveDoorCmd) Help() string {
	return `Asks, part by part, for what is not proved yet: the lock (did it click), the exit
button and the contact (the gateway sees them itself, for a minute each; that is a
test of the door, journaled and told at its readers), the fire input (by gatehouse
fire drill) and the plug of the gateway. An answer is yes, no, none (there is none)
or skip, as the question says. After the plug was pulled, run it again.`
}

// prover walks through a door.
type prover struct {
	*session.Session
	asker *session.Asker
	door  string
}

func (c proveDoorCmd) Run(s *session.Session) error {
	a, err := s.Client.Doors.Acceptance(s.Ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(a.Doors, func(d control.AcceptedDoor) bool { return d.Door == c.Door })
	if i < 0 {
		return socket.Hinted("gatehouse prove show lists the doors", "door %s is not asked for proofs", c.Door)
	}
	p := prover{s, s.Asker(), c.Door}
	for _, part := range a.Doors[i].Parts {
		if c.Part != part.Part && (c.Part != "" || acceptance.State(part.State).Settled()) {
			continue
		}
		if err := p.try(part); err != nil {
			return err
		}
	}
	return proveShowCmd{}.Run(s)
}

// try tests a part as the user answers.
func (p prover) try(part control.Proof) error {
	switch {
	case !part.Fitted:
		return p.absent(part)
	case part.Part == string(acceptance.Fire):
		fmt.Fprintln(p.Err, "fire: gatehouse fire drill begin proves it, for all doors")
		return nil
	case part.Part == string(acceptance.Lock):
		return p.lock(part)
	case part.Part == string(acceptance.Power):
		return p.power(part)
	}
	return p.watch(part)
}

func (p prover) ask(question string, answers ...string) (string, error) {
	return p.asker.Ask(question, session.OneOf("answer", answers...))
}

func (p prover) step(part control.Proof, step string) (control.Proof, error) {
	return p.Client.Doors.Prove(p.Ctx, p.door, part.Part, step)
}

func (p prover) absent(part control.Proof) error {
	answer, err := p.ask(fmt.Sprintf("%s: the site file names none. Is there none? yes or skip", part.Part), "yes", "skip")
	if err == nil && answer == "yes" {
		_, err = p.step(part, "none")
	}
	return err
}

func (p prover) lock(part control.Proof) error {
	if answer, err := p.ask("lock: it is released for a moment now; listen. yes or skip", "yes", "skip"); err != nil || answer == "skip" {
		return err
	}
	if _, err := p.step(part, "begin"); err != nil {
		return err
	}
	answer, err := p.ask("did it click, and does the door open? yes or no", "yes", "no")
	if err == nil {
		_, err = p.step(part, answer)
	}
	return err
}

// watched are the instructions while the gateway watches.
var watched = map[string]string{"exit": "press the exit button", "contact": "open the door and close it"}

func (p prover) watch(part control.Proof) error {
	answer, err := p.ask(fmt.Sprintf("%s: after yes, %s within a minute. yes, none (there is none) or skip", part.Part, watched[part.Part]), "yes", "none", "skip")
	switch {
	case err != nil || answer == "skip":
		return err
	case answer == "none":
		_, err = p.step(part, "none")
		return err
	}
	fmt.Fprintf(p.Err, "%s now ...\n", watched[part.Part])
	done, err := p.step(part, "begin")
	if err == nil {
		fmt.Fprintf(p.Err, "%s: %s\n", part.Part, proofWords[acceptance.State(done.State)])
	}
	return err
}

func (p prover) power(part control.Proof) error {
	if acceptance.State(part.State) == acceptance.Seen {
		answer, err := p.ask("the gateway's plug was pulled: did the door open from inside meanwhile? yes or no", "yes", "no")
		if err == nil {
			_, err = p.step(part, answer)
		}
		return err
	}
	answer, err := p.ask("power: after yes, pull the gateway's plug, open the door from inside, plug it in again. yes or skip", "yes", "skip")
	if err != nil || answer == "skip" {
		return err
	}
	if _, err = p.step(part, "begin"); err == nil {
		fmt.Fprintf(p.Err, "pull the plug now; when the gateway is up again, run gatehouse prove door %s once more\n", p.door)
	}
	return err
}
