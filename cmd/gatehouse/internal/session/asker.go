package session

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/socket"
)

// Asker asks the person at the desk: at a terminal each question is shown and a wrong answer asked
// for again; else there is one answer a line, in the order of the questions.
type Asker struct {
	s        *Session
	lines    *bufio.Reader
	terminal *os.File // nil: none
}

// Asker asks on the session's input.
func (s *Session) Asker() *Asker {
	return &Asker{s: s, lines: bufio.NewReader(s.In), terminal: Terminal(s.In)}
}

// Ask returns an answer that check accepts; check may change it. Empty answers go to check, too.
func (a *Asker) Ask(question string, check func(string) (string, error)) (string, error) {
	for {
		if a.terminal != nil {
			fmt.Fprintf(a.s.Err, "%s: ", question)
		}
		line, err := a.line(question)
		if err != nil {
			return "", err
		}
		if !utf8.ValidString(line) {
			if a.terminal == nil {
				return "", NotUTF8("the answer to: " + question)
			}
			a.s.Complain(NotUTF8("the answer"))
			continue
		}
		answer, err := check(strings.TrimSpace(line))
		if err == nil || a.terminal == nil {
			return answer, err
		}
		a.s.Complain(err)
	}
}

// line reads an answer; the last one may lack its line feed.
func (a *Asker) line(question string) (string, error) {
	line, err := a.lines.ReadString('\n')
	if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
		return "", socket.Hinted("type it, or pipe it: one answer a line, in the order of the questions as --help has it", "no answer to: %s", question)
	}
	return line, nil
}

// Secret asks for text that must not be shown on the screen.
func (a *Asker) Secret(question string) (string, error) {
	if a.terminal == nil {
		return a.Ask(question, Anything)
	}
	fmt.Fprintf(a.s.Err, "%s: ", question)
	show, err := hideTyping(a.terminal)
	if err != nil {
		return "", fmt.Errorf("hide what is typed: %w", err)
	}
	defer show()
	line, err := a.line(question)
	fmt.Fprintln(a.s.Err)
	return strings.TrimSpace(line), err
}

// Anything accepts every answer.
func Anything(answer string) (string, error) { return answer, nil }

// OneOf accepts the stable names of a closed list.
func OneOf(what string, names ...string) func(string) (string, error) {
	return func(answer string) (string, error) {
		answer = strings.ReplaceAll(strings.ToLower(answer), "-", "_")
		if slices.Contains(names, answer) {
			return answer, nil
		}
		return "", socket.Hinted("one of "+strings.Join(names, ", "), "this is no %s", what)
	}
}

// NotUTF8 is the error for text that no terminal of today sends.
func NotUTF8(what string) error {
	return socket.Hinted("set the terminal, or the program that wrote it, to UTF-8", "%s can't be read: not UTF-8", what)
}

// NewPIN asks a tenant to choose one; at a terminal twice, since nobody sees it.
func (a *Asker) NewPIN(question string) (string, error) {
	for {
		first, err := a.Secret(question)
		if err != nil || a.terminal == nil || first == "" {
			return first, err
		}
		again, err := a.Secret("once more")
		if err != nil || again == first {
			return first, err
		}
		fmt.Fprintln(a.s.Err, "these were two different ones")
	}
}

// Rest returns the input that was not read as an answer.
func (a *Asker) Rest() io.Reader {
	if a.terminal != nil {
		return a.s.In
	}
	return a.lines
}

// AtTerminal reports whether the questions are shown to somebody.
func (a *Asker) AtTerminal() bool { return a.terminal != nil }
