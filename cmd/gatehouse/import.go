package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

type importCmd struct {
	signing
	File string `arg:"" help:"CSV with a first line that names the columns label, doors, form, number, and if need be kind, from, until. Doors are separated by spaces. - reads standard input."`
}

// columns of the file; those after number may be missing.
var columns = []string{"label", "doors", "form", "number", "kind", "from", "until"}

// imported tells what an import did.
type imported struct {
	Keys    int      `json:"keys"`
	Version uint64   `json:"version"`
	Missing []string `json:"missing"` // doors that do not read some of the cards yet
}

// Run takes over all cards of the file or none: a half-imported house is a
// riddle for whoever comes next.
func (c importCmd) Run(s *session) error {
	issuer, err := c.issuer(s)
	if err != nil {
		return err
	}
	l, err := s.client.List(s.ctx)
	if err != nil {
		return err
	}
	rows, err := c.read(s.in)
	if err != nil {
		return err
	}
	grants, missing, err := s.resolve(rows, l)
	if err != nil {
		return err
	}
	done, err := c.edit(s, issuer, func(e *keyring.Editor) error { return addAll(e, grants, rows) })
	if err != nil {
		return err
	}
	out := imported{Keys: len(grants), Version: done.Version, Missing: missing}
	return s.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s imported, in force since list %d\n", amount.Of(out.Keys, "key"), out.Version)
		if len(missing) > 0 {
			fmt.Fprintf(w, "readers at %s see some of these cards in another form: swipe those there once (gatehouse adopt on, then adopt bind)\n", strings.Join(missing, ", "))
		}
	})
}

// csvRow is one line of the file.
type csvRow struct {
	line  int
	terms terms
	form  string
	num   string
}

func (c importCmd) read(stdin io.Reader) ([]csvRow, error) {
	in := stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, fmt.Errorf("open cards: %w", err)
		}
		defer f.Close()
		in = f
	}
	return readCards(in)
}

func readCards(in io.Reader) ([]csvRow, error) {
	buffered := bufio.NewReader(in)
	r := csv.NewReader(buffered)
	r.TrimLeadingSpace = true
	comma, err := separator(buffered)
	if err != nil {
		return nil, err
	}
	r.Comma = comma
	head, err := r.Read()
	if err != nil {
		return nil, hinted("the first line names the columns: "+strings.Join(columns, ","), "the file has no first line: %v", err)
	}
	at := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if !slices.Contains(columns, name) {
			return nil, hinted("columns: "+strings.Join(columns, ", "), "column %q is not known", name)
		}
		at[name] = i
	}
	for _, name := range columns[:4] {
		if _, ok := at[name]; !ok {
			return nil, hinted("the first line names the columns: "+strings.Join(columns, ","), "column %q is missing", name)
		}
	}
	var rows []csvRow
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read cards: %w", err)
		}
		line, _ := r.FieldPos(0)
		get := func(name string) string {
			if i, ok := at[name]; ok {
				return strings.TrimSpace(rec[i])
			}
			return ""
		}
		t := terms{Label: get("label"), Door: strings.Fields(get("doors")), Kind: get("kind"), From: get("from"), Until: get("until")}
		if t.Kind == "" {
			t.Kind = "resident"
		}
		rows = append(rows, csvRow{line, t, get("form"), get("number")})
	}
}

// separator looks at the first line: spreadsheets write commas, semicolons or
// tabs, as their country does.
func separator(in *bufio.Reader) (rune, error) {
	start, _ := in.Peek(512) // a short file is all there
	if len(start) >= 2 && (start[0] == 0xff && start[1] == 0xfe || start[0] == 0xfe && start[1] == 0xff) {
		return 0, hinted("save it as CSV UTF-8", "the file is in UTF-16")
	}
	line, _, _ := strings.Cut(string(start), "\n")
	for _, sep := range []string{",", ";", "\t"} {
		if strings.Contains(line, sep) {
			return rune(sep[0]), nil
		}
	}
	return ',', nil
}

// resolve turns every line into a grant, or tells all that is wrong. Errors
// name the line and never the number.
func (s *session) resolve(rows []csvRow, l control.List) ([]keyring.NewGrant, []string, error) {
	var grants []keyring.NewGrant
	var missing []string
	var bad []error
	for _, r := range rows {
		g, card, err := s.resolveOne(r, l)
		if err != nil {
			var fail *control.Error
			if errors.As(err, &fail) && fail.Hint != "" {
				err = fmt.Errorf("%w (%s)", err, fail.Hint)
			}
			bad = append(bad, fmt.Errorf("line %d: %w", r.line, err))
			continue
		}
		grants = append(grants, g)
		for _, d := range among(card.Missing, g.Doors) {
			if !slices.Contains(missing, d) {
				missing = append(missing, d)
			}
		}
	}
	if len(bad) > 0 {
		return nil, nil, fmt.Errorf("nothing was imported:\n%w", errors.Join(bad...))
	}
	if len(grants) == 0 {
		return nil, nil, errors.New("no card in the file")
	}
	return grants, missing, nil
}

func (s *session) resolveOne(r csvRow, l control.List) (keyring.NewGrant, control.Card, error) {
	var card control.Card
	if _, ok := kinds[r.terms.Kind]; !ok {
		return keyring.NewGrant{}, card, fmt.Errorf("kind %q: want resident, staff, visitor or brigade", r.terms.Kind)
	}
	g, err := r.terms.grant(l)
	if err != nil {
		return g, card, err
	}
	if card, err = s.client.Printed(s.ctx, control.PrintedRequest{Form: r.form, Number: plain(r.num)}); err != nil {
		return g, card, err
	}
	g.Credentials, err = credentials(card)
	return g, card, err
}

func addAll(e *keyring.Editor, grants []keyring.NewGrant, rows []csvRow) error {
	taken := map[wire.CredentialID]bool{}
	for _, g := range e.Grants() {
		taken[g.Credential] = taken[g.Credential] || g.State != wire.GrantRevoked
	}
	var bad []error
	for i, g := range grants {
		if slices.ContainsFunc(g.Credentials, func(id wire.CredentialID) bool { return taken[id] }) {
			bad = append(bad, fmt.Errorf("line %d: this card has a key already", rows[i].line))
			continue
		}
		for _, id := range g.Credentials {
			taken[id] = true
		}
		if _, err := e.Add(g); err != nil {
			bad = append(bad, fmt.Errorf("line %d: %w", rows[i].line, err))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("nothing was imported:\n%w", errors.Join(bad...))
	}
	return nil
}
