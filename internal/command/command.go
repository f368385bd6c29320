// Package command is the frame of our command-line tools: arguments in, results
// on standard output as text or JSON, errors on standard error with what to do.
//
// It refuses to end the process: Parse returns an exit status and the tool's
// main ends it.
package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"gatehouse/internal/socket"
)

// Tool is a program with commands.
type Tool struct {
	Name        string
	Version     string
	Description string
	Out, Err    io.Writer
}

// Parse reads the arguments into cli, a struct with kong's tags, and returns the
// command to run. Without one there is nothing left to do but to end with the
// status: 0 after --help and --version, 2 where the tool was called wrongly.
func (t Tool) Parse(cli any, args []string, more ...kong.Option) (cmd *kong.Context, status int) {
	status = -1
	parser, err := kong.New(cli, append([]kong.Option{kong.Name(t.Name), kong.Vars{"version": t.Name + " " + t.Version},
		kong.Description(t.Description), kong.Writers(t.Out, t.Err), kong.Exit(func(s int) { status = s }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true})}, more...)...)
	if err != nil {
		fmt.Fprintf(t.Err, "%s: %v\n", t.Name, err)
		return nil, 2
	}
	cmd, err = parser.Parse(args)
	switch {
	case status >= 0:
		return nil, status
	case err != nil:
		fmt.Fprintf(t.Err, "%s: %v\nhint: %s --help lists the commands\n", t.Name, err, t.Name)
		return nil, 2
	}
	return cmd, 0
}

// Complain prints an error and, on lines of their own, what to do about it.
func Complain(w io.Writer, name string, asJSON bool, err error) {
	var fail *socket.Error
	if !errors.As(err, &fail) {
		fail = &socket.Error{}
	}
	if asJSON {
		_ = json.NewEncoder(w).Encode(socket.Error{Message: err.Error(), Hint: fail.Hint, Conflict: fail.Conflict})
		return
	}
	fmt.Fprintf(w, "%s: %v\n", name, err)
	if fail.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", fail.Hint)
	}
}

// Hinted is an error that says what to do.
func Hinted(hint, format string, args ...any) error {
	return &socket.Error{Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Print writes v as JSON, or lets people do; of text all or nothing.
func Print(w io.Writer, asJSON bool, v any, people func(io.Writer)) error {
	if asJSON {
		return Encode(w, v)
	}
	var b strings.Builder
	people(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// Encode writes one JSON object on a line of its own.
func Encode(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}
