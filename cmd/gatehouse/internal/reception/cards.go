package reception

import (
	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/control"
)

// Card is the command for a tenant's lost, found and further cards.
type Card struct {
	Suspend cardSuspendCmd `cmd:"" help:"Stop a lost card: at once on the tenant's word, after the days of a notice on the landlord's."`
	Resume  cardResumeCmd  `cmd:"" help:"Bring a found card back: hold it up twice, or let the tenant type the PIN."`
	Replace cardReplaceCmd `cmd:"" help:"Give another card in the place of a lost one, which stops: at once on the tenant's word, after the days of a notice on the landlord's."`
	Add     cardAddCmd     `cmd:"" help:"Give a tenancy one more card, or the form in which another reader sees one."`
	Confirm cardConfirmCmd `cmd:"" help:"The tenant confirms a card that came on the landlord's word: from then on it proves who it is."`
}

// lost names the card that is gone.
type lost struct {
	about
	proof
	deskReader
	Card int `help:"Number of the card, as gatehouse tenancy show lists them; not needed if there is but one." placeholder:"N"`
}

func (l lost) change(s *session.Session, action string, fresh bool) error {
	return change(s, control.Change{Action: action, Tenancy: l.Tenancy, Proof: l.By, Card: l.Card}, l.deskReader, l.keypadFlag, fresh)
}

type cardSuspendCmd struct{ lost }

func (c cardSuspendCmd) Run(s *session.Session) error { return c.change(s, "suspend", false) }

type cardResumeCmd struct{ lost }

func (c cardResumeCmd) Run(s *session.Session) error { return c.change(s, "resume", false) }

type cardReplaceCmd struct{ lost }

func (c cardReplaceCmd) Run(s *session.Session) error { return c.change(s, "replace", true) }

type cardAddCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	By      string `enum:"card,pin,landlord" default:"landlord" help:"card or pin: the tenant's word, so that the new card proves who it is too; landlord: by your word alone it opens, and proves nothing until the tenant confirms it." placeholder:"WHO"`
	keypadFlag
	deskReader
}

func (c cardAddCmd) Run(s *session.Session) error {
	return change(s, control.Change{Action: "add", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag, true)
}

type cardConfirmCmd struct {
	tenantOnly
	Card int `help:"Number of the card, as gatehouse tenancy show lists them; not needed if there is but one." placeholder:"N"`
}

// Help is shown by --help.
func (cardConfirmCmd) Help() string {
	return `A card that the landlord added or handed out as another one opens, and proves
nothing: he could have kept it. The tenant confirms it with an older card (held
up) or with the PIN.`
}

func (c cardConfirmCmd) Run(s *session.Session) error {
	return change(s, control.Change{Action: "confirm", Tenancy: c.Tenancy, Proof: c.By, Card: c.Card}, c.deskReader, c.keypadFlag, false)
}
