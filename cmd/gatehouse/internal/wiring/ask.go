package wiring

import (
	"fmt"
	"strconv"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/commission"
	"gatehouse/internal/discovery"
	"gatehouse/internal/profile"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// questions asks for what can't be detected on a machine, and stops at the first missing answer.
type questions struct {
	asker *session.Asker
	found discovery.Found
	err   error
}

// ask asks in the order of Setup's help.
func ask(asker *session.Asker, found discovery.Found, known profile.Set) (a commission.Answers, err error) {
	most := 0
	if b, err := known.Board(found.Board); found.Board != "" && err == nil && b.Wiring != nil {
		most = len(b.Wiring.Doors)
	}
	if most == 0 {
		return a, nil // nothing to ask about: the plan says why
	}
	q := &questions{asker: asker, found: found}
	a.Building = q.ask("the building's id, as lane-7", name)
	a.Gateway = q.ask("the gateway's id; empty for gw1", func(s string) (string, error) {
		if s == "" {
			return "gw1", nil
		}
		return name(s)
	})
	a.Fire = q.yes("is a fire panel's contact wired")
	doors := q.number(fmt.Sprintf("how many doors, 1 to %d", most), 1, most)
	for n := 1; n <= doors && q.err == nil; n++ {
		a.Doors = append(a.Doors, q.door(n))
	}
	return a, q.err
}

func (q *questions) door(n int) (d commission.DoorAnswer) {
	at := fmt.Sprintf("door %d: ", n)
	d.ID = q.ask(at+"its id, as front", name)
	d.Egress = q.ask(at+"people leave by: mechanical (a handle opens it whatever the lock does) or electric (a button)", session.OneOf("egress", "mechanical", "electric"))
	kind := q.ask(at+"its lock: fail-safe (released when de-energised, magnetic locks) or fail-secure (secured then, most strikes)", session.OneOf("kind of lock", "fail_safe", "fail_secure"))
	d.Lock = strings.ReplaceAll(kind, "_", "-")
	d.Exit = d.Egress == "electric" || q.yes(at+"is there an exit button")
	d.Contact = q.yes(at + "is there a door contact")
	if r := q.number(at+q.choices()+"; 0 for none", 0, len(q.found.Readers)+1); r > len(q.found.Readers) {
		d.Readers = []commission.ReaderAnswer{{ID: "in", Type: site.TypeWiegand}}
	} else if r > 0 {
		f := q.found.Readers[r-1]
		d.Readers = []commission.ReaderAnswer{{ID: "in", Type: f.Type, Port: f.Port, Address: f.Address}}
	}
	return d
}

// choices lists the readers that were found, and the one that no card was held to.
func (q *questions) choices() string {
	var b strings.Builder
	b.WriteString("its reader")
	for i, r := range q.found.Readers {
		fmt.Fprintf(&b, "; %d for %s", i+1, r)
	}
	fmt.Fprintf(&b, "; %d for a Wiegand reader at the door's lines", len(q.found.Readers)+1)
	return b.String()
}

func (q *questions) ask(question string, check func(string) (string, error)) (answer string) {
	if q.err == nil {
		answer, q.err = q.asker.Ask(question, check)
	}
	return answer
}

func (q *questions) yes(question string) bool {
	return q.ask(question+"? yes or no", yesOrNo) == "yes"
}

func (q *questions) number(question string, least, most int) int {
	n, _ := strconv.Atoi(q.ask(question, func(s string) (string, error) {
		if n, err := strconv.Atoi(s); err != nil || n < least || n > most {
			return "", socket.Hinted(fmt.Sprintf("%d to %d", least, most), "this is no such number")
		}
		return s, nil
	}))
	return n
}

func yesOrNo(s string) (string, error) { return session.OneOf("answer", "yes", "no")(s) }

func name(s string) (string, error) {
	if !wire.ValidName(s, false) {
		return "", socket.Hinted("1 to 32 of a-z, 0-9 and -", "this is no id")
	}
	return s, nil
}
