package simulate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/api"
)

// otherWalker is who swipes in the place of a tenant in the second of two runs
// that differ only in who walked: another one whose card opens at that door, if
// both do so by all that was said.
func (w *world) otherWalker(b *box, t *tenancy, c *card) (*tenancy, *card) {
	if !w.plain(b, t, c) {
		return t, c
	}
	for _, other := range w.model.tenancies {
		if other != t && len(other.cards) > 0 && w.plain(b, other, other.cards[0]) {
			return other, other.cards[0]
		}
	}
	return t, c
}

// plain reports whether a card opens at a door and nothing more comes of that.
func (w *world) plain(b *box, t *tenancy, c *card) bool {
	return t.notice.IsZero() && c.until.IsZero() && len(w.model.holders(c.number)) == 1 && w.owed(b, t, c, "") != ""
}

// twins lets a plan happen twice, with other walkers, and is law W7: what owner,
// helper and operator can see is the same to the byte.
func twins(t *testing.T, p Plan, dir string) Outcome {
	p.Twin = 1
	first := bubble(t, p, dir)
	p.Twin = 2
	second := bubble(t, p, dir)
	for name, text := range first.views {
		if other := second.views[name]; text != other {
			first.Breaches = append(first.Breaches, Breach{Law: "W7", Text: fmt.Sprintf("%s tells who walked: %s", name, difference(text, other))})
		}
	}
	first.Days += second.Days
	return first
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

// names by chance: the same one is the same in both runs by its place.
var random = regexp.MustCompile(`[0-9a-f]{8,}|[A-Za-z0-9+/]{24,}=*`)

// noteViews keeps all that can be seen of the house by those who may not know who
// comes and goes.
func (w *world) noteViews() {
	w.views = map[string]string{}
	keep := func(name string, v any, err error) {
		text, _ := json.MarshalIndent(v, "", " ")
		seen := map[string]string{}
		w.views[name] = random.ReplaceAllStringFunc(string(text), func(id string) string {
			if seen[id] == "" {
				seen[id] = fmt.Sprintf("#%d", len(seen)+1)
			}
			return seen[id]
		}) + fmt.Sprint(err != nil)
	}
	for _, b := range w.running() {
		s, err := b.client.Status(w.ctx)
		keep("status of "+b.name, s, err)
		d, err := b.client.Tenancies(w.ctx)
		keep("tenancies at "+b.name, d, err)
		k, err := b.client.Keys(w.ctx)
		keep("keys of "+b.name, k, err)
		var log []control.LogEntry
		err = b.client.Log(w.ctx, -1, false, func(e control.LogEntry) error { log = append(log, e); return nil })
		keep("log of "+b.name, log, err)
	}
	g, err := w.centre.api.Gateways(w.ctx, "")
	keep("registryd gateways", g, err)
	a, err := w.centre.api.Alarms(w.ctx, "", 1000)
	keep("registryd alarms", a, err)
	var entries []api.Entry
	_, err = w.centre.api.Entries(w.ctx, api.EntryFilter{Building: building, Limit: 100_000}, func(e api.Entry) error {
		e.Received = time.Time{} // how entries are packed into messages is not the same in two runs of one seed
		entries = append(entries, e)
		return nil
	})
	keep("registryd entries", entries, err)
	t, err := w.centre.op.Tenancies(w.ctx, "")
	keep("registryd tenancies", t, err)
	l, err := w.centre.op.Lists(w.ctx, "")
	keep("registryd lists", l, err)
}
