// Package inquiries answers mandates, and takes orders to preserve, over the daemon's socket: who may ask is on the paper and not who
// calls.
//
// It refuses to tell anybody else that somebody asked: nothing is logged, and no status, view or count of
// the daemon knows of it.
package inquiries

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/evidence"
	"gatehouse/internal/gateway"
	"gatehouse/internal/inquiry"
	"gatehouse/internal/keys"
	"gatehouse/internal/mandate"
	"gatehouse/internal/socket"
	"gatehouse/sync/wire"
)

// Handle registers the route. software is the version of the daemon.
func Handle(s *socket.Server, g *gateway.Gateway, software string) {
	all, _ := keys.LoadKeys(g.Site.Path("keys")) // what of them can't be read is told at the start; without a key nothing is answered
	h := house{g, all.Gateway, software}
	desk := inquiry.New(inquiry.Sources{Log: g.Journal, House: h.papers, Now: h.now, Holds: g.Holds, Tenancies: h.tenancies, Card: h.card})
	socket.Handle(s, "POST /v1/preserve", func(r *http.Request, in control.PreserveRequest) (control.Preserved, error) {
		kept, err := desk.Preserve(r.Context(), in.Order)
		return preserve(kept, err, g.Site.Zone())
	})
	socket.Handle(s, "POST /v1/inquiry", func(r *http.Request, in control.InquiryRequest) (control.Inquiry, error) {
		a, err := desk.Ask(r.Context(), in.Mandate, in.Use)
		if refusal := new(mandate.Refusal); errors.As(err, &refusal) {
			return control.Inquiry{Refusal: shown(refusal), Reference: h.reference(in.Mandate)}, nil
		}
		if err != nil {
			return control.Inquiry{}, refused(err)
		}
		out := control.Inquiry{Reference: h.reference(in.Mandate), Use: a.Use, Again: a.Again}
		for i, file := range a.Files {
			out.Files = append(out.Files, control.SealedFile{Sealed: file, SHA256: a.Sums[i]})
		}
		return out, nil
	})
}

// preserve is what is said of an order, with its end in the building's zone.
func preserve(k inquiry.Kept, err error, zone *time.Location) (p control.Preserved, _ error) {
	if refusal := new(mandate.Refusal); errors.As(err, &refusal) {
		return control.Preserved{Refusal: shown(refusal)}, nil
	}
	if err != nil {
		return p, refused(err)
	}
	p.Seconds, p.Again = int64(k.Left/time.Second), k.Again
	if !k.Until.IsZero() {
		p.Until = new(k.Until.In(zone))
	}
	return p, nil
}

func shown(r *mandate.Refusal) *control.MandateRefusal {
	return &control.MandateRefusal{Code: r.Name, Reason: control.InLanguage(r.Reason), Article: control.InLanguage(r.Article), Do: control.InLanguage(r.Do)}
}

// reference is that of a mandate; nil: no approver of the house has signed it for it.
func (h house) reference(envelope []byte) *wire.ID {
	house := h.papers()
	m, refusal := mandate.Held(envelope, house.Trust, house.Place)
	if refusal != nil {
		return nil
	}
	return &m.Reference
}

// refused says what to do where it is not the mandate's fault.
func refused(err error) error {
	status, hint := http.StatusServiceUnavailable, "try again; if it stays so, ask the registry"
	switch {
	case errors.Is(err, inquiry.ErrNoAuthority):
		status, hint = http.StatusConflict, "secure the gateway and its disk; a house with a registry: sudo gatehouse enrol"
	case errors.Is(err, inquiry.ErrNotDurable):
		hint = "see gatehouse status: once the disk is well, ask for the answer of this use again with --use, or ask anew"
	case errors.Is(err, inquiry.ErrNotHeld):
		hint = "see gatehouse status: once the disk is well, show the order again; or preserve it at the registry"
	case errors.Is(err, inquiry.ErrNoUse):
		status, hint = http.StatusConflict, "leave --use out for a new use"
	case errors.Is(err, inquiry.ErrBusy):
		status, hint = http.StatusTooManyRequests, "wait an hour; gatehouse mandate status FILE judges a mandate without the gateway"
	case errors.Is(err, inquiry.ErrTooMany):
		status, hint = http.StatusConflict, "have a mandate signed for fewer flats, tenancies or cards"
	case errors.Is(err, errNoCard):
		status, hint = http.StatusRequestTimeout, "hold the card up to a reader of this gateway for a second, and one that opens again ten seconds later with the door shut"
	}
	return socket.Refused(status, hint, "%v", err)
}

// house is a gateway as an inquiry needs it.
type house struct {
	*gateway.Gateway
	key      []byte // Ed25519, private; nil: it can't be read
	software string
}

func (h house) papers() inquiry.House {
	out := inquiry.House{Key: h.key, SiteFile: h.Site.Hash(), Zone: h.Site.Zone(), Software: h.software}
	for _, d := range h.Site.Doors {
		out.Doors = append(out.Doors, evidence.Door{ID: d.ID, Contact: d.Contact != nil})
	}
	slices.SortFunc(out.Doors, func(a, b evidence.Door) int { return strings.Compare(a.ID, b.ID) })
	if r := h.Keyring.Keys.Registry(); r != nil {
		out.Place, out.Root, out.Trust, out.Papers = r.Place, r.Root, r.Trust, [2][]byte{r.TrustEnvelope, r.HouseEnvelope}
	}
	return out
}

func (h house) now() inquiry.Moment {
	r := h.Clock.Read()
	return inquiry.Moment{Wall: r.Wall, BootTime: r.Boot, Quality: r.Quality, Interval: r.Interval}
}

func (h house) tenancies(flats []string) (ids []wire.ID) {
	if len(flats) == 0 {
		return nil
	}
	for _, t := range h.Desk.Tenancies() {
		if slices.Contains(flats, t.Flat) {
			ids = append(ids, t.ID)
		}
	}
	slices.SortFunc(ids, func(a, b wire.ID) int { return strings.Compare(a.String(), b.String()) })
	return ids
}

var errNoCard = errors.New("the mandate is for the card in hand, and none came")

// cardWithin is how long the card may take.
const cardWithin = time.Minute

func (h house) card(ctx context.Context) ([]wire.CredentialID, error) {
	ctx, cancel := context.WithTimeout(ctx, cardWithin)
	defer cancel()
	c, err := h.Swipes.Found(ctx)
	if err != nil {
		return nil, errNoCard
	}
	return h.Keyring.IdentifyAll(c.Read)
}
