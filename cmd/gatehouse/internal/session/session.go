// Package session is what every command of the tool works with: the daemon's client, input, output and questions.
package session

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/command"
	"gatehouse/internal/control"
)

// Session is what a command works with.
type Session struct {
	command.Console
	Ctx     context.Context
	Version string // of the tool
	Client  *control.Client
}

// lastWord bounds what is still said to the daemon when a command is over, or was
// interrupted.
const lastWord = 10 * time.Second

// Parting is a context for that.
func (s *Session) Parting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.Ctx), lastWord)
}

// Terminal is the terminal that a stream reads or writes; nil: it is none.
func Terminal(stream any) *os.File {
	if s, ok := stream.(command.Screen); ok {
		stream = s.To
	}
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Zone is the time zone of the building, by its name.
func Zone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone of the building: %w", err)
	}
	return zone, nil
}

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
