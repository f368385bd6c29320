package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/calendar"
	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

type tenancyCmd struct {
	List     tenancyListCmd     `cmd:"" help:"List the tenancies: flats and terms, nobody's name."`
	Show     tenancyShowCmd     `cmd:"" help:"Show one tenancy with its cards."`
	Dispute  tenancyDisputeCmd  `cmd:"" help:"The tenant objects to a notice: then it counts only if the registry upholds it."`
	Withdraw tenancyWithdrawCmd `cmd:"" help:"The landlord takes a notice back."`
	PIN      tenancyPINCmd      `cmd:"" name:"pin" help:"The tenant chooses a PIN, the first or another one."`
}

type cardCmd struct {
	Suspend cardSuspendCmd `cmd:"" help:"Stop a lost card: at once on the tenant's word, after the days of a notice on the landlord's."`
	Resume  cardResumeCmd  `cmd:"" help:"Bring a found card back: hold it up twice, or let the tenant type the PIN."`
	Replace cardReplaceCmd `cmd:"" help:"Give another card in the place of a lost one, which stops: at once on the tenant's word, after the days of a notice on the landlord's."`
	Add     cardAddCmd     `cmd:"" help:"Give a tenancy one more card, or the form in which another reader sees one."`
	Confirm cardConfirmCmd `cmd:"" help:"The tenant confirms a card that came on the landlord's word: from then on it proves who it is."`
}

// proof says on whose word something is done.
type proof struct {
	By string `required:"" enum:"card,pin,landlord" help:"card: the tenant holds one up, twice; pin: the tenant types it; landlord: by your word alone." placeholder:"WHO"`
	keypadFlag
}

// keys say where the tenant types a PIN.
type keypadFlag struct {
	Keypad string `help:"The tenant types the PIN at the keys of this door's reader instead of this terminal: nobody else sees it." placeholder:"DOOR"`
}

// about names a tenancy.
type about struct {
	Tenancy string `arg:"" optional:"" help:"Its id or the first digits of it, its flat or your label; not needed where a card is held up."`
}

// change asks for one change, with the proof and the cards that it needs. fresh
// says that a new card is to be held up.
func (v visit) change(r control.Change, at deskReader, keys keypadFlag, fresh bool) (done control.Done, missing []string, err error) {
	r.Typed = keys.Keypad != ""
	switch {
	case r.Proof == "card":
		card, err := v.swipe(at.Reader, true, "a card of the tenancy")
		if err != nil {
			return done, nil, err
		}
		if card.Tenancy != nil {
			fmt.Fprintf(v.s.err, "it is of tenancy %s\n", called(*card.Tenancy))
		}
	case r.Proof == "pin" && r.Typed:
		if err := v.typed(keys.Keypad, "the PIN of the tenant"); err != nil {
			return done, nil, err
		}
	case r.Proof == "pin":
		a := v.s.asker()
		if r.PIN, err = a.secret("PIN of the tenant"); err != nil {
			return done, nil, err
		}
		v.s.in = a.rest()
	}
	if r.Action == "pin" {
		if err := v.newPIN(&r, keys.Keypad); err != nil {
			return done, nil, err
		}
	}
	if fresh {
		if missing, err = v.newCard(at.Reader, false, v.desk.Doors); err != nil {
			return done, nil, err
		}
	}
	done, err = v.s.client.Change(v.s.ctx, v.desk.Session, r)
	return done, missing, err
}

// typed waits for a PIN at a reader's keys. It comes to the daemon, not here.
func (v visit) typed(door, what string) error {
	fmt.Fprintf(v.s.err, "type %s at the keys of door %s, and end it with # or the enter key ...\n", what, door)
	return v.s.client.TypePIN(v.s.ctx, v.desk.Session, control.DeskPIN{Door: door})
}

// newPIN lets the tenant choose one.
func (v visit) newPIN(r *control.Change, keypad string) (err error) {
	if keypad == "" {
		r.NewPIN, err = v.s.asker().newPIN("new PIN that the tenant chooses, 4 to 8 digits")
		return err
	}
	if err := v.typed(keypad, "the new PIN"); err != nil {
		return err
	}
	return v.typed(keypad, "it once more")
}

// run opens the desk for one change and prints what came of it.
func (s *session) change(r control.Change, at deskReader, keys keypadFlag, fresh bool) error {
	return s.atDesk(at.TakeOver, func(v visit) error {
		done, missing, err := v.change(r, at, keys, fresh)
		if err != nil {
			return err
		}
		return v.report(done, among(missing, done.Tenancy.Doors), func(w io.Writer) { outcome(w, done.Tenancy) })
	})
}

// outcome says in words how the tenancy stands.
func outcome(w io.Writer, t control.Tenancy) {
	switch t.State {
	case "ended":
		fmt.Fprintf(w, "tenancy %s has ended: none of its cards opens any more\n", called(t))
	case "notice":
		if t.Decided == "upheld" {
			fmt.Fprintf(w, "tenancy %s: %s\n", called(t), decision(t))
			return
		}
		fmt.Fprintf(w, "notice runs: tenancy %s ends on %s. The tenant is told at the doors, and can dispute it: gatehouse tenancy dispute\n",
			called(t), minute(t.Notice, t.Zone))
	case "disputed":
		fmt.Fprintf(w, "tenancy %s goes on: its notice is disputed, and counts only if the registry upholds it\n", called(t))
	default:
		fmt.Fprintf(w, "tenancy %s %s; cards: %s\n", called(t), inWords(t.State), cardsOf(t))
	}
}

// inWords is a state as people say it.
func inWords(state string) string {
	switch state {
	case "not_begun":
		return "has not begun"
	case "ended":
		return "has ended"
	case "notice":
		return "is on notice"
	case "disputed":
		return "is on notice, which the tenant disputes: it counts only if the registry upholds it"
	}
	return "is " + state
}

func cardsOf(t control.Tenancy) string {
	var all []string
	for _, c := range t.Cards {
		all = append(all, fmt.Sprintf("%d %s", c.Number, cardState(c)))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

// cardState is that of a card as people say it.
func cardState(c control.TenancyCard) string {
	state := c.State
	if c.State == "active" && !c.Proves {
		state += " (proves nothing: gatehouse card confirm)"
	}
	if c.State == "active" && c.Ending {
		state += " (to stop by the landlord's word, unless it is used)"
	}
	return state
}

type checkOutCmd struct {
	about
	proof
	deskReader
	Cause string `help:"moved_out, lease_over, agreed, never_came, died, order or mistake; asked for if not given. Arrears of rent and permits are none." placeholder:"WHY"`
}

// Help is shown by --help.
func (checkOutCmd) Help() string {
	return `With the tenant's card or PIN the tenancy ends at once. By the landlord alone it
is a notice of some days (three, if the registry says nothing else): the tenant
is told of it at the doors, and can dispute it.`
}

func (c checkOutCmd) Run(s *session) error {
	if c.Cause == "" {
		var causes []string
		for v := wire.CauseMovedOut; v <= wire.CauseMistake; v++ {
			causes = append(causes, v.String())
		}
		a := s.asker()
		cause, err := a.ask("why ("+strings.Join(causes, ", ")+")", oneOf("cause", causes...))
		if err != nil {
			return err
		}
		c.Cause, s.in = cause, a.rest()
	}
	return s.change(control.Change{Action: "checkout", Tenancy: c.Tenancy, Proof: c.By, Cause: c.Cause}, c.deskReader, c.keypadFlag, false)
}

// rest is what of the input has not been read as an answer.
func (a *asker) rest() io.Reader {
	if a.terminal != nil {
		return a.terminal
	}
	return a.lines
}

// lost names the card that is gone.
type lost struct {
	about
	proof
	deskReader
	Card int `help:"Number of the card, as gatehouse tenancy show lists them; not needed if there is but one." placeholder:"N"`
}

func (l lost) change(s *session, action string, fresh bool) error {
	return s.change(control.Change{Action: action, Tenancy: l.Tenancy, Proof: l.By, Card: l.Card}, l.deskReader, l.keypadFlag, fresh)
}

type cardSuspendCmd struct{ lost }

func (c cardSuspendCmd) Run(s *session) error { return c.change(s, "suspend", false) }

type cardResumeCmd struct{ lost }

func (c cardResumeCmd) Run(s *session) error { return c.change(s, "resume", false) }

type cardReplaceCmd struct{ lost }

func (c cardReplaceCmd) Run(s *session) error { return c.change(s, "replace", true) }

type cardAddCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	By      string `enum:"card,pin,landlord" default:"landlord" help:"card or pin: the tenant's word, so that the new card proves who it is too; landlord: by your word alone it opens, and proves nothing until the tenant confirms it." placeholder:"WHO"`
	keypadFlag
	deskReader
}

func (c cardAddCmd) Run(s *session) error {
	return s.change(control.Change{Action: "add", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag, true)
}

// tenantOnly is a change that rests on the tenant's word alone.
type tenantOnly struct {
	about
	By string `required:"" enum:"card,pin" help:"card: the tenant holds one up, twice; pin: the tenant types it." placeholder:"WHO"`
	keypadFlag
	deskReader
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

func (c cardConfirmCmd) Run(s *session) error {
	return s.change(control.Change{Action: "confirm", Tenancy: c.Tenancy, Proof: c.By, Card: c.Card}, c.deskReader, c.keypadFlag, false)
}

type tenancyPINCmd struct{ tenantOnly }

// Help is shown by --help.
func (tenancyPINCmd) Help() string {
	return `The tenant holds up a card, or types the old PIN, and chooses a new one. On a
terminal it is not shown; with --keypad it is typed at a reader with keys, where
nobody else sees it. A PIN that was typed at check-in opens doors, and proves
nothing at the desk: whoever typed it for the tenant knows it.`
}

func (c tenancyPINCmd) Run(s *session) error {
	return s.change(control.Change{Action: "pin", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag, false)
}

type tenancyDisputeCmd struct{ tenantOnly }

func (c tenancyDisputeCmd) Run(s *session) error {
	return s.change(control.Change{Action: "dispute", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, c.keypadFlag, false)
}

type tenancyWithdrawCmd struct {
	Tenancy  string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	TakeOver bool   `help:"End somebody else's visit at the desk."`
}

func (c tenancyWithdrawCmd) Run(s *session) error {
	return s.change(control.Change{Action: "withdraw", Tenancy: c.Tenancy, Proof: "landlord"}, deskReader{TakeOver: c.TakeOver}, keypadFlag{}, false)
}

type tenancyListCmd struct{}

func (tenancyListCmd) Run(s *session) error {
	all, err := s.client.Tenancies(s.ctx)
	if err != nil {
		return err
	}
	return s.print(all, func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "no tenancies yet")
			return
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintf(t, "TENANCY\tFLAT\tLABEL\tSTATE\tFIRST DAY\tLAST DAY (%s)\tCARDS\tAT THE REGISTRY\n", all[0].Zone)
		for _, v := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", v.ID[:8], dash(v.Flat), dash(v.Label), stateShown(v), date(firstDay(v), 0), lastDay(v),
				len(v.Cards), map[bool]string{true: "yes", false: fmt.Sprintf("%d to come", v.Unstored)}[v.Unstored == 0])
		}
		_ = t.Flush()
	})
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// firstDay is that of the term, or of the check-in where that is later.
func firstDay(t control.Tenancy) *time.Time {
	if t.From != nil && (t.Since == nil || t.From.After(*t.Since)) {
		return t.From
	}
	return t.Since
}

// stateShown says too where only doubt about the time holds a tenancy open.
func stateShown(t control.Tenancy) string {
	state := strings.ReplaceAll(t.State, "_", " ")
	if t.Doubtful {
		state += "?"
	}
	switch t.Decided {
	case "upheld":
		state += " (upheld)"
	case "rejected":
		state += " (notice rejected)"
	}
	return state
}

// decision says what the registry's word on a notice means; empty: it has said none.
func decision(t control.Tenancy) string {
	switch {
	case t.Decided == "upheld" && t.Notice != nil:
		return "the registry has upheld the notice: it ends on " + minute(t.Notice, t.Zone) + ", and nobody at the desk can set that aside"
	case t.Decided == "rejected":
		return "the registry has rejected the landlord's notice: the tenancy goes on"
	}
	return ""
}

// inDoubt says what it means and what to do.
const inDoubt = "its last day may be over, but the gateway can't be sure of the time: its cards open until it is. gatehouse status says what to do"

// lastDay is the last day that counts: "-" for none, "?" where a list has ended it
// before its time and the gateway has not noted when.
func lastDay(t control.Tenancy) string {
	end := t.Until
	if t.Notice != nil && t.State != "disputed" {
		end = t.Notice
	}
	if t.State == "ended" && t.Ended != nil && (end == nil || t.Ended.Before(*end)) {
		end = t.Ended
	}
	switch {
	case t.State == "ended" && t.Ended == nil && (end == nil || end.After(time.Now())):
		return "?"
	case end == nil:
		return "-"
	}
	return calendar.LastDay(end, end.Location())
}

// minute is a moment with the name of the building's zone, in which the daemon sends it.
func minute(at *time.Time, zone string) string { return at.Format("2006-01-02 15:04 ") + zone }

type tenancyShowCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
}

func (c tenancyShowCmd) Run(s *session) error {
	t, err := s.client.Tenancy(s.ctx, c.Tenancy)
	if err != nil {
		return err
	}
	return s.print(t, func(w io.Writer) {
		fmt.Fprintf(w, "tenancy %s %s\n", called(t), inWords(t.State))
		fmt.Fprintf(w, "doors %s, first day %s, last day %s (%s)\n", dash(strings.Join(t.Doors, ", ")), date(firstDay(t), 0), lastDay(t), t.Zone)
		if t.Notice != nil {
			fmt.Fprintf(w, "notice (%s) to %s\n", t.Cause, minute(t.Notice, t.Zone))
		} else if t.Ended != nil {
			fmt.Fprintf(w, "ended %s (%s)\n", date(t.Ended, 0), cmp.Or(t.Cause, "by the registry's list"))
		}
		if text := decision(t); text != "" {
			fmt.Fprintln(w, text)
		}
		if t.Doubtful {
			fmt.Fprintln(w, inDoubt)
		}
		if t.Told != "" {
			fmt.Fprintf(w, "told: %s\n", t.Told)
		}
		for _, k := range t.Cards {
			fmt.Fprintf(w, "card %d: %s, given %s\n", k.Number, cardState(k), date(k.Since, 0))
		}
		fmt.Fprintf(w, "PIN: %s; changes that the registry's list does not have yet: %d\n", map[bool]string{true: "yes", false: "none"}[t.HasPIN], t.Unstored)
	})
}
