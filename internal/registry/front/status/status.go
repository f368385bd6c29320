// Package status is the operator's view of the front: its state, what is wrong and what to do, and
// the state of each gateway.
package status

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/registry/agreed"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/backup"
	"gatehouse/internal/registry/front/commit"
	"gatehouse/internal/registry/front/document"
	"gatehouse/internal/registry/front/inbox"
	"gatehouse/internal/registry/front/retention"
	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// Page is the operator's view; all fields are needed. It is safe for concurrent use.
type Page struct {
	Store     *store.Store
	Roster    *roster.Roster
	Active    *document.Active
	Committer *commit.Committer
	Inbox     *inbox.Inbox
	Safety    *backup.Safety
	Clock     *agreed.Clock
	Started   time.Time // of the run
	Now       func() time.Time
	Endings   *Endings
	Retention *retention.Eraser
	Room      Room
}

// Status completes a status in which the front has set the fields from Registry to Queued.
func (p *Page) Status(ctx context.Context, s api.Status) (api.Status, error) {
	var err error
	if s.Entries, s.Batches, err = p.Store.Count(ctx); err != nil {
		return s, err
	}
	if s.LastWork, err = p.Store.LastRecord(ctx); err != nil {
		return s, err
	}
	if s.Remarks, err = p.Store.Remarks(ctx); err != nil {
		return s, err
	}
	a := p.Active.Load()
	s.Registry, s.Trust, s.Bytes, s.Issuer = a.Trust.Registry, a.Trust.Version, p.Store.Size(), p.Inbox.Attended()
	for _, b := range p.Roster.Buildings() {
		if b.Document.Envelope != nil {
			s.Buildings++
		}
	}
	for _, g := range p.Roster.Gateways() {
		if of := p.Roster.Look(g); of.Member {
			s.Gateways++
			if of.View.Online {
				s.Online++
			}
		}
	}
	s.Backup, s.PutBack = when(p.Safety.Last()), when(p.Safety.PutBack())
	s.Retention = p.Retention.State()
	p.Room.look(&s)
	s.Problems = p.problems(s)
	return s, nil
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// alarmSpan is the time over which alarms are counted.
const alarmSpan = 24 * time.Hour

// Gateways returns the state of the gateways of a building; building "": of all.
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
		if building == "" || strings.HasPrefix(g.Address(), building+"/") {
			all = append(all, show(p.Roster.Look(g), stored[g.Address()], now))
		}
	}
	slices.SortFunc(all, func(a, b api.Gateway) int { return strings.Compare(a.Address(), b.Address()) })
	return all, nil
}

// show joins the stored and the present state of a gateway.
func show(g roster.State, s store.Gateway, now time.Time) api.Gateway {
	v := &g.View
	out := api.Gateway{Place: api.Place(g.Place), Member: g.Member, Online: v.Online && g.Member, Since: when(v.Since), Heard: when(v.Heard),
		Software: v.Hello.Software, Stored: s.Size, Total: s.Total, Line: s.Line, Records: s.Records,
		Sent: v.Sent, Claimed: v.Hello.List, Applied: s.Applied, AppliedAt: when(s.AppliedAt),
		SetBacks: s.SetBacks, SetBackTo: s.SetBackTo, Alarms: s.Alarms, Forks: s.Forks}
	if !v.Said.IsZero() {
		out.Wall, out.Clock, out.Said = when(time.UnixMilli(v.Hello.Wall).UTC()), v.Hello.Clock.String(), time.Since(v.Said)
	}
	out.Zone, out.TooOld = v.Hello.Zone, v.TooOld
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
