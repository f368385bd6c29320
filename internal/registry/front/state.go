package front

import (
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/sync/wire"
)

// building is what the front knows of one; guarded by Front.mu.
type building struct {
	house    wire.House
	envelope []byte // of the House document; nil: none
	old      []byte // of the same for gateways that read only the first format; nil: envelope does
	list     listHead
	listAt   time.Time
	ended    struct {
		known  bool
		number uint64 // grants that the issuer knows to be over
	}
}

// houseFor is the envelope of the House document for a gateway that reads a format.
func (b *building) houseFor(format uint64) []byte {
	if format < wire.LogFormat && len(b.old) > 0 {
		return b.old
	}
	return b.envelope
}

// gateway is one that is or was of a building.
type gateway struct {
	address string
	queued  atomic.Int32 // messages of it that wait
	wanted  atomic.Bool  // an answer to a Want is being made
	spoke   atomic.Int64 // when something that it signed came last, unix ns of this machine

	// Guarded by Front.mu.
	place  wire.Place
	member bool     // the House document names it
	key    wire.Key // of a member
	// stranger is when somebody last spoke as this gateway with another key; zero: nobody,
	// in this run, since the key is as it is.
	stranger time.Time
	view     view
	said     nonces
	undo     undo // that it has not taken yet; zero: none

	books ledger // only the committer's
}

// view is what people and acks see of a gateway.
type view struct {
	nonce  wire.Nonce
	hello  wire.Hello2
	format uint64 // of the newest hello; acks are of the same
	online bool
	since  time.Time
	heard  time.Time
	said   time.Time // the newest hello, by the monotonic clock; zero: not in this run
	sent   uint64    // list version
	lacks  bool      // it has something that is not known here, and has not handed it over
	mute   bool      // it has, and its program is too old to be asked for it
	given  named     // what it handed over last
	// refuses is why it does not take the newest list; pressed, that it is to hand over
	// what it has, so that the issuer can count for itself.
	refuses wire.Reason
	pressed bool
}

// read takes a stored hello, of whatever format it was, and reports whether it
// could be read.
func (v *view) read(payload []byte) bool {
	for v.format = wire.Formats; v.format > 0; v.format-- {
		var err error
		if v.hello, err = wire.DecodeHello(v.format, payload); err == nil {
			return true
		}
	}
	v.hello = wire.Hello2{}
	return false
}

// nonces are those of the hellos that a gateway said last. Signatures have no
// time: only by them is a hello that was said before known from a new one.
type nonces struct {
	list [64]wire.Nonce
	n    int
}

// add reports whether the nonce is a new one, and keeps it.
func (s *nonces) add(n wire.Nonce) bool {
	if slices.Contains(s.list[:min(s.n, len(s.list))], n) {
		return false
	}
	s.list[s.n%len(s.list)] = n
	s.n++
	return true
}

// ledger is what the committer must know of a gateway to take its next message.
type ledger struct {
	id    int64  // in the store; 0: never stored
	epoch uint64 // that acks name where the message itself names none
	line  uint64 // in which it numbers its tenancy records; 0: none
	count uint64 // stored of that line
	renew bool   // the line contradicts itself: acks name none, so that it begins another
	owing bool   // persons of records that siblings brought may still be with it
	// short is since when its hellos name entries that are not here, and none has come;
	// zero: all are, or they come.
	short time.Time

	claim  claim
	budget budget
}

// member returns the gateway of a topic, with its key, if its building's House
// document names it at that very place.
func (f *Front) member(p wire.Place) (*gateway, wire.Key, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	g := f.gateways[p.Address()]
	if g == nil || !g.member || g.place != p {
		return nil, wire.Key{}, false
	}
	return g, g.key, true
}

// heardStranger notes that somebody speaks as a gateway with another key.
func (f *Front) heardStranger(g *gateway) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g.stranger = f.o.Now()
}

// gatewayAt returns the gateway of a place, made if needed. f.mu is held.
func (f *Front) gatewayAt(p wire.Place) *gateway {
	g := f.gateways[p.Address()]
	if g == nil {
		g = &gateway{address: p.Address(), place: p}
		f.gateways[g.address] = g
	}
	return g
}

// buildingOf returns the building of that id, made if needed. f.mu is held.
func (f *Front) buildingOf(id string) *building {
	b := f.buildings[id]
	if b == nil {
		b = &building{}
		f.buildings[id] = b
	}
	return b
}

// setHouse puts a House document in force and returns the places that lost
// their right to connect. f.mu is held.
func (f *Front) setHouse(id string, h wire.House, envelope, old []byte) (out []wire.Place) {
	b := f.buildingOf(id)
	for _, old := range b.house.Gateways {
		p := wire.Place{District: b.house.District, Town: b.house.Town, Building: id, Gateway: old.ID}
		now := h.Gateway(old.ID)
		if now != nil && now.Public == old.Public && h.District == p.District && h.Town == p.Town {
			continue
		}
		out = append(out, p)
		if g := f.gateways[p.Address()]; g != nil {
			g.member, g.view.online, g.stranger = false, false, time.Time{}
		}
	}
	b.house, b.envelope, b.old = h, envelope, old
	for i := range h.Gateways {
		p := wire.Place{District: h.District, Town: h.Town, Building: id, Gateway: h.Gateways[i].ID}
		g := f.gatewayAt(p)
		g.place, g.member, g.key = p, true, h.Gateways[i].Key()
	}
	return out
}

// members returns the gateways of a building that are of it now.
func (f *Front) members(id string) (all []*gateway) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	b := f.buildings[id]
	if b == nil {
		return nil
	}
	for _, h := range b.house.Gateways {
		if g := f.gateways[id+"/"+h.ID]; g != nil && g.member {
			all = append(all, g)
		}
	}
	return all
}

// online reports whether a gateway said that it is there. One that did not is
// sent everything all the same: a front that has just started has not heard
// those that stayed connected to a broker elsewhere.
func (f *Front) online(g *gateway) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return g.view.online
}
