package reception

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

// Tenancy is the command that shows tenancies, and records what tenant and landlord say about a
// notice.
type Tenancy struct {
	List     tenancyListCmd     `cmd:"" help:"List the tenancies: flats and terms, nobody's name."`
	Show     tenancyShowCmd     `cmd:"" help:"Show one tenancy with its cards."`
	Dispute  tenantOnly         `cmd:"" help:"The tenant objects to a notice: then it counts only if the registry upholds it."`
	Withdraw tenancyWithdrawCmd `cmd:"" help:"The landlord takes a notice back."`
	PIN      tenancyPINCmd      `cmd:"" name:"pin" help:"The tenant chooses a PIN, the first or another one."`
	Open     tenancyOpenCmd     `cmd:"" help:"A resident without a card: the PIN opens a door once, and the lost card stops."`
	Codes    tenancyCodesCmd    `cmd:"" help:"Five new one-time codes for the tenant; the old ones end."`
}

// CheckOut is the command that ends a tenancy.
type CheckOut struct {
	about
	proof
	deskReader
	Cause string `help:"moved_out, lease_over, agreed, never_came, died, order or mistake; asked for if not given. Arrears of rent and permits are none." placeholder:"WHY"`
}

func (CheckOut) Help() string {
	return `With the tenant's card or PIN the tenancy ends at once. By the landlord alone it
is a notice of some days (three, if the registry says nothing else): the tenant
is told of it at the doors, and can dispute it.`
}

func (c CheckOut) Run(s *session.Session) error {
	if c.Cause == "" {
		var causes []string
		for v := wire.CauseMovedOut; v <= wire.CauseMistake; v++ {
			causes = append(causes, v.String())
		}
		a := s.Asker()
		cause, err := a.Ask("why ("+strings.Join(causes, ", ")+")", session.OneOf("cause", causes...))
		if err != nil {
			return err
		}
		c.Cause, s.In = cause, a.Rest()
	}
	return change(s, control.Change{Action: "checkout", Tenancy: c.Tenancy, Proof: c.By, Cause: c.Cause}, c.deskReader, c.keypadFlag)
}

// tenantOnly is a change that requires the tenant's word.
type tenantOnly struct {
	about
	By string `required:"" enum:"card,pin" help:"card: the tenant holds one up, twice; pin: the tenant types it." placeholder:"WHO"`
	keypadFlag
	deskReader
}

// Run changes the PIN or codes or disputes, by the command's name.
func (c tenantOnly) Run(s *session.Session, cmd *kong.Context) error {
	return change(s, control.Change{Action: cmd.Selected().Name, Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag)
}

type tenancyPINCmd struct{ tenantOnly }

func (tenancyPINCmd) Help() string {
	return `The tenant holds up a card, or types the old PIN, and chooses a new one. On a
terminal it is not shown; with --keypad it is typed at a reader with keys, where
nobody else sees it. A PIN that was typed at check-in opens doors, and proves
nothing at the desk: whoever typed it for the tenant knows it.`
}

type tenancyOpenCmd struct {
	Flat string `arg:"" help:"The resident's flat."`
	Door string `arg:"" help:"The door that opens."`
	Card int    `help:"Number of the card that is lost; not needed where there is one." placeholder:"N"`
}

func (tenancyOpenCmd) Help() string {
	return `The resident types the PIN, of six digits or more, that was chosen with a card at
the desk. The card that is lost stops, also where the door then can't open, and
the door opens once; the entry in the log is one as a card's. After a few wrong PINs this waits, and cards go on.`
}

func (c tenancyOpenCmd) Run(s *session.Session) error {
	pin, err := s.Asker().Secret("PIN of the resident")
	if err != nil {
		return err
	}
	done, err := control.AskAsResident(s.Ctx, s.Client, "open", control.Resident{Flat: c.Flat, PIN: pin, Door: c.Door, Card: c.Card})
	return s.Print(done, err, func(w io.Writer) {
		if done.Choose {
			fmt.Fprintln(w, "nothing was done: say with --card which card is lost")
		} else {
			fmt.Fprintf(w, "door %s is open; the lost card is stopped\n", c.Door)
		}
		for _, k := range done.Tenancy.Cards {
			fmt.Fprintf(w, "card %d: %s, given %s\n", k.Number, cardState(k), session.Date(k.Since, 0))
		}
	})
}

type tenancyCodesCmd struct{ tenantOnly }

func (tenancyCodesCmd) Help() string {
	return `Each code opens once, without a card, at the keys of a reader with pin = "only":
type it and end it with #. Check-in gives the first five. Codes open, and prove
nothing; they end with the tenancy, and where this gateway's disk is exchanged or
rolled back. They are shown this once.`
}

type tenancyWithdrawCmd struct {
	Tenancy  string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	TakeOver bool   `help:"End somebody else's visit at the desk."`
}

func (c tenancyWithdrawCmd) Run(s *session.Session) error {
	return change(s, control.Change{Action: "withdraw", Tenancy: c.Tenancy, Proof: "landlord"}, deskReader{TakeOver: c.TakeOver}, keypadFlag{})
}

type tenancyListCmd struct{}

func (tenancyListCmd) Run(s *session.Session) error {
	all, err := s.Client.Tenancies(s.Ctx)
	return s.Print(all, err, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no tenancies yet")
			return
		}
		head := []string{"TENANCY", "FLAT", "LABEL", "STATE", "FIRST DAY", "LAST DAY (" + all[0].Zone + ")", "CARDS", "AT THE REGISTRY"}
		command.Table(w, all, head, func(v control.Tenancy) []string {
			stored := command.Choose(v.Unstored > 0, fmt.Sprintf("%d to come", v.Unstored), "yes")
			return []string{v.ID[:8], cmp.Or(v.Flat, "-"), cmp.Or(v.Label, "-"), stateShown(v), session.Date(firstDay(v), 0), lastDay(v), fmt.Sprint(len(v.Cards)), stored}
		})
	})
}

type tenancyShowCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
}

func (c tenancyShowCmd) Run(s *session.Session) error {
	t, err := s.Client.Tenancy(s.Ctx, c.Tenancy)
	return s.Print(t, err, func(w io.Writer) {
		fmt.Fprintf(w, "tenancy %s %s\n", called(t), inWords(t.State))
		fmt.Fprintf(w, "doors %s, first day %s, last day %s (%s)\n", cmp.Or(strings.Join(t.Doors, ", "), "-"), session.Date(firstDay(t), 0), lastDay(t), t.Zone)
		if t.Notice != nil {
			fmt.Fprintf(w, "notice (%s) to %s\n", t.Cause, minute(t.Notice, t.Zone))
		} else if t.Ended != nil {
			fmt.Fprintf(w, "ended %s (%s)\n", session.Date(t.Ended, 0), cmp.Or(t.Cause, "by the registry's list"))
		}
		if text := decision(t); text != "" {
			fmt.Fprintln(w, text)
		}
		if t.Doubtful {
			fmt.Fprintln(w, inDoubt)
		}
		if t.Counting {
			fmt.Fprintln(w, counting)
		}
		if t.Told != "" {
			fmt.Fprintf(w, "told: %s\n", t.Told)
		}
		for _, k := range t.Cards {
			fmt.Fprintf(w, "card %d: %s, given %s\n", k.Number, cardState(k), session.Date(k.Since, 0))
		}
		fmt.Fprintf(w, "PIN: %s; changes that the registry's list does not have yet: %d\n", command.Choose(t.HasPIN, "yes", "none"), t.Unstored)
	})
}

// Card is the group of commands for a tenant's lost, found and further cards.
type Card struct {
	Suspend lostCard       `cmd:"" help:"Stop a lost card: at once on the tenant's word, after the days of a notice on the landlord's."`
	Resume  lostCard       `cmd:"" help:"Bring a found card back: hold it up twice, or let the tenant type the PIN."`
	Replace lostCard       `cmd:"" help:"Give another card in the place of a lost one, which stops: at once on the tenant's word, after the days of a notice on the landlord's."`
	Add     cardAddCmd     `cmd:"" help:"Give a tenancy one more card, or the form in which another reader sees one."`
	Confirm cardConfirmCmd `cmd:"" help:"The tenant confirms a card that came on the landlord's word: from then on it proves who it is."`
}

// lostCard is a change of a lost card.
type lostCard struct {
	about
	proof
	deskReader
	Card int `help:"Number of the card, as gatehouse tenancy show lists them; not needed if there is but one." placeholder:"N"`
}

// Run suspends, resumes or replaces, by the command's name.
func (c lostCard) Run(s *session.Session, cmd *kong.Context) error {
	return change(s, control.Change{Action: cmd.Selected().Name, Tenancy: c.Tenancy, Proof: c.By, Card: c.Card}, c.deskReader, c.keypadFlag)
}

type cardAddCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	By      string `enum:"card,pin,landlord" default:"landlord" help:"card or pin: the tenant's word, so that the new card proves who it is too; landlord: by your word alone it opens, and proves nothing until the tenant confirms it." placeholder:"WHO"`
	keypadFlag
	deskReader
}

func (c cardAddCmd) Run(s *session.Session) error {
	return change(s, control.Change{Action: "add", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag)
}

type cardConfirmCmd struct {
	tenantOnly
	Card int `help:"Number of the card, as gatehouse tenancy show lists them; not needed if there is but one." placeholder:"N"`
}

func (cardConfirmCmd) Help() string {
	return `A card that the landlord added or handed out as another one opens, and proves
nothing: he could have kept it. The tenant confirms it with an older card (held
up) or with the PIN.`
}

func (c cardConfirmCmd) Run(s *session.Session) error {
	return change(s, control.Change{Action: "confirm", Tenancy: c.Tenancy, Proof: c.By, Card: c.Card}, c.deskReader, c.keypadFlag)
}
