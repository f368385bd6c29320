package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/api"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// otherWalker is who swipes in the place of a tenant in the second of two runs
// that differ only in who walked: another one whose card opens at that door, if
// both do so by all that was said.
func (w *world) otherWalker(b *testbed.Gateway, t *model.Tenancy, c *model.Card) (*model.Tenancy, *model.Card) {
	if !w.plain(b, t, c) {
		return t, c
	}
	for _, other := range w.model.Tenancies {
		if other != t && len(other.Cards) > 0 && w.plain(b, other, other.Cards[0]) {
			return other, other.Cards[0]
		}
	}
	return t, c
}

// plain reports whether a card opens at a door and nothing more comes of that.
func (w *world) plain(b *testbed.Gateway, t *model.Tenancy, c *model.Card) bool {
	return t.Notice.IsZero() && c.Until.IsZero() && len(w.model.Holders(c.Number)) == 1 && w.owed(b, t, c, "") != ""
}

// twins lets a plan happen twice, with other walkers, and is law W7: what owner,
// helper and operator can see is the same to the byte.
func twins(t *testing.T, p plan.Plan, dir string) report.Outcome {
	p.Twin = 1
	first := bubble(t, p, dir)
	p.Twin = 2
	second := bubble(t, p, dir)
	first.Breaches = append(first.Breaches, compared(first.Views, second.Views)...)
	first.Days += second.Days
	return first
}

// compared are the breaches of law W7: views that differ, by name.
func compared(one, two map[string]string) (all []report.Breach) {
	for _, name := range slices.Sorted(maps.Keys(one)) {
		if text, other := one[name], two[name]; text != other {
			all = append(all, report.Breach{Law: "W7", Text: fmt.Sprintf("%s tells who walked: %s", name, difference(text, other))})
		}
	}
	return all
}

// difference is the first place at which two texts differ.
func difference(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	cut := func(s string) string { return s[max(0, min(n-60, len(s))):min(n+60, len(s))] }
	return fmt.Sprintf("%q and %q", cut(a), cut(b))
}

// random are names by chance, in base64 and in hex. A hash in base64 may begin as
// one in hex does.
var random = regexp.MustCompile(`[A-Za-z0-9+/]{24,}=*|[0-9a-f]{8,}`)

// order says whether the rows of a view stand in an order that means something.
type order int

const (
	byID   order = iota // in the order of names by chance
	asMade              // as it happened: that is compared too
)

// comparable is a view as text with no chance in it. Rows that stand by names
// made by chance are put in the order of what else they say; then each name is
// numbered by its first place.
func comparable(v any, o order) string {
	text, _ := json.Marshal(v)
	if o == byID {
		var tree any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		_ = d.Decode(&tree) // of what was encoded just now
		sortRows(tree)
		text, _ = json.Marshal(tree)
	}
	seen := map[string]string{}
	return random.ReplaceAllStringFunc(string(text), func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("#%d", len(seen)+1)
		}
		return seen[id]
	})
}

// sortRows sorts all rows in a tree of JSON by their text without names by chance.
func sortRows(tree any) {
	switch t := tree.(type) {
	case map[string]any:
		for _, v := range t {
			sortRows(v)
		}
	case []any:
		for _, v := range t {
			sortRows(v)
		}
		slices.SortStableFunc(t, func(a, b any) int { return strings.Compare(masked(a), masked(b)) })
	}
}

func masked(v any) string {
	text, _ := json.Marshal(v)
	return random.ReplaceAllString(string(text), "#")
}

// noteViews keeps all that can be seen of the house by those who may not know who
// comes and goes.
func (w *world) noteViews() {
	w.views = map[string]string{}
	keep := func(name string, o order, v any, err error) {
		w.views[name] = comparable(v, o) + fmt.Sprint(err != nil)
	}
	for _, b := range w.bed.Running() {
		s, err := b.Client.Status(w.bed.Ctx)
		keep("status of "+b.Name, byID, s, err)
		d, err := b.Client.Tenancies(w.bed.Ctx)
		keep("tenancies at "+b.Name, byID, d, err)
		k, err := b.Client.Keys(w.bed.Ctx)
		keep("keys of "+b.Name, byID, k, err)
		var log []control.LogEntry
		err = b.Client.Log(w.bed.Ctx, control.LogQuery{Last: -1}, func(e control.LogEntry) error { log = append(log, e); return nil })
		keep("log of "+b.Name, asMade, log, err)
	}
	g, err := w.bed.Registry.API.Gateways(w.bed.Ctx, "")
	keep("registryd gateways", byID, g, err)
	a, err := w.bed.Registry.API.Alarms(w.bed.Ctx, "", 1000)
	keep("registryd alarms", asMade, a, err)
	var entries []api.Entry
	_, err = w.bed.Registry.API.Entries(w.bed.Ctx, api.EntryFilter{Building: testbed.Building, Limit: 100_000}, func(e api.Entry) error {
		e.Received = time.Time{} // how entries are packed into messages is not the same in two runs of one seed
		entries = append(entries, e)
		return nil
	})
	keep("registryd entries", asMade, entries, err)
	t, err := w.bed.Registry.Op.Tenancies(w.bed.Ctx, "")
	keep("registryd tenancies", byID, t, err)
	l, err := w.bed.Registry.Op.Lists(w.bed.Ctx, "")
	keep("registryd lists", byID, l, err)
}
