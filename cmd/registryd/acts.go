package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/socket"
)

// subject is the object of an act.
type subject struct {
	Grant   string `arg:"" optional:"" help:"Id of a grant, or the first digits of it."`
	Tenancy string `help:"All grants of this tenancy instead." placeholder:"ID"`
}

// act carries an act out and prints the result.
func act(s *session, a operator.Act) (err error) {
	if a.Grant, err = s.grantID(a.Grant); err != nil {
		return err
	}
	if a.Tenancy, err = s.tenancyID(a.Tenancy); err != nil {
		return err
	}
	d, err := s.issuer.Do(s.ctx, a)
	return s.Print(d, err, func(w io.Writer) {
		fmt.Fprintf(w, "%s of building %s; list %d\n", amount.Of(d.Grants, "grant"), d.Building, d.Version)
		for _, id := range d.New {
			fmt.Fprintf(w, "new grant %s\n", id)
		}
		if !d.Sent {
			fmt.Fprintln(w, d.Hint)
			return
		}
		fmt.Fprintln(w, "handed to the front, which sends it to the gateways now")
		tellTaken(s, w, d)
	})
}

// tellWait is how long a command waits for the gateways' answers to a list.
const tellWait = 4 * time.Second

// tellTaken prints the gateways' answers to the list, those that come at once.
func tellTaken(s *session, w io.Writer, d operator.Done) {
	var all []api.Gateway
	for end := time.Now().Add(tellWait); time.Now().Before(end) && s.ctx.Err() == nil; time.Sleep(200 * time.Millisecond) {
		var err error
		if all, err = s.front.Gateways(s.ctx, d.Building); err != nil {
			return // the list is on its way anyway
		}
		if !slices.ContainsFunc(all, func(g api.Gateway) bool { return g.Online && g.Applied < d.Version && g.Refuses == "" }) {
			break
		}
	}
	for _, g := range all {
		switch {
		case !g.Member:
		case g.Applied >= d.Version:
			fmt.Fprintf(w, "%s has it active\n", g.Gateway)
		case g.Refuses != "":
			fmt.Fprintf(w, "%s DOES NOT TAKE IT WHOLE (%s): registryd status says what to do\n", g.Gateway, g.Refuses)
		case g.Online:
			fmt.Fprintf(w, "%s has not proved it yet; registryd gateways shows when\n", g.Gateway)
		default:
			fmt.Fprintf(w, "%s is offline, and gets it when it is back\n", g.Gateway)
		}
	}
}

type revokeCmd struct {
	subject
	Reason string `help:"moved_out, lease_over, agreed, never_came, died, order or mistake." default:"order"`
}

func (c revokeCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActEnd, Grant: c.Grant, Tenancy: c.Tenancy, Reason: c.Reason})
}

type endCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Reason  string `required:"" help:"moved_out, lease_over, agreed, never_came, died, order or mistake."`
}

func (c endCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActEnd, Tenancy: c.Tenancy, Reason: c.Reason})
}

type suspendCmd struct {
	subject
	Card   string `help:"Only this card: one of its ids, as registryd grants --json shows them." placeholder:"ID"`
	Reason string `required:"" help:"lost, stolen or order."`
}

func (c suspendCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActSuspend, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type resumeCmd struct {
	subject
	Card   string `help:"Only this card: one of its ids." placeholder:"ID"`
	Reason string `required:"" help:"found, order or mistake."`
}

func (c resumeCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActResume, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type confirmCardCmd struct {
	subject
	Card   string `required:"" help:"The card: one of its ids, as registryd grants --json shows them." placeholder:"ID"`
	Reason string `required:"" help:"heard (the tenant was), or order."`
}

func (c confirmCardCmd) Run(s *session) error {
	return act(s, operator.Act{Act: operator.ActConfirm, Grant: c.Grant, Tenancy: c.Tenancy, Credential: c.Card, Reason: c.Reason})
}

type disputeCmd struct {
	Settle settleCmd `cmd:"" help:"Decide on a disputed notice."`
}

type settleCmd struct {
	Tenancy string `arg:"" help:"Id of the tenancy, or the first digits of it."`
	Uphold  string `help:"The notice is right: the last day, as 2026-12-31, in the building's time zone." placeholder:"DATE" xor:"way" required:""`
	Reject  bool   `help:"The notice is not: the tenancy goes on." xor:"way" required:""`
	Reason  string `help:"heard, order or agreed." default:"heard"`
}

func (c settleCmd) Run(s *session) error {
	a := operator.Act{Act: operator.ActReject, Tenancy: c.Tenancy, Reason: c.Reason}
	if c.Uphold == "" {
		return act(s, a)
	}
	var err error
	if a.Until, err = s.lastDay(subject{Tenancy: c.Tenancy}, c.Uphold); err != nil {
		return err
	}
	if a.Act = operator.ActUphold; a.Until.IsZero() {
		return socket.Hinted("--reject lets it go on", "a notice that is upheld needs a last day")
	}
	return act(s, a)
}

type reinstateCmd struct {
	subject
	Reason string `help:"mistake, order or agreed." default:"mistake"`
	Until  string `help:"Its new last day, as 2026-12-31, where the old term is over, in the building's time zone; 9999-12-31: no end." placeholder:"DATE"`
}

func (c reinstateCmd) Run(s *session) error {
	a := operator.Act{Act: operator.ActReinstate, Grant: c.Grant, Tenancy: c.Tenancy, Reason: c.Reason}
	if c.Until != "" {
		var err error
		if a.Until, err = s.lastDay(c.subject, c.Until); err != nil {
			return err
		}
		a.NoEnd = a.Until.IsZero()
	}
	return act(s, a)
}
