package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// grants handles the list of the house, and the cards for it.
type grants struct {
	*gateway.Gateway
	log zerolog.Logger
}

func (g grants) getGrants(_ *http.Request, _ socket.None) (any, error) {
	l, err := g.Keyring.List()
	if err != nil {
		return nil, err
	}
	out := control.List{Building: g.Site.Building, TimeZone: g.Site.TimeZone, Manifest: l.Manifest, Buckets: l.Buckets, Last: g.Keyring.Status().Last, Labels: map[string]string{}}
	for _, d := range g.Doors {
		out.Doors = append(out.Doors, d.Config.ID)
	}
	for _, k := range g.Keyring.Keys.Issuers() {
		out.Issuers = append(out.Issuers, k.Public)
	}
	for id, label := range g.Keyring.Labels.All() {
		out.Labels[id.String()] = label
	}
	return out, nil
}

// getKeys lists the grants for people: one row a grant, however many forms its cards have.
func (g grants) getKeys(_ *http.Request, _ socket.None) (any, error) {
	records, doors := g.Keyring.Rows()
	labels, zone := g.Keyring.Labels.All(), g.Site.Zone()
	keys, at := []control.Key{}, map[wire.ID]int{}
	for _, r := range records {
		i, ok := at[r.ID]
		if !ok {
			i = len(keys)
			at[r.ID] = i
			keys = append(keys, control.Key{Grant: r.ID.String(), Label: labels[r.ID], Kind: r.Kind.String(), State: r.State.String(),
				Doors: doors(r), From: timeOf(r.From, zone), Until: timeOf(r.Until, zone)})
		}
		keys[i].Credentials++
		if keys[i].State != r.State.String() {
			keys[i].State = "mixed"
		}
	}
	return keys, nil
}

func (g grants) putGrants(r *http.Request, in control.Update) (any, error) {
	u := grantlist.Update{Manifest: in.Manifest, Buckets: in.Buckets, Labels: map[wire.ID]string{}}
	for text, label := range in.Labels {
		id, err := parseID(text)
		if err != nil {
			return nil, err
		}
		u.Labels[id] = label
	}
	before := g.Keyring.Status()
	err := g.Keyring.Apply(u)
	s := g.Keyring.Status()
	if s.Version != before.Version {
		enter(g.Gateway, r, wire.Header{Kind: wire.KindListApplied, Count: s.Version, Detail: s.Hash[:]})
	}
	if err != nil {
		g.refusedList(r, err)
		return nil, listFailure(err, s.Version != before.Version)
	}
	return grantsStatus(s, g.Site.Zone()), nil
}

// refusedList records a wrong signature or content. A list that only came too late is not recorded.
func (g grants) refusedList(r *http.Request, err error) {
	g.log.Warn().Err(err).Msg("list of grants refused")
	if errors.Is(err, keyring.ErrRefused) || errors.Is(err, keyring.ErrUnproved) {
		enter(g.Gateway, r, wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeRefused, Reason: choose(errors.Is(err, keyring.ErrUnproved), wire.ReasonUnproved, wire.ReasonListRefused)})
	}
}

// listFailure says whether the list is active all the same.
func listFailure(err error, applied bool) error {
	switch {
	case applied && !errors.Is(err, keyring.ErrNotDurable):
		return socket.Refused(http.StatusInsufficientStorage, "make room, or mend the disk: it is written again by itself; until then a restart loses it, and it stands in gatehouse status",
			"the list is active, but what belongs to it on this gateway could not be written: %v", err)
	case errors.Is(err, keyring.ErrUnproved), errors.Is(err, keyring.ErrTooFar):
		return socket.Refused(choose(errors.Is(err, keyring.ErrUnproved), http.StatusConflict, http.StatusForbidden),
			"make the change again from the list of this gateway, with gatehouse grant", "%v", err)
	case errors.Is(err, keyring.ErrConflict):
		return &socket.Error{Status: http.StatusConflict, Message: err.Error(), Hint: "somebody else changed the list: try again", Conflict: true}
	case errors.Is(err, keyring.ErrNotDurable):
		return socket.Refused(http.StatusInsufficientStorage, "the list is active until the next start: mend the disk, then hand it in again", "%v", err)
	case errors.Is(err, keyring.ErrRefused):
		return socket.Refused(http.StatusForbidden, "sign with the key of this building's init", "%v", err)
	}
	return socket.Refused(http.StatusUnprocessableEntity, "", "%v", err)
}

func parseID(text string) (id wire.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, socket.Refused(http.StatusBadRequest, "", "grant id: want %d hex digits", 2*len(id))
	}
	return wire.ID(b), nil
}

func (g grants) postSwipe(r *http.Request, in control.SwipeRequest) (any, error) {
	s, err := nextSwipe(r.Context(), g.Gateway, in, false)
	if err != nil {
		return nil, err
	}
	return s.Shown, nil
}

func (g grants) postPrinted(r *http.Request, in control.PrintedRequest) (any, error) {
	if !g.Keyring.Status().HasKey {
		return nil, socket.Refused(http.StatusConflict, "run gatehouse init, then start the daemon again", "the building has no key yet")
	}
	n, err := cardnumber.ParsePrinted(in.Number, in.Form)
	if err != nil {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "forms: 3+5D as 094,10637; 8D as 06171021; 10D as 0006171021; 10H as 0A004D7603; uid as 04:A1:B2:C3; with leading zeros", "%v", err)
	}
	forms := n.Forms(g.Swipes.Shapes())
	card := g.Swipes.Describe(n, forms)
	card.Bits = forms[0].Card.Len()
	return card, nil
}

// Limits of a wait for a card.
const (
	swipeDefault = 60 * time.Second
	swipeMost    = 10 * time.Minute
)

// waitFor limits a wait to a number of seconds; 0: to the usual one.
func waitFor(ctx context.Context, seconds int, usual time.Duration) (context.Context, context.CancelFunc) {
	if seconds > 0 {
		usual = time.Duration(min(seconds, int(swipeMost/time.Second))) * time.Second
	}
	return context.WithTimeout(ctx, min(usual, swipeMost))
}

// nextSwipe waits for a card at the reader that the request names: one that is held up twice or,
// without twice, one that nobody uses.
func nextSwipe(ctx context.Context, g *gateway.Gateway, in control.SwipeRequest, twice bool) (swipe.Card, error) {
	if !g.Keyring.Status().HasKey {
		return swipe.Card{}, socket.Refused(http.StatusConflict, "run gatehouse init, then start the daemon again", "the building has no key yet")
	}
	if in.Door != "" {
		if _, err := doorOf(g, in.Door); err != nil {
			return swipe.Card{}, err
		}
	}
	usual := swipeDefault
	if twice {
		usual += g.Swipes.Rest(in.Door)
	}
	ctx, cancel := waitFor(ctx, in.Seconds, usual)
	defer cancel()
	s, err := g.Swipes.Next(ctx, in.Door, in.Reader, twice)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return s, socket.Refused(http.StatusConflict, "wait until that is done", "%v", err)
	case err != nil && twice: // the same words, whoever has come by
		return s, socket.Refused(http.StatusRequestTimeout, fmt.Sprintf("hold it up to the reader, wait %d seconds with the door shut, and hold it up there again; gatehouse status shows whether the reader is online",
			g.Swipes.Pause(in.Door)), "no card was held up twice")
	case err != nil:
		return s, socket.Refused(http.StatusRequestTimeout, fmt.Sprintf("hold the card up to the reader for a second, and one that opens here already again %d seconds later; gatehouse status shows whether the reader is online",
			g.Swipes.Pause(in.Door)), "no card came")
	}
	return s, nil
}
