// Package tenancy is the pure half of the desk: what a tenancy is, how it stands by the active
// list, what is shown of it, and who may do what to it. It keeps no file, reads no clock and knows
// no keyring, and it has no field for a name, a document or a card's number that would be kept.
// Nothing here is safe for concurrent use by itself.
package tenancy

import (
	"slices"
	"strings"

	"gatehouse/internal/amount"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Tenancy is one person in one flat, as the desk's file keeps it. Times are unix s,
// 0 for none.
type Tenancy struct {
	ID wire.ID `json:"id"`
	Lease
	Notice
	End
	Told  bool       `json:"was_told,omitempty"` // its tenant was told of the notice at a door
	Brief bool       `json:"brief,omitempty"`    // whom the log names of it goes sooner; no view has it
	PIN   *PIN       `json:"pin,omitempty"`      // nil: none
	Cards []KeptCard `json:"cards,omitempty"`

	Decided Decision `json:"-"` // by the active list
}

// Lease is the content of the check-in.
type Lease struct {
	Flat  string   `json:"flat,omitempty"` // empty: checked in elsewhere
	Label string   `json:"label,omitempty"`
	Doors []string `json:"doors,omitempty"`
	Since uint32   `json:"since,omitempty"`
	Until uint32   `json:"until,omitempty"` // of the term
}

// Notice is the landlord's newest notice and what was said of it. The newest of its three times
// counts, in whatever order they came.
type Notice struct {
	Until    uint32     `json:"notice,omitempty"`   // when it ends the tenancy
	Given    uint32     `json:"noticed,omitempty"`  // when it was given
	Objected uint32     `json:"objected,omitempty"` // when the tenant disputed
	Withdrew uint32     `json:"withdrew,omitempty"` // when the landlord took one back
	Cause    wire.Cause `json:"cause,omitempty"`
	Against  wire.ID    `json:"against,omitzero"` // grant that it is about; zeros: an earlier program wrote it
}

// End is the end of a tenancy by a record or by the list.
type End struct {
	At    uint32     `json:"ended,omitempty"`
	Cause wire.Cause `json:"end_cause,omitempty"`
	Gone  uint32     `json:"gone,omitempty"` // since when the active list names it no more
}

// List is all tenancies that a gateway keeps.
type List []*Tenancy

// Find returns the tenancy of that id, nil if the list has none.
func (l List) Find(id wire.ID) *Tenancy {
	if i := slices.IndexFunc(l, func(t *Tenancy) bool { return t.ID == id }); i >= 0 {
		return l[i]
	}
	return nil
}

// Lookup finds a tenancy by id or the start of one, flat or label. An id also finds one that is
// over. The error is a Refusal.
func (l List) Lookup(text string, over func(*Tenancy) bool) (*Tenancy, error) {
	text = strings.TrimSpace(text)
	var found []*Tenancy
	past := ""
	for _, t := range l {
		byID := len(text) >= 4 && strings.HasPrefix(t.ID.String(), strings.ToLower(text))
		byWord := text != "" && (naming.Fold(t.Lease.Flat) == naming.Fold(text) || naming.Fold(t.Lease.Label) == naming.Fold(text))
		switch {
		case byID, byWord && !over(t):
			found = append(found, t)
		case byWord:
			past = t.ID.String()[:8]
		}
	}
	switch len(found) {
	case 0:
		if past != "" {
			return nil, Refuse("by its id it can still be shown: "+past, "the tenancy of %q is over", text)
		}
		return nil, Refuse("gatehouse tenancy list shows them", "no tenancy %q here", text)
	case 1:
		return found[0], nil
	}
	var words []string
	for _, t := range found {
		words = append(words, t.Word())
	}
	return nil, Refuse("name it by its id: "+strings.Join(words, ", "), "%q names %s", text, amount.Of(len(found), "tenancy"))
}

// Apply applies a change to the list. Changes of other gateways may come twice and out of order: an
// end stays an end, and of notices, objections and withdrawals the newest counts.
func (l *List) Apply(c wire.Change) {
	t := l.Find(c.Tenancy)
	if t == nil {
		t = &Tenancy{ID: c.Tenancy}
		*l = append(*l, t)
	}
	switch c.Op {
	case wire.OpCheckIn:
		t.Lease.Flat, t.Lease.Doors, t.Lease.Since, t.Lease.Until = c.Flat, c.Doors, c.At, c.Until
		t.bind(c)
	case wire.OpBind:
		t.bind(c)
	case wire.OpSuspend, wire.OpResume:
		t.stopOrBring(c)
	case wire.OpEnd:
		if t.End.At == 0 {
			t.End.At, t.End.Cause = c.At, c.Cause
		}
		t.PIN = nil // there is nothing more to prove
	default:
		t.notify(c)
	}
}

// notify takes a notice, an objection to one or its withdrawal.
func (t *Tenancy) notify(c wire.Change) {
	n := &t.Notice
	switch {
	case c.Op == wire.OpDispute:
		n.Objected = max(n.Objected, c.At)
	case c.Op == wire.OpWithdraw:
		n.Withdrew = max(n.Withdrew, c.At)
	case c.Op != wire.OpNotice:
	case c.At == n.Given:
		n.Until = c.Until // the registry has moved its end
	case c.At > n.Given:
		n.Until, n.Given, n.Cause, n.Against = c.Until, c.At, c.Cause, c.Grant
		t.Told = false
	}
}

// OnNotice returns when the landlord's notice ends the tenancy, disputed or not; 0: no notice runs.
// The last writer wins.
func (t *Tenancy) OnNotice() uint32 {
	if t.Notice.Given <= max(t.Notice.Withdrew, t.Decided.rejected) {
		return 0
	}
	return t.Notice.Until
}

// Disputed reports whether the tenant objects to the notice that runs.
func (t *Tenancy) Disputed() bool { return t.OnNotice() != 0 && t.Notice.Objected > t.Notice.Given }

// marked returns the newest time of notice, objection, withdrawal and decision; the next one must
// be later.
func (t *Tenancy) marked() uint32 {
	return max(t.Notice.Given, t.Notice.Objected, t.Notice.Withdrew, t.Decided.upheld, t.Decided.rejected)
}

// ends returns the end by the file: of the term, or of a notice that comes before.
func (t *Tenancy) ends() uint32 {
	n := t.OnNotice()
	if n == 0 || t.Disputed() || t.Lease.Until != 0 && t.Lease.Until < n {
		return t.Lease.Until
	}
	return n
}

// Over returns since when the tenancy is over by a record or the list; 0: it is not. A date alone
// never causes a tenancy to be dropped, since no clock is always right.
func (t *Tenancy) Over() uint32 {
	if t.End.At != 0 && (t.End.Gone == 0 || t.End.At < t.End.Gone) {
		return t.End.At
	}
	return t.End.Gone
}

// Word returns the name of the tenancy for people.
func (t *Tenancy) Word() string {
	id, flat, label := t.ID.String()[:8], t.Lease.Flat, t.Lease.Label
	switch {
	case label != "" && label != flat:
		return id + " (" + flat + ", " + label + ")"
	case flat != "":
		return id + " (" + flat + ")"
	}
	return id
}

// bind adds a card. A card that is there already is named again: by the tenant's word it is
// confirmed, by the landlord's it will stop unless it is used.
func (t *Tenancy) bind(c wire.Change) {
	landlord := c.Op == wire.OpBind && c.Proof == wire.ProofLandlord
	known := false
	for i := range t.Cards {
		k := &t.Cards[i]
		if !k.among(c.Credentials) {
			known = known || k.Meets(c.Credentials)
			continue
		}
		known = true
		if c.Op == wire.OpCheckIn || c.At <= k.Changed {
			continue
		}
		k.Changed = c.At
		if k.Stop = nil; landlord {
			k.Stop = &Stop{}
		} else {
			k.Unproven = false
		}
	}
	if !known {
		t.Cards = append(t.Cards, KeptCard{Grant: c.Grant, Credentials: slices.Clone(c.Credentials), Since: c.At, Changed: c.At, Unproven: landlord})
	}
}

// stopOrBring notes on whose word a card stopped. A card that the tenant reported lost, and that
// comes back by being held up, is in the hands of its finder: it proves nothing until it is
// confirmed.
func (t *Tenancy) stopOrBring(c wire.Change) {
	for i := range t.Cards {
		k := &t.Cards[i]
		switch {
		case !k.Meets(c.Credentials) || c.At <= k.Changed:
			continue
		case c.Op == wire.OpSuspend:
			k.Stopped, k.Reported = c.Proof == wire.ProofLandlord, true
		default:
			k.Reported = false
			k.Unproven = k.Unproven || c.Proof == wire.ProofCard && !k.Stopped
			k.Stopped = false
		}
		k.Changed = c.At
		if !k.Stopped || k.Stop == nil || !k.Stop.Used { // else the card was used here: the next look brings it back
			k.Stop = nil
		}
	}
}

// Holding returns the card that has a credential; nil: none.
func (t *Tenancy) Holding(id wire.CredentialID) *KeptCard {
	for i := range t.Cards {
		if slices.Contains(t.Cards[i].Credentials, id) {
			return &t.Cards[i]
		}
	}
	return nil
}

// KeptCard is one card: its forms under one grant, and on whose word it came.
type KeptCard struct {
	Grant       wire.ID             `json:"grant"`
	Credentials []wire.CredentialID `json:"credentials"`
	Since       uint32              `json:"since"`
	// Unproven marks a card that came on the landlord's word and that no tenant has confirmed: it
	// opens and proves nothing.
	Unproven bool   `json:"unproven,omitempty"`
	Changed  uint32 `json:"word,omitempty"`     // when it was last changed: an older change that comes late, or again, changes nothing
	Stopped  bool   `json:"stopped,omitempty"`  // suspended, on the landlord's word alone
	Reported bool   `json:"reported,omitempty"` // suspended by a desk's record; else by the registry
	Stop     *Stop  `json:"stop,omitempty"`
}

// Stop is a suspension on the landlord's word alone. The card goes on opening until the days of a
// notice have passed, and for good if a door takes it meanwhile, because then it is not lost.
type Stop struct {
	Left uint32 `json:"left,omitempty"` // s that this gateway still has to run until then; 0: a sibling counts them
	Used bool   `json:"used,omitempty"` // a door here has taken the card since
}

// Barred reports whether the registry has suspended any form of the card.
func (c *KeptCard) Barred(barred map[wire.CredentialID]bool) bool {
	return slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool { return barred[id] })
}

func (c *KeptCard) among(ids []wire.CredentialID) bool {
	return len(c.Credentials) > 0 && !slices.ContainsFunc(c.Credentials, func(id wire.CredentialID) bool { return !slices.Contains(ids, id) })
}

// Meets reports whether any form of the card is in ids.
func (c *KeptCard) Meets(ids []wire.CredentialID) bool {
	return slices.ContainsFunc(ids, func(id wire.CredentialID) bool { return slices.Contains(c.Credentials, id) })
}
