// Package takeover serves the takeover of a house: who decides at its doors, and the unknown cards.
//
// It refuses to reveal when or where a card was heard (refusals N2 and N4).
package takeover

import (
	"errors"
	"net/http"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/listening"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/keyring/adopt"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// house is a house that is being taken over.
type house struct{ *gateway.Gateway }

// Handle registers the routes.
func Handle(s *socket.Server, g *gateway.Gateway) {
	h := house{g}
	socket.Handle(s, "GET /v1/adopt", h.getAdopt)
	socket.Handle(s, "POST /v1/adopt", h.postAdopt)
	socket.Handle(s, "POST /v1/listening", h.postListening)
}

// Refuse refuses an act that needs a gateway that decides at its doors itself.
func Refuse(g *gateway.Gateway) error {
	if !g.Decider.State.Listening {
		return nil
	}
	return socket.Refused(http.StatusConflict, "do it at the old controller, or let this gateway decide: gatehouse adopt drive",
		"this gateway only listens: the old controller decides at its doors")
}

// Status returns nil where the gateway decides itself.
func Status(g *gateway.Gateway) *control.Listening {
	s := g.Decider.State
	if !s.Listening {
		return nil
	}
	out := &control.Listening{Over: !s.Until.After(g.Clock.Now())}
	if !s.Damaged {
		out.Until = new(s.Until.In(g.Site.Zone()))
	}
	return out
}

// postListening answers while the run continues that the change ends.
func (g house) postListening(r *http.Request, in control.ListeningRequest) (any, error) {
	var err error
	if in.Days == 0 {
		err = g.Decider.Over(r.Context())
	} else {
		err = g.Decider.Listen(r.Context(), in.Days)
	}
	switch {
	case errors.Is(err, listening.ErrKeys):
		return nil, socket.Refused(http.StatusConflict, "name the cards of the old list as they come: gatehouse import, gatehouse adopt on", "%v", err)
	case errors.Is(err, listening.ErrOnce), errors.Is(err, gateway.ErrChanging), errors.Is(err, gateway.ErrNotListening):
		return nil, socket.Refused(http.StatusConflict, "gatehouse status shows who decides at the doors", "%v", err)
	case errors.Is(err, listening.ErrDays):
		return nil, socket.Refused(http.StatusUnprocessableEntity, "a week is enough: 7", "%v", err)
	}
	return struct{}{}, err
}

func (g house) getAdopt(_ *http.Request, _ socket.None) (any, error) {
	zone := g.Site.Zone()
	until, cards := g.Keyring.Adopt.All()
	if g.Decider.State.Listening {
		until, cards = g.Keyring.Adopt.Heard()
	}
	out := control.AdoptState{Listening: g.Decider.State.Listening, Cards: []control.Adopt{}}
	if !until.IsZero() {
		out.Until = new(until.In(zone))
	}
	for _, c := range cards {
		kept := control.Adopt{ID: c.Credentials[0].String()[2:10], Days: c.Days,
			Card: control.Card{Bits: c.Bits, Credentials: texts(c.Credentials), Holds: c.Holds, Kin: texts(c.Kin), Missing: g.Swipes.Missing(lengthsOf(c))}}
		if !out.Listening {
			kept.Door, kept.Card.Door, kept.Card.Reader = c.Door, c.Door, c.Source
			kept.FirstSeen, kept.LastSeen, kept.Count = time.Unix(c.First, 0).In(zone), time.Unix(c.Last, 0).In(zone), c.Count
		}
		out.Cards = append(out.Cards, kept)
	}
	return out, nil
}

func (g house) postAdopt(r *http.Request, in control.AdoptRequest) (any, error) {
	if g.Decider.State.Listening {
		return nil, socket.Refused(http.StatusConflict, "gatehouse adopt list shows those that were seen on a day that is over", "cards are learned already, since the old controller decides")
	}
	if err := g.Keyring.Adopt.Set(in.Days); err != nil {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "", "%v", err)
	}
	head := wire.Header{Kind: wire.KindAdopt, Outcome: wire.OutcomeIdle, Source: caller.Of(r.Context()).String()}
	if in.Days > 0 {
		head.Outcome = wire.OutcomeActive
	}
	g.Journal.Queue(head, wire.Who{})
	return g.getAdopt(r, socket.None{})
}

// lengthsOf returns the lengths of the forms that a kept card is known in.
func lengthsOf(c adopt.Card) swipe.Forms {
	if len(c.Lengths) == 0 { // kept by an older daemon
		return swipe.Forms{Lengths: []int{c.Bits}}
	}
	return swipe.Forms{Lengths: c.Lengths, Holds: c.Holds}
}

func texts(ids []wire.CredentialID) (all []string) {
	for _, id := range ids {
		all = append(all, id.String())
	}
	return all
}
