package wiring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/acceptance"
	"gatehouse/internal/backoff"
	"gatehouse/internal/commission"
	"gatehouse/internal/control"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// waiting is a daemon that waits for a site file, if there is one: it has the lines and ports, and
// may write the file.
type waiting struct {
	there bool
	house bool // there is one that serves a house, and has the lines and ports for that
	state control.Setup
}

// waiting looks for such a daemon; where the findings come from a file none is needed.
func (c Setup) waiting(s *session.Session) waiting {
	st, err := control.SettingUp(s.Client).State(s.Ctx)
	house := err == nil && st.State == control.SetupHouse
	return waiting{err == nil && !house && c.Found == "", house, st}
}

// writes reports whether the daemon writes the file: it is the one that it waits for.
func (w waiting) writes(c Setup) bool {
	return w.there && w.state.File == c.Config && !c.Replace
}

// lookEach is the period at which the daemon is asked for its findings.
const lookEach = 300 * time.Millisecond

// look has the daemon inspect the machine, and prints its findings as they come.
func (w waiting) look(s *session.Session, c Setup) ([]byte, error) {
	st, err := control.SettingUp(s.Client).Look(s.Ctx, control.LookRequest{Seconds: int(c.Listen / time.Second), Ports: c.Port})
	told := map[string]bool{}
	for err == nil && st.Look != nil {
		for _, r := range st.Look.Readers {
			if !told[r.Words] {
				told[r.Words] = true
				fmt.Fprintf(s.Err, "found: %s\n", r.Words)
			}
		}
		if !st.Look.Running {
			return st.Look.Found, nil
		}
		if !backoff.Sleep(s.Ctx, lookEach) {
			return nil, s.Ctx.Err()
		}
		st, err = control.SettingUp(s.Client).State(s.Ctx)
	}
	if err == nil {
		err = socket.Hinted("call setup again", "somebody else has set this gateway up meanwhile")
	}
	return nil, err
}

// propose returns the daemon's proposal, which the daemon compares with the one that it is to
// write; without a daemon it is made here.
func (w waiting) propose(s *session.Session, found discovery.Found, a commission.Answers, known profile.Set) (commission.Plan, error) {
	if !w.there {
		return commission.Propose(found, a, known), nil
	}
	return control.SettingUp(s.Client).Propose(s.Ctx, a)
}

func (w waiting) write(s *session.Session, c Setup, a commission.Answers, plan commission.Plan) error {
	if !w.writes(c) {
		if err := commission.Write(c.Config, plan.Text, c.Replace); err != nil {
			return err
		}
		return asksForProofs(plan.Text)
	}
	_, err := control.SettingUp(s.Client).Write(s.Ctx, control.WriteSite{Answers: a, Text: plan.Text})
	return err
}

// asksForProofs makes the house of a site file ask for proofs at its doors. Where no daemon has
// made the state directory yet there is nowhere to store that.
func asksForProofs(text string) error {
	house, err := site.Parse([]byte(text))
	if err != nil {
		return err
	}
	err = acceptance.Create(house.State, acceptance.Act{At: time.Now()})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// asked reports whether a house asks for proofs, as far as this user can see.
func asked(house *site.Site) bool {
	_, err := os.Stat(house.Path(acceptance.File))
	return err == nil
}
