package server

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gatehouse/internal/cardnumber"
	"gatehouse/internal/control"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keyring"
	"gatehouse/sync/wire"
)

func (srv *Server) getGrants(*http.Request) (any, error) {
	l, err := srv.gw.Keyring.List()
	if err != nil {
		return nil, err
	}
	out := control.List{Building: srv.gw.Site.Building, TimeZone: srv.gw.Site.TimeZone, Manifest: l.Manifest, Buckets: l.Buckets, Last: srv.gw.Keyring.Status().Last, Labels: map[string]string{}}
	for _, d := range srv.gw.Doors {
		out.Doors = append(out.Doors, d.Config.ID)
	}
	for id, label := range srv.gw.Keyring.Labels() {
		out.Labels[id.String()] = label
	}
	return out, nil
}

// getKeys lists the grants for people: one row a grant, however many forms its
// cards have.
func (srv *Server) getKeys(*http.Request) (any, error) {
	records, doors := srv.gw.Keyring.Records()
	labels := srv.gw.Keyring.Labels()
	zone, err := time.LoadLocation(srv.gw.Site.TimeZone)
	if err != nil {
		return nil, err
	}
	local := func(s uint32) *time.Time {
		t := timeOf(int64(s))
		if t != nil {
			*t = t.In(zone)
		}
		return t
	}
	keys, at := []control.Key{}, map[wire.ID]int{}
	for _, r := range records {
		i, ok := at[r.ID]
		if !ok {
			i = len(keys)
			at[r.ID] = i
			keys = append(keys, control.Key{Grant: r.ID.String(), Label: labels[r.ID], Kind: r.Kind.String(), State: r.State.String(),
				Doors: doors(r), From: local(r.From), Until: local(r.Until)})
		}
		keys[i].Credentials++
		if keys[i].State != r.State.String() {
			keys[i].State = "mixed"
		}
	}
	return keys, nil
}

func (srv *Server) putGrants(r *http.Request) (any, error) {
	in, err := read[control.Update](r)
	if err != nil {
		return nil, err
	}
	u := grantlist.Update{Manifest: in.Manifest, Buckets: in.Buckets, Labels: map[wire.ID]string{}}
	for text, label := range in.Labels {
		id, err := parseID(text)
		if err != nil {
			return nil, err
		}
		u.Labels[id] = label
	}
	before := srv.gw.Keyring.Status()
	err = srv.gw.Keyring.Apply(u)
	s := srv.gw.Keyring.Status()
	if s.Version != before.Version {
		srv.gw.Journal.Queue(wire.Header{Kind: wire.KindListApplied, Count: s.Version, Detail: s.Hash[:]}, wire.Who{})
	}
	if err != nil {
		srv.refusedList(err)
		return nil, listFailure(err, s.Version != before.Version)
	}
	return grantsStatus(s), nil
}

// refusedList records what was handed in with a wrong signature or content. A
// list that only came too late is no news.
func (srv *Server) refusedList(err error) {
	srv.o.Log.Warn().Err(err).Msg("list of grants refused")
	if errors.Is(err, keyring.ErrRefused) || errors.Is(err, keyring.ErrUnproved) {
		srv.gw.Journal.Queue(wire.Header{Kind: wire.KindCommand, Outcome: wire.OutcomeRefused, Reason: choose(errors.Is(err, keyring.ErrUnproved), wire.ReasonUnproved, wire.ReasonListRefused)}, wire.Who{})
	}
}

// listFailure says whether the list is in force all the same.
func listFailure(err error, applied bool) error {
	switch {
	case applied && !errors.Is(err, keyring.ErrNotDurable):
		return fail(http.StatusInsufficientStorage, "mend the disk; gatehouse grant list shows what is in force",
			"the list is in force, but what belongs to it on this gateway could not be written: %v", err)
	case errors.Is(err, keyring.ErrUnproved):
		return fail(http.StatusConflict, "make the change again from the list of this gateway, with gatehouse grant", "%v", err)
	case errors.Is(err, keyring.ErrTooFar):
		return fail(http.StatusForbidden, "make the change again from the list of this gateway, with gatehouse grant", "%v", err)
	case errors.Is(err, keyring.ErrConflict):
		return &failure{http.StatusConflict, control.Error{Message: err.Error(), Hint: "somebody else changed the list: try again", Conflict: true}}
	case errors.Is(err, keyring.ErrNotDurable):
		return fail(http.StatusInsufficientStorage, "the list is in force until the next start: mend the disk, then hand it in again", "%v", err)
	case errors.Is(err, keyring.ErrRefused):
		return fail(http.StatusForbidden, "sign with the key of this building's init", "%v", err)
	}
	return fail(http.StatusUnprocessableEntity, "", "%v", err)
}

func parseID(text string) (id wire.ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fail(http.StatusBadRequest, "", "grant id: want %d hex digits", 2*len(id))
	}
	return wire.ID(b), nil
}

// Limits of a wait for a card.
const (
	swipeDefault = 60 * time.Second
	swipeMost    = 10 * time.Minute
)

func (srv *Server) postSwipe(r *http.Request) (any, error) {
	in, err := read[control.SwipeRequest](r)
	if err != nil {
		return nil, err
	}
	s, err := srv.nextSwipe(r.Context(), in, false)
	if err != nil {
		return nil, err
	}
	return s.Shown, nil
}

// nextSwipe waits for a card at the reader that the request names: for one that is
// held up twice, or (but for twice) is in use by nobody.
func (srv *Server) nextSwipe(ctx context.Context, in control.SwipeRequest, twice bool) (swipe.Card, error) {
	if !srv.gw.Keyring.Status().HasKey {
		return swipe.Card{}, fail(http.StatusConflict, "run gatehouse init, then start the daemon again", "the building has no key yet")
	}
	if in.Door != "" {
		if _, err := srv.door(in.Door); err != nil {
			return swipe.Card{}, err
		}
	}
	wait := time.Duration(in.Seconds) * time.Second
	if wait <= 0 {
		wait = swipeDefault
		if twice {
			wait += srv.gw.Swipes.Rest(in.Door)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(wait, swipeMost))
	defer cancel()
	s, err := srv.gw.Swipes.Next(ctx, in.Door, in.Reader, twice)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return s, fail(http.StatusConflict, "wait until that is done", "%v", err)
	case err != nil && twice: // in the same words whoever has come by
		return s, fail(http.StatusRequestTimeout, fmt.Sprintf("hold it up to the reader, wait %d seconds with the door shut, and hold it up there again; gatehouse status shows whether the reader is online",
			srv.gw.Swipes.Pause(in.Door)), "no card was held up twice")
	case err != nil:
		return s, fail(http.StatusRequestTimeout, fmt.Sprintf("hold the card up to the reader for a second, and one that opens here already again %d seconds later; gatehouse status shows whether the reader is online",
			srv.gw.Swipes.Pause(in.Door)), "no card came")
	}
	return s, nil
}

func (srv *Server) postPrinted(r *http.Request) (any, error) {
	in, err := read[control.PrintedRequest](r)
	if err != nil {
		return nil, err
	}
	if !srv.gw.Keyring.Status().HasKey {
		return nil, fail(http.StatusConflict, "run gatehouse init, then start the daemon again", "the building has no key yet")
	}
	n, err := cardnumber.ParsePrinted(in.Number, in.Form)
	if err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "forms: 3+5D as 094,10637; 8D as 06171021; 10D as 0006171021; 10H as 0A004D7603; uid as 04:A1:B2:C3; with leading zeros", "%v", err)
	}
	forms := n.Forms(srv.gw.Swipes.Shapes())
	card := srv.gw.Swipes.Describe(n, forms)
	card.Bits = forms[0].Card.Len()
	return card, nil
}

func (srv *Server) getAdopt(*http.Request) (any, error) {
	until, cards := srv.gw.Keyring.Adopted()
	out := control.AdoptState{Cards: []control.Adopt{}}
	if !until.IsZero() {
		out.Until = &until
	}
	for _, c := range cards {
		a := control.Adopt{ID: c.Credentials[0].String()[2:10], Door: c.Door, FirstSeen: c.First, LastSeen: c.Last, Count: c.Count,
			Card: control.Card{Door: c.Door, Reader: c.Source, Bits: c.Bits, Missing: srv.gw.Swipes.Missing(lengthsOf(c))}}
		for _, id := range c.Credentials {
			a.Card.Credentials = append(a.Card.Credentials, id.String())
		}
		for _, id := range c.Kin {
			a.Card.Kin = append(a.Card.Kin, id.String())
		}
		a.Card.Holds = c.Holds
		out.Cards = append(out.Cards, a)
	}
	return out, nil
}

// lengthsOf returns the lengths of the forms that a kept card is known in.
func lengthsOf(c keyring.Adopted) swipe.Forms {
	if len(c.Lengths) == 0 { // kept by an older daemon
		return swipe.Forms{Lengths: []int{c.Bits}}
	}
	return swipe.Forms{Lengths: c.Lengths, Holds: c.Holds}
}

func (srv *Server) postAdopt(r *http.Request) (any, error) {
	in, err := read[control.AdoptRequest](r)
	if err != nil {
		return nil, err
	}
	if err := srv.gw.Keyring.SetAdopt(in.Days); err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "", "%v", err)
	}
	srv.gw.Journal.Queue(wire.Header{Kind: wire.KindAdopt, Outcome: map[bool]wire.Outcome{true: wire.OutcomeActive, false: wire.OutcomeIdle}[in.Days > 0]}, wire.Who{})
	return srv.getAdopt(r)
}
