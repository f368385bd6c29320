// Package roster has, in memory, the front's state of buildings and gateways: the documents and the
// newest list of a building, and of a gateway whether it is a member, its last hello and what it
// was sent.
//
// It verifies no signature and sends nothing.
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

// Roster has all buildings and gateways. It is safe for concurrent use.
type Roster struct {
	now   func() time.Time // wall clock, for times that are shown
	began time.Time

	mu        sync.RWMutex
	buildings map[string]*Building // each is replaced, never changed
	gateways  map[string]*Gateway  // by address
}

// New returns an empty Roster of a front that starts now.
func New(now func() time.Time) *Roster {
	return &Roster{now: now, began: time.Now(), buildings: map[string]*Building{}, gateways: map[string]*Gateway{}}
}

// Building is the state of a building. It is immutable.
type Building struct {
	House    wire.House
	Document api.Document // the house document; without Envelope: none
	List     document.Head
	Ended    *uint64 // number of grants that are over, from the issuer; nil: unknown
}

// HouseFor returns the envelope of the house document for a gateway that reads a format.
func (b *Building) HouseFor(format uint64) []byte {
	if format < wire.LogFormat && len(b.Document.Old) > 0 {
		return b.Document.Old
	}
	return b.Document.Envelope
}

// Gateway identifies a present or former gateway of a building. Look returns its state.
type Gateway struct {
	address string
	spoke   atomic.Int64 // when a message with its signature last came, Unix ns of this machine

	state State // guarded by Roster.mu, without Building
	said  nonces
}

// State is the state of a gateway at one moment.
type State struct {
	Place  wire.Place
	Member bool     // the house document names it
	Key    wire.Key // of a member
	// Stranger is when somebody last used another key as this gateway; zero: nobody, in this run,
	// since its key changed.
	Stranger time.Time
	View     View
	Undo     Undo      // not yet applied by it; zero: none
	Building *Building // empty if unknown
}

// Undo undoes the highest time that was signed to a gateway.
type Undo struct {
	Floor    wire.Floor
	Envelope []byte
}

// Address returns building/gateway.
func (g *Gateway) Address() string { return g.address }

// Spoke notes that a message with the gateway's signature came now.
func (g *Gateway) Spoke() { g.spoke.Store(time.Now().UnixNano()) }

// SpokeSince reports whether a message with the gateway's signature came at t or later.
func (g *Gateway) SpokeSince(t time.Time) bool { return g.spoke.Load() >= t.UnixNano() }

// Look returns the state of a gateway.
func (r *Roster) Look(g *Gateway) State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := g.state
	s.Building = r.building(s.Place.Building)
	return s
}

// Find returns the gateway with an address; nil if it is unknown.
func (r *Roster) Find(address string) *Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.gateways[address]
}

// Member returns the gateway of a topic, with its key, if its building's house document names it at
// that very place.
func (r *Roster) Member(p wire.Place) (*Gateway, wire.Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	g := r.gateways[p.Address()]
	if g == nil || !g.state.Member || g.state.Place != p {
		return nil, wire.Key{}, false
	}
	return g, g.state.Key, true
}

// Members returns the present gateways of a building.
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

// Gateways returns all gateways in random order.
func (r *Roster) Gateways() []*Gateway {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.gateways))
}

// Buildings returns the state of each building, by id.
func (r *Roster) Buildings() map[string]*Building {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.buildings)
}

// Building returns the state of a building, which may be empty.
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

// change replaces the state of a building. r.mu is held.
func (r *Roster) change(id string, change func(*Building)) {
	b := *r.building(id)
	change(&b)
	r.buildings[id] = &b
}

// Count returns the number of gateways.
func (r *Roster) Count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.gateways)
}

// gatewayAt returns the gateway at a place, and adds it if it is new. r.mu is held.
func (r *Roster) gatewayAt(p wire.Place) *Gateway {
	g := r.gateways[p.Address()]
	if g == nil {
		g = &Gateway{address: p.Address(), state: State{Place: p}}
		r.gateways[g.address] = g
	}
	return g
}

// SetHouse activates a house document, which came as d, and returns the places that lost their
// right to connect.
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

// SetList sets the newest list of a building, and forgets the gateways' refusals of the previous
// one. ended is the number of grants that the issuer knows to be over; nil: unknown.
func (r *Roster) SetList(head document.Head, ended *uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(head.Building, func(b *Building) { b.List, b.Ended = head, ended })
	for _, g := range r.members(head.Building) {
		g.state.View.Refuses = wire.ReasonNone
	}
}
