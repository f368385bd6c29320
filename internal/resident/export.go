package resident

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"gatehouse/internal/control"
)

// Formats of a file to take along.
const (
	CSV  = "csv"
	JSON = "json"
)

// Copy is the file for programs: what is held, and what is to be known of it.
type Copy struct {
	control.Mine
	Told []string `json:"told"`
}

// Write writes all that is held as a file of a format: the same to the byte, whoever of page and tool writes it.
func (t Teller) Write(w io.Writer, m control.Mine, format string) error {
	switch format {
	case CSV:
		return t.table(w, m)
	case JSON:
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(Copy{m, append(t.Kept(m), t.Police())})
	}
	return fmt.Errorf("a copy is written as csv or json, not as %q", format)
}

// table writes a table that spreadsheets read as UTF-8.
func (t Teller) table(w io.Writer, m control.Mine) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	head := []string{}
	for _, column := range []string{"part", "time", "earliest", "latest", "clock", "what", "door", "direction", "method", "by", "id"} {
		head = append(head, t.Say("column_"+column))
	}
	_ = c.Write(head) // Flush tells
	for _, f := range t.Facts(m) {
		_ = c.Write([]string{t.Say("facts"), "", "", "", "", plain(t.Say("because", f.Name, f.Value)), "", "", "", "", ""})
	}
	t.rows(c, "entries", m.Entries, t.Entries(m))
	t.rows(c, "acts", m.Acts, t.Acts(m))
	for _, said := range append(t.Kept(m), t.Police()) {
		_ = c.Write([]string{t.Say("told"), "", "", "", "", said, "", "", "", "", ""})
	}
	c.Flush()
	return c.Error()
}

// rows writes entries, the newest first; words has them in that order.
func (t Teller) rows(c *csv.Writer, part string, all []control.OwnEntry, words []Event) {
	for i, e := range words {
		of := all[len(all)-1-i]
		_ = c.Write([]string{t.Say(part), stamp(&of.Time), stamp(of.Earliest), stamp(of.Latest), t.clock(of.Clock), plain(e.What), plain(e.Door), e.Direction, e.Method, e.By, e.ID})
	}
}

// clock is what the time of an entry was worth.
func (t Teller) clock(quality string) string {
	for i, name := range []string{"unset", "floor", "rtc", "ntp", "registry"} {
		if name == quality {
			return t.Words.Say(t.Lang, fmt.Sprintf("evidence.clock_%d", i))
		}
	}
	return quality
}

// stamp is a time for programs; empty for none.
func stamp(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339)
}

// plain is a cell that no spreadsheet takes for a formula: the landlord's word for a flat is the landlord's.
func plain(cell string) string {
	if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r") {
		return "'" + cell
	}
	return cell
}
