package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"gatehouse/internal/control"
)

// asker gets answers from whoever is at the desk: at a terminal each question
// is shown and a wrong answer asked for again; else there is one answer a line,
// in the order of the questions.
type asker struct {
	s        *session
	lines    *bufio.Reader
	terminal *os.File // nil: none
}

func (s *session) asker() *asker {
	a := &asker{s: s, lines: bufio.NewReader(s.in)}
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		a.terminal = f
	}
	return a
}

// ask returns an answer that check takes; it may change it. Empty answers are
// check's business too.
func (a *asker) ask(question string, check func(string) (string, error)) (string, error) {
	for {
		if a.terminal != nil {
			fmt.Fprintf(a.s.err, "%s: ", question)
		}
		line, err := a.lines.ReadString('\n')
		if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
			return "", hinted("type it, or pipe it: one answer a line, in the order of the questions as --help has it", "no answer to: %s", question)
		}
		if !utf8.ValidString(line) {
			if a.terminal == nil {
				return "", notUTF8("the answer to: " + question)
			}
			a.s.complain(notUTF8("the answer"))
			continue
		}
		answer, err := check(strings.TrimSpace(line))
		if err == nil || a.terminal == nil {
			return answer, err
		}
		a.s.complain(err)
	}
}

// secret asks for what must not stand on the screen.
func (a *asker) secret(question string) (string, error) {
	if a.terminal == nil {
		return a.ask(question, anything)
	}
	fmt.Fprintf(a.s.err, "%s: ", question)
	b, err := term.ReadPassword(int(a.terminal.Fd()))
	fmt.Fprintln(a.s.err)
	if err != nil {
		return "", fmt.Errorf("read PIN: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func anything(answer string) (string, error) { return answer, nil }

// oneOf takes the stable names of a closed list.
func oneOf(what string, names ...string) func(string) (string, error) {
	return func(answer string) (string, error) {
		answer = strings.ReplaceAll(strings.ToLower(answer), "-", "_")
		for _, n := range names {
			if n == answer {
				return n, nil
			}
		}
		return "", hinted("one of "+strings.Join(names, ", "), "this is no %s", what)
	}
}

// visit is the time at the desk.
type visit struct {
	s    *session
	desk control.Desk
}

// atDesk opens a visit, lets act use it and ends it whatever came of it.
func (s *session) atDesk(takeOver bool, act func(visit) error) error {
	d, err := s.client.OpenDesk(s.ctx, control.DeskRequest{TakeOver: takeOver})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := s.parting()
		defer cancel()
		_ = s.client.CloseDesk(ctx, d.Session) // it ends by itself when it is idle
	}()
	return act(visit{s, d})
}

// deskReader says where cards are held up.
type deskReader struct {
	Reader   string `help:"The door at whose reader cards are held up; if not given, the first of this gateway." placeholder:"DOOR"`
	TakeOver bool   `help:"End somebody else's visit at the desk."`
}

// swipe waits for a card at one door, never at any: a stranger elsewhere must
// not prove or get anything.
func (v visit) swipe(door string, proof bool, what string) (control.DeskCard, error) {
	if door == "" && len(v.desk.Here) > 0 {
		door = v.desk.Here[0]
	}
	if proof {
		fmt.Fprintf(v.s.err, "hold %s up to the reader of door %s, wait %d seconds with the door shut, and hold it up there again ...\n", what, door, v.desk.Pause[door])
	} else {
		fmt.Fprintf(v.s.err, "hold %s up to the reader of door %s; the door stays as it is ...\n", what, door)
	}
	card, err := v.s.client.ShowCard(v.s.ctx, v.desk.Session, control.DeskSwipe{SwipeRequest: control.SwipeRequest{Door: door}, Proof: proof})
	if err == nil {
		fmt.Fprintf(v.s.err, "read at door %s\n", card.Door)
	}
	return card, err
}

// newCard takes the card that is to be given, at one reader of each family, and
// returns the doors here that do not read it yet.
func (v visit) newCard(door string, once bool, doors []string) (missing []string, err error) {
	if door == "" {
		if here := among(v.desk.Here, doors); len(here) > 0 {
			door = here[0]
		}
	}
	card, err := v.swipe(door, false, "the new card")
	if err != nil {
		return nil, err
	}
	missing = among(card.Missing, doors)
	for len(missing) > 0 && !once {
		fmt.Fprintf(v.s.err, "door %s sees it in another form (or wait a minute to leave that door out)\n", missing[0])
		more, err := v.swipe(missing[0], false, "the same card")
		if err != nil {
			fmt.Fprintf(v.s.err, "left out: %v\n", err)
			return missing, v.s.ctx.Err()
		}
		missing = among(missing, more.Missing)
	}
	return missing, nil
}

// report prints what came of it.
func (v visit) report(done control.Done, missing []string, people func(io.Writer)) error {
	for _, d := range missing {
		done.Remarks = append(done.Remarks, fmt.Sprintf("door %s does not open for this card yet: gatehouse card add %s --reader %s", d, done.Tenancy.ID[:8], d))
	}
	return v.s.print(done, func(w io.Writer) {
		people(w)
		for _, r := range done.Remarks {
			fmt.Fprintf(w, "note: %s\n", r)
		}
	})
}

// called is how people call a tenancy.
func called(t control.Tenancy) string {
	words := []string{t.ID[:8]}
	if t.Flat != "" {
		words = append(words, "in "+t.Flat)
	}
	if t.Label != "" && t.Label != t.Flat {
		words = append(words, "("+t.Label+")")
	}
	return strings.Join(words, " ")
}
