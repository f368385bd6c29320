// Package mine is the daemon's side of a resident's own entries: who is known by flat and own PIN holds up a card, reads
// what this gateway holds about that card, and may ask the registry to put something right.
//
// It refuses to show a partner's card, whoever had the card before, and anything longer than some minutes after the card
// was held up. No desk is occupied by it, no log or status tells of it, and a request to put something right is an entry
// whose who part alone, which can be erased, tells it from one that says nothing (package cover).
package mine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/control/server/guests"
	"gatehouse/internal/desk"
	"gatehouse/internal/desk/tenancy"
	"gatehouse/internal/gateway"
	"gatehouse/internal/inquiry/when"
	"gatehouse/internal/naming"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
	"gatehouse/sync/wire/sealed"
)

// Counter serves residents. Make it with New. Safe for concurrent use.
type Counter struct {
	*gateway.Gateway
	shown    func(tenancy.View, *time.Location) control.Tenancy
	readings *readings
	asked    asked
}

// New makes the counter of a gateway. shown is a tenancy as people see it.
func New(g *gateway.Gateway, shown func(tenancy.View, *time.Location) control.Tenancy) *Counter {
	return &Counter{Gateway: g, shown: shown, readings: newReadings(), asked: asked{by: map[wire.ID][]time.Time{}}}
}

// Handle registers the routes. failure gives the desk's errors their HTTP status.
func Handle(s *socket.Server, c *Counter, failure func(error) error) {
	socket.Handle(s, "POST /v1/mine", failing(failure, c.begin))
	socket.Handle(s, "POST /v1/mine/{session}/card", failing(failure, c.card))
	socket.Handle(s, "GET /v1/mine/{session}", failing(failure, c.now))
	socket.Handle(s, "POST /v1/mine/{session}/correction", failing(failure, c.correct))
	socket.Handle(s, "DELETE /v1/mine/{session}", failing(failure, c.end))
}

func failing[In, Out any](failure func(error) error, do func(*http.Request, In) (Out, error)) func(*http.Request, In) (Out, error) {
	return func(r *http.Request, in In) (Out, error) {
		out, err := do(r, in)
		return out, failure(err)
	}
}

func (c *Counter) begin(r *http.Request, in control.MineRequest) (control.MineBegun, error) {
	if in.Keypad != "" {
		pin, err := c.typed(r.Context(), in.Keypad)
		if err != nil {
			return control.MineBegun{}, err
		}
		in.PIN = pin
	}
	id, cards, err := c.Desk.Residents.Known(r.Context(), in.Flat, in.PIN)
	if err != nil {
		return control.MineBegun{}, err
	}
	token, err := c.readings.begin(id, cards)
	return c.begun(token), err
}

// begun says where the card of a reading may be held up.
func (c *Counter) begun(token string) control.MineBegun {
	out := control.MineBegun{Session: token, Doors: []string{}, Pause: map[string]int{}}
	for _, d := range c.Doors {
		out.Doors = append(out.Doors, d.Config.ID)
		out.Pause[d.Config.ID] = c.Swipes.Pause(d.Config.ID)
	}
	return out
}

// typedWithin is how long a PIN may take that is typed at a door.
const typedWithin = time.Minute

// typed waits for a PIN at the keys of a door, for the operator alone: whoever else may ask must not learn what is typed
// there.
func (c *Counter) typed(ctx context.Context, door string) (string, error) {
	if caller.Of(ctx).Role != caller.Operator {
		return "", socket.Refused(http.StatusForbidden, "type the PIN on the phone", "a PIN at a door's keys is taken for the tool alone")
	}
	if err := c.known(door); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, typedWithin)
	defer cancel()
	pin, err := c.Swipes.NextPIN(ctx, door)
	if err != nil {
		return "", socket.Refused(http.StatusRequestTimeout, "type it at a reader with keys, and end it with # or the enter key; gatehouse status shows whether the reader is online", "no PIN came")
	}
	return pin.Digits(), nil
}

func (c *Counter) known(door string) error {
	for _, d := range c.Doors {
		if d.Config.ID == door {
			return nil
		}
	}
	return socket.Refused(http.StatusNotFound, "gatehouse status lists the doors of this gateway", "no door %q here", door)
}

// cardWithin is how long the card may take, beside the rest until it is held up again.
const cardWithin = time.Minute

func (c *Counter) card(r *http.Request, in control.MineCard) (control.Mine, error) {
	at, err := c.readings.of(r.PathValue("session"))
	if err != nil {
		return control.Mine{}, err
	}
	if held := at.shown(); held != nil {
		return *held, nil
	}
	if in.Door != "" {
		if err := c.known(in.Door); err != nil {
			return control.Mine{}, err
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), cardWithin+c.rest(in.Door))
	defer cancel()
	defer context.AfterFunc(at.over, cancel)()
	card, err := c.Swipes.Own(ctx, in.Door, at.cards)
	switch {
	case at.over.Err() != nil:
		return control.Mine{}, errOver
	case err != nil:
		return control.Mine{}, socket.Refused(http.StatusRequestTimeout, "hold up your own card, wait as long as is said there with the door shut, and hold it up there again; gatehouse status shows whether the reader is online", "the own card was not held up twice")
	}
	of, err := c.Desk.Residents.Mine(r.Context(), at.tenancy, card)
	if err != nil {
		return control.Mine{}, err
	}
	held, err := c.collect(r.Context(), of)
	if err != nil {
		return control.Mine{}, err
	}
	return held, c.readings.show(at, held, of.Credentials[0])
}

// rest is the longest that a card has to be away before it is held up again.
func (c *Counter) rest(door string) (longest time.Duration) {
	for _, d := range c.Doors {
		if door == "" || d.Config.ID == door {
			longest = max(longest, c.Swipes.Rest(d.Config.ID))
		}
	}
	return longest
}

func (c *Counter) now(r *http.Request, _ socket.None) (control.MineNow, error) {
	at, err := c.readings.of(r.PathValue("session"))
	if err != nil {
		return control.MineNow{}, err
	}
	left, held := at.stands()
	return control.MineNow{MineBegun: c.begun(at.token), Left: int(left/time.Second) + 1, Held: held}, nil
}

func (c *Counter) end(r *http.Request, _ socket.None) (struct{}, error) {
	c.readings.end(r.PathValue("session"))
	return struct{}{}, nil
}

// durableWithin is how long the entry of a request may take; a disk that takes longer is sick.
const durableWithin = 10 * time.Second

func (c *Counter) correct(r *http.Request, in control.MineCorrection) (out control.MineTaken, err error) {
	at, err := c.readings.of(r.PathValue("session"))
	if err != nil {
		return out, err
	}
	held := at.shown()
	if held == nil {
		return out, errNoCard
	}
	request, err := correction(in, held)
	if err != nil {
		return out, err
	}
	request.Tenancy, request.Card = at.tenancy, at.card
	reg := c.Keyring.Keys.Registry()
	if reg == nil || len(reg.Trust.Records) == 0 {
		return out, tenancy.Refuse("ask the landlord", "this house has no registry, so it keeps no tenancies")
	}
	if !c.asked.take(at.tenancy, time.Now()) {
		return out, tenancy.Refuse("go to the registry, or ask again in an hour", "enough was asked for within the hour")
	}
	return c.write(r.Context(), reg.Trust.Records, reg.Place.Address(), request)
}

// write makes a request durable as a sealed entry. It waits with no deadline of its context: a slow disk would be told
// to the landlord.
func (c *Counter) write(ctx context.Context, records []byte, address string, request sealed.Correction) (out control.MineTaken, err error) {
	record, who, err := request.Record()
	if err != nil {
		return out, err
	}
	record.Reference = make([]byte, len(wire.ID{}))
	rand.Read(record.Reference) // never fails: it ends the program instead
	detail, err := sealed.Seal(records, address, record.Reference, record)
	if err != nil {
		return out, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(durableWithin, cancel).Stop()
	_, err = c.Journal.Append(ctx, wire.Header{Kind: wire.KindSealed, Detail: detail}, who)
	return control.MineTaken{Number: hex.EncodeToString(record.Reference[:4])}, err
}

// correction judges what a resident asks for.
func correction(in control.MineCorrection, held *control.Mine) (out sealed.Correction, err error) {
	about, ok := sealed.AboutOf(in.About)
	if !ok {
		return out, tenancy.Refuse("entry, name, number, flat, term, card or other", "no such thing to put right: %q", in.About)
	}
	if out.About = about; (about == sealed.AboutEntry) != (in.Entry != "") {
		return out, errWhich
	}
	if about == sealed.AboutEntry {
		if out.Epoch, out.Sequence, ok = find(held, in.Entry); !ok {
			return out, errWhich
		}
	}
	if out.Text, err = naming.Request(in.Text); err != nil {
		return out, &tenancy.Refusal{Message: err.Error()}
	}
	return out, nil
}

// collect is all that this gateway holds of a resident.
func (c *Counter) collect(ctx context.Context, of desk.Mine) (control.Mine, error) {
	zone := c.Site.Zone()
	now := c.Clock.Read()
	out := control.Mine{Building: c.Site.Building, Gateway: c.Site.Gateway, Zone: zone.String(), Time: c.Clock.Now().In(zone), Clock: now.Quality.String(),
		WhoDays: int(gateway.Periods(c.Gateway).Whos), Tenancy: c.shown(of.Tenancy, zone), Guests: []control.Guest{}}
	for _, g := range of.Guests {
		out.Guests = append(out.Guests, guests.Codes{Gateway: c.Gateway}.Shown(g, of.Tenancy.Flat, of.Tenancy.Label))
	}
	moment := when.Moment{Wall: now.Wall.UnixMilli(), BootTime: uint64(now.Boot), Clock: now.Quality}
	found, err := entries(ctx, c.Journal, owner{of.Credentials, of.Tenancy.ID}, moment, now.Interval.Hi, zone)
	out.Entries, out.Acts = found.entries, found.acts
	return out, err
}
