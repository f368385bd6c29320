package reception

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/idnumber"
	"gatehouse/internal/socket"
)

// CheckIn is the command that registers a tenant.
type CheckIn struct {
	deskReader
	idCardReader
	Once    bool   `help:"Take one swipe and do not ask for more."`
	Answers string `help:"\"-\": read the answers from standard input as one JSON object, with the fields document, number, name, flat, label, doors, from, until, basis, informed, pin." placeholder:"-"`
}

func (CheckIn) Help() string {
	return `Questions are asked on a terminal. Else standard input has one answer a line:
document (` + strings.Join(idnumber.Documents(), ", ") + `),
number, name, flat, your own label for the flat (may be empty), doors (with
spaces between; empty: all), first day (as 2026-12-01; empty: now), last day
(empty: no end; 9999-12-31 and 长期 mean the same), legal basis (contract, duty, consent), whether the person was
told what is kept (yes), PIN (may be empty). Then hold the card up.

With --id-card an empty line for the document reads the identity card that lies
on the reader; number and name are then not asked for. With --answers - the card
answers those of document, number and name that are left out.

Names and numbers are sealed to the registry. The gateway keeps flat, label and
term.`
}

func (c CheckIn) Run(s *session.Session) error {
	if c.Answers != "" && c.Answers != "-" {
		return socket.Hinted("--answers -", "names and numbers come by standard input only (refusal N12)")
	}
	return atDesk(s, c.TakeOver, func(v visit) error {
		a, err := c.gather(v)
		if err != nil {
			return err
		}
		in, err := a.checkIn(v.desk)
		if err != nil {
			return err
		}
		in.Check = true
		if _, err := s.Client.CheckIn(s.Ctx, v.desk.Session, in); err != nil {
			return err
		}
		in.Check = false
		doors := in.Doors
		if len(doors) == 0 {
			doors = v.desk.Doors
		}
		missing, err := v.newCard(c.Reader, c.Once, doors)
		if err != nil {
			return err
		}
		done, err := s.Client.CheckIn(s.Ctx, v.desk.Session, in)
		if err != nil {
			return err
		}
		done.Remarks = append(done.Remarks, a.remarks...)
		return v.report(done, missing, func(w io.Writer) {
			when := "now"
			if in.From != nil && in.From.After(time.Now()) {
				when = "from " + a.From + " on"
			}
			fmt.Fprintf(w, "tenancy %s: its card opens %s %s; the registry hears of it as soon as it can be reached\n",
				called(done.Tenancy), strings.Join(done.Tenancy.Doors, ", "), when)
		})
	})
}

func (c CheckIn) gather(v visit) (a answers, err error) {
	if c.Answers == "" {
		from := v.s.Asker()
		if c.IDCard != "" {
			if err := c.fromCard(from, v, &a); err != nil {
				return a, err
			}
		}
		return a, a.ask(from, v.desk)
	}
	text, err := io.ReadAll(io.LimitReader(v.s.In, maxAnswers))
	switch {
	case err != nil:
		return a, fmt.Errorf("read the answers: %w", err)
	case !utf8.Valid(text):
		return a, session.NotUTF8("the answers")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return a, socket.Hinted("gatehouse checkin --help names the fields", "the answers are not the JSON object that they have to be%s", where(err))
	}
	if dec.Decode(new(json.RawMessage)) != io.EOF {
		return a, socket.Hinted("one check-in is one object; call gatehouse checkin once for each", "something stands behind the answers")
	}
	if c.IDCard != "" && (a.Document == "" || a.Number == "" || a.Name == "") {
		_, err = c.lay(&session.Asker{}, v, &a)
	}
	return a, err
}
