// Package command is the frame of our command-line tools: arguments in, results
// on standard output as text or JSON, errors on standard error with what to do.
//
// It refuses to end the process: Parse returns an exit status and the tool's main ends it.
package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/alecthomas/kong"
	"golang.org/x/text/width"

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
		fmt.Fprintf(t.Err, "%s: %s\nhint: %s\n", t.Name, Plain(wrong(err).Error()), t.help(err))
		return nil, 2
	}
	return cmd, 0
}

// wrong is what a wrong call is told: of one that lacks arguments all that its command finds wrong.
func wrong(err error) error {
	var p *kong.ParseError
	if !errors.As(err, &p) || p.Context == nil || !strings.HasPrefix(err.Error(), "missing flags: ") {
		return err
	}
	named := p.Context.Selected()
	if named == nil || !named.Target.CanAddr() {
		return err
	}
	if c, ok := named.Target.Addr().Interface().(Checked); ok {
		return cmp.Or(c.Faults().Err(), err)
	}
	return err
}

// help names the help that answers a wrong call: of the command as far as the arguments name one.
func (t Tool) help(err error) string {
	var wrong *kong.ParseError
	var named *kong.Node
	if errors.As(err, &wrong) && wrong.Context != nil {
		named = wrong.Context.Selected()
	}
	if named != nil && named.Parent.DefaultCmd == named && !slices.Contains(wrong.Context.Args, named.Name) {
		named = named.Parent // nobody named it
	}
	switch {
	case named == nil:
		return t.Name + " --help lists the commands"
	case len(named.Children) > 0:
		return named.FullPath() + " --help lists the commands"
	}
	return named.FullPath() + " --help has its flags and arguments"
}

// Console is what a command reads and writes.
type Console struct {
	Name string // of the tool, before its complaints
	JSON bool   // results and errors are for programs
	In   io.Reader
	Out  io.Writer // results
	Err  io.Writer // questions, remarks and errors
}

// Complain prints an error and, on lines of their own, what to do about it.
func (c Console) Complain(err error) {
	var fail *socket.Error
	if !errors.As(err, &fail) {
		fail = &socket.Error{}
	}
	if c.JSON {
		_ = json.NewEncoder(c.Err).Encode(socket.Error{Message: err.Error(), Hint: fail.Hint, Conflict: fail.Conflict})
		return
	}
	fmt.Fprintf(c.Err, "%s: %v\n", c.Name, err)
	if fail.Hint != "" {
		fmt.Fprintf(c.Err, "hint: %s\n", fail.Hint)
	}
}

// Print writes v as JSON, or lets people write text, of which all is printed or nothing. With an
// error there is no v, and Print returns the error.
func (c Console) Print(v any, err error, people func(io.Writer)) error {
	switch {
	case err != nil:
		return err
	case c.JSON:
		return c.Encode(v)
	}
	var b strings.Builder
	people(&b)
	_, err = io.WriteString(c.Out, b.String())
	return err
}

// Encode writes one JSON object on a line of its own.
func (c Console) Encode(v any) error {
	if err := json.NewEncoder(c.Out).Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// Table writes a table of one row each under a head, for a Print's people; a row has a cell for each of the head. Its columns stand below each other also
// where a terminal gives a Chinese letter two places.
func Table[T any](w io.Writer, all []T, head []string, row func(T) []string) {
	lines := [][]string{head}
	for _, v := range all {
		lines = append(lines, row(v))
	}
	Columns(w, lines)
}

// Columns writes lines of cells like a Table without a head. A line may have fewer cells than another; its last one
// widens no column.
func Columns(w io.Writer, lines [][]string) {
	var wide []int
	for _, cells := range lines {
		for i, cell := range cells[:max(0, len(cells)-1)] {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], places(cell))
		}
	}
	var b strings.Builder
	for _, cells := range lines {
		for i, cell := range cells {
			b.WriteString(cell)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", wide[i]-places(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, _ = io.WriteString(w, b.String()) // into a string
}

// places counts those that a terminal gives a text.
func places(text string) (n int) {
	for _, r := range text {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// Ended is the error of a command that has said on its output how it ended; the tool ends with this
// status and complains of nothing.
type Ended struct{ Status int }

// Error names the status.
func (e Ended) Error() string { return fmt.Sprintf("ended with status %d", e.Status) }

// Choose is the word for what is so, or for what is not.
func Choose(so bool, yes, no string) string {
	if so {
		return yes
	}
	return no
}

// Screen writes text to another writer, so that what others have written does not work
// on the terminal of whoever reads it. It judges no words. Characters that are not to be seen, and
// those that turn the direction of others, become \uXXXX (UTF-16, as in JSON, so
// that JSON stays JSON with the same meaning); line feeds and tabs stay. Each Write
// must have whole characters. Safe for concurrent use if the other writer is.
type Screen struct{ To io.Writer }

// Write writes all of b, or returns the other writer's error with 0.
func (w Screen) Write(b []byte) (int, error) {
	if _, err := io.WriteString(w.To, Plain(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Plain returns the text as a Screen writes it. Plain of plain text is the same.
func Plain(text string) string {
	if !strings.ContainsFunc(text, hidden) {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	var out strings.Builder
	for _, r := range text {
		if !hidden(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.String()
}

func hidden(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) }
