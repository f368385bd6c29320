package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// version is set by the packager with -ldflags.
var version = "dev"

// session is the environment of a command.
type session struct {
	command.Console
	ctx    context.Context
	front  *api.Client
	issuer *operator.Client
	states []string  // the directories of front and issuer: their sockets lie beside the databases
	raw    io.Writer // standard output itself: for a byte order mark at its start
}

// table prints rows as JSON, or as a table; none is printed for an empty one.
func table[T any](s *session, all []T, err error, none string, head []string, row func(T) []string) error {
	return s.Print(all, err, func(w io.Writer) { writeTable(w, all, none, head, row) })
}

func writeTable[T any](w io.Writer, all []T, none string, head []string, row func(T) []string) {
	if len(all) == 0 {
		fmt.Fprintln(w, none)
		return
	}
	command.Table(w, all, head, row)
}

// clock formats a time that is of no one building, in this machine's zone.
func clock(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return calendar.Stamp(*t, calendar.Here())
}

// secondKey are the flags of another issuer's signature.
type secondKey struct {
	Key  string `required:"" help:"Another issuer's key: second.key, on its stick." placeholder:"FILE"`
	Root string `help:"The root's public key; if not given, root.pub beside --key." placeholder:"FILE"`
}

func (k secondKey) root() string {
	return cmp.Or(k.Root, filepath.Join(filepath.Dir(k.Key), api.FileRoot))
}
