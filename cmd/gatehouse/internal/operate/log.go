package operate

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// Log is the command that shows what an owner may see. Passages are not among it.
type Log struct {
	Last   *int     `help:"How many of the newest entries; 50, with --since all." placeholder:"N"`
	All    bool     `help:"All that are kept."`
	Since  string   `help:"Only from then on: 2h, 3d, 2026-12-01 or \"2026-12-01 09:30\", in the building's zone." placeholder:"TIME"`
	Door   []string `help:"Only of this door; may be given again." placeholder:"ID"`
	Kind   []string `help:"Only of this kind, as the log names it: fault, offline, forced, held; may be given again." placeholder:"KIND"`
	Follow bool     `short:"f" help:"Go on with new ones."`
}

func (c Log) Run(s *session.Session) error {
	ask := control.LogQuery{Last: 50, Follow: c.Follow, Since: c.Since, Doors: c.Door, Kinds: c.Kind}
	switch {
	case c.All, c.Last == nil && c.Since != "":
		ask.Last = -1
	case c.Last != nil:
		ask.Last = *c.Last
	}
	return s.Client.Log(s.Ctx, ask, func(e control.LogEntry) error {
		return s.Print(e, nil, func(w io.Writer) { writeEntry(w, e) })
	})
}

// Help is shown by --help.
func (Log) Help() string {
	return `Faults, alarms, fire, doors that were held or forced, and what was done at the
gateway. Who came and went, and that somebody did, is not shown to anybody here
(refusals N1 and N2): that needs a mandate. For an installer, gatehouse door test shows one door for
some minutes.`
}

// Door is the command that tests a door.
type Door struct {
	Test doorTestCmd `cmd:"" help:"Show what happens at a door for some minutes: for an installer."`
}

type doorTestCmd struct {
	Door    string `arg:"" help:"The door's id."`
	Minutes int    `help:"For how long, 1 to 15." default:"5"`
}

// Help is shown by --help.
func (doorTestCmd) Help() string {
	return `Cards granted and denied, lock, contact and exit button of this door while the
test runs, and nobody's card. Begin and end are journaled, its readers tell
whoever comes in meanwhile, and a door can be tested for an hour a day at most.
Ctrl-C ends it.`
}

func (c doorTestCmd) Run(s *session.Session) error {
	begun := func() {
		fmt.Fprintf(s.Err, "door %s is tested for %s; Ctrl-C ends it ...\n", c.Door, amount.Of(c.Minutes, "minute"))
	}
	return s.Client.TestDoor(s.Ctx, c.Door, control.DoorTest{Minutes: c.Minutes}, begun, func(e control.LogEntry) error {
		return s.Print(e, nil, func(w io.Writer) { writeEntry(w, e) })
	})
}

// writeEntry prints one entry on one line, with the zone of its time.
func writeEntry(w io.Writer, e control.LogEntry) {
	words := []string{e.Time.Format("2006-01-02 15:04:05.000 -07:00")}
	if e.Clock != "ntp" && e.Clock != "registry" {
		words = append(words, "("+e.Clock+" clock)")
	}
	place := e.Door
	if e.Source != "" {
		place = strings.TrimPrefix(place+"/"+e.Source, "/")
	}
	words = append(words, fmt.Sprintf("%-14s %s", place, e.Kind))
	if e.Outcome != "" && e.Outcome != e.Reason {
		words = append(words, e.Outcome)
	}
	if e.Reason != "" {
		words = append(words, e.Reason)
	}
	if e.Direction != "" {
		words = append(words, e.Direction)
	}
	switch {
	case e.Count == 0:
	case e.Kind == wire.KindListApplied.String(), e.Kind == wire.KindAuthority.String():
		words = append(words, fmt.Sprintf("version %d", e.Count))
	default:
		words = append(words, fmt.Sprintf("x%d", e.Count))
	}
	fmt.Fprintln(w, strings.Join(words, "  "))
}
