package registry

import (
	"context"
	"time"

	"gatehouse/sync/wire"
)

// repeatAfter are the waits before an unproved list is pushed again. After the
// last one a gateway that has said nothing at all since the first push is cut
// off: its connection may be one that a router has forgotten.
var repeatAfter = [...]time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}

// push is a list that was sent to a gateway and is not proved by it yet.
type push struct {
	list outgoing
	at   time.Time // of the first
	due  time.Time
	done int // of repeatAfter
}

// pushed notes that a list went out to a gateway.
func (f *Front) pushed(g *gateway, l outgoing) {
	now := time.Now()
	f.mu.Lock()
	if p := f.pushes[g]; p != nil && g.spoke.Load() < p.at.UnixNano() {
		p.list = l // it owes an answer for longer than this
	} else {
		f.pushes[g] = &push{list: l, at: now, due: now.Add(repeatAfter[0])}
	}
	f.mu.Unlock()
	select {
	case f.repeat <- struct{}{}:
	default:
	}
}

// proved forgets the push of a list that a gateway has in force. f.mu is held.
func (f *Front) proved(g *gateway, list wire.Hash) {
	if p := f.pushes[g]; p != nil && list != (wire.Hash{}) && (p.list.Hash == list || p.list.OldHash == list) {
		delete(f.pushes, g)
	}
}

// repeatLoop pushes what is not proved again, until ctx ends.
func (f *Front) repeatLoop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.repeat:
		case <-timer.C:
		}
		timer.Reset(time.Until(f.repeatDue(time.Now())))
	}
}

// repeatDue does what is due and returns when the next thing will be.
func (f *Front) repeatDue(now time.Time) time.Time {
	next := now.Add(time.Hour)
	again, cut := map[*gateway]outgoing{}, []*gateway(nil)
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
			again[g] = p.list
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
	for g, l := range again {
		f.sendList(g, f.placeOf(g), l, nil, false)
	}
	for _, g := range cut {
		f.seldom.Warn().Str("gateway", g.address).Msg("a gateway has said nothing since a list was sent to it: its connection is ended, so that it makes another")
		f.link.Disconnect(f.placeOf(g))
	}
	return next
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
