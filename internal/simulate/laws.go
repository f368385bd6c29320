package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/testbed"
)

// look asks all machines how they are, and notes what each has heard by now.
func (w *world) look() {
	w.lookIssuer()
	for _, b := range w.bed.Gateways {
		w.lookBox(b)
	}
}

// lookIssuer notes which list says what.
func (w *world) lookIssuer() {
	if !w.bed.Registry.Issuer.Running() {
		return
	}
	lists, err := w.bed.Registry.Op.Lists(w.bed.Ctx, "")
	if err != nil {
		return
	}
	for _, l := range lists {
		hash := fmt.Sprintf("%x", l.Hash)
		if !l.Held && w.model.Lists[hash] == nil {
			w.model.Lists[hash] = cloneSet(w.model.Minds["issuer"].Knows)
		}
	}
}

func cloneSet(in map[int]bool) map[int]bool {
	out := make(map[int]bool, len(in))
	for n := range in {
		out[n] = true
	}
	return out
}

// lookBox notes what a gateway has heard by the list that it has applied, and
// what the registry has heard of its desk.
func (w *world) lookBox(b *testbed.Gateway) {
	s, err := b.Status()
	if err != nil {
		return
	}
	if list := w.model.Lists[s.Grants.Hash]; list != nil && w.listHash[b.Name] != s.Grants.Hash {
		w.model.Hear(b.Name, list)
		w.listHash[b.Name] = s.Grants.Hash
	}
	w.noteTime(b)
	if u := s.Uplink; u != nil {
		if u.State == "in step" && w.bed.Registry.Front.Clock.Right() {
			b.Clock.Tell()
		}
		if u.Records == 0 && u.State == "in step" && w.takenIn() {
			w.model.Hear("issuer", w.model.Minds[b.Name].Knows)
		}
	}
	for _, p := range s.Problems {
		if strings.HasPrefix(p, "no list of grants yet") {
			continue // what to do in a new house, until the registry has heard of the first tenant
		}
		if w.problems[b.Name] == nil {
			w.problems[b.Name] = map[string]time.Duration{}
		}
		w.problems[b.Name][p] = w.now()
	}
	w.noteEntries(b)
}

// noteTime notes that a right clock has told a machine the time: after some
// minutes it has looked there.
func (w *world) noteTime(b *testbed.Gateway) {
	const looks = 3 * time.Minute
	if b.Clock.Right() && b.Clock.Boot() > looks {
		b.Clock.Tell()
	}
}

// noteEntries remembers a gateway's entries, and tells those that are new. Those
// of one instant are told in the order of their words: they come from parts that
// do not wait for each other.
func (w *world) noteEntries(b *testbed.Gateway) {
	seen := w.entries[b.Name]
	var fresh []testbed.Entry
	for _, e := range b.Entries() {
		_, again := seen[e.At]
		if !again {
			fresh = append(fresh, e)
		}
		if !again {
			seen[e.At] = noted{e.Kind, e.Why, w.now()}
		}
	}
	if !w.plan.Trace {
		return
	}
	slices.SortStableFunc(fresh, func(a, b testbed.Entry) int { return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Words, b.Words)) })
	for _, e := range fresh {
		w.report.Entry(b.Name + ": " + e.Words)
	}
}

// takenIn reports whether the issuer has taken in everything that the front has.
func (w *world) takenIn() bool {
	if !w.bed.Registry.Issuer.Running() || !w.bed.Registry.Front.Running() {
		return false
	}
	f, err := w.bed.Registry.API.Status(w.bed.Ctx)
	i, err2 := w.bed.Registry.Op.Status(w.bed.Ctx)
	return err == nil && err2 == nil && f.LastWork == i.After
}

// byClock are reasons for which a door stays shut because of the time.
var byClock = []string{"not_yet", "expired", "clock_untrusted"}

// judgeSwipe holds a door's answer against laws 1, 2, 6 and 8.
func (w *world) judgeSwipe(b *testbed.Gateway, c *model.Card, opened bool, reason string) {
	m := w.model
	holders := m.Holders(c.Number)
	if opened {
		for _, t := range holders {
			if !m.Stopped(b.Name, t, c.Number) {
				return
			}
		}
		w.report.Breach("W1", "house card %d of %s opens at %s, which has heard that it is stopped", c.Number, names(holders), b.Name)
		return
	}
	for _, t := range holders {
		if law := w.owed(b, t, c, reason); law != "" {
			w.report.Breach(law, "house card %d of %s does not open at %s: %s", c.Number, t.Name(), b.Name, reason)
			return
		}
	}
}

// owed returns the law by which a card has to open for a tenancy; empty: none
// that a person in the building could name.
func (w *world) owed(b *testbed.Gateway, t *model.Tenancy, c *model.Card, reason string) string {
	m := w.model
	mine := slices.Contains(t.Cards, c)
	replaced := mine && !c.Until.IsZero() && !time.Now().Before(c.Until)
	switch {
	case !mine, t.Robbed, t.Doubt != "", t.Over(), replaced, m.Minds[b.Name].Damaged, !m.Has(b.Name, t, c.Number), !m.HasAgain(b.Name, t), m.StoppedByAnyone(t, c.Number):
		return ""
	case slices.Contains(byClock, reason):
		return "W2"
	case t.Tricks:
		return "W8"
	}
	return "W6"
}

func names(all []*model.Tenancy) string {
	text := ""
	for i, t := range all {
		if i > 0 {
			text += " and "
		}
		text += t.Name()
	}
	return text
}
