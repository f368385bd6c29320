package transparency

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Session is the environment of the command.
type Session struct {
	command.Console
	Ctx   context.Context
	Front *api.Client
	Zone  func(name, building string) (*time.Location, error) // of that name, else of the gateways
}

// Publish shows or writes the counts of a quarter.
type Publish struct {
	Quarter   string `required:"" help:"As 2026Q4." placeholder:"YEARQN"`
	Out       string `help:"Directory for what is published: page, JSON, text and the list of answered mandates." placeholder:"DIR"`
	Oversight string `help:"Where what fills the list is written: for the oversight body alone, never published." placeholder:"FILE"`
	Key       string `help:"records.key, on its stick: what gateways answered, refused and preserved on site is counted, too." placeholder:"FILE"`
	Zone      string `help:"Time zone of the quarter, as Asia/Shanghai; else that of the gateways, or of this machine." placeholder:"NAME"`
}

// report is what is published.
type report struct {
	quarter
	Span  string  `json:"span"`
	Towns []row   `json:"towns"`
	Total numbers `json:"total"` // by what is shown of the towns
	Notes []note  `json:"notes"`
}

// Run shows the counts, and writes them for publication once the quarter is over: who compared a first page with a
// later one of the same quarter would read what was hidden.
func (p Publish) Run(s *Session) error {
	zone, err := s.Zone(p.Zone, "")
	if err != nil {
		return err
	}
	q, err := quarterOf(p.Quarter, zone)
	if err != nil {
		return err
	}
	now := time.Now()
	if q.From.After(now) {
		return socket.Hinted("the one before can be looked at, or published once it is over", "the quarter %s has not begun", q.Name)
	}
	over := !q.To.After(now)
	if err := p.check(over); err != nil {
		return err
	}
	counts, err := s.Front.Mandated().Counts(s.Ctx, q.From, q.To)
	if err != nil {
		return err
	}
	site, err := s.countOnSite(p.Key, q, &counts)
	if err != nil {
		return err
	}
	r := report{quarter: q, Span: q.span(), Notes: notes(over, site)}
	var length int
	r.Towns, r.Total, length = show(counts.Towns, site)
	if p.Out != "" {
		if err := p.write(r, counts.Mandates, length); err != nil {
			return err
		}
	}
	return s.Print(r, nil, r.write)
}

// check refuses what can't be published or written, and makes the directory for it.
func (p Publish) check(over bool) error {
	switch {
	case p.Out == "" && p.Oversight == "":
		return nil
	case p.Out == "" || p.Oversight == "":
		return socket.Hinted("--out has what anybody may read, --oversight what the oversight body alone gets", "--out and --oversight go together")
	case !over:
		return socket.Hinted("without --out it is shown as it stands", "the quarter %s is not over, and is published once", p.Quarter)
	}
	beside, err := filepath.Rel(p.Out, p.Oversight)
	if err == nil && beside != ".." && !strings.HasPrefix(beside, ".."+string(filepath.Separator)) {
		return socket.Hinted("another directory, which is not published", "--oversight lies in --out")
	}
	for _, path := range []string{p.Oversight, p.path(".html")} {
		if _, err := os.Lstat(path); err == nil {
			return socket.Hinted("move it away if it was never published", "%s is there: a quarter is published once", path)
		}
	}
	if err := os.MkdirAll(p.Out, 0o755); err != nil {
		return socket.Hinted("--out names a directory that you may write to; nothing was published", "%v", err)
	}
	return cmp.Or(command.NewFile("--out", p.path(".html")), command.NewFile("--oversight", p.Oversight))
}

// path returns a file of what is published.
func (p Publish) path(ext string) string {
	return filepath.Join(p.Out, "transparency-"+p.Quarter+ext)
}

// write writes what is published, the page last.
func (p Publish) write(r report, sums []wire.Hash, length int) error {
	list, padding := commit(sums, length)
	var text, page bytes.Buffer
	r.write(&text)
	if err := r.page(&page); err != nil {
		return err
	}
	object, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(p.Oversight, padding, 0o600); err != nil {
		return err
	}
	for _, f := range []struct {
		ext  string
		body []byte
	}{{".mandates", list}, {".txt", text.Bytes()}, {".json", append(object, '\n')}, {".html", page.Bytes()}} {
		if err := durable.WriteFile(p.path(f.ext), f.body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// write writes the report for a terminal.
func (r report) write(w io.Writer) {
	fmt.Fprintf(w, "%s %s\n%s: %s\n\n", title.ZH, title.EN, r.Name, r.Span)
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.ZH + " " + c.EN
	}
	all := append(slices.Clone(r.Towns), row{Town: api.Town{Town: together.ZH + " " + together.EN}, numbers: r.Total})
	command.Table(w, all, head, func(t row) []string { return t.cells() })
	for _, n := range r.Notes {
		fmt.Fprintf(w, "\n- %s\n  %s\n", n.ZH, n.EN)
	}
}

// cells are the row's columns.
func (r row) cells() []string {
	cells := r.numbers.cells()
	for i := range cells {
		cells[i] = cmp.Or(cells[i], unknown)
	}
	return append([]string{cmp.Or(strings.TrimPrefix(r.District+"/"+r.Town.Town, "/"), nobodys.ZH+" "+nobodys.EN)}, cells...)
}

//go:embed page.html
var page string

// page writes the page, which needs nothing beside it.
func (r report) page(w io.Writer) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	towns := make([][]string, len(r.Towns))
	for i, town := range r.Towns {
		towns[i] = town.cells()
	}
	return t.Execute(w, map[string]any{"Title": title, "Report": r, "Columns": columns, "Towns": towns, "Total": row{numbers: r.Total}.cells()[1:], "All": together})
}
