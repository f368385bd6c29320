// Package operate has the commands that look at a gateway and operate it: its state, its log, a
// door, fire, the clock.
package operate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Status is the command that shows the state of the gateway.
type Status struct{}

func (Status) Run(s *session.Session) error {
	st, err := s.Client.Status(s.Ctx)
	return s.Print(st, err, func(w io.Writer) { writeStatus(w, st) })
}

func writeStatus(w io.Writer, st control.Status) {
	fmt.Fprintf(w, "%s / %s   gatehoused %s, up since %s\n\n", st.Building, st.Gateway, st.Version, session.Local(st.Started))
	command.Columns(w, statusLines(st))
	for i, p := range st.Problems {
		if i == 0 {
			fmt.Fprintln(w, "\nto do:")
		}
		fmt.Fprintf(w, "  - %s%s\n", p, since(st, i))
	}
}

// statusLines are the table of a status.
func statusLines(st control.Status) (t [][]string) {
	for _, d := range st.Doors {
		t = append(t, []string{"door " + d.ID, d.State, "lock " + command.Choose(st.Listening != nil, "of the old controller", d.Lock)})
		for _, dev := range d.Devices {
			t = append(t, []string{"  " + dev.ID, dev.Type, session.DeviceState(dev.Online, dev.Fault)})
		}
	}
	if f := st.Fire; f != nil {
		t = append(t, []string{"fire", fireState(*f)})
	}
	t = append(t, []string{"clock", session.Local(st.Clock.Now), clockState(st.Clock)},
		[]string{"grants", amount.Of(st.Grants.Count, "card form"), grantsState(st.Grants)},
		[]string{"log", "epoch " + st.Journal.Epoch, journalState(st.Journal)})
	if st.Uplink == nil {
		return append(t, []string{"registry", "none", "a standalone house"})
	}
	return append(t, []string{"registry", st.Uplink.Registry, uplinkState(*st.Uplink)})
}

// since returns since when the daemon knows of a problem, if it says so.
func since(st control.Status, i int) string {
	if i >= len(st.ToDo) || st.ToDo[i].Since == nil {
		return ""
	}
	at := session.Local(*st.ToDo[i].Since)
	return command.Choose(st.ToDo[i].AtStart, " (since the daemon started, "+at+", or before)", " (since "+at+")")
}

func fireState(f control.Fire) string {
	switch {
	case f.Unreadable:
		return "UNREADABLE: doors are released"
	case f.Active:
		return "ACTIVE: doors are released"
	case f.Latched:
		return "panel idle; doors stay released until: gatehouse fire reset"
	}
	return "idle"
}

func clockState(c control.Clock) string {
	return c.Quality + ", " + command.Choose(c.Trusted, "trusted", "not trusted")
}

func grantsState(g control.Grants) string {
	if g.Version == 0 {
		return "no list yet"
	}
	s := fmt.Sprintf("list %d, %s", g.Version, amount.Of(g.Copies, "good copy"))
	if g.Issued != nil {
		s += ", issued " + session.Local(*g.Issued)
	}
	return s
}

func journalState(j control.Journal) string {
	if j.Degraded != "" {
		return "NOT DURABLE: " + j.Degraded
	}
	return "durable"
}

func uplinkState(u control.Uplink) string {
	s := u.State
	if u.Records > 0 {
		s += ", waiting: " + amount.Of(u.Records, "tenancy record")
	}
	if u.List > u.Active {
		s += fmt.Sprintf(", list %d is newer than the one here", u.List)
		if u.Waiting != nil {
			s += ", since " + session.Local(*u.Waiting)
		}
	}
	if u.Problem != "" {
		s += ", NOT CONFIRMED: " + u.Problem
	}
	return s
}

// Release is the command that lets people through a door.
type Release struct {
	Door string `arg:"" help:"The door's id."`
}

func (c Release) Run(s *session.Session) error {
	r, err := s.Client.Release(s.Ctx, c.Door)
	return s.Print(r, err, func(w io.Writer) { fmt.Fprintf(w, "door %s is %s\n", r.Door, r.State) })
}

// Lock is the command that takes back a release.
type Lock struct {
	Door string `arg:"" help:"The door's id."`
}

func (c Lock) Run(s *session.Session) error {
	r, err := s.Client.Doors.LockNow(s.Ctx, c.Door)
	return s.Print(r, err, func(w io.Writer) {
		fmt.Fprintf(w, "door %s: what was released from here is taken back; a card, a button or fire keeps its own time\n", r.Door)
	})
}

// Fire is the group of commands for drills, and for after a fire alarm.
type Fire struct {
	Drill fireDrillCmd `cmd:"" help:"Try the fire input, and print what it did by door."`
	Reset fireResetCmd `cmd:"" help:"Secure the doors again, after the panel has been reset. Only on site (refusal N11)."`
}

type fireResetCmd struct{}

func (fireResetCmd) Run(s *session.Session) error {
	f, err := s.Client.ResetFire(s.Ctx)
	return s.Print(f, err, func(w io.Writer) { fmt.Fprintf(w, "fire: %s\n", fireState(f)) })
}

// Clock is the command that confirms or sets the gateway's clock.
type Clock struct {
	Confirm clockConfirmCmd `cmd:"" help:"Say that the gateway's clock is right as it stands: visitors and the desk go by it, and no resident's term ends by it."`
	Set     clockSetCmd     `cmd:"" help:"Say what time it is with the issuer's key, in a house without a registry: visitors go by it at once, residents after a day."`
}

type clockSetCmd struct {
	session.IssuerKey
	Far  bool   `help:"It is the time although it is more than a year from what the gateway knows."`
	Time string `arg:"" help:"The time now, as \"2026-12-01 09:30\", in the building's zone; or with an offset, \"2026-12-01 09:30 +08:00\"."`
}

func (c clockSetCmd) Run(s *session.Session) error {
	st, err := s.Client.Status(s.Ctx)
	if err != nil {
		return err
	}
	zone, err := session.Zone(st.Clock.Zone)
	if err != nil {
		return err
	}
	at, err := c.at(zone)
	if err != nil {
		return err
	}
	issuer, err := c.Issuer(s)
	if err != nil {
		return err
	}
	k, err := issuer.SetClock(s.Ctx, at, c.Far)
	return s.Print(k, err, func(w io.Writer) {
		fmt.Fprintf(w, "clock: %s (%s), %s. Visitors go by it now; residents end by it when the gateway has been on for a day and nothing else tells another time\n", session.Local(k.Now), k.Zone, clockState(k))
	})
}

// at reads the time: in the building's zone where it has no offset.
func (c clockSetCmd) at(zone *time.Location) (time.Time, error) {
	for _, form := range []string{"2006-01-02 15:04 -07:00", "2006-01-02 15:04:05 -07:00"} { // as this tool shows one
		if at, err := time.Parse(form, c.Time); err == nil {
			return at, nil
		}
	}
	at, err := calendar.Moment(c.Time, zone)
	if err != nil || !strings.ContainsAny(c.Time, ":：") { // a day alone is no time of day
		return at, socket.Hinted("the time now, as \"2026-12-01 09:30\"", "%q is no time of today", c.Time)
	}
	return at, nil
}

type clockConfirmCmd struct{}

func (clockConfirmCmd) Run(s *session.Session) error {
	c, err := s.Client.ConfirmClock(s.Ctx)
	return s.Print(c, err, func(w io.Writer) { fmt.Fprintf(w, "clock: %s (%s), %s\n", session.Local(c.Now), c.Zone, clockState(c)) })
}

// Log is the command that shows what an owner may see. That does not include passages.
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

// writeEntry prints one entry on one line, with the time zone.
func writeEntry(w io.Writer, e control.LogEntry) {
	words := []string{e.Time.Format("2006-01-02 15:04:05.000 -07:00")}
	if e.Clock != "ntp" && e.Clock != "registry" {
		words = append(words, "("+e.Clock+" clock)")
	}
	place := e.Door
	if e.Source != "" {
		place = strings.TrimPrefix(place+"/"+e.Source, "/")
	}
	words = append(words, fmt.Sprintf("%-14s %s", place, e.Kind), command.Choose(e.Outcome == e.Reason, "", e.Outcome), e.Reason, e.Direction)
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	switch {
	case e.Count == 0:
	case e.Kind == wire.KindListApplied.String(), e.Kind == wire.KindAuthority.String():
		words = append(words, fmt.Sprintf("version %d", e.Count))
	default:
		words = append(words, fmt.Sprintf("x%d", e.Count))
	}
	if e.Of != "" {
		words = append(words, "of "+e.Of)
	}
	if e.By != "" {
		words = append(words, "by "+e.By)
	}
	fmt.Fprintln(w, strings.Join(words, "  "))
}
