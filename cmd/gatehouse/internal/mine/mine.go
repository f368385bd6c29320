// Package mine has the command by which a resident reads what the gateway holds about them, takes a copy along, and asks
// for a correction: what the page of the house has at /mine, for who has no phone.
//
// It shows nothing that the daemon does not give to whom flat, PIN and card prove.
package mine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
	"gatehouse/internal/durable"
	"gatehouse/internal/naming"
	"gatehouse/internal/resident"
	"gatehouse/internal/socket"
	"gatehouse/internal/web/text"
)

// Mine is the command.
type Mine struct {
	Flat    string `arg:"" help:"Of the resident."`
	Reader  string `help:"The door at whose reader the card is held up; if not given, the first of this gateway." placeholder:"DOOR"`
	Keypad  string `help:"The resident types the PIN at the keys of this door's reader instead of this terminal: nobody else sees it." placeholder:"DOOR"`
	Export  string `help:"Also write all of it to a new file, for the resident to take along: a table where its name ends with .csv, else JSON." placeholder:"FILE"`
	Correct string `help:"Ask the registry to put something right: say what, without names and numbers." placeholder:"TEXT"`
	About   string `help:"What is wrong: name, number, flat, term, card or other." enum:"name,number,flat,term,card,other" default:"other"`
	Entry   string `help:"Or the number of the entry that is wrong." placeholder:"NUMBER"`
	Lang    string `help:"zh or en; if not given, the system's." enum:",zh,en" default:""`
}

func (Mine) Help() string {
	return `The resident types the PIN of six digits or more that was chosen with a card, then
holds the own card up, twice. Then all is shown that this gateway holds: the
tenancy, the entries of that card while it was of this tenancy, and what was done
about it and by whom; no other's entries, also not of somebody in the same flat.
That it was read stands in the log, and no owner sees it. What is older than the
days of journal.who_days was erased here; the registry has it, sealed.
--correct writes a new entry, which only the registry opens.`
}

// Run reads, and writes what is wanted.
func (c Mine) Run(s *session.Session) error {
	words, err := text.Load()
	if err != nil {
		return err
	}
	t := resident.Teller{Words: words, Lang: text.System(c.Lang)}
	return t.Told(c.read(s, t))
}

func (c Mine) read(s *session.Session, t resident.Teller) error {
	if err := c.check(s, t); err != nil {
		return err
	}
	at, door, err := c.begin(s, t)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := s.Parting()
		defer cancel()
		_ = at.End(ctx) // it ends by itself
	}()
	m, err := at.Card(s.Ctx, control.MineCard{Door: door})
	if err != nil {
		return err
	}
	fmt.Fprintln(s.Err, t.Say("tool_read"))
	if c.Export != "" {
		if err := c.export(t, m); err != nil {
			return err
		}
		fmt.Fprintln(s.Err, t.Say("tool_copy", c.Export))
	}
	if c.Correct == "" || !s.JSON {
		if err := s.Print(m, nil, func(w io.Writer) { show(w, t, m) }); err != nil || c.Correct == "" {
			return err
		}
	}
	in := control.MineCorrection{About: c.About, Text: c.Correct}
	if c.Entry != "" {
		in.About, in.Entry = "entry", c.Entry
	}
	taken, err := at.Correct(s.Ctx, in)
	return s.Print(taken, err, func(w io.Writer) { fmt.Fprintln(w, t.Say("corrected", taken.Number)) })
}

// check looks at what was typed before the PIN is asked for: a wrong PIN is counted, and so is a reading.
func (c Mine) check(s *session.Session, t resident.Teller) error {
	if c.Correct != "" {
		if _, err := naming.Request(c.Correct); err != nil {
			return socket.Hinted("", "%v", err)
		}
	}
	if c.Export != "" {
		switch err := durable.CanCreate(c.Export); {
		case errors.Is(err, os.ErrExist):
			return c.exists(t)
		case err != nil:
			return socket.Hinted(t.Say("tool_unwritable_do"), "%s", t.Say("tool_unwritable", c.Export, err))
		}
	}
	if c.Reader == "" && c.Keypad == "" {
		return nil
	}
	st, err := s.Client.Status(s.Ctx)
	if err != nil {
		return err
	}
	for _, named := range []string{c.Reader, c.Keypad} {
		if named != "" && !slices.ContainsFunc(st.Doors, func(d control.Door) bool { return d.ID == named }) {
			return socket.Hinted(t.Say("tool_no_door_do"), "%s", t.Say("tool_no_door", named))
		}
	}
	return nil
}

func (c Mine) exists(t resident.Teller) error {
	return socket.Hinted(t.Words.Say(t.Lang, "evidence.do_exists"), "%s", t.Words.Say(t.Lang, "evidence.exists", c.Export))
}

// begin takes flat and PIN, and says where the card is held up.
func (c Mine) begin(s *session.Session, t resident.Teller) (at control.Reading, door string, err error) {
	in := control.MineRequest{Flat: c.Flat, Keypad: c.Keypad}
	if c.Keypad != "" {
		fmt.Fprintln(s.Err, t.Say("tool_keypad", t.Door(c.Keypad)))
	} else {
		a := s.Asker()
		if in.PIN, err = a.Secret(t.Say("tool_pin")); err != nil {
			return at, "", err
		}
		s.In = a.Rest()
	}
	b, err := in.Begin(s.Ctx, s.Client)
	if err != nil {
		return at, "", err
	}
	if door = c.Reader; door == "" && len(b.Doors) > 0 {
		door = b.Doors[0] // never at any: a stranger could look on there
	}
	fmt.Fprintln(s.Err, t.Say("tool_hold", t.Say("hold_at", t.Door(door), b.Pause[door])))
	return control.Reading{Daemon: s.Client, Session: b.Session}, door, nil
}

// export writes the copy to a new file, for nobody but who called.
func (c Mine) export(t resident.Teller, m control.Mine) error {
	format := resident.JSON
	if strings.EqualFold(filepath.Ext(c.Export), ".csv") {
		format = resident.CSV
	}
	var all bytes.Buffer
	if err := t.Write(&all, m, format); err != nil {
		return err
	}
	err := durable.Create(c.Export, func(temp string) error { return os.WriteFile(temp, all.Bytes(), 0o600) })
	if errors.Is(err, os.ErrExist) {
		return c.exists(t)
	}
	return err
}

// show prints it for people.
func show(w io.Writer, t resident.Teller, m control.Mine) {
	fmt.Fprintf(w, "== %s ==\n", t.Say("facts"))
	for _, f := range t.Facts(m) {
		fmt.Fprintln(w, t.Say("because", f.Name, f.Value))
	}
	for _, part := range []struct {
		name string
		all  []resident.Event
	}{{"entries", t.Entries(m)}, {"acts", t.Acts(m)}} {
		fmt.Fprintf(w, "\n== %s ==\n", t.Say(part.name))
		if len(part.all) == 0 {
			fmt.Fprintln(w, t.Say(part.name+"_none"))
		}
		events(w, part.all)
	}
	fmt.Fprintf(w, "\n%s\n\n== %s ==\n", t.Police(), t.Say("kept"))
	for _, said := range t.Kept(m) {
		fmt.Fprintln(w, said)
	}
	fmt.Fprintf(w, "\n%s\n", t.Say("tool_correct"))
}

func events(w io.Writer, all []resident.Event) {
	for _, e := range all {
		cells := []string{e.Day + " " + e.Time}
		for _, cell := range []string{e.Unsure, e.What, e.Door, e.Direction, e.Method, e.By} {
			if cell != "" {
				cells = append(cells, cell)
			}
		}
		fmt.Fprintf(w, "%s  [%s]\n", strings.Join(cells, " · "), e.ID)
	}
}
