// Package guests is the daemon's side of guest codes: their terms as a request has them, and
// what people see of them.
//
// It refuses to say of a code whether it was used, but to its tenant: that would tell that
// somebody came (refusal N2).
package guests

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/control"
	"gatehouse/internal/desk"
	"gatehouse/internal/doorcode"
	"gatehouse/internal/gateway"
	"gatehouse/internal/socket"
)

// Codes are the guest codes of a gateway. Safe for concurrent use.
type Codes struct{ *gateway.Gateway }

// hoursMost limits the hours of a request; more are as these, which the desk refuses.
const hoursMost = 10_000

// Terms are the terms of a request as the desk takes them; nil for none.
func (g Codes) Terms(in *control.GuestTerms) (*doorcode.Terms, error) {
	if in == nil {
		return nil, nil
	}
	if in.Hours < 0 {
		return nil, socket.Refused(http.StatusUnprocessableEntity, "say how many hours, or nothing for until midnight", "a guest code can't last %s", amount.Of(in.Hours, "hour"))
	}
	begin, out := g.Clock.Now(), doorcode.Terms{Once: in.Once}
	if in.From != nil {
		out.From, begin = unix(*in.From), *in.From
	}
	end := begin.Add(time.Duration(min(in.Hours, hoursMost)) * time.Hour)
	if in.Hours == 0 {
		y, m, d := begin.In(g.zone()).Date()
		end = time.Date(y, m, d+1, 0, 0, 0, 0, g.zone())
	}
	out.Until = unix(end)
	return &out, nil
}

// unix returns the nearest time that a code can have, unix s.
func unix(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

func (g Codes) zone() *time.Location {
	zone, err := time.LoadLocation(g.Site.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Shown is a guest code as people see it.
func (g Codes) Shown(c doorcode.Guest, flat, label string) control.Guest {
	zone := g.zone()
	out := control.Guest{ID: c.ID, Tenancy: c.Tenancy.String(), Flat: flat, Label: label, Until: time.Unix(int64(c.Until), 0).In(zone), Zone: zone.String(), Once: c.Once, Used: c.Used}
	if c.From != 0 {
		out.From = new(time.Unix(int64(c.From), 0).In(zone))
	}
	return out
}

// Given is a new guest code; nil for none.
func (g Codes) Given(d desk.Done) *control.GuestCode {
	if d.Guest == nil {
		return nil
	}
	return &control.GuestCode{Guest: g.Shown(d.Guest.Guest, d.Tenancy.Flat, d.Tenancy.Label), Code: d.Guest.Digits, QR: d.Guest.QR, Keys: d.Guest.Keys, Scanners: d.Guest.Scanners}
}

// PostPass shows a guest code to whoever has its digits.
func (g Codes) PostPass(_ *http.Request, in control.PassRequest) (any, error) {
	c, err := g.Desk.Guests.Pass(in.Digits)
	if err != nil {
		return nil, err
	}
	s := g.Shown(c.Guest, "", "")
	return control.Pass{From: s.From, Until: s.Until, Zone: s.Zone, Once: s.Once, QR: c.QR, Keys: c.Keys, Scanners: c.Scanners}, nil
}

// Get lists the guest codes, by flat.
func (g Codes) Get(*http.Request, socket.None) (any, error) {
	all, lives := []control.Guest{}, g.Desk.Tenancies()
	for _, c := range g.Desk.Guests.List() {
		flat, label := "", ""
		for _, t := range lives {
			if t.ID == c.Tenancy {
				flat, label = t.Flat, t.Label
			}
		}
		all = append(all, g.Shown(c, flat, label))
	}
	slices.SortStableFunc(all, func(a, b control.Guest) int { return strings.Compare(a.Flat, b.Flat) })
	return all, nil
}

// PostEnd ends a guest code before its time.
func (g Codes) PostEnd(r *http.Request, _ socket.None) (any, error) {
	return struct{}{}, g.Desk.Guests.End(r.Context(), r.PathValue("id"))
}
