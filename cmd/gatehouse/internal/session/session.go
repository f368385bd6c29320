// Package session is what every command of the tool works with: the daemon's client, input, output and questions.
package session

import (
	"context"
	"io"
	"slices"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/control"
)

// Session is what a command works with.
type Session struct {
	Ctx     context.Context
	Version string // of the tool
	Client  *control.Client
	JSON    bool
	In      io.Reader
	Out     io.Writer
	Err     io.Writer // questions and remarks
}

// lastWord bounds what is still said to the daemon when a command is over, or was
// interrupted.
const lastWord = 10 * time.Second

// Parting is a context for that.
func (s *Session) Parting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.Ctx), lastWord)
}

// Complain prints an error and what to do about it.
func (s *Session) Complain(err error) { command.Complain(s.Err, "gatehouse", s.JSON, err) }

// Print writes v as JSON, or lets people do.
func (s *Session) Print(v any, people func(io.Writer)) error {
	return command.Print(s.Out, s.JSON, v, people)
}

// Encode writes one JSON object on a line of its own.
func (s *Session) Encode(v any) error { return command.Encode(s.Out, v) }

// Local is a moment as messages show it, in this machine's zone.
func Local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -07:00") }

// Date is a day in the building's zone, in which the daemon sends it, "-" for none; days are added, so that
// -1 shows an end, which is exclusive, as the last day before it.
func Date(t *time.Time, days int) string {
	if t == nil {
		return "-"
	}
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// Among returns the doors of a that are in b.
func Among(a, b []string) []string {
	out := []string{}
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}
