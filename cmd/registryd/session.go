package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
)

// version is set by the packager with -ldflags.
var version = "dev"

// session is what a command works with.
type session struct {
	ctx    context.Context
	front  *api.Client
	issuer *operator.Client
	json   bool
	in     io.Reader
	out    io.Writer
	raw    io.Writer // standard output as it is: for a byte order mark, not for what others wrote
	err    io.Writer // questions and remarks
}

// complain prints an error and what to do about it.
func (s *session) complain(err error) { command.Complain(s.err, "registryd", s.json, err) }

// hinted is an error that says what to do.
func hinted(hint, format string, args ...any) error { return command.Hinted(hint, format, args...) }

// print writes what was asked for as JSON, or lets people do; or returns why it is not
// there.
func (s *session) print(v any, err error, people func(io.Writer)) error {
	if err != nil {
		return err
	}
	return command.Print(s.out, s.json, v, people)
}

// encode writes one JSON object on a line of its own.
func (s *session) encode(v any) error { return command.Encode(s.out, v) }

// table prints what was asked for as JSON, or as a table of one row each; none is what
// stands for an empty one.
func table[T any](s *session, all []T, err error, none string, head []string, row func(T) []string) error {
	return s.print(all, err, func(w io.Writer) { writeTable(w, all, none, head, row) })
}

func writeTable[T any](w io.Writer, all []T, none string, head []string, row func(T) []string) {
	if len(all) == 0 {
		fmt.Fprintln(w, none)
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, v := range all {
		fmt.Fprintln(t, strings.Join(row(v), "\t"))
	}
	_ = t.Flush() // into a string
}

// stamp is a time with the zone's offset.
const stamp = "2006-01-02 15:04:05 -07:00"

func clock(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.Local().Format(stamp)
}

func choose(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// secondKey are the flags of whoever signs as another issuer.
type secondKey struct {
	Key  string `required:"" help:"Another issuer's key: second.key, on its stick." placeholder:"FILE"`
	Root string `help:"The root's public key; if not given, root.pub beside --key." placeholder:"FILE"`
}

func (k secondKey) root() string {
	if k.Root != "" {
		return k.Root
	}
	return filepath.Join(filepath.Dir(k.Key), api.FileRoot)
}
