package tenancy

import (
	"maps"
	"slices"

	"gatehouse/sync/wire"
)

// A desk may have missed the record of a notice: once a list has settled it, no sibling sends it
// any more. So the list says how notices stand, and which cards are confirmed. What was said at a
// desk goes into the file; decisions of the registry stay in the list.

// Decision is the registry's decision on a notice, by the active list.
type Decision struct {
	said     bool   // the list has registers; one of the first format does not
	upheld   uint32 // newest time of an upheld notice; 0: none
	rejected uint32 // newest time of a rejected notice; 0: none
	cause    wire.Cause
}

// Decisions are the registry's decisions on all tenancies, by the active list.
type Decisions struct {
	Barred    map[wire.CredentialID]bool // cards that the registry has suspended besides a desk
	decided   map[wire.ID]Decision       // by tenancy; others are undecided
	undecided Decision
}

// DecisionsOf reads the registers of a list; said: the list's format has registers. A notice that the
// landlord has given since is not decided on.
func DecisionsOf(registers []wire.Register, said bool) Decisions {
	d := Decisions{Barred: map[wire.CredentialID]bool{}, decided: map[wire.ID]Decision{}, undecided: Decision{said: said}}
	newer := map[wire.ID]bool{}
	for i := range registers {
		w := &registers[i]
		c := d.On(w.Tenancy)
		switch {
		case w.Op == wire.OpSuspend:
			for _, id := range w.Cards {
				d.Barred[id] = true
			}
		case w.Op == wire.OpNotice && w.Proof != wire.ProofRegistry:
			newer[w.Tenancy] = true
		case w.Op == wire.OpNotice:
			c.upheld, c.cause = max(c.upheld, w.At), w.Cause
			d.decided[w.Tenancy] = c
		case w.Op == wire.OpWithdraw && w.Proof == wire.ProofRegistry:
			c.rejected = max(c.rejected, w.At)
			d.decided[w.Tenancy] = c
		}
	}
	maps.DeleteFunc(d.decided, func(id wire.ID, _ Decision) bool { return newer[id] })
	return d
}

// On returns the decision on a tenancy.
func (d Decisions) On(tenancy wire.ID) Decision {
	if c, there := d.decided[tenancy]; there {
		return c
	}
	return d.undecided
}

// Blank returns a tenancy that only the list names.
func (d Decisions) Blank(id wire.ID) *Tenancy { return &Tenancy{ID: id, Decided: d.On(id)} }

// Upheld returns the tenancies against which the registry has upheld a notice.
func (d Decisions) Upheld() (all []wire.ID) {
	for id, c := range d.decided {
		if c.upheld != 0 {
			all = append(all, id)
		}
	}
	return all
}

// Lacks reports whether a register of the list says something that is not in the file.
func (l List) Lacks(w *wire.Register) bool {
	t := l.Find(w.Tenancy)
	if t == nil {
		t = &Tenancy{}
	}
	switch {
	case w.Op == wire.OpBind:
		known := slices.ContainsFunc(t.Cards, func(k KeptCard) bool { return k.Meets(w.Cards) })
		return !known || slices.ContainsFunc(t.Cards, func(k KeptCard) bool { return k.among(w.Cards) && w.At > k.Changed })
	case w.Proof == wire.ProofRegistry:
		return false
	case w.Op == wire.OpNotice:
		return w.At > t.Notice.Given || w.At == t.Notice.Given && w.Until != t.Notice.Until
	case w.Op == wire.OpDispute:
		return w.At > t.Notice.Objected
	}
	return w.At > t.Notice.Withdrew
}
