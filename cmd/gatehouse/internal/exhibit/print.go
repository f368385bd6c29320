package exhibit

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"gatehouse/internal/command"
	"gatehouse/internal/evidence"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

type printCmd struct {
	Source
	CSV  bool `name:"csv" help:"A table for spreadsheets, with all entries." xor:"as"`
	HTML bool `name:"html" help:"A page to print and sign: the list of electronic data and the integrity check values." xor:"as"`
}

// Run prints the entries of a file that is proved.
func (p printCmd) Run(c *Caller) error {
	o, err := p.open(c)
	if err != nil {
		return err
	}
	switch {
	case p.CSV:
		err = o.writeCSV(raw(c.Out))
	case p.HTML:
		err = o.writeHTML(c.Out, p.File)
	default:
		err = c.Print(o.rows(o.listed), nil, func(w io.Writer) { o.writeTable(w, p.File) })
	}
	if err != nil {
		return err
	}
	return o.status()
}

// row is an entry in words.
type row struct {
	Sequence  uint64    `json:"sequence"`
	Time      time.Time `json:"time"` // in the building's zone
	Exact     string    `json:"reliability"`
	What      string    `json:"event"`
	Outcome   string    `json:"outcome"`
	Reason    string    `json:"reason"`
	Door      string    `json:"door"`
	Source    string    `json:"reader"`
	Direction string    `json:"direction"`
	Person    string    `json:"person"`
	Card      string    `json:"card"`
	Grant     string    `json:"grant"`
	Tenancy   string    `json:"tenancy"`
	Method    string    `json:"method"`
	Opening   string    `json:"opening"`
	Witnessed string    `json:"witnessed"`
}

// columns are the keys of the columns' names.
var columns = [...]string{"number", "time", "exact", "what", "outcome", "reason", "door", "source", "direction", "person", "card", "grant", "tenancy", "method", "opening", "witnessed"}

// Cells are the row's columns as people read them.
func (r row) Cells() []string { return r.cells("2006-01-02 15:04:05.000 -07:00") }

func (r row) cells(clock string) []string {
	return []string{strconv.FormatUint(r.Sequence, 10), r.Time.Format(clock), r.Exact, r.What, r.Outcome, r.Reason, r.Door, r.Source, r.Direction, r.Person, r.Card, r.Grant, r.Tenancy, r.Method, r.Opening, r.Witnessed}
}

// rows are the entries that are wanted, in words.
func (o opened) rows(wanted func(evidence.Entry) bool) []row {
	all := []row{}
	for _, e := range o.Entries {
		if wanted(e) {
			all = append(all, o.row(e))
		}
	}
	return all
}

func (o opened) row(e evidence.Entry) row {
	h := e.Header
	r := row{Sequence: e.Sequence, Time: e.Time.In(o.zone()), Exact: o.say(fmt.Sprintf("clock_%d", h.Clock)), What: o.named("kind_", h.Kind.String()),
		Outcome: o.named("outcome_", h.Outcome.String()), Reason: o.named("reason_", h.Reason.String()), Door: h.Door, Source: h.Source, Person: o.say(fmt.Sprintf("state_%d", e.State)),
		Witnessed: o.say(command.Choose(e.Sequence < o.Cosigned, "yes", "no"))}
	if e.Pinned {
		r.Exact = o.say("pinned", e.Within.Round(time.Millisecond))
	}
	if h.Direction != 0 {
		r.Direction = o.say(command.Choose(h.Direction == wire.DirectionIn, "in", "out"))
	}
	if e.Opening != evidence.NotAsked {
		r.Opening = o.say(fmt.Sprintf("seen_%d", e.Opening))
	}
	r.name(e.Who)
	if e.Who.Method != 0 {
		r.Method = o.say(fmt.Sprintf("method_%d", e.Who.Method))
	}
	return r
}

// name fills in whom the entry names.
func (r *row) name(w wire.Who) {
	if w.Credential != nil {
		r.Card = w.Credential.String()
	}
	if w.Grant != nil {
		r.Grant = w.Grant.String()
	}
	if w.Tenancy != nil {
		r.Tenancy = w.Tenancy.String()
	}
}

// named is a name of the log in words: ours, or those of the owner's log. What only technicians meet
// keeps its name.
func (o opened) named(what, name string) string {
	for _, key := range []string{"evidence." + what + name, "log." + what + name} {
		if o.words.Has(key) {
			return o.words.Say(o.lang, key)
		}
	}
	return name
}

// list are the rows of the lists, and the sentence that says of how many they are.
func (o opened) list() ([]row, string) {
	rows := o.rows(o.listed)
	if len(rows) == len(o.Entries) {
		return rows, o.say("listed_all", len(rows))
	}
	return rows, o.say("listed", len(rows), len(o.Entries), len(o.Entries)-len(rows))
}

// writeTable writes the verdict and the entries of the mandate's doors for a terminal.
func (o opened) writeTable(w io.Writer, file string) {
	o.explain(w, file)
	rows, said := o.list()
	fmt.Fprintf(w, "\n%s\n\n", said)
	head := make([]string, 0, len(shortColumns))
	for _, i := range shortColumns {
		head = append(head, o.say(columns[i]))
	}
	command.Table(w, rows, head, func(r row) []string {
		cells := r.Cells()
		short := make([]string, 0, len(shortColumns))
		for _, i := range shortColumns {
			short = append(short, cells[i])
		}
		return short
	})
}

// shortColumns are what a terminal has room for: number, time, event, outcome, door, person, tenancy, opening.
var shortColumns = [...]int{0, 1, 3, 4, 6, 9, 12, 14}

// raw returns the writer behind a screen, which would show the mark and the line ends of a table for
// spreadsheets. Its cells are names, numbers and words of ours, none of which works on a terminal.
func raw(w io.Writer) io.Writer {
	if s, ok := w.(command.Screen); ok {
		return s.To
	}
	return w
}

// writeCSV writes all entries as a table that spreadsheets read as UTF-8.
func (o opened) writeCSV(w io.Writer) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	head := make([]string, 0, len(columns)+1)
	for _, key := range columns {
		head = append(head, o.say(key))
	}
	_ = c.Write(append(head, o.say("zone"))) // Flush tells
	for _, r := range o.rows(func(evidence.Entry) bool { return true }) {
		_ = c.Write(append(r.cells("2006-01-02T15:04:05.000Z07:00"), o.zone().String()))
	}
	c.Flush()
	return c.Error()
}

//go:embed form.html
var form string

// writeHTML writes the page to print and sign.
func (o opened) writeHTML(w io.Writer, file string) error {
	t, err := template.New("form").Funcs(template.FuncMap{"say": o.say}).Parse(form)
	if err != nil {
		return err
	}
	rows, said := o.list()
	return t.Execute(w, map[string]any{"Lang": o.lang, "File": filepath.Base(file), "Size": o.say("form_bytes", o.size), "How": o.say("form_how_" + string(o.SignedBy)), "Facts": o.facts(), "Source": o.Manifest.Gateway,
		"SHA256": fmt.Sprintf("%x", o.SHA256), "SM3": fmt.Sprintf("%x", o.SM3), "Proved": o.proved(), "NotProved": o.notProved(), "Columns": columns, "Rows": rows, "Listed": said})
}

type proofCmd struct {
	Source
	Number uint64 `arg:"" help:"Number of the entry, as gatehouse evidence print shows it."`
}

// Run prints the proof of one entry.
func (p proofCmd) Run(c *Caller) error {
	o, err := p.open(c)
	if err != nil {
		return err
	}
	proof, err := o.Proof(p.Number)
	if err != nil {
		return socket.Hinted(o.say("do_no_entry"), "%s", o.say("no_entry", p.Number, o.Manifest.First, o.Manifest.End()-1))
	}
	if _, err := io.WriteString(c.Out, proof); err != nil {
		return err
	}
	return o.status()
}
