package reception

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/calendar"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/socket"
)

// Guest is the command for the codes of visitors.
type Guest struct {
	Give guestGiveCmd `cmd:"" help:"The tenant gives a visitor a code: digits for a reader with keys, a QR code for a scanner."`
	List guestListCmd `cmd:"" help:"List the guest codes that are not over: flat and end, and nothing of who came."`
	End  guestEndCmd  `cmd:"" help:"End a guest code before its time."`
}

type guestGiveCmd struct {
	tenantOnly
	Hours *int   `help:"For so many hours, up to 168; not given: until midnight." xor:"length" placeholder:"N"`
	Days  *int   `help:"For so many times 24 hours, up to 7." xor:"length" placeholder:"N"`
	From  string `help:"Day and time from which it counts, as 2026-12-01 18:00, in the building's time; not given: from now on." placeholder:"TIME"`
	Once  bool   `help:"It opens once; else any number of times until its end."`
}

func (guestGiveCmd) Help() string {
	return `The code opens what the tenant's card opens, at this gateway's doors with a
scanner or with keys and pin = "only": type it and end it with #. The gateway
judges it by itself, with no network. It ends with the tenancy, and where this
gateway's disk is exchanged or rolled back; while the gateway's clock can't be
trusted it opens nothing. It is shown this once.`
}

// length returns how many hours the code is good for; 0: until midnight.
func (c guestGiveCmd) length() (int, error) {
	for _, n := range []struct {
		given       *int
		most, hours int
	}{{c.Hours, 7 * 24, 1}, {c.Days, 7, 24}} {
		switch {
		case n.given == nil:
		case *n.given < 1 || *n.given > n.most:
			return 0, socket.Hinted("--hours 1 to 168, or --days 1 to 7; neither of them: until midnight. Who stays for longer gets a card: gatehouse card add",
				"a guest code lasts an hour at least, and at most 7 days")
		default:
			return *n.given * n.hours, nil
		}
	}
	return 0, nil
}

func (c guestGiveCmd) Run(s *session.Session) error {
	hours, err := c.length()
	if err != nil {
		return err
	}
	return atDesk(s, c.TakeOver, func(v visit) error {
		terms := control.GuestTerms{Hours: hours, Once: c.Once}
		if c.From != "" {
			zone, err := session.Zone(v.desk.TimeZone)
			if err != nil {
				return err
			}
			from, err := calendar.Moment(c.From, zone)
			if err != nil {
				return err
			}
			terms.From = &from
		}
		r := control.Change{Action: "guest", Tenancy: c.Tenancy, Proof: c.By, Typed: c.Keypad != "", Guest: &terms}
		if err := v.prove(&r, c.Reader, c.Keypad); err != nil {
			return err
		}
		done, err := s.Client.Change(s.Ctx, v.desk.Session, r)
		if err != nil {
			return err
		}
		return v.report(done, nil, func(io.Writer) {})
	})
}

// guestCode shows a guest code, this once.
func guestCode(w io.Writer, g control.GuestCode) {
	from := ""
	if g.From != nil {
		from = " from " + minute(g.From, g.Zone)
	}
	fmt.Fprintf(w, "guest code of %s,%s until %s, opens %s (number %s, told this once):\n", cmp.Or(g.Flat, g.Label, g.Tenancy[:8]), from,
		minute(&g.Until, g.Zone), command.Choose(g.Once, "once", "any number of times"), g.ID)
	if len(g.Keys) > 0 {
		fmt.Fprintf(w, "  %s   at the keys of %s, ended with #\n", g.Code, strings.Join(g.Keys, ", "))
	}
	if len(g.Scanners) > 0 {
		fmt.Fprintf(w, "  %s   as a QR code before the scanner of %s (qrencode -l Q -o guest.png makes a picture of it)\n", g.QR, strings.Join(g.Scanners, ", "))
	}
}

type guestListCmd struct{}

func (guestListCmd) Run(s *session.Session) error {
	all, err := control.Guests(s.Ctx, s.Client)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no guest codes now")
			return
		}
		head := []string{"NUMBER", "FLAT", "LABEL", "FROM", "UNTIL", "OPENS"}
		command.Table(w, all, head, func(g control.Guest) []string {
			from := "at once"
			if g.From != nil {
				from = minute(g.From, g.Zone)
			}
			return []string{g.ID, cmp.Or(g.Flat, "-"), cmp.Or(g.Label, "-"), from, minute(&g.Until, g.Zone), command.Choose(g.Once, "once", "until then")}
		})
	})
}

type guestEndCmd struct {
	Number string `arg:"" help:"Its number, as gatehouse guest list shows it."`
}

func (c guestEndCmd) Run(s *session.Session) error {
	err := control.EndGuest(s.Ctx, s.Client, c.Number)
	return s.Print(struct{}{}, err, func(w io.Writer) { fmt.Fprintf(w, "guest code %s is ended\n", c.Number) })
}
