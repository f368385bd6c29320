package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/sync/wire"
)

// A gateway may have a list that this registry does not know: its database was put
// back, or somebody else signs. The gateway's word is only the reason to ask it for
// what it holds; the issuer judges that.

// Bounds of what is gathered from gateways, in memory.
const (
	maxHolding  = 8 << 20 // bytes of one gateway
	maxHoldings = 32      // gateways at a time; the others are asked later
	askEvery    = 20 * time.Second
	askAfter    = time.Minute // of the start: before that the issuer may not have handed in what is known
)

// holdings gathers what gateways hold, in parts. Safe for concurrent use.
type holdings struct {
	mu  sync.Mutex
	all map[string]*holding // by address of the gateway
}

// holding is what came of one gateway.
type holding struct {
	place wire.Place
	nonce wire.Nonce // of the hello that it answers
	parts [][]byte   // envelopes
	left  int        // parts that have not come
	size  int
	given time.Time // to the issuer, last
}

var errUnasked = errors.New("nobody asked for what the gateway holds")

func newHoldings() *holdings { return &holdings{all: make(map[string]*holding)} }

// add takes a part. It reports whether it was the last one.
func (h *holdings) add(g *gateway, p wire.Place, part wire.Holding, envelope []byte) (whole bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.all[g.address]
	if of == nil || of.nonce != part.Nonce || len(of.parts) != int(part.Parts) {
		if of == nil && len(h.all) >= maxHoldings {
			return false, fmt.Errorf("%w now: too many answer at a time", errUnasked)
		}
		of = &holding{place: p, nonce: part.Nonce, parts: make([][]byte, part.Parts), left: int(part.Parts)}
		h.all[g.address] = of
	}
	if of.parts[part.Part] != nil {
		return of.left == 0, nil
	}
	if of.size += len(envelope); of.size > maxHolding {
		delete(h.all, g.address)
		return false, fmt.Errorf("what the gateway holds: %w: more than %d bytes", wire.ErrTooLarge, maxHolding)
	}
	of.parts[part.Part] = envelope
	of.left--
	return of.left == 0, nil
}

// whole returns one that has come whole: the one that the issuer was not given for
// the longest time. What it was given within askEvery does not count, so that an
// issuer that takes none, as those before holdings do, is not answered without end;
// nil: none. One that is given counts as given now.
func (h *holdings) whole(now time.Time) []api.Holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	var next *holding
	for _, of := range h.all {
		if of.left == 0 && (next == nil || of.given.Before(next.given)) {
			next = of
		}
	}
	if next == nil || now.Sub(next.given) < askEvery {
		return nil
	}
	next.given = now
	return []api.Holding{{Place: api.Place(next.place), Nonce: next.nonce[:], Parts: next.parts}}
}

// take forgets what a gateway holds, if it is still the answer to that hello.
func (h *holdings) take(address string, nonce []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	of := h.all[address]
	if of == nil || !bytes.Equal(of.nonce[:], nonce) {
		return false
	}
	delete(h.all, address)
	return true
}

// named is what a hello says that a registry may lack.
type named struct {
	list     wire.Hash
	removed  uint64 // grants that are over for good
	removals wire.Hash
}

func namedBy(h wire.Hello2) named { return named{h.ListHash, h.Removed, h.RemovedHash} }

// speaks reports whether a gateway can be asked for what it holds.
func speaks(h wire.Hello2) bool {
	return len(h.Formats) > 0 && h.Formats[len(h.Formats)-1] >= wire.LogFormat
}

// note keeps what a hello names that is not known here: it is asked for, unless the
// gateway has handed over just that, or told to the operator. f.mu is held.
func (v *view) note(lacks bool, h wire.Hello2) {
	v.lacks = lacks && speaks(h) && namedBy(h) != v.given
	v.mute = lacks && !speaks(h)
}

// lacks reports whether a hello names something that is not known here.
func (t *txn) lacks(l *ledger, p wire.Place, h wire.Hello2) (bool, error) {
	if h.List > 0 {
		known, err := t.Knows(p.Building, h.ListHash)
		if err != nil || !known {
			return !known, err
		}
	}
	t.front.mu.RLock()
	defer t.front.mu.RUnlock()
	b := t.front.buildings[p.Building]
	if b == nil {
		return h.House > 0, nil
	}
	inStep := h.Line == l.line && h.Records == l.count // else its own ends are still on their way
	return inStep && b.ended.known && h.Removed > b.ended.number || h.House > b.house.Version, nil
}

// takeHolding takes a part of what a gateway holds.
func (f *Front) takeHolding(m message, payload []byte) error {
	var part wire.Holding
	if err := wire.Decode(payload, &part); err != nil {
		return err
	}
	f.mu.RLock()
	asked, place := (m.g.view.lacks || m.g.view.pressed) && part.Nonce == m.g.view.nonce, m.g.place
	f.mu.RUnlock()
	if !asked {
		return errUnasked
	}
	whole, err := f.holdings.add(m.g, place, part, m.payload)
	if err == nil && whole {
		f.inbox.wake()
	}
	return err
}

// taken is the issuer's word that it has judged what a gateway holds.
func (f *Front) taken(_ context.Context, h api.Holding) (any, error) {
	address := h.Place.Address()
	if !f.holdings.take(address, h.Nonce) {
		return nil, errGone
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if g := f.gateways[address]; g != nil && bytes.Equal(g.view.nonce[:], h.Nonce) {
		g.view.lacks, g.view.pressed, g.view.given = false, false, namedBy(g.view.hello)
	}
	return struct{}{}, nil
}

// nudge is no message: it asks for an ack of where a gateway stands, and finds out
// again whether something is lacking.
type nudge struct{}

func (nudge) store(t *txn, g *gateway) error {
	l, err := t.ledger(g)
	if err != nil {
		return err
	}
	t.front.mu.RLock()
	place, hello := g.place, g.view.hello
	t.front.mu.RUnlock()
	lacks, err := t.lacks(l, place, hello)
	if err != nil {
		return err
	}
	t.front.mu.Lock()
	g.view.note(lacks, hello)
	asked := g.view.lacks || g.view.pressed
	t.front.mu.Unlock()
	if asked {
		t.ack(g, l.epoch)
	}
	return nil
}

// askLoop asks again those that have not answered, and those that were not asked
// since the issuer had not said yet what is known.
func (f *Front) askLoop(ctx context.Context) error {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		f.mu.RLock()
		var silent []*gateway
		for _, g := range f.gateways {
			if g.member && g.view.online && (g.view.lacks || g.view.mute || g.view.pressed) && len(silent) < maxHoldings {
				silent = append(silent, g)
			}
		}
		f.mu.RUnlock()
		for _, g := range silent {
			select {
			case f.jobs <- job{g: g, work: nudge{}}:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// asks reports whether a gateway is to be asked for what it holds. f.mu is held.
func (f *Front) asks(g *gateway, b *building) bool {
	return g.view.pressed || g.view.lacks && f.caughtUp(b)
}

// caughtUp reports whether the issuer has said what is known of a building, or has had
// the time to. f.mu is held.
func (f *Front) caughtUp(b *building) bool {
	return b != nil && b.list.Version > 0 || time.Since(f.began) > askAfter
}

// mute are the lines about gateways that have something which is not known here and
// that can't be asked for it. f.mu is held.
func (f *Front) mute() (lines []string) {
	for _, g := range f.gateways {
		if !g.member || !g.view.mute || !f.caughtUp(f.buildings[g.place.Building]) {
			continue
		}
		lines = append(lines, fmt.Sprintf("gateway %s has list %d and house document %d, which this registry does not know, and is too old to be asked for them: "+
			"until its program is a newer one, or a newer gateway of the building has handed over the same, it takes no list of ours, and what was revoked since the backup is not known here: "+
			"update it, or revoke that again", g.address, g.view.hello.List, g.view.hello.House))
	}
	return lines
}
