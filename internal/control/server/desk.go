package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/socket"
)

// counter is the desk, for whoever checks tenants in and out.
type counter struct{ *gateway.Gateway }

func (g counter) routes(s *socket.Server) {
	socket.Handle(s, "POST /v1/desk", g.postDesk)
	socket.Handle(s, "DELETE /v1/desk/{session}", g.deleteDesk)
	socket.Handle(s, "POST /v1/desk/{session}/swipe", g.postDeskSwipe)
	socket.Handle(s, "POST /v1/desk/{session}/pin", g.postDeskPIN)
	socket.Handle(s, "POST /v1/desk/{session}/checkin", g.postCheckIn)
	socket.Handle(s, "POST /v1/desk/{session}/change", g.postChange)
	socket.Handle(s, "GET /v1/tenancies", g.getTenancies)
	socket.Handle(s, "GET /v1/tenancy", g.getTenancy)
}

// deskFailure gives a refusal of the desk its status.
func deskFailure(err error) error {
	var no *tenancy.Refusal
	switch {
	case errors.As(err, &no) && no.Busy:
		return &socket.Error{Status: http.StatusConflict, Message: no.Message, Hint: no.Hint, Conflict: true}
	case errors.As(err, &no):
		return &socket.Error{Status: http.StatusUnprocessableEntity, Message: no.Message, Hint: no.Hint}
	}
	var known *socket.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return socket.Refused(http.StatusInsufficientStorage, "make room on the disk of the gateway, then try again", "the disk is full: %v", err)
	}
	return socket.Refused(http.StatusInsufficientStorage, "gatehouse status tells whether the disk is well; mend it, then try again", "%v", err)
}

func (g counter) postDesk(r *http.Request, in control.DeskRequest) (any, error) {
	s, err := g.Desk.Begin(in.TakeOver)
	if err != nil {
		return nil, deskFailure(err)
	}
	house := s.Registry.House
	out := control.Desk{Session: s.ID, TimeZone: g.Site.TimeZone, Doors: []string{}, Here: []string{}, Pause: map[string]int{}, Flats: append([]string{}, house.Flats...),
		NoticeDays: grantlist.NoticeDays(house), Trusted: g.Clock.Read().Trusted}
	for _, gw := range house.Gateways {
		out.Doors = append(out.Doors, gw.Doors...)
	}
	slices.Sort(out.Doors)
	out.Doors = slices.Compact(out.Doors)
	for _, d := range g.Doors {
		out.Here = append(out.Here, d.Config.ID)
		out.Pause[d.Config.ID] = g.Swipes.Pause(d.Config.ID)
	}
	return out, nil
}

func (g counter) deleteDesk(r *http.Request, _ socket.None) (any, error) {
	g.Desk.Leave(r.PathValue("session"))
	return struct{}{}, nil
}

// postDeskSwipe waits for a card as long as the visit lasts.
func (g counter) postDeskSwipe(r *http.Request, in control.DeskSwipe) (any, error) {
	session := r.PathValue("session")
	over, err := g.Desk.Wait(session)
	if err != nil {
		return nil, deskFailure(err)
	}
	ctx, cancel := until(r.Context(), over)
	defer cancel()
	s, err := nextSwipe(ctx, g.Gateway, in.SwipeRequest, in.Proof)
	if err != nil {
		if _, ended := g.Desk.Wait(session); ended != nil {
			err = ended
		}
		return nil, deskFailure(err)
	}
	forms, of, err := g.Desk.Show(session, in.Proof, s.Read)
	if err != nil {
		return nil, deskFailure(err)
	}
	out := control.DeskCard{Door: s.Shown.Door, Forms: len(forms), Missing: []string{}}
	if of != nil {
		t := tenancyOf(*of, zoneOf(g.Gateway))
		out.Tenancy = &t
		return out, nil
	}
	as := swipe.Forms{UID: true} // what was held up is what readers send
	for _, f := range forms {
		as.Lengths = append(as.Lengths, f.Len())
	}
	out.Missing = g.Swipes.Missing(as)
	return out, nil
}

// until is a context that ends with the visit, too.
func until(ctx context.Context, over <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-over:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// postDeskPIN waits for a PIN as long as the visit lasts.
func (g counter) postDeskPIN(r *http.Request, in control.DeskPIN) (any, error) {
	d, err := doorOf(g.Gateway, in.Door)
	if err != nil {
		return nil, err
	}
	session := r.PathValue("session")
	over, err := g.Desk.Wait(session)
	if err != nil {
		return nil, deskFailure(err)
	}
	ctx, cancel := until(r.Context(), over)
	defer cancel()
	wait := time.Duration(in.Seconds) * time.Second
	if wait <= 0 {
		wait = swipeDefault
	}
	ctx, stop := context.WithTimeout(ctx, min(wait, swipeMost))
	defer stop()
	d.Show("", device.FeedbackEnterPIN)
	p, err := g.Swipes.NextPIN(ctx, in.Door)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return nil, socket.Refused(http.StatusConflict, "wait until that is done", "somebody else is waiting for a PIN already")
	case err != nil:
		return nil, socket.Refused(http.StatusRequestTimeout, "type it at a reader with keys, and end it with # or the enter key; gatehouse status shows whether the reader is online", "no PIN came")
	}
	if err := g.Desk.Type(session, p); err != nil {
		return nil, deskFailure(err)
	}
	return struct{}{}, nil
}

func (g counter) postCheckIn(r *http.Request, in control.CheckIn) (any, error) {
	from, err := unixOf(in.From)
	if err != nil {
		return nil, err
	}
	until, err := unixOf(in.Until)
	if err != nil {
		return nil, err
	}
	session, a := r.PathValue("session"), tenancy.Arrival{Document: in.Document, Number: in.Number,
		Name: in.Name, Flat: in.Flat, Label: in.Label, Doors: in.Doors, From: from, Until: until,
		Basis: in.Basis, Informed: in.Informed, PIN: in.PIN}
	if in.Check {
		remarks, err := g.Desk.Judge(session, a)
		return doneOf(g.Gateway, desk.Done{Remarks: remarks}, err)
	}
	done, err := g.Desk.CheckIn(r.Context(), session, a)
	return doneOf(g.Gateway, done, err)
}

func (g counter) postChange(r *http.Request, in control.Change) (any, error) {
	done, err := g.Desk.Change(r.Context(), desk.Request{Session: r.PathValue("session"), Action: in.Action, Tenancy: in.Tenancy,
		Proof: in.Proof, PIN: in.PIN, Cause: in.Cause, Card: in.Card, NewPIN: in.NewPIN, Typed: in.Typed})
	return doneOf(g.Gateway, done, err)
}

func doneOf(g *gateway.Gateway, done desk.Done, err error) (any, error) {
	if err != nil {
		return nil, deskFailure(err)
	}
	return control.Done{Tenancy: tenancyOf(done.Tenancy, zoneOf(g)), Remarks: append([]string{}, done.Remarks...)}, nil
}

func (g counter) getTenancies(_ *http.Request, _ socket.None) (any, error) {
	all, zone := []control.Tenancy{}, zoneOf(g.Gateway)
	for _, t := range g.Desk.Tenancies() {
		all = append(all, tenancyOf(t, zone))
	}
	slices.SortStableFunc(all, func(a, b control.Tenancy) int { return strings.Compare(a.Flat, b.Flat) })
	return all, nil
}

func (g counter) getTenancy(r *http.Request, _ socket.None) (any, error) {
	t, err := g.Desk.Find(r.URL.Query().Get("name"))
	if err != nil {
		return nil, deskFailure(err)
	}
	return tenancyOf(t, zoneOf(g.Gateway)), nil
}

func tenancyOf(t tenancy.View, zone *time.Location) control.Tenancy {
	at := func(s uint32) *time.Time {
		v := timeOf(int64(s))
		if v != nil {
			*v = v.In(zone)
		}
		return v
	}
	out := control.Tenancy{ID: t.ID.String(), Flat: t.Flat, Label: t.Label, State: t.State, Doors: t.Doors, Since: at(t.Since), From: at(t.Term.From), Until: at(t.Term.Until), Zone: zone.String(),
		Notice: at(t.Notice), Decided: t.Decided, Cause: t.Cause, Ended: at(t.Ended), Told: toldWords[t.Told], HasPIN: t.HasPIN, Cards: []control.TenancyCard{}, Doubtful: t.Doubtful, Unstored: t.Unstored}
	for _, c := range t.Cards {
		out.Cards = append(out.Cards, control.TenancyCard{Number: c.Number, State: c.State, Since: at(c.Since), Forms: c.Forms, Proves: c.Proves, Ending: c.Ending})
	}
	return out
}

var toldWords = map[tenancy.Told]string{tenancy.ToldNotYet: "not yet", tenancy.ToldYes: "yes"}

// unixOf returns a time as records have it; 0 for none. What no record can hold
// is refused: cut off it would be another day.
func unixOf(t *time.Time) (uint32, error) {
	switch {
	case t == nil:
		return 0, nil
	case t.Unix() <= 0 || t.Unix() >= math.MaxUint32:
		return 0, &socket.Error{Status: http.StatusUnprocessableEntity, Message: "a term can't begin or end at " + t.Format(time.DateOnly),
			Hint: "days from 1970-01-02 to 2106-02-06; leave it empty for none"}
	}
	return uint32(t.Unix()), nil
}
