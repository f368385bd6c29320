package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// look asks all machines how they are, and notes what each has heard by now.
func (w *world) look() {
	w.lookIssuer()
	for _, b := range w.gateways {
		w.lookBox(b)
	}
}

// lookIssuer notes which list says what.
func (w *world) lookIssuer() {
	if !w.centre.issuer.running() {
		return
	}
	lists, err := w.centre.op.Lists(w.ctx, "")
	if err != nil {
		return
	}
	for _, l := range lists {
		hash := fmt.Sprintf("%x", l.Hash)
		if !l.Held && w.model.lists[hash] == nil {
			w.model.lists[hash] = cloneSet(w.model.minds["issuer"].knows)
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
func (w *world) lookBox(b *box) {
	s, err := b.status()
	if err != nil {
		return
	}
	if list := w.model.lists[s.Grants.Hash]; list != nil && w.listHash[b.name] != s.Grants.Hash {
		w.model.hear(b.name, list)
		w.listHash[b.name] = s.Grants.Hash
	}
	w.noteTime(b)
	if u := s.Uplink; u != nil {
		if u.State == "in step" && w.centre.front.clock.Right() {
			b.clock.Tell()
		}
		if u.Records == 0 && u.State == "in step" && w.takenIn() {
			w.model.hear("issuer", w.model.minds[b.name].knows)
		}
	}
	for _, p := range s.Problems {
		if strings.HasPrefix(p, "no list of grants yet") {
			continue // what to do in a new house, until the registry has heard of the first tenant
		}
		if w.problems[b.name] == nil {
			w.problems[b.name] = map[string]time.Duration{}
		}
		w.problems[b.name][p] = w.now()
	}
	w.noteEntries(b)
}

// noteTime notes that a right clock has told a machine the time: after some
// minutes it has looked there.
func (w *world) noteTime(b *box) {
	const looks = 3 * time.Minute
	if b.clock.Right() && b.clock.Boot() > looks {
		b.clock.Tell()
	}
}

// noteEntries remembers a gateway's entries, and tells those that are new. Those
// of one instant are told in the order of their words: they come from parts that
// do not wait for each other.
func (w *world) noteEntries(b *box) {
	seen := w.model.entries[b.name]
	var fresh []entry
	for _, e := range b.entries() {
		_, again := seen[e.at]
		if !again {
			fresh = append(fresh, e)
		}
		if !again {
			seen[e.at] = noted{e.kind, e.why, w.now()}
		}
	}
	if !w.plan.Trace {
		return
	}
	slices.SortStableFunc(fresh, func(a, b entry) int { return cmp.Or(a.time.Compare(b.time), strings.Compare(a.words, b.words)) })
	for _, e := range fresh {
		w.report.Entry(b.name + ": " + e.words)
	}
}

// takenIn reports whether the issuer has taken in everything that the front has.
func (w *world) takenIn() bool {
	if !w.centre.issuer.running() || !w.centre.front.running() {
		return false
	}
	f, err := w.centre.api.Status(w.ctx)
	i, err2 := w.centre.op.Status(w.ctx)
	return err == nil && err2 == nil && f.LastWork == i.After
}

// byClock are reasons for which a door stays shut because of the time.
var byClock = []string{"not_yet", "expired", "clock_untrusted"}

// judgeSwipe holds a door's answer against laws 1, 2, 6 and 8.
func (w *world) judgeSwipe(b *box, c *card, opened bool, reason string) {
	m := w.model
	holders := m.holders(c.number)
	if opened {
		for _, t := range holders {
			if !m.stopped(b.name, t, c.number) {
				return
			}
		}
		w.report.Breach("W1", "house card %d of %s opens at %s, which has heard that it is stopped", c.number, names(holders), b.name)
		return
	}
	for _, t := range holders {
		if law := w.owed(b, t, c, reason); law != "" {
			w.report.Breach(law, "house card %d of %s does not open at %s: %s", c.number, t.name(), b.name, reason)
			return
		}
	}
}

// owed returns the law by which a card has to open for a tenancy; empty: none
// that a person in the building could name.
func (w *world) owed(b *box, t *tenancy, c *card, reason string) string {
	m := w.model
	mine := slices.Contains(t.cards, c)
	replaced := mine && !c.until.IsZero() && !time.Now().Before(c.until)
	switch {
	case !mine, t.robbed, t.doubt != "", t.over(), replaced, m.minds[b.name].damaged, !m.has(b.name, t, c.number), !m.hasAgain(b.name, t), m.stoppedByAnyone(t, c.number):
		return ""
	case slices.Contains(byClock, reason):
		return "W2"
	case t.tricks:
		return "W8"
	}
	return "W6"
}

func names(all []*tenancy) string {
	text := ""
	for i, t := range all {
		if i > 0 {
			text += " and "
		}
		text += t.name()
	}
	return text
}
