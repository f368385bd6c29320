package keyring

import (
	"maps"
	"slices"
	"testing"

	"gatehouse/internal/grantlist"
	"gatehouse/sync/wire"
)

// The model of a house with a registry: sets of changes, and what follows from
// them, without files, numbers of lines or merging of tables.

// lineOf names a numbering of some gateway; the test never uses one twice.
type lineOf uint64

// fact is a change as a gateway knows it.
type fact struct {
	id     wire.ID
	maker  string
	change wire.Change
	line   lineOf // under which it was heard last
	number uint64
	lines  map[lineOf]bool // under which it was heard
}

func (f *fact) copy() *fact {
	c := *f
	c.lines = maps.Clone(f.lines)
	return &c
}

// modelGrant is what changes, in the order in which they came, make of a grant.
type modelGrant struct {
	cards map[wire.CredentialID]bool // suspended
	ended bool
	until uint32
}

// modelList is a list by what is in it.
type modelList struct {
	version uint64
	got     map[lineOf]map[wire.ID]bool // the records that it was made with
	grants  map[wire.ID]modelGrant
	update  grantlist.Update
}

// modelRegistry merges what comes to it.
type modelRegistry struct {
	stored  map[string]map[lineOf]uint64
	got     map[lineOf]map[wire.ID]bool
	applied map[wire.ID]bool
	changes map[wire.ID][]wire.Change   // by grant, as they came
	told    map[string]map[wire.ID]bool // by gateway: grants that it has proved to have revoked
	lists   []*modelList
	dirty   bool
}

func newModelRegistry() *modelRegistry {
	return &modelRegistry{stored: make(map[string]map[lineOf]uint64), got: make(map[lineOf]map[wire.ID]bool), applied: make(map[wire.ID]bool),
		changes: make(map[wire.ID][]wire.Change), told: map[string]map[wire.ID]bool{"gate-a": {}, "gate-b": {}}}
}

// deliver takes a record if it is the next of its line.
func (r *modelRegistry) deliver(gateway string, line lineOf, number uint64, id wire.ID, c wire.Change) {
	if r.stored[gateway] == nil {
		r.stored[gateway] = make(map[lineOf]uint64)
	}
	if number != r.stored[gateway][line]+1 {
		return
	}
	r.stored[gateway][line] = number
	if r.got[line] == nil {
		r.got[line] = make(map[wire.ID]bool)
	}
	r.got[line][id], r.dirty = true, true
	if !r.applied[id] {
		r.applied[id] = true
		r.changes[c.Grant] = append(r.changes[c.Grant], c)
	}
}

// grant returns what became of a grant; ok is false before its check-in came.
func (r *modelRegistry) grant(id wire.ID) (g modelGrant, ok bool) {
	g.cards = make(map[wire.CredentialID]bool)
	for _, c := range r.changes[id] {
		if c.Op == wire.OpCheckIn || c.Op == wire.OpBind {
			for _, card := range c.Credentials {
				g.cards[card] = false
			}
		}
		ok = ok || c.Op == wire.OpCheckIn
		g.ended = g.ended || c.Op == wire.OpEnd
	}
	for _, c := range r.changes[id] {
		switch c.Op {
		case wire.OpSuspend, wire.OpResume:
			for _, card := range c.Credentials {
				g.cards[card] = c.Op == wire.OpSuspend
			}
		case wire.OpNotice:
			g.until = c.Until
		case wire.OpDispute, wire.OpWithdraw:
			g.until = 0
		}
	}
	return g, ok
}

// prove notes that a gateway has an active list.
func (r *modelRegistry) prove(gateway string, l *modelList) {
	for id, g := range l.grants {
		if g.ended {
			r.told[gateway][id] = true
		}
	}
}

// rollBack forgets what a gateway has proved, since it has forgotten it too.
func (r *modelRegistry) rollBack(gateway string) {
	r.told[gateway], r.dirty = make(map[wire.ID]bool), true
}

// issue makes the next list. A grant that is over stays on it until both
// gateways have proved a list that says so.
func (r *modelRegistry) issue(t testing.TB) *modelList {
	l := &modelList{version: uint64(len(r.lists)) + 1, grants: make(map[wire.ID]modelGrant), got: make(map[lineOf]map[wire.ID]bool)}
	for line, ids := range r.got {
		l.got[line] = maps.Clone(ids)
	}
	var rows []wire.Grant
	for id := range r.changes {
		g, ok := r.grant(id)
		if !ok {
			continue
		}
		if r.told["gate-a"][id] && r.told["gate-b"][id] {
			continue
		}
		l.grants[id] = g
		for card, suspended := range g.cards {
			state := wire.GrantActive
			if suspended {
				state = wire.GrantSuspended
			}
			if g.ended {
				state = wire.GrantRevoked
			}
			rows = append(rows, wire.Grant{Credential: card, ID: id, Tenancy: tenancyOf(id), Kind: wire.GrantResident, State: state, Until: g.until})
		}
	}
	var seen []wire.Seen
	for gateway, lines := range r.stored {
		for line, number := range lines {
			seen = append(seen, wire.Seen{Gateway: gateway, Line: uint64(line), Number: number})
		}
	}
	slices.SortFunc(seen, wire.Seen.Compare)
	l.update = listOf(t, l.version, issuedAt, seen, 1, rows...)
	l.update.Second = secondFor(t, l.update, 2)
	r.lists, r.dirty = append(r.lists, l), false
	return l
}

func tenancyOf(grant wire.ID) wire.ID { return wire.ID{grant[0], grant[1], 0xee} }

// modelGate is what a gateway knows.
type modelGate struct {
	name    string
	facts   map[wire.ID]*fact // beside the list, and what waits for a person of its grant
	persons map[wire.ID]bool  // own check-ins whose person the registry has not confirmed
	list    *modelList        // nil: none
	over    map[wire.ID]bool
	dead    map[wire.ID]bool // grants whose end was active here
	line    lineOf
	count   uint64
}

func newModelGate(name string, line lineOf) *modelGate {
	return &modelGate{name: name, line: line, facts: make(map[wire.ID]*fact), persons: make(map[wire.ID]bool),
		over: make(map[wire.ID]bool), dead: make(map[wire.ID]bool)}
}

func (g *modelGate) copy() *modelGate {
	c := *g
	c.facts = make(map[wire.ID]*fact)
	for id, f := range g.facts {
		c.facts[id] = f.copy()
	}
	c.persons, c.over, c.dead = maps.Clone(g.persons), maps.Clone(g.over), maps.Clone(g.dead)
	return &c
}

// hear takes a change under a number, from here or from the sibling.
func (g *modelGate) hear(f *fact, line lineOf, number uint64) {
	if have := g.facts[f.id]; have != nil {
		if !have.lines[line] {
			have.line, have.number, have.lines[line] = line, number, true
			g.forget()
		}
		return
	}
	n := &fact{id: f.id, maker: f.maker, change: f.change, line: line, number: number, lines: map[lineOf]bool{line: true}}
	g.facts[f.id] = n
	if n.maker != g.name && g.settled(n) {
		delete(g.facts, f.id)
		return
	}
	if n.change.Op == wire.OpEnd {
		g.dead[n.change.Grant] = true
	}
}

// listed reports what the list says of a grant.
func (g *modelGate) listed(id wire.ID) (modelGrant, bool) {
	if g.list == nil {
		return modelGrant{}, false
	}
	m, ok := g.list.grants[id]
	return m, ok
}

func (g *modelGate) seen(f *fact) bool {
	if g.list == nil {
		return false
	}
	for line := range f.lines {
		if g.list.got[line][f.id] {
			return true
		}
	}
	return false
}

// settled reports whether the list speaks for a change now.
func (g *modelGate) settled(f *fact) bool {
	if !g.seen(f) {
		return false
	}
	m, named := g.listed(f.change.Grant)
	for _, other := range g.facts {
		if other.change.Op == wire.OpCheckIn && other.change.Grant == f.change.Grant && !(g.seen(other) && (named || g.over[f.change.Grant])) {
			return false
		}
	}
	switch f.change.Op {
	case wire.OpEnd:
		return !named || m.ended
	case wire.OpBind:
		_, bound := m.cards[f.change.Credentials[0]]
		return !named || m.ended || bound
	}
	return true
}

// apply takes a list.
func (g *modelGate) apply(l *modelList) {
	if g.list != nil {
		for id := range g.list.grants {
			if _, still := l.grants[id]; !still {
				g.over[id] = true
			}
		}
	}
	g.list = l
	for id, m := range l.grants {
		if m.ended {
			g.dead[id] = true
		}
	}
	g.forget()
}

// left are the changes that count beside the list.
func (g *modelGate) left() (left []*fact) {
	for _, f := range g.facts {
		if !g.settled(f) {
			left = append(left, f)
		}
	}
	return left
}

// confirm takes the registry's word that it has the own records through a number.
func (g *modelGate) confirm(line lineOf, number uint64) {
	for id := range g.persons {
		if f := g.facts[id]; f.line == line && f.number <= number {
			delete(g.persons, id)
		}
	}
	g.forget()
}

// forget drops the changes that the list speaks for, but for those of a grant
// whose person is still to be delivered.
func (g *modelGate) forget() {
	pending := make(map[wire.ID]bool)
	for id := range g.persons {
		pending[g.facts[id].change.Grant] = true
	}
	var gone []wire.ID
	for id, f := range g.facts {
		if g.settled(f) && !pending[f.change.Grant] {
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		c := g.facts[id].change
		if _, named := g.listed(c.Grant); c.Op == wire.OpEnd && !named {
			g.over[c.Grant] = true
		}
		delete(g.facts, id)
	}
}

// answer is what the door must say to a card of a grant.
func (g *modelGate) answer(grant wire.ID, card wire.CredentialID) wire.Reason {
	m, named := g.listed(grant)
	_, known := m.cards[card]
	stopped, ended, until := m.cards[card], m.ended, m.until
	arrived := named
	for _, f := range g.left() {
		if f.change.Grant == grant && f.change.Op == wire.OpCheckIn && !named {
			arrived = true
			known = known || slices.Contains(f.change.Credentials, card)
			ended = ended || g.over[grant]
		}
	}
	for _, f := range g.left() {
		if f.change.Grant == grant {
			known = known || arrived && f.change.Op == wire.OpBind && slices.Contains(f.change.Credentials, card)
			ended = ended || f.change.Op == wire.OpEnd
		}
	}
	if f := g.last(grant, wire.OpSuspend, card, wire.OpSuspend, wire.OpResume); f != nil {
		stopped = f.change.Op == wire.OpSuspend
	}
	if f := g.last(grant, wire.OpDispute, wire.CredentialID{}, wire.OpNotice, wire.OpDispute); f != nil {
		until = f.change.Until
	}
	switch {
	case !known:
		return wire.ReasonUnknown
	case ended:
		return wire.ReasonRevoked
	case stopped:
		return wire.ReasonSuspended
	case until != 0:
		return wire.ReasonExpired
	}
	return wire.ReasonGranted
}

// last returns the change that counts among those of the ops: of each line the
// last, of these the latest, and of two at once that of the strong op.
func (g *modelGate) last(grant wire.ID, strong wire.Op, card wire.CredentialID, ops ...wire.Op) *fact {
	ends := make(map[lineOf]*fact)
	for _, f := range g.left() {
		if f.change.Grant != grant || !slices.Contains(ops, f.change.Op) || card != (wire.CredentialID{}) && !slices.Contains(f.change.Credentials, card) {
			continue
		}
		if e := ends[f.line]; e == nil || f.number > e.number {
			ends[f.line] = f
		}
	}
	var best *fact
	for _, f := range ends {
		if best == nil || f.change.At > best.change.At || f.change.At == best.change.At && f.change.Op == strong {
			best = f
		}
	}
	return best
}
