package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

type entriesCmd struct {
	Building string `help:"Only of this building." placeholder:"ID"`
	Gateway  string `help:"Only of this gateway." placeholder:"ID"`
	Door     string `help:"Only of this door." placeholder:"ID"`
	Kind     string `help:"Only of this kind: access, opened, forced, ..." placeholder:"KIND"`
	From     string `help:"From this time on: 2026-01-31 or 2026-01-31T08:00:00+08:00." placeholder:"TIME"`
	To       string `help:"Before this time." placeholder:"TIME"`
	Limit    int    `help:"At most so many; what is left out is told." default:"1000"`
	Newest   bool   `help:"What was received last first."`
	After    string `help:"Go on behind this place, as the answer before named it." placeholder:"PLACE"`
	CSV      bool   `name:"csv" help:"For a spreadsheet: CSV in UTF-8 with a byte order mark; the zone stands in the first line."`
	Zone     string `help:"Time zone of days and times, as Asia/Shanghai; else that of the gateways asked for, or of this machine." placeholder:"NAME"`
}

func (c entriesCmd) Run(s *session) error {
	if c.CSV && s.JSON {
		return socket.Hinted("leave one of them out", "--csv and --json are two forms of the same")
	}
	if _, err := c.filter(calendar.Here()); err != nil { // a mistake shows without the front
		return err
	}
	zone, err := s.zone(c.Zone, c.Building)
	if err != nil {
		return err
	}
	f, err := c.filter(zone)
	if err != nil {
		return err
	}
	show := c.lines(s, zone)
	table := csv.NewWriter(s.raw)
	if c.CSV {
		if err := csvHead(s.raw, table, zone); err != nil {
			return err
		}
		show = func(e api.Entry) error { return table.Write(csvRow(e, zone)) }
	}
	found := 0
	more, err := s.front.Entries(s.ctx, f, func(e api.Entry) error { found++; return show(e) })
	if table.Flush(); err == nil {
		err = table.Error()
	}
	switch {
	case err != nil:
		return err
	case more != "":
		c.After = more
		fmt.Fprintf(s.Err, "%s shown, and there are more\nhint: registryd %s\n", amount.Of(found, "entry"), c.command(s.JSON))
	case found == 0 && !s.JSON:
		fmt.Fprintln(s.Err, "none")
	}
	return nil
}

func (c entriesCmd) filter(zone *time.Location) (f api.EntryFilter, err error) {
	f = api.EntryFilter{Building: c.Building, Gateway: c.Gateway, Door: c.Door, Limit: c.Limit, Newest: c.Newest, After: c.After}
	if f.Kind, err = entryKind(c.Kind); err != nil {
		return f, err
	}
	if f.Limit < 1 || f.Limit > 1_000_000 {
		return f, socket.Hinted("from 1 to 1,000,000; without --limit 1,000", "at most %s", amount.Of(c.Limit, "entry"))
	}
	if f.From, err = calendar.Moment(c.From, zone); err != nil {
		return f, err
	}
	f.To, err = calendar.Moment(c.To, zone)
	return f, err
}

// command returns the command that shows the entries behind After.
func (c entriesCmd) command(json bool) string {
	words := []string{"entries"}
	if json {
		words = []string{"--json", "entries"}
	}
	for _, o := range [][2]string{{"building", c.Building}, {"gateway", c.Gateway}, {"door", c.Door}, {"kind", c.Kind}, {"from", c.From}, {"to", c.To},
		{"limit", fmt.Sprint(c.Limit)}, {"zone", c.Zone}, {"after", c.After}} {
		if o[1] != "" {
			words = append(words, "--"+o[0], quoted(o[1]))
		}
	}
	if c.Newest {
		words = append(words, "--newest")
	}
	if c.CSV {
		words = append(words, "--csv")
	}
	return strings.Join(words, " ")
}

// quoted returns a word quoted for a shell.
func quoted(word string) string {
	if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/:.+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// lines returns a function that prints an entry as a line of text, or of JSON.
func (c entriesCmd) lines(s *session, zone *time.Location) func(api.Entry) error {
	return func(e api.Entry) error {
		if s.JSON {
			return s.Encode(e)
		}
		at, mark := calendar.Stamp(e.Time, zone), ""
		if e.Unsure {
			at, mark = calendar.Stamp(*e.NotAfter, zone)+"?", "  ("+unsure(e, zone)+")"
		}
		place := strings.Trim(e.Door+"/"+e.Source, "/")
		_, err := fmt.Fprintf(s.Out, "%s  %s/%s  %s:%d  %-14s %s%s\n", at, e.Building, e.Gateway, e.Epoch, e.Sequence, place, what(e), mark)
		return err
	}
}

func what(e api.Entry) string {
	text := happened(e.Kind, e.Outcome, e.Reason)
	if e.Direction != "" {
		text += " " + e.Direction
	}
	switch {
	case e.Count == 0:
		return text
	case e.Kind == wire.KindListApplied.String(), e.Kind == wire.KindAuthority.String():
		return text + fmt.Sprintf(" version %d", e.Count)
	}
	return text + fmt.Sprintf(" x%d", e.Count)
}

// happened describes an entry or alarm; a reason that equals the outcome is left out.
func happened(kind, outcome, reason string) string {
	if reason == outcome {
		reason = ""
	}
	return strings.Join(strings.Fields(kind+" "+outcome+" "+reason), " ")
}

// unsure describes what is known of the time of an entry without a good clock.
func unsure(e api.Entry, zone *time.Location) string {
	text := "its clock was not set and said " + calendar.Stamp(e.Time, zone)
	if e.NotBefore != nil {
		text += "; made after " + calendar.Stamp(*e.NotBefore, zone) + " and before "
	} else {
		text += "; made before "
	}
	return text + calendar.Stamp(*e.NotAfter, zone) + ", received " + calendar.Stamp(e.Received, zone)
}

// csvHead begins a table that spreadsheets open as UTF-8. It names the zone, which cells lack.
func csvHead(w io.Writer, table *csv.Writer, zone *time.Location) error {
	table.UseCRLF = true
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return fmt.Errorf("write entries: %w", err)
	}
	in := " (" + zone.String() + ")"
	return table.Write([]string{"building", "gateway", "epoch", "sequence", "time" + in, "clock", "sure", "not before" + in, "not after" + in, "received" + in,
		"kind", "outcome", "reason", "direction", "door", "source", "count"})
}

func csvRow(e api.Entry, zone *time.Location) []string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(zone).Format(time.DateTime)
	}
	times := ""
	if e.Count > 0 {
		times = fmt.Sprint(e.Count)
	}
	// The epoch has a letter before it: a spreadsheet takes 0000000000000e12 for a number.
	row := []string{e.Building, e.Gateway, "e-" + e.Epoch, fmt.Sprint(e.Sequence), at(&e.Time), e.Clock, command.Choose(e.Unsure, "no", "yes"), at(e.NotBefore), at(e.NotAfter),
		at(&e.Received), e.Kind, e.Outcome, e.Reason, e.Direction, e.Door, e.Source, times}
	for i := range row {
		row[i] = command.Plain(row[i])
	}
	return row
}

// entryKind refuses a kind that no entry has: its empty answer would look as if nothing had
// happened.
func entryKind(text string) (string, error) {
	text = strings.ReplaceAll(strings.ToLower(text), "-", "_")
	var all []string
	for k := range wire.Kind(math.MaxUint8) {
		if name := k.String(); !strings.HasPrefix(name, "kind_") {
			all = append(all, name)
		}
	}
	if text != "" && !slices.Contains(all, text) {
		return "", socket.Hinted("one of "+strings.Join(all, ", "), "no kind of entries: %q", text)
	}
	return text, nil
}
