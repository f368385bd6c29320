// Package session is the environment of every command of the tool: the daemon's client, input,
// output and questions.
package session

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/input"
	"gatehouse/internal/issue"
	"gatehouse/internal/keys"
	"gatehouse/internal/socket"
)

// Session is the environment of a command.
type Session struct {
	command.Console
	Ctx     context.Context
	Version string // of the tool
	Client  *control.Client
}

// lastWord bounds the calls to the daemon that follow when a command is over, or was interrupted.
const lastWord = 10 * time.Second

// Parting returns a context for these calls.
func (s *Session) Parting() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(s.Ctx), lastWord)
}

// Terminal returns the terminal of a stream; nil: it is none.
func Terminal(stream any) *os.File {
	if s, ok := stream.(command.Screen); ok {
		stream = s.To
	}
	if s, ok := stream.(input.Reader); ok {
		stream = s.From
	}
	if f, ok := stream.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// Zone loads the time zone of the building by its name.
func Zone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone of the building: %w", err)
	}
	return zone, nil
}

// Local formats a time for messages, in the building's zone, in which the daemon sends it.
func Local(t time.Time) string { return calendar.Stamp(t, t.Location()) }

// Date formats a day in the building's zone, in which the daemon sends it, "-" for none; days are
// added, so that -1 shows an exclusive end as the last day before it.
func Date(t *time.Time, days int) string {
	if t == nil {
		return "-"
	}
	return t.AddDate(0, 0, days).Format(time.DateOnly)
}

// DeviceState describes the state of a device, and its last fault if it had one.
func DeviceState(online bool, fault string) string {
	state := command.Choose(online, "online", "OUT OF ORDER")
	if fault != "" {
		state += ", last fault: " + fault
	}
	return state
}

// IssuerKey is the flag for the issuer's key of a standalone house, with which a command changes
// the list.
type IssuerKey struct {
	Key string `required:"" help:"The issuer's key file of gatehouse init." placeholder:"FILE"`
}

// mostKey is the most bytes that are read for a key, many times the page's key file.
const mostKey = 16 << 10

// Issuer loads the key from its file.
func (k IssuerKey) Issuer(s *Session) (issue.Issuer, error) {
	var key ed25519.PrivateKey
	raw, err := input.ReadFile(s.Ctx, k.Key, mostKey)
	if err == nil {
		key, err = keys.ParsePrivateKey(k.Key, raw)
		clear(raw)
	}
	if err != nil {
		return issue.Issuer{}, socket.Hinted("--key names the file that gatehouse init wrote for this building, best on a stick", "%v", err)
	}
	return issue.Issuer{Client: s.Client, Key: key}, nil
}

// Open loads the key and fetches the list that is to be changed.
func (k IssuerKey) Open(s *Session) (issuer issue.Issuer, l control.List, err error) {
	if issuer, err = k.Issuer(s); err == nil {
		l, err = s.Client.List(s.Ctx)
	}
	return issuer, l, err
}

// Edit changes the list and saves a copy of it beside the key.
func (k IssuerKey) Edit(s *Session, issuer issue.Issuer, change func(*grantlist.Editor) error) (control.Grants, error) {
	g, err := issuer.Edit(s.Ctx, change)
	if err == nil {
		k.Keep(s, issuer)
	}
	return g, err
}

// CopyPath returns the path of the copy of the list.
func (k IssuerKey) CopyPath() string { return k.Key + ".list" }

// Keep saves a copy. A failure is only a remark, because the list is active.
func (k IssuerKey) Keep(s *Session, issuer issue.Issuer) {
	if err := issuer.Keep(s.Ctx, k.CopyPath()); err != nil {
		fmt.Fprintf(s.Err, "done, but no copy of the list could be kept beside the key: %v\n", err)
	}
}
