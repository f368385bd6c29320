package front

import (
	"context"
	"time"

	"gatehouse/internal/registry/store"
	"gatehouse/sync/wire"
)

// repeatAfter are the waits before an unproved list is pushed again. After the
// last one a gateway that has said nothing at all since the first push is cut
// off: its connection may be one that a router has forgotten.
var repeatAfter = [...]time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}

// push is a list that was sent to a gateway and is not proved by it yet.
type push struct {
	list store.List // without bytes
	at   time.Time  // of the first
	due  time.Time
	done int // of repeatAfter
}

// pushed notes that a list went out to a gateway.
func (f *Front) pushed(g *gateway, l store.List) {
	f.mu.Lock()
	f.owes(g, l, time.Now())
	f.mu.Unlock()
	select {
	case f.repeat <- struct{}{}:
	default:
	}
}

// owes notes that a gateway has to prove a list. f.mu is held.
func (f *Front) owes(g *gateway, l store.List, now time.Time) {
	l.Manifest, l.Second = nil, nil
	if p := f.pushes[g]; p != nil && g.spoke.Load() < p.at.UnixNano() {
		p.list = l // it owes an answer for longer than this
		return
	}
	f.pushes[g] = &push{list: l, at: now, due: now.Add(repeatAfter[0])}
}

// said takes what a stored entry says of a list: in force, or refused. f.mu is held.
func (f *Front) said(p proof) {
	v := &p.g.view
	if v.refuses = p.refuses; p.refuses == wire.ReasonNone {
		v.pressed = false
		f.proved(p.g, p.list)
		return
	}
	v.pressed = v.format >= wire.LogFormat && (p.refuses == wire.ReasonSecondNeeded || p.refuses == wire.ReasonUnproved)
}

// proved forgets the push of a list that a gateway has in force. f.mu is held.
func (f *Front) proved(g *gateway, list wire.Hash) {
	if p := f.pushes[g]; p != nil && list != (wire.Hash{}) && (p.list.Hash == list || p.list.OldHash == list) {
		delete(f.pushes, g)
	}
}

// repeatLoop pushes what is not proved again, until ctx ends.
func (f *Front) repeatLoop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.repeat:
		case <-timer.C:
		}
		timer.Reset(time.Until(f.repeatDue(ctx, time.Now())))
	}
}

// repeatDue does what is due and returns when the next thing will be.
func (f *Front) repeatDue(ctx context.Context, now time.Time) time.Time {
	next := now.Add(time.Hour)
	var again, cut []*gateway
	f.mu.Lock()
	for g, p := range f.pushes {
		if now.Before(p.due) {
			next = earliest(next, p.due)
			continue
		}
		p.done++
		switch {
		case !g.member:
			delete(f.pushes, g)
		case p.done < len(repeatAfter):
			again = append(again, g)
			p.due = now.Add(repeatAfter[p.done])
			next = earliest(next, p.due)
		default:
			delete(f.pushes, g)
			if g.view.online && g.spoke.Load() < p.at.UnixNano() {
				cut = append(cut, g)
			}
		}
	}
	f.mu.Unlock()
	f.pushAgain(ctx, again)
	for _, g := range cut {
		f.seldom.Warn().Str("gateway", g.address).Msg("a gateway has said nothing since a list was sent to it: its connection is ended, so that it makes another")
		f.link.Disconnect(f.placeOf(g))
	}
	return next
}

// pushAgain sends the newest lists, without buckets: what a gateway lacks it asks
// for.
func (f *Front) pushAgain(ctx context.Context, to []*gateway) {
	lists := map[string]outgoing{}
	for _, g := range to {
		place := f.placeOf(g)
		out, read := lists[place.Building]
		if !read {
			l, err := f.store.List(ctx, place.Building)
			if err == nil {
				out, err = f.outgoing(ctx, l)
			}
			if err != nil {
				if ctx.Err() == nil {
					f.o.Log.Error().Err(err).Str("building", place.Building).Msg("a list can't be pushed again")
				}
				continue
			}
			lists[place.Building] = out
		}
		f.sendList(g, place, out, nil, false)
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Spread of reconnects: so many handshakes a second are no load, and no gateway
// waits longer than that for a revocation.
const (
	handshakesASecond = 500
	leastSpread       = 5  // s
	mostSpread        = 40 // s
)

// spread is over how many seconds gateways that lose their connection at once
// should come back. f.mu is held.
func (f *Front) spread() uint16 {
	return uint16(max(leastSpread, min(mostSpread, len(f.gateways)/handshakesASecond)))
}
