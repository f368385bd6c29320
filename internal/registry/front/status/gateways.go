package status

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// alarmSpan is the time that alarms are counted over.
const alarmSpan = 24 * time.Hour

// Gateways returns how the gateways of a building stand; building "": all.
func (p *Page) Gateways(ctx context.Context, building string) ([]api.Gateway, error) {
	now := p.Now()
	known, err := p.Store.Gateways(ctx, building, now.Add(-alarmSpan))
	if err != nil {
		return nil, err
	}
	stored := make(map[string]store.Gateway, len(known))
	for _, k := range known {
		stored[k.Place.Address()] = k
	}
	all := []api.Gateway{}
	for _, g := range p.Roster.Gateways() {
		if of := p.Roster.Look(g); building == "" || of.Place.Building == building {
			all = append(all, show(of, stored[g.Address()], now))
		}
	}
	slices.SortFunc(all, func(a, b api.Gateway) int { return strings.Compare(a.Address(), b.Address()) })
	return all, nil
}

// show joins what is stored of a gateway and what is known of it now.
func show(g roster.State, s store.Gateway, now time.Time) api.Gateway {
	v := &g.View
	out := api.Gateway{Place: api.Place(g.Place), Member: g.Member, Online: v.Online && g.Member, Since: when(v.Since), Heard: when(v.Heard),
		Software: v.Hello.Software, Stored: s.Size, Total: s.Total, Line: s.Numbering.Line, Records: s.Numbering.Records,
		Sent: v.Sent, Claimed: v.Hello.List, Applied: s.Applied, AppliedAt: when(s.AppliedAt),
		SetBacks: s.SetBacks, SetBackTo: s.SetBackTo, Alarms: s.Alarms, Forks: s.Forks}
	if !v.Said.IsZero() {
		out.Wall, out.Clock, out.Said = when(time.UnixMilli(v.Hello.Wall).UTC()), v.Hello.Clock.String(), time.Since(v.Said)
	}
	out.Zone, out.TooOld = v.Hello.Zone, v.Mute
	if s := v.Hello.Floor; s.Unix > 0 {
		out.Signed = &api.Floor{Role: string(s.Role), Epoch: s.Epoch, Unix: s.Unix, Undos: s.Undos}
	}
	if v.Refuses != wire.ReasonNone {
		out.Refuses = v.Refuses.String()
	}
	if s.Epoch != 0 {
		out.Epoch = fmt.Sprintf("%016x", s.Epoch)
	}
	switch {
	case v.Hello.Epoch != s.Epoch:
		out.Behind = v.Hello.Next
	case v.Hello.Next > s.Size:
		out.Behind = v.Hello.Next - s.Size
	}
	if b := g.Building; b.List.Version > 0 {
		out.List, out.ListHash, out.ListAt = b.List.Version, bytes.Clone(b.List.Hash[:]), when(b.List.Stored)
		if out.Applied != out.List {
			out.Unproven = now.Sub(b.List.Stored)
		}
	}
	return out
}
