package keylist

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/cmd/gatehouse/internal/signing"
	"gatehouse/cmd/gatehouse/internal/takeover"
	"gatehouse/internal/amount"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// chosen names one grant.
type chosen struct {
	signing.Flags
	Grant string `arg:"" help:"Its id, or the first digits of it, or its label."`
}

// change finds the grant and lets act change it.
func (c chosen) change(s *session.Session, done string, act func(*grantlist.Editor, wire.ID) error) error {
	issuer, err := c.Issuer(s)
	if err != nil {
		return err
	}
	l, err := s.Client.List(s.Ctx)
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
			if stops := done == stateEnded || done == stateSuspended; stops {
				fmt.Fprintf(w, "but %s still opens by key %s: if that is the same card, gatehouse grant %s %s too\n", l.Labels[out.Grant], o, map[string]string{stateEnded: "end", stateSuspended: "suspend"}[done], o[:8])
			}
		}
	})
}

// What grant end and suspend make of a key.
const (
	stateEnded     = "ended"
	stateSuspended = "suspended"
)

// find returns the one grant that text names.
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

// free refuses a card that has another grant already. It returns those of ids
// that the grant itself has.
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
	ids, err := credentials(card)
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

type grantEndCmd struct{ chosen }

func (c grantEndCmd) Run(s *session.Session) error {
	return c.change(s, stateEnded, func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantRevoked) })
}

type grantSuspendCmd struct{ chosen }

func (c grantSuspendCmd) Run(s *session.Session) error {
	return c.change(s, stateSuspended, func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantSuspended) })
}

type grantResumeCmd struct{ chosen }

func (c grantResumeCmd) Run(s *session.Session) error {
	return c.change(s, "active", func(e *grantlist.Editor, id wire.ID) error { return e.SetState(id, wire.GrantActive) })
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
