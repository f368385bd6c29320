// Package keylist has the commands that give and end the keys of a standalone house. Each change is
// a new list, signed by the issuer's key that the command names; the daemon only verifies.
package keylist

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/internal/takeover"
	"gatehouse/sync/wire"
)

// Grant is the command that gives, ends, suspends and lists keys.
type Grant struct {
	Add     grantAddCmd     `cmd:"" help:"Give a key: then swipe the card, or name --printed and type its number."`
	End     grantStateCmd   `cmd:"" help:"End a key for good; its card is denied as revoked from now on."`
	Suspend grantStateCmd   `cmd:"" help:"Stop a key for a while: a lost card."`
	Resume  grantStateCmd   `cmd:"" help:"Bring a suspended key back."`
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
	command.Table(w, rows, []string{"KEY", "LABEL", "KIND", "STATE", "DOORS", "FROM", "UNTIL", "FORMS"}, func(r control.Key) []string {
		return []string{r.Grant[:8], r.Label, r.Kind, stateNow(r, time.Now()), strings.Join(r.Doors, " "), session.Date(r.From, 0), session.Date(r.Until, -1), fmt.Sprint(r.Credentials)}
	})
}

// stateNow returns the state of a key in a landlord's words, at a time.
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

type grantRestoreCmd struct{ session.IssuerKey }

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

// chosen identifies one grant.
type chosen struct {
	session.IssuerKey
	Grant string `arg:"" help:"Its id, or the first digits of it, or its label."`
}

// change finds the grant and applies act to it.
func (c chosen) change(s *session.Session, done string, act func(*grantlist.Editor, wire.ID) error) error {
	issuer, l, err := c.Open(s)
	if err != nil {
		return err
	}
	var id wire.ID
	var others []string
	g, err := c.Edit(s, issuer, func(e *grantlist.Editor) error {
		if id, err = find(e, l.Labels, c.Grant); err != nil {
			return err
		}
		others = takeover.HouseOf(e, l.Labels).Others(id)
		return act(e, id)
	})
	if err != nil {
		return err
	}
	out := struct {
		Grant   string   `json:"grant"`
		State   string   `json:"state"`
		Version uint64   `json:"version"`
		Others  []string `json:"others"` // keys of the same label that open
	}{id.String(), done, g.Version, others}
	return s.Print(out, nil, func(w io.Writer) {
		fmt.Fprintf(w, "key %s is %s, active since list %d\n", out.Grant[:8], done, g.Version)
		for _, o := range others {
			if stop := map[string]string{"ended": "end", "suspended": "suspend"}[done]; stop != "" {
				fmt.Fprintf(w, "but %s still opens by key %s: if that is the same card, gatehouse grant %s %s too\n", l.Labels[out.Grant], o, stop, o[:8])
			}
		}
	})
}

func find(e *grantlist.Editor, labels map[string]string, text string) (wire.ID, error) {
	found := map[wire.ID]bool{}
	for _, g := range e.Grants() {
		id := g.ID.String()
		if labels[id] == text || (len(text) >= 4 && strings.HasPrefix(id, strings.ToLower(text))) {
			found[g.ID] = true
		}
	}
	if len(found) > 1 {
		return wire.ID{}, socket.Hinted("name it by its id: gatehouse grant list", "%q names %s", text, amount.Of(len(found), "key"))
	}
	for id := range found {
		return id, nil
	}
	return wire.ID{}, socket.Hinted("gatehouse grant list shows them", "no key %q", text)
}

// free refuses a card that has another grant already. It returns those of ids that the grant itself
// has.
func free(e *grantlist.Editor, ids []wire.CredentialID, grant wire.ID, labels map[string]string) (have []wire.CredentialID, err error) {
	for _, g := range e.Grants() {
		if !slices.Contains(ids, g.Credential) {
			continue
		}
		if g.ID == grant {
			have = append(have, g.Credential)
		} else if g.State != wire.GrantRevoked {
			holder := g.ID.String()[:8]
			if l := labels[g.ID.String()]; l != "" {
				holder += " (" + l + ")"
			}
			return nil, socket.Hinted("gatehouse grant card "+g.ID.String()[:8]+" adds the form in which a reader sees it to that key; for another flat use another card", "this card has key %s already, which is %s", holder, g.State)
		}
	}
	return have, nil
}

type grantCardCmd struct {
	chosen
	cardSource
}

func (c grantCardCmd) Run(s *session.Session) error {
	l, err := s.Client.List(s.Ctx)
	if err != nil {
		return err
	}
	card, err := c.card(s, nil)
	if err != nil {
		return err
	}
	ids, err := takeover.Parse(card.Credentials)
	if err != nil {
		return err
	}
	return c.change(s, "active with this card too", func(e *grantlist.Editor, id wire.ID) error {
		have, err := free(e, ids, id, l.Labels)
		if err != nil {
			return err
		}
		for _, card := range ids {
			if slices.Contains(have, card) {
				continue
			}
			if err := e.Bind(id, card); err != nil {
				return err
			}
		}
		return nil
	})
}

type grantStateCmd struct{ chosen }

// Run ends, suspends or resumes, by the command's name.
func (c grantStateCmd) Run(s *session.Session, cmd *kong.Context) error {
	done, to := "active", wire.GrantActive
	switch cmd.Selected().Name {
	case "end":
		done, to = "ended", wire.GrantRevoked
	case "suspend":
		done, to = "suspended", wire.GrantSuspended
	}
	return c.change(s, done, func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, to) })
}

type grantForgetCmd struct{ chosen }

func (c grantForgetCmd) Run(s *session.Session) error {
	return c.change(s, "forgotten", func(e *grantlist.Editor, id wire.ID) error {
		for _, g := range e.Grants() {
			if g.ID == id && g.State != wire.GrantRevoked {
				return socket.Hinted("end it first: gatehouse grant end", "the key is %s", g.State)
			}
		}
		return e.End(id)
	})
}
