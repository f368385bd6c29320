// Package takeover decides which grants the cards of an old system get: those of its list, and
// single cards. No card is ever given to two flats that do not share it. The package is pure: it
// asks no daemon, and prints only plans.
package takeover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/command"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Results of a line in an import.
const (
	LineNew     = "new"
	lineKnown   = "known"
	lineChanged = "changed" // known, and its grant differs from the list
	lineTwice   = "twice"   // an earlier line has its card, for the same flat
	LinePast    = "past"    // its last day is over
	lineEnded   = "ended"   // its card's grant was revoked here
	LineRefused = "refused"
)

// Line is a row of the list with the grant that it asks for.
type Line struct {
	Row     cardlist.Row
	Grant   grantlist.NewGrant  // the first of its Credentials has all known bits of the number
	Kin     []wire.CredentialID // shorter forms, which no reader here sends
	Past    bool
	Why     string // its fault; "": none
	Missing []string
}

// fate is the decision about a line.
type fate struct {
	line  int
	what  string
	why   string             // of refused and changed lines, in English
	grant grantlist.NewGrant // merged of all lines of the card
	kin   []wire.CredentialID
	key   wire.ID // of known and changed lines

	of      string // the name of the key, of changed and ended lines
	differs []difference
}

// difference is what a line has otherwise than its key. What is label, doors, kind, first or last;
// Old and New are empty for days.
type difference struct{ What, Old, New string }

// Plan is the decision about every line of a list.
type Plan struct{ Lines []fate }

// PlanOf decides on every line by the active list. A card never gets another label than its line's:
// a line for which that is in doubt is refused.
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

// gather merges lines of the same card, and refuses lines that contradict each other or whose cards
// a reader here can't tell apart.
func (p *Plan) gather(labelled bool) {
	type form struct{ line, earlier int }
	by := map[wire.CredentialID][]int{} // lines that have the form
	var shared []form
	for i, d := range p.Lines {
		if d.what != "" {
			continue
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

// gatherKin merges lines of one flat if one's number is the end of the other's and no reader here
// sends the shorter form.
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

// pair merges or refuses two lines that share a form of their cards.
func (p *Plan) pair(j, i int, labelled bool) {
	a, b := &p.Lines[j], &p.Lines[i]
	if b.what == lineTwice || b.what == LineRefused && a.what == LineRefused {
		return
	}
	one := a.holds(b) || b.holds(a)
	why := "cards that differ, and a reader here can't tell them apart: it reads too few digits of their numbers; give one of them another card"
	if one {
		why = "one card in two lines that contradict each other: put the list right"
		if a.what == "" && a.merge(b, labelled) {
			return
		}
	}
	p.refuse(j, why)
	p.refuse(i, why)
}

// holds reports whether the card's number has all known bits of the other one's.
func (d *fate) holds(b *fate) bool {
	return slices.Contains(d.grant.Credentials, b.grant.Credentials[0]) || slices.Contains(d.kin, b.grant.Credentials[0])
}

// merge merges two lines of one card, unless they contradict each other. A card with a shorter
// number is the same card only if the label is the same.
func (d *fate) merge(b *fate, labelled bool) bool {
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
	d.grant.Credentials = appendNew(d.grant.Credentials, b.grant.Credentials)
	d.grant.Doors = Union(d.grant.Doors, b.grant.Doors)
	b.what, b.grant.Label = lineTwice, d.grant.Label
	return true
}

// flatsMark separates the labels of a card that two flats share.
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

// Union returns the sorted strings of both, each once.
func Union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// appendNew appends what a lacks of b.
func appendNew(a, b []wire.CredentialID) []wire.CredentialID {
	out := slices.Clone(a)
	for _, id := range b {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// decide decides on a line by the grants that have its card.
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
		d.what, d.of, d.why = lineEnded, ended[0].name(), "key "+ended[0].name()
	case len(live) == 0 && labelled && older != nil:
		d.keeps(older, labelled)
	case len(live) == 0:
		d.what = LineNew
	case len(live) > 1:
		d.what, d.why = LineRefused, "its card has two keys here: gatehouse grant end ends the one that is wrong"
	case len(exact) == 1, labelled && live[0].label != "" && sameFlat(live[0].label, d.grant.Label):
		d.keeps(live[0], labelled)
	default:
		d.what, d.why = LineRefused, "a shorter form of its card has a key here under another label: the same card, or one that a reader here can't tell from it"
	}
}

// keeps decides on a line whose card has a key.
func (d *fate) keeps(k *heldKey, labelled bool) {
	d.what, d.key, d.differs = lineKnown, k.id, k.differs(d.grant, labelled)
	if len(d.differs) > 0 {
		d.what, d.of, d.why = lineChanged, k.name(), k.tells(d.differs)
	}
}

// differs returns the differences of a grant from a line.
func (k *heldKey) differs(g grantlist.NewGrant, labelled bool) (all []difference) {
	if labelled && k.label != g.Label {
		all = append(all, difference{"label", k.label, g.Label})
	}
	n := k.terms()
	if !slices.Equal(k.doors, g.Doors) {
		all = append(all, difference{"doors", strings.Join(k.doors, " "), strings.Join(g.Doors, " ")})
	}
	if n.Kind != g.Kind {
		all = append(all, difference{"kind", n.Kind.String(), g.Kind.String()})
	}
	if !n.From.Equal(g.From) {
		all = append(all, difference{What: "first"})
	}
	if !n.Until.Equal(g.Until) {
		all = append(all, difference{What: "last"})
	}
	return all
}

// tells returns differences in English.
func (k *heldKey) tells(all []difference) string {
	var words []string
	for _, d := range all {
		switch d.What {
		case "label", "doors":
			words = append(words, fmt.Sprintf("%s %s become%s %s", d.What, d.Old, command.Choose(d.What == "label", "s", ""), d.New))
		case "kind":
			words = append(words, d.Old+" becomes "+d.New)
		default:
			words = append(words, "another "+d.What+" day")
		}
	}
	return strings.TrimPrefix(k.label+": ", ": ") + strings.Join(words, ", ")
}

// terms returns the terms of the grant.
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

// Count returns the number of lines with that result.
func (p Plan) Count(what string) (n int) {
	for _, d := range p.Lines {
		if d.what == what {
			n++
		}
	}
	return n
}

// Work reports whether the plan changes the list.
func (p Plan) Work(h House, update bool) bool {
	return slices.ContainsFunc(p.Lines, func(d fate) bool {
		return d.what == LineNew || d.what == lineChanged && update || d.what == lineKnown && len(h.free(d.grant.Credentials)) > 0
	})
}

// CarryOut applies the plan to the list in the editor.
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

// Asks reports whether a person must agree first, since lines are left out.
func (p Plan) Asks(skipPast bool) bool {
	return p.Count(LineRefused) > 0 || p.Count(LinePast) > 0 && !skipPast
}

// MissingOf returns the doors whose readers do not know some of the cards.
func MissingOf(rows []Line) []string {
	out := []string{}
	for _, r := range rows {
		out = Union(out, r.Missing)
	}
	return out
}
