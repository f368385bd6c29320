// Package cardlist reads a list of cards written by another system or a spreadsheet, as it is: in
// the encodings, separators and dates of its country, with its own headings, and with the traces of
// spreadsheets.
//
// It is pure: it stores nothing, opens no file and knows no house. It judges neither numbers nor
// flats, drops nothing without a remark, and never puts the content of a cell into an error where
// it could be a card's number.
package cardlist

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/socket"
)

// Options complete what the file itself does not say.
type Options struct {
	// Columns names columns by their own headings: label, doors, form, number, kind,
	// from, until, and door:ID for a column that has a yes or no for one door. With any
	// of them, columns that nobody names are left out.
	Columns map[string]string

	// Defaults for lines without these columns.
	Form, Kind string
	Doors      []string

	Encoding string // utf-8, gb18030 or utf-16; "": as the file shows
}

// List is the content of a file.
type List struct {
	Rows     []Row    // in the order of the file
	Remarks  []string // for people: how it was read and what was left out
	Reads    string   // a label that shows whether a guessed encoding is right; empty: none was guessed
	Labelled bool     // it has a column of labels
}

// Row is one card. Cells are trimmed and otherwise unchanged.
type Row struct {
	Line               int // of the file, from 1
	Label              string
	Doors              []string // each once
	Form, Number, Kind string
	From, Until        string
	Fault              string // why the line can't be taken; "": it can
}

const (
	maxBytes = 32 << 20
	// maxBefore is how many lines may stand above the headings: a title, a date.
	maxBefore = 10
)

// Read reads a whole list. It fails where the file can't be read at all; what is wrong with a
// single line is its Fault. An error names lines and headings, and no cell.
func Read(in io.Reader, o Options) (List, error) {
	cells, text, took, err := o.lines(in)
	if err != nil {
		return List{}, err
	}
	head, rest, err := o.head(cells)
	if err != nil {
		return List{}, err
	}
	l := List{Remarks: head.remarks}
	_, l.Labelled = head.at[fieldLabel]
	l.read(head, rest, o)
	l.Remarks = append(l.encoded(took, text), l.Remarks...)
	return l, nil
}

// Headings returns the headings of a list as they stand, for whoever says which is what; none that
// could be a card's number.
func Headings(in io.Reader, encoding string) (all []string, err error) {
	o := Options{Encoding: encoding}
	cells, _, _, err := o.lines(in)
	if err != nil {
		return nil, err
	}
	_, at := o.headAt(cells)
	if at < 0 {
		return nil, nil
	}
	for _, c := range cells[at].cells {
		if c != "" && Shown([]string{c})[0] == fmt.Sprintf("%q", c) {
			all = append(all, c)
		}
	}
	return all, nil
}

// lines returns the records of a file, its text, and the name of its encoding.
func (o Options) lines(in io.Reader) (cells []line, text, took string, err error) {
	b, err := io.ReadAll(io.LimitReader(in, maxBytes+1))
	if err != nil {
		return nil, "", "", fmt.Errorf("read cards: %w", err)
	}
	if len(b) > maxBytes {
		return nil, "", "", fmt.Errorf("the file has more than %d MB", maxBytes>>20)
	}
	if text, took, err = decode(b, o.Encoding); err != nil {
		return nil, "", "", err
	}
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	cells, err = o.split(text)
	return cells, text, took, err
}

// line is one record of the file.
type line struct {
	at, to int // lines of the file
	cells  []string
}

func (l line) blank() bool {
	return !slices.ContainsFunc(l.cells, func(c string) bool { return c != "" })
}

func (o Options) split(text string) ([]line, error) {
	sep := o.separator(&text)
	text = textCells(text, sep)
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = sep, -1, sep != '\t'
	var all []line
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, socket.Hinted("a cell with a quotation mark in it is written \"like \"\"this\"\"\"; save the list as CSV again, or take the mark out",
				"line %d: a quotation mark that begins or ends no cell", wrong.StartLine)
		}
		if err != nil {
			return nil, fmt.Errorf("read cards: %w", err)
		}
		at, _ := r.FieldPos(0)
		to := at
		for i, c := range cells {
			to += strings.Count(c, "\n")
			cells[i] = tidy(c)
		}
		all = append(all, line{at, to, cells})
	}
}

// separator returns the character between cells: spreadsheets write commas, semicolons or tabs by
// country, and some say so in a first line, which is emptied.
func (o Options) separator(text *string) rune {
	first, rest, _ := strings.Cut(*text, "\n")
	say := strings.Trim(strings.TrimSpace(first), `"`)
	if len(say) >= 4 && strings.EqualFold(say[:4], "sep=") {
		*text = "\n" + rest
		if tail := strings.TrimLeft(first, " \"")[4:]; tail != "" && strings.ContainsRune(",;\t|", rune(tail[0])) {
			return rune(tail[0])
		}
	}
	sep, most := ',', 0
	for _, c := range []rune{',', ';', '\t', '|'} {
		if n := o.headings(*text, c); n > most {
			sep, most = c, n
		}
	}
	if most > 0 {
		return sep
	}
	for _, c := range []rune{',', ';', '\t', '|'} { // of headings that nobody knows: whatever stands there most
		if n := strings.Count(strings.TrimSpace(*text), string(c)); n > most {
			sep, most = c, n
		}
	}
	return sep
}

// headings returns the most headings of a line near the beginning with that separator.
func (o Options) headings(text string, sep rune) (most int) {
	for _, l := range strings.SplitN(text, "\n", maxBefore+1)[:min(maxBefore, 1+strings.Count(text, "\n"))] {
		n := 0
		for _, cell := range strings.Split(l, string(sep)) {
			cell = strings.Trim(strings.TrimSpace(cell), `="`)
			if fieldOf(cell) != "" || o.names(cell) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// textCells removes the = from cells like ="0006171021", which mark text for a spreadsheet and are
// no valid CSV. Within a quoted cell quotation marks are doubled, so that no such cell begins
// there.
func textCells(text string, sep rune) string {
	begins := regexp.MustCompile(`(?m)(?:^|` + regexp.QuoteMeta(string(sep)) + `) *="[^"\r\n]+"`)
	return begins.ReplaceAllStringFunc(text, func(cell string) string { return strings.Replace(cell, "=", "", 1) })
}

// tidy removes what surrounds a cell: spaces, and the marks of a spreadsheet for text.
func tidy(cell string) string {
	cell = strings.TrimSpace(cell)
	if inner, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(inner, `"`) {
		cell = strings.TrimSpace(strings.TrimSuffix(inner, `"`))
	}
	return cell
}

// read makes rows of the lines below the headings.
func (l *List) read(h heads, lines []line, o Options) {
	blank, again := 0, 0
	for _, in := range lines {
		if in.blank() {
			blank++
			continue
		}
		if slices.Equal(in.cells, h.cells) {
			again++
			continue
		}
		row := Row{Line: in.at}
		row.Doors, row.Fault = h.doorsOf(in, o)
		row.Label, row.Number = h.cell(in, fieldLabel), strings.TrimPrefix(h.cell(in, fieldNumber), "'")
		row.Form, row.Kind = cmp.Or(h.cell(in, fieldForm), o.Form), cmp.Or(h.cell(in, fieldKind), o.Kind)
		row.From, row.Until = h.cell(in, fieldFrom), h.cell(in, fieldUntil)
		if !l.Labelled {
			row.Label = fmt.Sprintf("line %d", row.Line)
		}
		if fault := h.fault(in, row); fault != "" {
			row.Fault = fault
		}
		if h.isPerson(in, row.Label) {
			row.Label, row.Fault = "", "its label is a person's name: write a word of your own for the flat, as 3B"
		}
		l.Rows = append(l.Rows, row)
	}
	if blank > 0 {
		l.Remarks = append(l.Remarks, fmt.Sprintf("%s without a cell left out", amount.Of(blank, "line")))
	}
	if again > 0 {
		l.Remarks = append(l.Remarks, fmt.Sprintf("%s with the headings once more left out", amount.Of(again, "line")))
	}
	if !l.Labelled && len(l.Rows) > 0 {
		l.Remarks = append(l.Remarks, `no column has labels: keys are named after their line in the file, as "line 2"; --column label="HEADING" takes a column for it`)
	}
}
