package notices

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/durable"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

type printCmd struct {
	Reference string `arg:"" help:"Of the mandate, or its first digits, four at least."`
	Out       string `required:"" help:"New file for the page." placeholder:"FILE.html"`
}

// row is a line of a sheet.
type row struct {
	Name  text
	Value string
}

// sheet is for one tenancy, or for all who live in the building.
type sheet struct {
	Text text
	Rows []row
}

//go:embed sheet.html
var page string

// Run writes the sheets of a mandate.
func (c printCmd) Run(s *Session) error {
	n, err := s.find(c.Reference)
	if err != nil {
		return err
	}
	if !n.Due {
		return socket.Hinted("registryd notices list --all shows from when on", "nobody may be told of the mandate %s now", n.Reference)
	}
	if err := command.NewFile("--out", c.Out); err != nil {
		return err
	}
	sheets, err := s.sheets(n)
	if err != nil {
		return err
	}
	if len(sheets) == 0 {
		return socket.Hinted("who asks at the counter hears of it: registryd told TENANCY", "the mandate names no flat and no tenancy that this registry knows, and whose cards they are is not known here: there is no sheet")
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any{"Words": sheetWords, "Reference": n.Reference.String()[:8], "Sheets": sheets}); err != nil {
		return err
	}
	err = durable.WriteFile(c.Out, b.Bytes(), 0o600)
	return s.Print(map[string]any{"file": c.Out, "sheets": len(sheets)}, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s in %s\n打印后逐份送达，然后登记 print it, hand each tenant the own one, then: registryd notices done %s\n", amount.Of(len(sheets), "sheet"), c.Out, n.Reference.String()[:8])
	})
}

// sheets makes those of a mandate: for each tenancy of its own, since who shares a flat, or moved in later, was not asked about.
func (s *Session) sheets(n notice) (all []sheet, err error) {
	zone, err := s.Zone(n.m.Request.Building)
	if err != nil {
		return nil, err
	}
	if !n.m.Request.Named() {
		return []sheet{n.sheet(forBuilding, zone)}, nil
	}
	lives, err := s.Issuer.Tenancies(s.Ctx, n.m.Request.Building)
	for _, t := range n.whom(lives) {
		all = append(all, n.sheet(forTenancy, zone, row{rowFlat, t.Flat}, row{rowTenancy, t.ID}))
	}
	return all, err
}

// whom returns those of a building's tenancies that a mandate names, or that had a flat which it names at some time that it
// asks for.
func (n notice) whom(building []operator.Tenancy) (all []operator.Tenancy) {
	r := n.m.Request
	from, until := time.Unix(int64(r.From), 0), time.Unix(int64(r.Until), 0)
	for _, t := range building {
		lived := slices.Contains(r.Flats, t.Flat) && t.Since.Before(until) && (t.Until == nil || t.Until.After(from))
		if lived || slices.ContainsFunc(r.Tenancies, func(id wire.ID) bool { return id.String() == t.ID }) {
			all = append(all, t)
		}
	}
	return all
}

func (n notice) sheet(about text, zone *time.Location, whose ...row) sheet {
	r, a := n.m.Request, n.m.Approval
	from, until := span(r.From, r.Until, zone)
	var doors, answered []string
	for _, g := range r.Gateways {
		doors = append(doors, strings.Join(g.Doors, ", "))
	}
	for _, given := range n.Answers {
		answered = append(answered, calendar.Stamp(given.At, zone))
	}
	rows := append([]row{{rowBuilding, r.Building}}, whose...)
	return sheet{about, append(rows, row{rowDoors, strings.Join(doors, ", ")}, row{rowSpan, from + " – " + until}, row{rowAnswered, strings.Join(answered, ", ")},
		row{rowPurpose, a.Purpose}, row{rowIssuing, a.Issuing.Name}, row{rowNotice, a.Notice}, row{rowReference, n.Reference.String()})}
}

// span writes the time of which a mandate asks.
func span(from, until uint32, zone *time.Location) (string, string) {
	at := func(unix uint32) string { return calendar.Stamp(time.Unix(int64(unix), 0), zone) }
	return at(from), at(until)
}
