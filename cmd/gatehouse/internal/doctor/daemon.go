package doctor

import (
	"fmt"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// ofStatus returns the checks of the daemon's own status.
func ofStatus(st control.Status) []check {
	out := append([]check{}, deciderCheck(st.Listening), doorCheck(st.Doors), readerCheck(st.Doors), clockCheck(st.Clock), listCheck(st), logCheck(st.Journal))
	if st.Uplink != nil {
		out = append(out, contactCheck(*st.Uplink))
	}
	return append(out, toDoCheck(st.Problems))
}

// deciderCheck reports who decides at the doors.
func deciderCheck(l *control.Listening) check {
	k := check{Name: "who decides", State: good, What: "this gateway", Why: "one controller drives a lock: while the old one does, this one drives nothing, and exit buttons and fire are the old one's"}
	if l != nil {
		k.State, k.What, k.Do = bad, "the old controller", "connect the locks, then gatehouse adopt drive; to go on learning cards, gatehouse adopt listen"
	}
	if l != nil && l.Until != nil {
		k.What += ", listening until " + session.Local(*l.Until)
	}
	return k
}

func doorCheck(doors []control.Door) check {
	k := check{Name: "doors and locks", State: good, Why: "a lock that can't be driven lets nobody in by card, or nobody be kept out"}
	var wrong []string
	for _, d := range doors {
		if d.Lock != "ok" {
			wrong = append(wrong, fmt.Sprintf("door %s: the lock can't be driven: %s", d.ID, d.Lock))
		}
		if d.ExitPressed > 0 {
			wrong = append(wrong, fmt.Sprintf("door %s: its exit button has been pressed for %s", d.ID, amount.Span(d.ExitPressed)))
		}
		if d.State == "emergency" {
			wrong = append(wrong, fmt.Sprintf("door %s is released by the fire input", d.ID))
		}
	}
	return outcome(k, wrong, amount.Of(len(doors), "lock")+" obey", "check the relay's wires, and its chip and line in the site file; sudo gatehoused check compares them with this machine. A button: its wires and its active level")
}

func readerCheck(doors []control.Door) check {
	k := check{Name: "readers and inputs", State: good, Why: "a reader that is out of order reads no card, and an exit button that can't be read releases no door by the daemon"}
	var wrong []string
	n := 0
	for _, d := range doors {
		for _, dev := range d.Devices {
			n++
			switch {
			case !dev.Online && dev.Fault == "":
				wrong = append(wrong, fmt.Sprintf("door %s: %s has not answered yet", d.ID, dev.ID))
			case !dev.Online || dev.Hint != "":
				wrong = append(wrong, fmt.Sprintf("door %s: %s: %s: %s", d.ID, dev.ID, dev.Fault, dev.Hint))
			}
		}
	}
	return outcome(k, wrong, amount.Of(n, "device")+" online", "do what stands behind the device; docs/status.md explains each fault")
}

// outcome completes a check: good with the text fine if nothing is wrong.
func outcome(k check, wrong []string, fine, do string) check {
	k.What = fine
	if len(wrong) > 0 {
		k.State, k.What, k.Do = bad, strings.Join(wrong, "\n"), do
	}
	return k
}

func clockCheck(c control.Clock) check {
	k := check{Name: "clock", State: good, What: fmt.Sprintf("%s, from %s", session.Local(c.Now), c.Quality),
		Why: "while nobody vouches for the time, visitors' cards and passes do not open and old entries are not deleted; residents come in as ever"}
	if !c.Trusted {
		k.State, k.What = bad, k.What+", not trusted"
		k.Do = "give the gateway a time server or its registry; or set the clock, then gatehouse clock confirm"
	}
	return k
}

func listCheck(st control.Status) check {
	k := check{Name: "list of grants", State: good, Why: "it says which card opens which door; a second good copy survives a sick disk"}
	g := st.Grants
	switch {
	case !st.Initialised:
		k.State, k.What, k.Do = bad, "no keys of the building", "gatehouse init, or with a registry gatehouse enrol; then start the daemon again"
		return k
	case g.Version == 0:
		k.State, k.What, k.Do = bad, "none", "check a tenant in with gatehouse checkin; without a registry give a key with gatehouse grant add"
		return k
	}
	k.What = fmt.Sprintf("list %d, %s", g.Version, amount.Of(g.Copies, "good copy"))
	if g.Issued != nil {
		k.What += fmt.Sprintf(", issued %s (%s old)", session.Local(*g.Issued), amount.Span(st.Clock.Now.Sub(*g.Issued)))
	}
	if g.Copies < 2 {
		k.State, k.Do = bad, "look after the disk: the daemon writes the other copy again with the next list or start"
	}
	if u := st.Uplink; u != nil && u.Waiting != nil {
		k.State, k.What = bad, k.What+fmt.Sprintf("; list %d is known since %s and does not come", u.List, session.Local(*u.Waiting))
		k.Do = "gatehouse status says why; ask the registry's operator"
	}
	return k
}

func logCheck(j control.Journal) check {
	k := check{Name: "log", State: good, What: "durable", Why: "what is not on the disk is lost with the power"}
	if j.Degraded != "" {
		k.State, k.What, k.Do = bad, j.Degraded, "doors go on; check the disk, make room, or replace the card"
	}
	return k
}

func contactCheck(u control.Uplink) check {
	k := check{Name: "registry", State: good, What: u.State, Why: "without contact tenancies and revocations do not come and entries wait here; no card stops opening by that"}
	if u.State != "in step" && u.State != "greeting" || u.Problem != "" {
		k.State, k.Do = bad, "check the network and the address (gatehouse address list); gatehouse status says what else to do"
		for _, more := range []string{u.Problem, u.Link} {
			if more != "" {
				k.What += ": " + more
			}
		}
	}
	return k
}

// toDoCheck reports the list of `gatehouse status`, some of which no other check knows.
func toDoCheck(problems []string) check {
	k := check{Name: "to do", State: good, What: "nothing", Why: "the daemon's own list, the same as gatehouse status"}
	if len(problems) > 0 {
		k.State, k.What, k.Do = bad, strings.Join(problems, "\n"), "each says what"
	}
	return k
}
