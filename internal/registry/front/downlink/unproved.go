package downlink

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/registry/front/roster"
	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// repeatAfter are the delays before an unproved list is sent again. After the last one a gateway
// that has sent nothing since the list was first sent is disconnected: a router may have forgotten
// its connection.
var repeatAfter = [...]time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}

// Unproved has the lists that were sent to gateways and are not yet proved to be active there, and
// sends them again. Its methods are safe for concurrent use.
type Unproved struct {
	sender  *Sender
	changed chan struct{} // a list was sent

	mu  sync.Mutex
	all map[*roster.Gateway]*push
}

// push is one list that was sent to one gateway.
type push struct {
	hash, oldHash wire.Hash
	at            time.Time // when it was first sent
	due           time.Time
	done          int // delays of repeatAfter that have passed
}

func newUnproved(s *Sender) *Unproved {
	return &Unproved{sender: s, changed: make(chan struct{}, 1), all: map[*roster.Gateway]*push{}}
}

// Sent notes that a list is sent to a gateway, which has to prove it.
func (u *Unproved) Sent(g *roster.Gateway, l store.List) {
	u.mu.Lock()
	now := time.Now()
	if p := u.all[g]; p != nil && !g.SpokeSince(p.at) {
		p.hash, p.oldHash = l.Hash, l.OldHash // the gateway's silence began with the previous list
	} else {
		u.all[g] = &push{l.Hash, l.OldHash, now, now.Add(repeatAfter[0]), 0}
	}
	u.mu.Unlock()
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// Proved forgets a list that a gateway has proved to be active there.
func (u *Unproved) Proved(g *roster.Gateway, list wire.Hash) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p := u.all[g]; p != nil && list != (wire.Hash{}) && (p.hash == list || p.oldHash == list) {
		delete(u.all, g)
	}
}

// Run sends unproved lists again until ctx ends.
func (u *Unproved) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-u.changed:
		case <-timer.C:
		}
		timer.Reset(time.Until(u.Repeat(ctx, time.Now())))
	}
}

// Repeat does what is due and returns when to call it next.
func (u *Unproved) Repeat(ctx context.Context, now time.Time) time.Time {
	again, silent, next := u.due(now)
	u.sendAgain(ctx, again)
	for _, g := range silent {
		u.sender.o.Limited.Warn().Str("gateway", g.Address()).Msg("a gateway has said nothing since a list was sent to it: its connection is ended, so that it makes another")
		u.sender.o.Link.Disconnect(u.sender.o.Roster.Look(g).Place)
	}
	return next
}

// due returns the gateways that get their list again, those that have been silent since it was
// first sent, and when something is due next.
func (u *Unproved) due(now time.Time) (again, silent []*roster.Gateway, next time.Time) {
	next = now.Add(time.Hour)
	u.mu.Lock()
	defer u.mu.Unlock()
	for g, p := range u.all {
		of := u.sender.o.Roster.Look(g)
		switch {
		case now.Before(p.due):
		case !of.Member:
			delete(u.all, g)
			continue
		case p.done+1 < len(repeatAfter):
			p.done++
			again = append(again, g)
			p.due = now.Add(repeatAfter[p.done])
		default:
			delete(u.all, g)
			if of.View.Online && !g.SpokeSince(p.at) {
				silent = append(silent, g)
			}
			continue
		}
		if p.due.Before(next) {
			next = p.due
		}
	}
	return again, silent, next
}

// sendAgain sends the newest lists without buckets: a gateway asks for those that it lacks.
func (u *Unproved) sendAgain(ctx context.Context, to []*roster.Gateway) {
	in := map[string][]*roster.Gateway{}
	for _, g := range to {
		building := u.sender.o.Roster.Look(g).Place.Building
		in[building] = append(in[building], g)
	}
	for building, gateways := range in {
		l, err := u.sender.newestList(ctx, building)
		if err != nil {
			if ctx.Err() == nil {
				u.sender.o.Log.Error().Err(err).Str("building", building).Msg("a list can't be pushed again")
			}
			continue
		}
		for _, g := range gateways {
			u.sender.sendList(g, l, nil, false)
		}
	}
}
