package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/internal/control"
	"gatehouse/sync/wire"
)

type tenancyCmd struct {
	List     tenancyListCmd     `cmd:"" help:"List the tenancies: flats and terms, nobody's name."`
	Show     tenancyShowCmd     `cmd:"" help:"Show one with its cards."`
	Dispute  tenancyDisputeCmd  `cmd:"" help:"The tenant objects to a notice: then it does not count until the registry has decided."`
	Withdraw tenancyWithdrawCmd `cmd:"" help:"The landlord takes a notice back."`
}

type cardCmd struct {
	Suspend cardSuspendCmd `cmd:"" help:"Stop a lost card."`
	Resume  cardResumeCmd  `cmd:"" help:"Bring a found card back: hold it up, or let the tenant type the PIN."`
	Replace cardReplaceCmd `cmd:"" help:"Stop a lost card and give another one in its place."`
	Add     cardAddCmd     `cmd:"" help:"Give a tenancy one more card, or the form in which another reader sees one."`
}

// proof says on whose word something is done.
type proof struct {
	By string `required:"" enum:"card,pin,landlord" help:"card: the tenant holds one up; pin: the tenant types it; landlord: by your word alone." placeholder:"WHO"`
}

// about names a tenancy.
type about struct {
	Tenancy string `arg:"" optional:"" help:"Its id or the first digits of it, its flat or your label; not needed where a card is held up."`
}

// change asks for one change, with the proof and the cards that it needs. fresh
// says that a new card is to be held up.
func (v visit) change(r control.Change, at deskReader, fresh bool) (done control.Done, missing []string, err error) {
	switch r.Proof {
	case "card":
		card, err := v.swipe(at.Reader, true, "a card of the tenancy")
		if err != nil {
			return done, nil, err
		}
		if card.Tenancy != nil {
			fmt.Fprintf(v.s.err, "it is of tenancy %s\n", called(*card.Tenancy))
		}
	case "pin":
		if r.PIN, err = v.s.asker().secret("PIN of the tenant"); err != nil {
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

// run opens the desk for one change and prints what came of it.
func (s *session) change(r control.Change, at deskReader, fresh bool) error {
	return s.atDesk(at.TakeOver, func(v visit) error {
		done, missing, err := v.change(r, at, fresh)
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
		fmt.Fprintf(w, "notice runs: tenancy %s ends on %s. The tenant is told at the doors, and can dispute it: gatehouse tenancy dispute\n",
			called(t), t.Notice.Format("2006-01-02 15:04"))
	case "disputed":
		fmt.Fprintf(w, "tenancy %s goes on: its notice is disputed, and the registry decides\n", called(t))
	default:
		fmt.Fprintf(w, "tenancy %s is %s; cards: %s\n", called(t), inWords(t.State), cardsOf(t))
	}
}

// inWords is a state as people say it.
func inWords(state string) string {
	switch state {
	case "notice":
		return "on notice"
	case "disputed":
		return "on notice, which the tenant disputes: it does not count until the registry has decided"
	}
	return state
}

func cardsOf(t control.Tenancy) string {
	var all []string
	for _, c := range t.Cards {
		all = append(all, fmt.Sprintf("%d %s", c.Number, c.State))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
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
	return s.change(control.Change{Action: "checkout", Tenancy: c.Tenancy, Proof: c.By, Cause: c.Cause}, c.deskReader, false)
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
	return s.change(control.Change{Action: action, Tenancy: l.Tenancy, Proof: l.By, Card: l.Card}, l.deskReader, fresh)
}

type cardSuspendCmd struct{ lost }

func (c cardSuspendCmd) Run(s *session) error { return c.change(s, "suspend", false) }

type cardResumeCmd struct{ lost }

func (c cardResumeCmd) Run(s *session) error { return c.change(s, "resume", false) }

type cardReplaceCmd struct{ lost }

func (c cardReplaceCmd) Run(s *session) error { return c.change(s, "replace", true) }

type cardAddCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	deskReader
}

func (c cardAddCmd) Run(s *session) error {
	return s.change(control.Change{Action: "add", Tenancy: c.Tenancy, Proof: "landlord"}, c.deskReader, true)
}

type tenancyDisputeCmd struct {
	about
	By string `required:"" enum:"card,pin" help:"card: the tenant holds one up; pin: the tenant types it." placeholder:"WHO"`
	deskReader
}

func (c tenancyDisputeCmd) Run(s *session) error {
	return s.change(control.Change{Action: "dispute", Tenancy: c.Tenancy, Proof: c.By}, c.deskReader, false)
}

type tenancyWithdrawCmd struct {
	Tenancy  string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
	TakeOver bool   `help:"End somebody else's visit at the desk."`
}

func (c tenancyWithdrawCmd) Run(s *session) error {
	return s.change(control.Change{Action: "withdraw", Tenancy: c.Tenancy, Proof: "landlord"}, deskReader{TakeOver: c.TakeOver}, false)
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
		fmt.Fprintln(t, "TENANCY\tFLAT\tLABEL\tSTATE\tSINCE\tLAST DAY\tCARDS\tAT THE REGISTRY")
		for _, v := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", v.ID[:8], dash(v.Flat), dash(v.Label), v.State, date(v.Since, 0), date(lastDay(v), -1),
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

// lastDay is the end that counts, exclusive.
func lastDay(t control.Tenancy) *time.Time {
	if t.Notice != nil && t.State != "disputed" {
		end := t.Notice.Add(-time.Second).AddDate(0, 0, 1) // mostly within a day, which is the last
		return &end
	}
	return t.Until
}

type tenancyShowCmd struct {
	Tenancy string `arg:"" help:"Its id or the first digits of it, its flat or your label."`
}

func (c tenancyShowCmd) Run(s *session) error {
	t, err := s.client.Tenancy(s.ctx, c.Tenancy)
	if err != nil {
		return err
	}
	return s.print(t, func(w io.Writer) {
		fmt.Fprintf(w, "tenancy %s is %s\n", called(t), inWords(t.State))
		fmt.Fprintf(w, "doors %s, since %s, last day %s\n", dash(strings.Join(t.Doors, ", ")), date(t.Since, 0), date(lastDay(t), -1))
		if t.Notice != nil {
			fmt.Fprintf(w, "notice (%s) to %s; the tenant was told %d times at a door\n", t.Cause, t.Notice.Format("2006-01-02 15:04"), t.Told)
		} else if t.Ended != nil {
			fmt.Fprintf(w, "ended %s (%s)\n", date(t.Ended, 0), dash(t.Cause))
		}
		for _, k := range t.Cards {
			fmt.Fprintf(w, "card %d: %s, since %s\n", k.Number, k.State, date(k.Since, 0))
		}
		fmt.Fprintf(w, "PIN: %s; changes that the registry's list does not have yet: %d\n", map[bool]string{true: "yes", false: "none"}[t.HasPIN], t.Unstored)
	})
}
