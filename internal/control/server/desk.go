package server

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatehouse/device"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/guests"
	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/gateway"
	"gatehouse/internal/gateway/swipe"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/site"
	"gatehouse/internal/socket"
)

// counter is the desk, for those who check tenants in and out.
type counter struct{ *gateway.Gateway }

func (g counter) guests() guests.Codes { return guests.Codes{Gateway: g.Gateway} }

// atDesk gives the errors of a request at the desk their HTTP status.
func atDesk[In any](do func(*http.Request, In) (any, error)) func(*http.Request, In) (any, error) {
	return func(r *http.Request, in In) (any, error) {
		out, err := do(r, in)
		return out, deskFailure(err)
	}
}

func deskFailure(err error) error {
	var no *tenancy.Refusal
	var known *socket.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &no) && no.Over:
		return &socket.Error{Status: http.StatusGone, Message: no.Message, Hint: no.Hint}
	case errors.As(err, &no) && no.Unknown:
		return &socket.Error{Status: http.StatusUnauthorized, Message: no.Message, Hint: no.Hint}
	case errors.As(err, &no):
		return &socket.Error{Status: choose(no.Busy, http.StatusConflict, http.StatusUnprocessableEntity), Message: no.Message, Hint: no.Hint, Conflict: no.Busy}
	case errors.Is(err, syscall.ENOSPC):
		return socket.Refused(http.StatusInsufficientStorage, "make room on the disk of the gateway, then try again", "the disk is full: %v", err)
	}
	return socket.Refused(http.StatusInsufficientStorage, "gatehouse status tells whether the disk is well; mend it, then try again", "%v", err)
}

func (g counter) postDesk(_ *http.Request, in control.DeskRequest) (any, error) {
	s, err := g.Desk.Begin(in.TakeOver)
	if err != nil {
		return nil, err
	}
	house := s.Registry.House
	out := control.Desk{Session: s.ID, TimeZone: g.Site.TimeZone, Doors: []string{}, Here: []string{}, Keys: []string{}, Pause: map[string]int{}, Flats: append([]string{}, house.Flats...),
		NoticeDays: grantlist.NoticeDays(house), Trusted: g.Clock.Read().Trusted}
	for _, gw := range house.Gateways {
		out.Doors = append(out.Doors, gw.Doors...)
	}
	slices.Sort(out.Doors)
	out.Doors = slices.Compact(out.Doors)
	for _, d := range g.Doors {
		out.Here = append(out.Here, d.Config.ID)
		if slices.ContainsFunc(d.Config.Readers, site.Reader.HasKeys) {
			out.Keys = append(out.Keys, d.Config.ID)
		}
		out.Pause[d.Config.ID] = g.Swipes.Pause(d.Config.ID)
	}
	return out, nil
}

func (g counter) deleteDesk(r *http.Request, _ socket.None) (any, error) {
	g.Desk.Leave(r.PathValue("session"))
	return struct{}{}, nil
}

// postDeskSwipe waits for a card until the visit ends.
func (g counter) postDeskSwipe(r *http.Request, in control.DeskSwipe) (any, error) {
	session := r.PathValue("session")
	over, err := g.Desk.Wait(session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := during(r.Context(), over)
	defer cancel()
	s, err := nextSwipe(ctx, g.Gateway, in.SwipeRequest, in.Proof)
	if err != nil {
		if _, ended := g.Desk.Wait(session); ended != nil {
			err = ended
		}
		return nil, err
	}
	forms, of, err := g.Desk.Show(session, in.Proof, s.Read)
	if err != nil {
		return nil, err
	}
	out := control.DeskCard{Door: s.Shown.Door, Forms: len(forms), Missing: []string{}}
	if of != nil {
		out.Tenancy = new(tenancyOf(*of, g.Site.Zone()))
		return out, nil
	}
	as := swipe.Forms{UID: true} // forms of a held-up card are what readers send
	for _, f := range forms {
		as.Lengths = append(as.Lengths, f.Len())
	}
	out.Missing = g.Swipes.Missing(as)
	return out, nil
}

// postDeskPIN waits for a PIN until the visit ends.
func (g counter) postDeskPIN(r *http.Request, in control.DeskPIN) (any, error) {
	d, err := doorOf(g.Gateway, in.Door)
	if err != nil {
		return nil, err
	}
	session := r.PathValue("session")
	over, err := g.Desk.Wait(session)
	if err != nil {
		return nil, err
	}
	ctx, cancel := during(r.Context(), over)
	defer cancel()
	ctx, stop := waitFor(ctx, in.Seconds, swipeDefault)
	defer stop()
	d.Show("", device.FeedbackEnterPIN)
	p, err := g.Swipes.NextPIN(ctx, in.Door)
	switch {
	case errors.Is(err, swipe.ErrBusy):
		return nil, socket.Refused(http.StatusConflict, "wait until that is done", "somebody else is waiting for a PIN already")
	case err != nil:
		return nil, socket.Refused(http.StatusRequestTimeout, "type it at a reader with keys, and end it with # or the enter key; gatehouse status shows whether the reader is online", "no PIN came")
	}
	return struct{}{}, g.Desk.Type(session, p)
}

func (g counter) postCheckIn(r *http.Request, in control.CheckIn) (any, error) {
	from, badFrom := unixOf(in.From)
	until, badUntil := unixOf(in.Until)
	if err := cmp.Or(badFrom, badUntil); err != nil {
		return nil, err
	}
	session, a := r.PathValue("session"), tenancy.Arrival{Document: in.Document, Number: in.Number,
		Name: in.Name, Flat: in.Flat, Label: in.Label, Doors: in.Doors, From: from, Until: until,
		Basis: in.Basis, Informed: in.Informed, PIN: in.PIN}
	if in.Check {
		remarks, err := g.Desk.Judge(session, a)
		return g.done(desk.Done{Remarks: remarks}), err
	}
	done, err := g.Desk.CheckIn(r.Context(), session, a)
	return g.done(done), err
}

func (g counter) postChange(r *http.Request, in control.Change) (any, error) {
	terms, err := g.guests().Terms(in.Guest)
	if err != nil {
		return nil, err
	}
	if in.Check {
		t, err := g.Desk.Find(in.Tenancy)
		if err == nil {
			err = g.Desk.Guests.Judge(t.ID, terms)
		}
		return control.Done{}, err
	}
	done, err := g.Desk.Change(r.Context(), desk.Request{Session: r.PathValue("session"), Action: in.Action, Tenancy: in.Tenancy,
		Proof: in.Proof, PIN: in.PIN, Cause: in.Cause, Card: in.Card, NewPIN: in.NewPIN, Typed: in.Typed, Guest: terms})
	return g.done(done), err
}

func (g counter) done(d desk.Done) control.Done {
	return control.Done{Tenancy: tenancyOf(d.Tenancy, g.Site.Zone()), Remarks: append([]string{}, d.Remarks...), Codes: d.Codes, CodeDoors: d.CodeDoors, Guest: g.guests().Given(d)}
}

func (g counter) getTenancies(_ *http.Request, _ socket.None) (any, error) {
	all, zone := []control.Tenancy{}, g.Site.Zone()
	for _, t := range g.Desk.Tenancies() {
		all = append(all, tenancyOf(t, zone))
	}
	slices.SortStableFunc(all, func(a, b control.Tenancy) int { return strings.Compare(a.Flat, b.Flat) })
	return all, nil
}

func (g counter) getTenancy(r *http.Request, _ socket.None) (any, error) {
	t, err := g.Desk.Find(r.URL.Query().Get("name"))
	out := tenancyOf(t, g.Site.Zone())
	out.CodesAt = g.Desk.CodeDoors()
	out.GuestsAt = g.Desk.Guests.Doors(t.ID)
	for i := range out.Cards {
		out.Cards[i].Copyable = copyable(g.Site, out.Doors)
	}
	return out, err
}

// copyable reports whether the cards for some doors can be copied, as far as readers here show:
// where a reader opens by a number alone, anybody who read the number has the card. It is unknown
// whether a card that only OSDP readers accept has a key of its own.
func copyable(s *site.Site, doors []string) bool {
	for _, d := range s.Doors {
		for _, r := range d.Readers {
			if slices.Contains(doors, d.ID) && slices.Contains([]string{site.TypeWiegand, site.TypeSerial, site.TypePN532}, r.Type) {
				return true
			}
		}
	}
	return false
}

func tenancyOf(t tenancy.View, zone *time.Location) control.Tenancy {
	at := func(s uint32) *time.Time { return timeOf(s, zone) }
	out := control.Tenancy{ID: t.ID.String(), Flat: t.Flat, Label: t.Label, State: t.State, Doors: t.Doors, Since: at(t.Since), From: at(t.Term.From), Until: at(t.Term.Until), Zone: zone.String(),
		Notice: at(t.Notice), Decided: t.Decided, Cause: t.Cause, Ended: at(t.Ended), Told: toldWords[t.Told], HasPIN: t.HasPIN, OwnPIN: t.OwnPIN, Cards: []control.TenancyCard{}, Doubtful: t.Doubtful, Counting: t.Counting, Unstored: t.Unstored}
	for _, c := range t.Cards {
		out.Cards = append(out.Cards, control.TenancyCard{Number: c.Number, State: c.State, Since: at(c.Since), Forms: c.Forms, Proves: c.Proves, Ending: c.Ending})
	}
	return out
}

var toldWords = map[tenancy.Told]string{tenancy.ToldNotYet: "not yet", tenancy.ToldYes: "yes"}

// unixOf returns a time in the form of records; 0: none. A time out of their range is refused.
func unixOf(t *time.Time) (uint32, error) {
	switch {
	case t == nil:
		return 0, nil
	case t.Unix() <= 0 || t.Unix() >= math.MaxUint32:
		return 0, socket.Refused(http.StatusUnprocessableEntity, "days from 1970-01-02 to 2106-02-06; leave it empty for none",
			"a term can't begin or end at %s", t.Format(time.DateOnly))
	}
	return uint32(t.Unix()), nil
}

func (g counter) postResident(r *http.Request, in control.Resident) (any, error) {
	terms, err := g.guests().Terms(in.Guest)
	if err != nil {
		return nil, err
	}
	done, err := g.AskAsResident(r.Context(), desk.ResidentRequest{Act: r.PathValue("act"), Flat: in.Flat, PIN: in.PIN, Door: in.Door, Card: in.Card, Guest: terms, GuestID: in.GuestID})
	out := control.ForResident{Done: g.done(done.Done), Choose: done.Choose, Opened: done.Enter != nil}
	for _, c := range done.Guests {
		out.Guests = append(out.Guests, g.guests().Shown(c, done.Tenancy.Flat, done.Tenancy.Label))
	}
	return out, err
}
