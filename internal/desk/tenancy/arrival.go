package tenancy

import (
	"slices"
	"strings"
	"time"

	"gatehouse/internal/idnumber"
	"gatehouse/internal/naming"
	"gatehouse/sync/wire"
)

// Arrival is the input of a check-in. Document and Basis are the stable names of package wire.
// Number and Name are sealed at once, and not kept.
type Arrival struct {
	Document string
	Number   string
	Name     string
	Flat     string
	Label    string   // the landlord's own word; empty: the flat
	Doors    []string // empty: all of the building
	From     uint32   // unix s; 0: at once
	Until    uint32   // unix s, exclusive; 0: no end
	Basis    string
	Informed bool   // the person was told what is kept and why
	PIN      string // for the doors; empty: none. It proves nothing: whoever answers for the tenant knows it
}

// Judged is an arrival that passed the rules: the change to record, without ids and credentials,
// and the person to seal, likewise.
type Judged struct {
	Change  wire.Change
	Person  wire.Person
	Label   string
	Child   bool     // under 14 by the document's number, or the clock can't tell
	Remarks []string // for whoever asked for it
}

// Judge checks an arrival against the rules of a house; known are the flats of earlier tenancies.
// The error is a Refusal.
func Judge(h wire.House, known []string, a Arrival, clock Time) (j Judged, err error) {
	if err := j.judgePerson(a, clock); err != nil {
		return j, err
	}
	c := wire.Change{Op: wire.OpCheckIn, At: clock.NotBefore(), Clock: clock.Quality, Proof: wire.ProofLandlord,
		Kind: wire.GrantResident, From: a.From, Until: a.Until, Informed: a.Informed, Basis: Named(a.Basis, wire.BasisConsent), Document: j.Person.Document}
	if c.Flat, err = judgeFlat(h.Flats, known, a.Flat, j.Person); err != nil {
		return j, err
	}
	if j.Label, err = judgeLabel(a.Label, j.Person); err != nil {
		return j, err
	}
	if c.Doors, err = judgeDoors(h, a.Doors); err != nil {
		return j, err
	}
	switch {
	case c.Basis == 0:
		return j, Refuse("the bases are "+list(wire.BasisConsent), "there has to be a legal basis for keeping a person's data")
	case !a.Informed:
		return j, Refuse("gatehouse checkin --notice prints what to tell them; tell them, then say that they were told", "the person has not been told what is kept")
	case a.Until != 0 && a.Until <= a.From:
		return j, Refuse("the last day comes after the first", "the term ends before it begins")
	case a.Until != 0 && a.Until <= clock.Past():
		return j, Refuse("the last day is still to come", "the last day is over: the term ends in the past")
	}
	if !clock.Trusted || a.From <= clock.NotBefore() { // from now on, so that a wrong clock later can't delay it
		c.From = 0
	}
	j.Change = c
	return j, nil
}

func (j *Judged) judgePerson(a Arrival, clock Time) (err error) {
	p := &j.Person
	if p.Document = Named(a.Document, wire.LastDocument); p.Document == 0 {
		return Refuse("the documents are "+list(wire.LastDocument), "no such document")
	}
	today := time.Unix(int64(clock.NotBefore()), 0)
	if p.Number, err = idnumber.Check(p.Document, a.Number, today); err != nil {
		return Refuse("read it again from the document", "%s: %v", p.Document, err)
	}
	if p.Name, j.Remarks, err = naming.Person(a.Name); err != nil {
		return Refuse("as it stands in the document", "%v", err)
	}
	if p.Document == wire.DocumentOther {
		j.Remarks = append(j.Remarks, "document \"other\": its number follows no rule that could be checked; read it once more")
	}
	if born, ok := idnumber.Born(p.Document, p.Number, today); ok && born.AddDate(idnumber.Childhood, 0, 0).After(today) {
		j.Child = true
		j.Remarks = append(j.Remarks, "the number is of somebody under 14, or the clock can't tell: a parent or other guardian has to agree, and is told what is kept; "+
			"without that a child gets no tenancy, but a further card of the guardian's")
	}
	return nil
}

// judgeFlat returns the flat as the building's list, or an earlier tenancy, spells it. A flat of
// the list names nobody.
func judgeFlat(listed, known []string, text string, p wire.Person) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", Refuse("as 3B", "the flat is missing")
	}
	flat, err := naming.Flat(text)
	if err != nil {
		return "", Refuse("as 3B", "%v", err)
	}
	if len(listed) > 0 {
		same, ok := naming.Same(flat, listed)
		if !ok {
			return "", Refuse("flats that begin alike: "+strings.Join(alike(flat, listed), ", "), "the building has no flat %q", flat)
		}
		return same, nil
	}
	if namesPerson(flat, p) {
		return "", Refuse("name the flat in your own words: the gateway keeps no names", "the flat holds the tenant's name or number (refusal N12)")
	}
	if same, ok := naming.Same(flat, known); ok {
		return same, nil
	}
	return flat, nil
}

func judgeLabel(text string, p wire.Person) (string, error) {
	label, err := naming.Label(text)
	if err != nil {
		return "", Refuse("name the flat in your own words", "%v", err)
	}
	if label != "" && namesPerson(label, p) {
		return "", Refuse("name the flat in your own words: the gateway keeps no names", "the label holds the tenant's name or number (refusal N12)")
	}
	return label, nil
}

// namesPerson reports whether a text holds the name or the document's number.
func namesPerson(text string, p wire.Person) bool {
	return strings.Contains(idnumber.Fold(text), p.Number) || naming.Names(text, p.Name)
}

// judgeDoors returns the doors of a key in order; all of the building's if none is named.
func judgeDoors(h wire.House, want []string) ([]string, error) {
	var all []string
	for _, g := range h.Gateways {
		all = append(all, g.Doors...)
	}
	all = slices.Compact(slices.Sorted(slices.Values(all)))
	if want = slices.Compact(slices.Sorted(slices.Values(want))); len(want) == 0 {
		want = all
	}
	for _, door := range want {
		if !slices.Contains(all, door) {
			return nil, Refuse("doors of the building: "+strings.Join(all, ", "), "no door %q here", door)
		}
	}
	if len(want) == 0 {
		return nil, Refuse("enrol the gateway again", "the registry knows no door of this building")
	}
	return want, nil
}
