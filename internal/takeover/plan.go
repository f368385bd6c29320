// Package takeover decides what becomes of cards that get a key: of the lines of an old list, and of one card
// that a key is given to. A card is never given to two labels. It is pure: it asks no daemon and prints nothing
// but plans.
package takeover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// What an import makes of a line.
const (
	LineNew     = "new"
	lineKnown   = "known"
	lineChanged = "changed" // known, and the list says something else of it than the key
	lineTwice   = "twice"   // its card stands in a line before with the same label
	LinePast    = "past"    // its last day is over
	lineEnded   = "ended"   // its card's key was ended here
	LineRefused = "refused"
)

// Line is a line of the list with what was made of it.
type Line struct {
	Row     cardlist.Row
	Grant   grantlist.NewGrant  // its Credentials: first the one of all that is known of the card
	Kin     []wire.CredentialID // shorter forms that no reader here sends
	Past    bool
	Why     string // why it can't be taken
	Missing []string
}

// fate is what becomes of a line.
type fate struct {
	line  int
	what  string
	why   string             // refused, changed: in words
	grant grantlist.NewGrant // of lines of one card together
	kin   []wire.CredentialID
	key   wire.ID // known, changed
}

// Plan is what an import would do, line by line.
type Plan struct{ Lines []fate }

// PlanOf decides on every line by the active list. A card is never given to another
// label than its line's: where that is in doubt, the line is refused.
func PlanOf(h House, rows []Line, labelled bool) Plan {
	p := Plan{make([]fate, len(rows))}
	for i, r := range rows {
		p.Lines[i] = fate{line: r.Row.Line, grant: r.Grant, kin: r.Kin}
		switch {
		case r.Why != "":
			p.refuse(i, r.Why)
		case r.Past:
			p.Lines[i].what = LinePast
			if live, _ := h.holders(r.Grant.Credentials[:1]); len(live) > 0 {
				p.Lines[i].why = "key " + live[0].name() + " is " + live[0].state() + " here: gatehouse grant end ends it"
			}
		}
	}
	p.gather(labelled)
	for i := range p.Lines {
		if p.Lines[i].what == "" {
			h.decide(&p.Lines[i], labelled)
		}
	}
	return p
}

func (p *Plan) refuse(i int, why string) { p.Lines[i].what, p.Lines[i].why = LineRefused, why }

// gather makes one of lines that have the same card, and refuses those that contradict
// each other and those that a reader here can't tell apart.
func (p *Plan) gather(labelled bool) {
	type form struct{ line, earlier int }
	by := map[wire.CredentialID][]int{} // lines that have the form
	var shared []form
	for i, d := range p.Lines {
		if d.what != "" {
			continue // is not taken
		}
		for _, id := range d.grant.Credentials {
			for _, j := range by[id] {
				shared = append(shared, form{i, j})
			}
			by[id] = append(by[id], i)
		}
	}
	for _, s := range shared {
		p.pair(s.earlier, s.line, labelled)
	}
	if labelled {
		p.gatherKin()
	}
}

// gatherKin makes one of lines of one flat where the number of the one is the end of the
// other's, and no reader here sends that.
func (p *Plan) gatherKin() {
	short := map[wire.CredentialID][]int{}
	for i, d := range p.Lines {
		if d.what == "" {
			short[d.grant.Credentials[0]] = append(short[d.grant.Credentials[0]], i)
		}
	}
	for i := range p.Lines {
		for _, id := range p.Lines[i].kin {
			for _, j := range short[id] {
				if a, b := p.Lines[i], p.Lines[j]; a.what == "" && b.what == "" && sameFlat(a.grant.Label, b.grant.Label) {
					p.pair(min(i, j), max(i, j), true)
				}
			}
		}
	}
}

// pair judges two lines that share a form of their cards.
func (p *Plan) pair(j, i int, labelled bool) {
	a, b := &p.Lines[j], &p.Lines[i]
	if b.what == lineTwice || b.what == LineRefused && a.what == LineRefused {
		return
	}
	one := a.holds(b) || b.holds(a)
	why := "cards that differ, and a reader here can't tell them apart: it reads too few digits of their numbers; give one of them another card"
	if one {
		why = "one card in two lines that contradict each other: put the list right"
		if a.what == "" && a.takes(b, labelled) {
			return
		}
	}
	p.refuse(j, why)
	p.refuse(i, why)
}

// holds reports whether a card has all that is known of another one's number.
func (d *fate) holds(b *fate) bool {
	return slices.Contains(d.grant.Credentials, b.grant.Credentials[0]) || slices.Contains(d.kin, b.grant.Credentials[0])
}

// takes makes one of two lines of one card, if they say nothing that excludes each other.
// A number of fewer digits is the same card's only by its label.
func (d *fate) takes(b *fate, labelled bool) bool {
	whole := d.grant.Credentials[0] == b.grant.Credentials[0]
	same := labelled && sameFlat(d.grant.Label, b.grant.Label)
	if !same && !whole || !sameTerm(d.grant, b.grant) {
		return false
	}
	if labelled && !same {
		both, err := naming.Label(d.grant.Label + flatsMark + b.grant.Label)
		if err != nil {
			return false // too long for one label
		}
		d.grant.Label, b.why = both, "its card stands above under another label: the key has both"
	}
	if !whole && b.holds(d) {
		d.grant.Credentials, b.grant.Credentials = b.grant.Credentials, d.grant.Credentials // the longer number first
		d.kin, b.kin = b.kin, d.kin
	}
	d.grant.Credentials = union2(d.grant.Credentials, b.grant.Credentials)
	d.grant.Doors = Union(d.grant.Doors, b.grant.Doors)
	b.what, b.grant.Label = lineTwice, d.grant.Label
	return true
}

// flatsMark stands between the labels of a card that is two flats'.
const flatsMark = " / "

// sameFlat reports whether two labels have a flat in common.
func sameFlat(a, b string) bool {
	for _, x := range strings.Split(a, flatsMark) {
		for _, y := range strings.Split(b, flatsMark) {
			if naming.Fold(x) == naming.Fold(y) {
				return true
			}
		}
	}
	return a == b
}

func sameTerm(a, b grantlist.NewGrant) bool {
	return a.Kind == b.Kind && a.From.Equal(b.From) && a.Until.Equal(b.Until)
}

// Union is the sorted strings of both.
func Union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// union2 keeps the order.
func union2(a, b []wire.CredentialID) []wire.CredentialID {
	out := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// decide looks for the card's key.
func (h House) decide(d *fate, labelled bool) {
	ids := d.grant.Credentials
	exact, _ := h.holders(ids[:1])
	live, ended := h.holders(ids)
	if len(exact) == 1 {
		live = exact
	}
	older := h.kin(d.kin, d.grant.Label)
	switch {
	case len(live) == 0 && len(ended) > 0:
		d.what, d.why = lineEnded, "key "+ended[0].name()
	case len(live) == 0 && labelled && older != nil:
		d.what, d.key, d.why = lineKnown, older.id, older.differs(d.grant, labelled)
	case len(live) == 0:
		d.what = LineNew
	case len(live) > 1:
		d.what, d.why = LineRefused, "its card has two keys here: gatehouse grant end ends the one that is wrong"
	case len(exact) == 1, labelled && live[0].label != "" && sameFlat(live[0].label, d.grant.Label):
		d.what, d.key, d.why = lineKnown, live[0].id, live[0].differs(d.grant, labelled)
	default:
		d.what, d.why = LineRefused, "a shorter form of its card has a key here under another label: the same card, or one that a reader here can't tell from it"
	}
	if d.what == lineKnown && d.why != "" {
		d.what = lineChanged
	}
}

// differs says what a list has otherwise than the key.
func (k *heldKey) differs(g grantlist.NewGrant, labelled bool) string {
	var all []string
	if labelled && k.label != g.Label {
		all = append(all, fmt.Sprintf("label %s becomes %s", k.label, g.Label))
	}
	n := k.terms()
	if !slices.Equal(k.doors, g.Doors) {
		all = append(all, fmt.Sprintf("doors %s become %s", strings.Join(k.doors, " "), strings.Join(g.Doors, " ")))
	}
	if n.Kind != g.Kind {
		all = append(all, fmt.Sprintf("%s becomes %s", n.Kind, g.Kind))
	}
	if !n.From.Equal(g.From) {
		all = append(all, "another first day")
	}
	if !n.Until.Equal(g.Until) {
		all = append(all, "another last day")
	}
	if len(all) > 0 && k.label != "" {
		return k.label + ": " + strings.Join(all, ", ")
	}
	return strings.Join(all, ", ")
}

// terms are those of the key.
func (k *heldKey) terms() grantlist.NewGrant {
	l := k.lines[0]
	at := func(s uint32) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return time.Unix(int64(s), 0)
	}
	return grantlist.NewGrant{Kind: l.Kind, Doors: k.doors, From: at(l.From), Until: at(l.Until), Label: k.label}
}

// Count returns how many lines are of that kind.
func (p Plan) Count(what string) (n int) {
	for _, d := range p.Lines {
		if d.what == what {
			n++
		}
	}
	return n
}

// Work reports whether anything is to be done.
func (p Plan) Work(h House, update bool) bool {
	return slices.ContainsFunc(p.Lines, func(d fate) bool {
		return d.what == LineNew || d.what == lineChanged && update || d.what == lineKnown && len(h.free(d.grant.Credentials)) > 0
	})
}

// CarryOut does what the plan says, in one list.
func (p Plan) CarryOut(e *grantlist.Editor, h House, update, labelled bool) error {
	for _, d := range p.Lines {
		if err := d.carryOut(e, h, update, labelled); err != nil {
			return fmt.Errorf("line %d: %w", d.line, err)
		}
	}
	return nil
}

func (d fate) carryOut(e *grantlist.Editor, h House, update, labelled bool) error {
	switch {
	case d.what == LineNew:
		_, err := e.Add(d.grant)
		return err
	case d.what == lineKnown:
		return h.join(e, h.keys[d.key], d.grant.Credentials, d.kin)
	case d.what != lineChanged || !update:
		return nil
	}
	if err := h.join(e, h.keys[d.key], d.grant.Credentials, d.kin); err != nil {
		return err
	}
	if labelled {
		if err := e.Label(d.key, d.grant.Label); err != nil {
			return err
		}
	}
	return e.Amend(d.key, d.grant)
}

// Asks reports whether somebody has to agree first: lines would be left out.
func (p Plan) Asks(skipPast bool) bool {
	return p.Count(LineRefused) > 0 || p.Count(LinePast) > 0 && !skipPast
}

// MissingOf are the doors that do not read some of the cards.
func MissingOf(rows []Line) []string {
	out := []string{}
	for _, r := range rows {
		out = Union(out, r.Missing)
	}
	return out
}
