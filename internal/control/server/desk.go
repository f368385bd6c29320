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
	"gatehouse/internal/gateway/swipe"
)

// deskRoutes are the answers of the desk.
func (srv *Server) deskRoutes() map[string]answer {
	return map[string]answer{
		"POST /v1/desk":                   srv.postDesk,
		"DELETE /v1/desk/{session}":       srv.deleteDesk,
		"POST /v1/desk/{session}/swipe":   srv.postDeskSwipe,
		"POST /v1/desk/{session}/pin":     srv.postDeskPIN,
		"POST /v1/desk/{session}/checkin": srv.postCheckIn,
		"POST /v1/desk/{session}/change":  srv.postChange,
		"GET /v1/tenancies":               srv.getTenancies,
		"GET /v1/tenancy":                 srv.getTenancy,
	}
}

// deskFailure gives a refusal of the desk its status.
func deskFailure(err error) error {
	var no *desk.Refusal
	switch {
	case errors.As(err, &no) && no.Busy:
		return &failure{http.StatusConflict, control.Error{Message: no.Message, Hint: no.Hint, Conflict: true}}
	case errors.As(err, &no):
		return &failure{http.StatusUnprocessableEntity, control.Error{Message: no.Message, Hint: no.Hint}}
	}
	var known *failure
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fail(http.StatusInsufficientStorage, "make room on the disk of the gateway, then try again", "the disk is full: %v", err)
	}
	return fail(http.StatusInsufficientStorage, "gatehouse status tells whether the disk is well; mend it, then try again", "%v", err)
}

func (srv *Server) postDesk(r *http.Request) (any, error) {
	in, err := read[control.DeskRequest](r)
	if err != nil {
		return nil, err
	}
	s, err := srv.gw.Desk.Begin(in.TakeOver)
	if err != nil {
		return nil, deskFailure(err)
	}
	house := s.Registry.House
	out := control.Desk{Session: s.ID, TimeZone: srv.gw.Site.TimeZone, Doors: []string{}, Here: []string{}, Pause: map[string]int{}, Flats: append([]string{}, house.Flats...),
		NoticeDays: desk.NoticeDays(house), Trusted: srv.gw.Clock.Read().Trusted}
	for _, gw := range house.Gateways {
		out.Doors = append(out.Doors, gw.Doors...)
	}
	slices.Sort(out.Doors)
	out.Doors = slices.Compact(out.Doors)
	for _, d := range srv.gw.Doors {
		out.Here = append(out.Here, d.Config.ID)
		out.Pause[d.Config.ID] = srv.gw.Swipes.Pause(d.Config.ID)
	}
	return out, nil
}

func (srv *Server) deleteDesk(r *http.Request) (any, error) {
	srv.gw.Desk.Leave(r.PathValue("session"))
	return struct{}{}, nil
}

// postDeskSwipe waits for a card as long as the visit lasts.
func (srv *Server) postDeskSwipe(r *http.Request) (any, error) {
	in, err := read[control.DeskSwipe](r)
	if err != nil {
		return nil, err
	}
	session := r.PathValue("session")
	over, err := srv.gw.Desk.Wait(session)
	if err != nil {
		return nil, deskFailure(err)
	}
	ctx, cancel := until(r.Context(), over)
	defer cancel()
	s, err := srv.nextSwipe(ctx, in.SwipeRequest, in.Proof)
	if err != nil {
		if _, ended := srv.gw.Desk.Wait(session); ended != nil {
			err = ended
		}
		return nil, deskFailure(err)
	}
	forms, of, err := srv.gw.Desk.Show(session, in.Proof, s.Read)
	if err != nil {
		return nil, deskFailure(err)
	}
	out := control.DeskCard{Door: s.Shown.Door, Forms: len(forms), Missing: []string{}}
	if of != nil {
		t := tenancyOf(*of, srv.zone())
		out.Tenancy = &t
		return out, nil
	}
	as := swipe.Forms{UID: true} // what was held up is what readers send
	for _, f := range forms {
		as.Lengths = append(as.Lengths, f.Len())
	}
	out.Missing = srv.gw.Swipes.Missing(as)
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
func (srv *Server) postDeskPIN(r *http.Request) (any, error) {
	in, err := read[control.DeskPIN](r)
	if err != nil {
		return nil, err
	}
	d, err := srv.door(in.Door)
	if err != nil {
		return nil, err
	}
	session := r.PathValue("session")
	over, err := srv.gw.Desk.Wait(session)
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
	p, err := srv.gw.Swipes.NextPIN(ctx, in.Door)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return nil, fail(http.StatusConflict, "wait until that is done", "somebody else is waiting for a PIN already")
	case err != nil:
		return nil, fail(http.StatusRequestTimeout, "type it at a reader with keys, and end it with # or the enter key; gatehouse status shows whether the reader is online", "no PIN came")
	}
	if err := srv.gw.Desk.Type(session, p); err != nil {
		return nil, deskFailure(err)
	}
	return struct{}{}, nil
}

func (srv *Server) postCheckIn(r *http.Request) (any, error) {
	in, err := read[control.CheckIn](r)
	if err != nil {
		return nil, err
	}
	from, err := unixOf(in.From)
	if err != nil {
		return nil, err
	}
	until, err := unixOf(in.Until)
	if err != nil {
		return nil, err
	}
	done, err := srv.gw.Desk.CheckIn(r.Context(), desk.Arrival{Session: r.PathValue("session"), Document: in.Document, Number: in.Number,
		Name: in.Name, Flat: in.Flat, Label: in.Label, Doors: in.Doors, From: from, Until: until,
		Basis: in.Basis, Informed: in.Informed, PIN: in.PIN, Check: in.Check})
	return srv.doneOf(done, err)
}

func (srv *Server) postChange(r *http.Request) (any, error) {
	in, err := read[control.Change](r)
	if err != nil {
		return nil, err
	}
	done, err := srv.gw.Desk.Change(r.Context(), desk.Request{Session: r.PathValue("session"), Action: in.Action, Tenancy: in.Tenancy,
		Proof: in.Proof, PIN: in.PIN, Cause: in.Cause, Card: in.Card, NewPIN: in.NewPIN, Typed: in.Typed})
	return srv.doneOf(done, err)
}

func (srv *Server) doneOf(done desk.Done, err error) (any, error) {
	if err != nil {
		return nil, deskFailure(err)
	}
	return control.Done{Tenancy: tenancyOf(done.Tenancy, srv.zone()), Remarks: append([]string{}, done.Remarks...)}, nil
}

func (srv *Server) getTenancies(*http.Request) (any, error) {
	all, zone := []control.Tenancy{}, srv.zone()
	for _, t := range srv.gw.Desk.Tenancies() {
		all = append(all, tenancyOf(t, zone))
	}
	slices.SortStableFunc(all, func(a, b control.Tenancy) int { return strings.Compare(a.Flat, b.Flat) })
	return all, nil
}

func (srv *Server) getTenancy(r *http.Request) (any, error) {
	t, err := srv.gw.Desk.Find(r.URL.Query().Get("name"))
	if err != nil {
		return nil, deskFailure(err)
	}
	return tenancyOf(t, srv.zone()), nil
}

// zone is that of the building; the site file was checked for it.
func (srv *Server) zone() *time.Location {
	zone, err := time.LoadLocation(srv.gw.Site.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

func tenancyOf(t desk.Tenancy, zone *time.Location) control.Tenancy {
	at := func(s uint32) *time.Time {
		v := timeOf(int64(s))
		if v != nil {
			*v = v.In(zone)
		}
		return v
	}
	out := control.Tenancy{ID: t.ID.String(), Flat: t.Flat, Label: t.Label, State: t.State, Doors: t.Doors, Since: at(t.Since), From: at(t.From), Until: at(t.Until), Zone: zone.String(),
		Notice: at(t.Notice), Decided: t.Decided, Cause: t.Cause, Ended: at(t.Ended), Told: toldWords[t.Told], HasPIN: t.HasPIN, Cards: []control.TenancyCard{}, Doubtful: t.Doubtful, Unstored: t.Unstored}
	for _, c := range t.Cards {
		out.Cards = append(out.Cards, control.TenancyCard{Number: c.Number, State: c.State, Since: at(c.Since), Forms: c.Forms, Proves: c.Proves, Ending: c.Ending})
	}
	return out
}

var toldWords = map[desk.Told]string{desk.ToldNotYet: "not yet", desk.ToldYes: "yes"}

// unixOf returns a time as records have it; 0 for none. What no record can hold
// is refused: cut off it would be another day.
func unixOf(t *time.Time) (uint32, error) {
	switch {
	case t == nil:
		return 0, nil
	case t.Unix() <= 0 || t.Unix() >= math.MaxUint32:
		return 0, &failure{http.StatusUnprocessableEntity, control.Error{Message: "a term can't begin or end at " + t.Format(time.DateOnly),
			Hint: "days from 1970-01-02 to 2106-02-06; leave it empty for none"}}
	}
	return uint32(t.Unix()), nil
}
