// Package roster is what the front knows, in memory, of buildings and their
// gateways: the documents and the newest list of a building, and of a gateway
// whether its building names it, what it said last and what it was told.
//
// It judges no signature and sends nothing.
package roster

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/registry/api"
	"gatehouse/internal/registry/front/document"
	"gatehouse/sync/wire"
)

// Roster is all buildings and gateways. Safe for concurrent use.
type Roster struct {
	now   func() time.Time // wall clock of what is shown
	began time.Time

	mu        sync.RWMutex
	buildings map[string]*Building // each is replaced, never changed
	gateways  map[string]*Gateway  // by address
}

// New makes an empty Roster of a front that starts now.
func New(now func() time.Time) *Roster {
	return &Roster{now: now, began: time.Now(), buildings: map[string]*Building{}, gateways: map[string]*Gateway{}}
}

// Building is what the front knows of one. It never changes.
type Building struct {
	House    wire.House
	Document api.Document // the House document as it came; without Envelope: none
	List     document.Head
	Ended    *uint64 // grants that the issuer knows to be over; nil: it has not said
}

// HouseFor returns the envelope of the House document for a gateway that reads a format.
func (b *Building) HouseFor(format uint64) []byte {
	if format < wire.LogFormat && len(b.Document.Old) > 0 {
		return b.Document.Old
	}
	return b.Document.Envelope
}

// Gateway names one that is or was of a building. Look tells what is known of it.
type Gateway struct {
	address string
	spoke   atomic.Int64 // when something that it signed came last, unix ns of this machine

	state State // guarded by Roster.mu, without Building
	said  nonces
}

// State is what is known of a gateway at one moment.
type State struct {
	Place  wire.Place
	Member bool     // the House document names it
	Key    wire.Key // of a member
	// Stranger is when somebody last spoke as this gateway with another key; zero: nobody,
	// in this run, since the key is as it is.
	Stranger time.Time
	View     View
	Undo     Undo      // that it has not taken yet; zero: none
	Building *Building // empty where nothing is known of it
}

// Undo takes back the highest time that was signed to a gateway.
type Undo struct {
	Floor    wire.Floor
	Envelope []byte
}

// Address returns building/gateway.
func (g *Gateway) Address() string { return g.address }

// Spoke notes that something which the gateway signed came now.
func (g *Gateway) Spoke() { g.spoke.Store(time.Now().UnixNano()) }

// SpokeSince reports whether something which the gateway signed came at t or later.
func (g *Gateway) SpokeSince(t time.Time) bool { return g.spoke.Load() >= t.UnixNano() }

// Look returns what is known of a gateway.
func (r *Roster) Look(g *Gateway) State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := g.state
	s.Building = r.building(s.Place.Building)
	return s
}

// Find returns the gateway of an address; nil: none was heard of.
func (r *Roster) Find(address string) *Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.gateways[address]
}

// Member returns the gateway of a topic, with its key, if its building's House
// document names it at that very place.
func (r *Roster) Member(p wire.Place) (*Gateway, wire.Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	g := r.gateways[p.Address()]
	if g == nil || !g.state.Member || g.state.Place != p {
		return nil, wire.Key{}, false
	}
	return g, g.state.Key, true
}

// Members returns the gateways of a building that are of it now.
func (r *Roster) Members(building string) []*Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.members(building)
}

func (r *Roster) members(building string) (all []*Gateway) {
	for _, h := range r.building(building).House.Gateways {
		if g := r.gateways[building+"/"+h.ID]; g != nil && g.state.Member {
			all = append(all, g)
		}
	}
	return all
}

// Gateways returns all gateways, in no order.
func (r *Roster) Gateways() []*Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.gateways))
}

// Buildings returns what is known of each building, by id.
func (r *Roster) Buildings() map[string]*Building {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.buildings)
}

// Building returns what is known of a building, nothing maybe.
func (r *Roster) Building(id string) *Building {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.building(id)
}

func (r *Roster) building(id string) *Building {
	if b := r.buildings[id]; b != nil {
		return b
	}
	return &Building{}
}

// change replaces what is known of a building. r.mu is held.
func (r *Roster) change(id string, change func(*Building)) {
	b := *r.building(id)
	change(&b)
	r.buildings[id] = &b
}

// Count returns how many gateways there are.
func (r *Roster) Count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.gateways)
}

// gatewayAt returns the gateway of a place, made if needed. r.mu is held.
func (r *Roster) gatewayAt(p wire.Place) *Gateway {
	g := r.gateways[p.Address()]
	if g == nil {
		g = &Gateway{address: p.Address(), state: State{Place: p}}
		r.gateways[g.address] = g
	}
	return g
}

// SetHouse makes a House document the active one, d is as it came, and returns the
// places that lost their right to connect.
func (r *Roster) SetHouse(h wire.House, d api.Document) (out []wire.Place) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.building(d.Building).House
	for _, was := range before.Gateways {
		p := wire.Place{District: before.District, Town: before.Town, Building: d.Building, Gateway: was.ID}
		now := h.Gateway(was.ID)
		if now != nil && now.Public == was.Public && h.District == p.District && h.Town == p.Town {
			continue
		}
		out = append(out, p)
		if g := r.gateways[p.Address()]; g != nil {
			g.state.Member, g.state.View.Online, g.state.Stranger = false, false, time.Time{}
		}
	}
	r.change(d.Building, func(b *Building) { b.House, b.Document = h, d })
	for i := range h.Gateways {
		p := wire.Place{District: h.District, Town: h.Town, Building: d.Building, Gateway: h.Gateways[i].ID}
		g := r.gatewayAt(p)
		g.state.Place, g.state.Member, g.state.Key = p, true, h.Gateways[i].Key()
	}
	return out
}

// SetList makes a list the newest one of its building, and forgets what gateways said of
// the one before. Ended is how many grants the issuer knows to be over; nil: it has not
// said.
func (r *Roster) SetList(head document.Head, ended *uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(head.Building, func(b *Building) { b.List, b.Ended = head, ended })
	for _, g := range r.members(head.Building) {
		g.state.View.Refuses = wire.ReasonNone
	}
}
