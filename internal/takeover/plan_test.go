package takeover

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatehouse/internal/cardlist"
	"gatehouse/internal/cardnumber"
	"gatehouse/internal/grantlist"
	"gatehouse/internal/keys"
	"gatehouse/sync/wire"
)

// oldHouse is a list that imports are made into, without a daemon.
type oldHouse struct {
	building *keys.BuildingKey
	editor   *grantlist.Editor
	labels   map[string]string
	shapes   []cardnumber.Shape
	said     map[wire.CredentialID][]string // labels of all lines whose card has the form
}

func newPlanHouse(t *rapid.T) *oldHouse {
	building, err := keys.GenerateBuildingKey(1)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := grantlist.NewEditor(grantlist.List{}, "lane-7", key, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := []cardnumber.Shape{{Format: "H10306", Bits: 32}, {Format: "H10301", Bits: 24}, {Bits: 32}, {Bits: 40}}
	shapes := slices.DeleteFunc(all, func(cardnumber.Shape) bool { return rapid.Bool().Draw(t, "no such reader") })
	return &oldHouse{building, e, map[string]string{}, shapes, map[wire.CredentialID][]string{}}
}

// lists are numbers of few cards, so that they meet: some differ only above bit 24, some only above bit 32.
func (o *oldHouse) list(t *rapid.T) (rows []Line) {
	n := rapid.IntRange(1, 8).Draw(t, "lines")
	for i := range n {
		value := rapid.Uint64Range(1, 3).Draw(t, "card") | rapid.Uint64Range(0, 1).Draw(t, "bit 24")<<24 | rapid.Uint64Range(0, 1).Draw(t, "bit 32")<<32
		form := rapid.SampledFrom([]string{"8D", "10D", "13D"}).Draw(t, "form")
		text := map[string]string{"8D": fmt.Sprintf("%08d", value&(1<<24-1)), "10D": fmt.Sprintf("%010d", value&(1<<32-1)), "13D": fmt.Sprintf("%013d", value)}[form]
		number, err := cardnumber.ParsePrinted(text, form)
		if err != nil {
			t.Fatal(err)
		}
		w := Line{Row: cardlist.Row{Line: i + 2}}
		w.Grant = grantlist.NewGrant{Kind: wire.GrantResident, Doors: []string{rapid.SampledFrom([]string{"front", "yard"}).Draw(t, "door")},
			Label: rapid.SampledFrom([]string{"1A", "1a", "1B", "2C"}).Draw(t, "label")}
		if rapid.IntRange(0, 9).Draw(t, "term") == 0 {
			w.Grant.Until = time.Unix(4e9, 0)
		}
		switch rapid.IntRange(0, 9).Draw(t, "fault") {
		case 0:
			w.Why = "a fault"
		case 1:
			w.Past = true
		}
		forms := number.Forms(o.shapes)
		for _, c := range number.Kin(forms) {
			w.Kin = append(w.Kin, o.building.Identify(c))
		}
		for _, f := range forms {
			id := o.building.Identify(f.Card)
			w.Grant.Credentials = append(w.Grant.Credentials, id)
			if w.Why == "" && !w.Past {
				o.said[id] = append(o.said[id], w.Grant.Label)
			}
		}
		rows = append(rows, w)
	}
	return rows
}

// TestImportBindsRightly: whatever lists come one after the other, into any house: each
// line has one fate; no card has two keys; every form of a key is of a line of that
// key's flat; and the same list again does nothing.
func TestImportBindsRightly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newPlanHouse(t)
		for range rapid.IntRange(1, 4).Draw(t, "lists") {
			rows, update := o.list(t), rapid.Bool().Draw(t, "update")
			before := o.grants()
			o.imports(t, rows, update)
			o.check(t, before, update)
			if again := PlanOf(HouseOf(o.editor, o.labels), rows, true); again.Count(LineNew) > 0 || again.Work(HouseOf(o.editor, o.labels), false) {
				t.Fatalf("the same list again: %+v", again)
			}
			if rapid.IntRange(0, 2).Draw(t, "end") == 0 {
				for _, g := range o.editor.Grants() {
					if o.labels[g.ID.String()] == "1A" {
						must2(t, o.editor.SetState(g.ID, wire.GrantRevoked))
					}
				}
			}
		}
	})
}

// imports does what the command does with a list.
func (o *oldHouse) imports(t *rapid.T, rows []Line, update bool) {
	h := HouseOf(o.editor, o.labels)
	p := PlanOf(h, rows, true)
	kinds := []string{LineNew, lineKnown, lineChanged, lineTwice, LinePast, lineEnded, LineRefused}
	sum := 0
	for _, k := range kinds {
		sum += p.Count(k)
	}
	if sum != len(rows) {
		t.Fatalf("%d lines have a fate, of %d: %+v", sum, len(rows), p)
	}
	known := map[wire.ID]bool{}
	for id := range h.keys {
		known[id] = true
	}
	must2(t, p.CarryOut(o.editor, h, update, true))
	// The editor keeps labels to itself until it signs: those of new keys come from the plan.
	for id, k := range HouseOf(o.editor, o.labels).keys {
		for _, d := range p.Lines {
			owner := d.what == lineChanged && update && d.key == id
			if _, has := k.has(d.grant.Credentials[:min(1, len(d.grant.Credentials))]); d.what == LineNew && !known[id] && has || owner {
				o.labels[id.String()] = d.grant.Label
				for _, l := range k.lines { // a key that changes its flat takes all forms of its card along
					if !owner {
						break
					}
					o.said[l.Credential] = append(o.said[l.Credential], d.grant.Label)
				}
			}
		}
	}
}

func (o *oldHouse) grants() []wire.Grant { return o.editor.Grants() }

func (o *oldHouse) check(t *rapid.T, before []wire.Grant, update bool) {
	holder := map[wire.CredentialID]wire.ID{}
	for _, g := range o.grants() {
		if g.State == wire.GrantRevoked {
			continue
		}
		if other, twice := holder[g.Credential]; twice && other != g.ID {
			t.Fatal("one card has two keys")
		}
		holder[g.Credential] = g.ID
		label := o.labels[g.ID.String()]
		if !slices.ContainsFunc(o.said[g.Credential], func(l string) bool { return sameFlat(l, label) }) {
			t.Fatalf("a form of key %q is of no line of that flat, but of %v", label, o.said[g.Credential])
		}
	}
	for _, was := range before { // nothing is taken from anybody without --update
		if !update && !slices.ContainsFunc(o.grants(), func(g wire.Grant) bool {
			return g.ID == was.ID && g.Credential == was.Credential && g.State == was.State && g.Until == was.Until
		}) {
			t.Fatal("a key was changed without --update")
		}
	}
}

func must2(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}
