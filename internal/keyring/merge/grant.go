package merge

import (
	"math"
	"slices"

	"gatehouse/internal/keyring/record"
	"gatehouse/sync/wire"
)

// register is an LWW register (last writer wins) that several gateways set. Within a line the last
// change counts, across lines the one with the latest time, and of two at the same time the larger
// value. So the order in which gateways are heard does not matter.
type register struct {
	line         record.Position // with number 0
	at, value    uint32          // of this line
	bestAt, best uint32          // of the lines before
	isSet        bool
}

func (r *register) set(line record.Position, at, value uint32) {
	if r.isSet && line != r.line {
		r.bestAt, r.best, _ = r.get()
	}
	r.line, r.at, r.value, r.isSet = line, at, value, true
}

func (r *register) get() (at, value uint32, isSet bool) {
	if r.at > r.bestAt || r.at == r.bestAt && r.value > r.best {
		return r.at, r.value, r.isSet
	}
	return r.bestAt, r.best, r.isSet
}

// The values of a card's register. The value of a notice's register is its end, or noEnd.
const (
	cardOpens   = 1
	cardStopped = 2
	noEnd       = math.MaxUint32     // disputed or withdrawn
	notYet      = math.MaxUint32 - 1 // its days have not passed
)

// changes are all changes of one grant.
type changes struct {
	checkIns, binds []*wire.Change
	ended           bool
	end             register
	noticed         uint32 // end by the last notice
	listed          uint32 // end by the list's notice; 0: it has none
	cards           map[wire.CredentialID]*register
}

func (g *changes) add(h *record.Held) {
	c, line := &h.Change, h.Place().InLine()
	switch c.Op {
	case wire.OpCheckIn:
		g.checkIns = append(g.checkIns, c)
	case wire.OpBind:
		g.binds = append(g.binds, c)
	case wire.OpEnd:
		g.ended = true
	case wire.OpNotice:
		end := c.Until
		if h.Young {
			end = notYet
		}
		g.end.set(line, c.At, end)
		g.noticed, g.listed = c.Until, h.Listed
	case wire.OpDispute, wire.OpWithdraw:
		g.end.set(line, c.At, noEnd)
	case wire.OpSuspend, wire.OpResume:
		value := uint32(cardOpens)
		if c.Op == wire.OpSuspend {
			value = cardStopped
		}
		for _, id := range c.Credentials {
			if g.cards[id] == nil {
				g.cards[id] = &register{}
			}
			g.cards[id].set(line, c.At, value)
		}
	}
}

// apply returns the rows of the grant as they count: those of the list or, where it does not name
// the grant, those of the check-in, with the other changes. An end beats all, and what was over
// stays over.
func (g *changes) apply(listed []wire.Grant, over bool, set func([]string) (uint16, error)) ([]wire.Grant, error) {
	rows := slices.Clone(listed)
	live := !g.ended && (len(listed) == 0 && !over || anyLive(listed))
	if len(rows) == 0 {
		for _, c := range g.checkIns {
			doors, err := set(c.Doors)
			if err != nil {
				return nil, err
			}
			rows = withCards(rows, c.Credentials, wire.Grant{ID: c.Grant, Tenancy: c.Tenancy,
				Kind: c.Kind, State: wire.GrantActive, DoorSet: doors, From: c.From, Until: c.Until})
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	for _, c := range g.binds {
		like := rows[max(0, slices.IndexFunc(rows, func(r wire.Grant) bool { return r.State != wire.GrantRevoked }))]
		like.State = wire.GrantActive
		rows = withCards(rows, c.Credentials, like)
	}
	for i := range rows {
		g.change(&rows[i], len(listed) > 0, live)
	}
	return rows, nil
}

// change sets the state and the end of one row to those that count. An objection to a notice
// cancels the end in the list until the registry decides: it may be the notice's, and a tenant may
// not be locked out on the landlord's word alone.
func (g *changes) change(r *wire.Grant, listed, live bool) {
	if card := g.cards[r.Credential]; card != nil && r.State != wire.GrantRevoked {
		r.State = wire.GrantActive
		if _, value, _ := card.get(); value == cardStopped {
			r.State = wire.GrantSuspended
		}
	}
	if _, end, isSet := g.end.get(); isSet {
		switch {
		case end < notYet && (r.Until == 0 || end < r.Until):
			r.Until = end
		case end == noEnd && listed, end == notYet && listed && (r.Until == g.noticed || r.Until == g.listed):
			r.Until = 0
		}
	}
	if !live {
		r.State = wire.GrantRevoked
	}
}

// withCards adds a row for each credential that has none.
func withCards(rows []wire.Grant, ids []wire.CredentialID, like wire.Grant) []wire.Grant {
	for _, id := range ids {
		like.Credential = id
		if !slices.ContainsFunc(rows, func(r wire.Grant) bool { return r.Credential == like.Credential }) {
			rows = append(rows, like)
		}
	}
	return rows
}
