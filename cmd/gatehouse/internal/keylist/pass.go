package keylist

import (
	"crypto/rand"
	"fmt"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/qrpass"
)

type grantPassCmd struct {
	chosen
	Minutes int `help:"How long it is good for: 1 to 15." default:"5"`
}

// madePass is the answer of `grant pass`.
type madePass struct {
	Building string    `json:"building"`
	Grant    string    `json:"grant"`
	Tenancy  string    `json:"tenancy"`
	Text     string    `json:"pass"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
}

// Run prints a pass for the holder of a key. Nothing changes at the gateway, because the issuer's
// key alone makes it. Only the text goes to standard output.
func (c grantPassCmd) Run(s *session.Session) error {
	if c.Minutes < qrpass.Min/60 || c.Minutes > qrpass.Max/60 {
		return socket.Hinted("whoever photographs a pass has as long", "a pass is good for %d to %d minutes, not %d", qrpass.Min/60, qrpass.Max/60, c.Minutes)
	}
	st, err := s.Client.Status(s.Ctx)
	if err != nil {
		return err
	}
	if !st.Clock.Trusted {
		return socket.Hinted("gatehouse clock confirm, if the time in gatehouse status is right", "the gateway does not know the time, and takes no pass until it does")
	}
	p, err := c.make(s, st.Clock)
	if err != nil {
		return err
	}
	if s.JSON {
		return s.Encode(p)
	}
	fmt.Fprintf(s.Err, "opens once, within %s: whoever has it can use it; an alphanumeric QR code, as of qrencode, shows it to a scanner\n", amount.Of(c.Minutes, "minute"))
	_, err = fmt.Fprintln(s.Out, p.Text)
	return err
}

// make signs a pass by the gateway's own clock, which will judge it.
func (c grantPassCmd) make(s *session.Session, now control.Clock) (madePass, error) {
	issuer, l, err := c.Open(s)
	if err != nil {
		return madePass{}, err
	}
	e, err := issuer.Editor(l)
	if err != nil {
		return madePass{}, err
	}
	id, err := find(e, l.Labels, c.Grant)
	if err != nil {
		return madePass{}, err
	}
	from := uint32(now.Now.Unix())
	tenancy, err := opening(e, id, from)
	if err != nil {
		return madePass{}, err
	}
	p := qrpass.Pass{Tenancy: tenancy, From: from, Until: from + uint32(60*c.Minutes)}
	_, _ = rand.Read(p.ID[:]) // never fails
	text, err := p.Sign(l.Building, 0, issuer.Key)
	return madePass{Building: l.Building, Grant: id.String(), Tenancy: tenancy.String(), Text: text,
		From: time.Unix(int64(p.From), 0).UTC(), Until: time.Unix(int64(p.Until), 0).UTC()}, err
}

// opening returns the tenancy of a grant with a card that opens now.
func opening(e *grantlist.Editor, id wire.ID, now uint32) (wire.ID, error) {
	state := wire.GrantRevoked
	for _, g := range e.Grants() {
		if g.ID != id {
			continue
		}
		if g.State == wire.GrantActive && g.From <= now && (g.Until == 0 || now < g.Until) {
			return g.Tenancy, nil
		}
		state = min(state, g.State)
	}
	if state == wire.GrantActive {
		return wire.ID{}, socket.Hinted("gatehouse grant list shows its days", "the key opens nothing today, so that it gets no pass")
	}
	return wire.ID{}, socket.Hinted("gatehouse grant list shows the keys", "the key is %s, so that it gets no pass", state)
}
