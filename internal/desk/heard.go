package desk

import (
	"slices"

	"gatehouse/sync/wire"
)

// A desk may have missed the record of a notice: once a list has settled it, no
// sibling brings it any more. So the list says how notices stand, and which cards the
// registry has confirmed. What was said at another desk goes into the book as if the
// record had come. What the registry has decided stays the list's: one that was put
// back to before its decision has to decide again, and both show that.

// decision is what the list in force says that the registry has decided on a notice.
type decision struct {
	said     bool   // the list says such things; one of the first format does not
	upheld   uint32 // newest time of what it has decided on, by upholding; 0: it has not
	rejected uint32 // likewise, by rejecting the notice
	cause    wire.Cause
}

// hearWords takes what this desk has missed into the book.
func (d *Desk) hearWords() {
	words, _ := d.p.Keyring.Words()
	if len(words) == 0 {
		return
	}
	held, heard := holdings(d.p.Keyring.Grants()), false
	for i := range words {
		if w := &words[i]; held[w.Tenancy] != nil && d.missed(w) {
			d.book.apply(wire.Change{Op: w.Op, Proof: w.Proof, At: w.At, Tenancy: w.Tenancy, Grant: w.Grant, Until: w.Until, Cause: w.Cause, Credentials: slices.Clone(w.Cards)})
			heard = true
		}
	}
	if heard {
		_ = d.save() // logged there; the list says it again
	}
}

// missed reports whether a word of the list has something that the book has not.
func (d *Desk) missed(w *wire.Word) bool {
	t := d.book.find(w.Tenancy)
	if t == nil {
		t = &tenancy{}
	}
	switch {
	case w.Op == wire.OpBind:
		known := slices.ContainsFunc(t.Cards, func(k card) bool { return k.meets(w.Cards) })
		return !known || slices.ContainsFunc(t.Cards, func(k card) bool { return k.among(w.Cards) && w.At > k.Word })
	case w.Proof == wire.ProofRegistry:
		return false
	case w.Op == wire.OpNotice:
		return w.At > t.Noticed || w.At == t.Noticed && w.Until != t.Notice
	case w.Op == wire.OpDispute:
		return w.At > t.Objected
	}
	return w.At > t.Withdrew
}

// takeDecisions notes what the registry has decided. A notice that the landlord has
// given since is not decided on.
func (d *Desk) takeDecisions() {
	words, said := d.p.Keyring.Words()
	d.undecided, d.decided = decision{said: said}, map[wire.ID]decision{}
	d.barred = map[wire.CredentialID]bool{}
	newer := map[wire.ID]bool{}
	for i := range words {
		w := &words[i]
		c, there := d.decided[w.Tenancy]
		if !there {
			c = d.undecided
		}
		switch {
		case w.Op == wire.OpNotice && w.Proof == wire.ProofRegistry:
			c.upheld, c.cause = max(c.upheld, w.At), w.Cause
		case w.Op == wire.OpWithdraw && w.Proof == wire.ProofRegistry:
			c.rejected = max(c.rejected, w.At)
		case w.Op == wire.OpNotice:
			newer[w.Tenancy] = true
			continue
		case w.Op == wire.OpSuspend:
			for _, id := range w.Cards {
				d.barred[id] = true
			}
			continue
		default:
			continue
		}
		d.decided[w.Tenancy] = c
	}
	for id := range newer {
		delete(d.decided, id)
	}
	for _, t := range d.book.Tenancies {
		t.decided = d.decisionOn(t.ID)
	}
}

func (d *Desk) decisionOn(tenancy wire.ID) decision {
	if c, there := d.decided[tenancy]; there {
		return c
	}
	return d.undecided
}

// blank is a tenancy that only the list names.
func (d *Desk) blank(id wire.ID) *tenancy { return &tenancy{ID: id, decided: d.decisionOn(id)} }
