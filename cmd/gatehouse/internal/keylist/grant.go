// Package keylist is the commands that give and end the keys of a standalone house. Each change is one list,
// signed by the issuer's key that the command names; the daemon only verifies.
package keylist

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/cmd/gatehouse/internal/signing"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
)

// Grant is the command that gives, ends, suspends and lists keys.
type Grant struct {
	Add     grantAddCmd     `cmd:"" help:"Give a key: then swipe the card, or name --printed and type its number."`
	End     grantEndCmd     `cmd:"" help:"End a key for good; its card is denied as revoked from now on."`
	Suspend grantSuspendCmd `cmd:"" help:"Stop a key for a while: a lost card."`
	Resume  grantResumeCmd  `cmd:"" help:"Bring a suspended key back."`
	Forget  grantForgetCmd  `cmd:"" help:"Take an ended key off the list; its card is denied as unknown from now on."`
	Card    grantCardCmd    `cmd:"" help:"Add a card to a key, or the form in which another reader sees the same card."`
	Pass    grantPassCmd    `cmd:"" help:"Print a pass for a key: a QR code's text that opens once, within minutes."`
	List    grantListCmd    `cmd:"" help:"List the keys."`
	Restore grantRestoreCmd `cmd:"" help:"Hand the keys to a gateway that lost them, from the copy beside the issuer's key."`
}

type grantListCmd struct{}

func (grantListCmd) Run(s *session.Session) error {
	keys, err := s.Client.Keys(s.Ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(keys, func(a, b control.Key) int { return strings.Compare(a.Label+a.Grant, b.Label+b.Grant) })
	return s.Print(keys, nil, func(w io.Writer) { writeRows(w, keys) })
}

func writeRows(w io.Writer, rows []control.Key) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "no keys yet")
		return
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tLABEL\tKIND\tSTATE\tDOORS\tFROM\tUNTIL\tFORMS")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", r.Grant[:8], r.Label, r.Kind, stateNow(r, time.Now()),
			strings.Join(r.Doors, " "), session.Date(r.From, 0), session.Date(r.Until, -1), r.Credentials)
	}
	_ = t.Flush()
}

// stateNow is the state in a landlord's words, with what the day makes of it.
func stateNow(k control.Key, now time.Time) string {
	switch {
	case k.State == "revoked":
		return "ended"
	case k.State == "active" && k.Until != nil && !now.Before(*k.Until):
		return "over"
	case k.State == "active" && k.From != nil && now.Before(*k.From):
		return "not yet"
	}
	return k.State
}

type grantRestoreCmd struct{ signing.Flags }

func (c grantRestoreCmd) Run(s *session.Session) error {
	issuer, err := c.Issuer(s)
	if err != nil {
		return err
	}
	g, err := issuer.Restore(s.Ctx, c.CopyPath())
	if err != nil {
		return err
	}
	c.Keep(s, issuer)
	return s.Print(g, nil, func(w io.Writer) {
		fmt.Fprintf(w, "active again, since list %d: %s\n", g.Version, amount.Of(g.Count, "card form"))
	})
}
