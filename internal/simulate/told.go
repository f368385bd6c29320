package simulate

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// loss is something that was destroyed or set back, and what has to say so: each of
// the signs is a line that is shown after it.
type loss struct {
	what  string
	at    time.Duration
	signs []string // regular expressions
}

// noted is an entry that was seen.
type noted struct {
	kind, why string
	seen      time.Duration
}

// notice is a line that somebody who looks at a status or at the alarms is shown,
// with who shows it before it.
type notice struct {
	text string
	at   time.Duration // it was shown last
}

// fileSigns are what a gateway says of a file that it has lost, with what to do. Of one
// that is not here it has to say nothing: what the registry has confirmed and the tree
// are made again from what others know.
func fileSigns(name string) string {
	const see = ".*then remove"
	aside := func(file string) string { return `a damaged file was set aside: .*` + file + `\.bad-.* remove it` }
	switch name {
	case "journal":
		return `the journal: it had entries that it has not any more` + see
	case "journal/epochs":
		return `the journal: the file epochs,` + see
	case "journal/*.db", "journal/*-*.db", plan.OldestOfLog:
		return `the journal: (files with entries are missing|it had entries that it has not|a file was damaged)` + see + `|` + aside(`\.db`)
	case "grants/grants-a.db", "grants/grants-b.db", "grants/grants-?.db":
		file := strings.ReplaceAll(strings.TrimPrefix(name, "grants/"), "?", ".")
		return `files of the grants were not as this gateway left them: .*` + file + `.*find out who|` + aside(file)
	case "grants/tenancies.json":
		return `tenancies.json is missing: .*gatehouse tenancy pin|` + aside(`tenancies\.json`)
	case "clock":
		return `clock (is missing|can't be read).*gatehouse clock confirm`
	case "grants":
		return `grants is missing: .*gatehouse tenancy pin`
	case "keys/building.key":
		return `the building's key (is not here|has not come yet), .*(registryd building-key|from a sibling)|the keys of this gateway can't be read.*building.key.*enrol`
	case "keys":
		return `no keys of the building yet, .*gatehouse enrol`
	}
	return ""
}

// signsOf are those of a lost file of a gateway: its own status, and the log of what
// it had sealed with others.
func signsOf(gateway, name string) (signs []string) {
	said := fileSigns(name)
	if said == "" {
		return nil
	}
	signs = append(signs, "^"+gateway+" says: .*("+said+")")
	if !strings.HasPrefix(name, "keys") {
		signs = append(signs, "^("+gateway+" has an entry|alarm of "+gateway+":) damaged ")
	}
	return signs
}

// databaseSign is that of a database which was put back.
func databaseSign(file string) string {
	return `^the registry says: ` + regexp.QuoteMeta(file) + `: .*docs/restore\.md`
}

// setBackSigns are those of a gateway whose log, as its disk has it now, ends before
// what the registry has of it. Of what nobody has heard nobody can say that it is gone.
func (w *world) setBackSigns(b *testbed.Gateway) []string {
	have, err := w.received()
	if err != nil {
		return nil
	}
	for _, e := range b.Entries() {
		delete(have[b.Name], e.At)
	}
	if len(have[b.Name]) == 0 {
		return nil
	}
	return []string{`^alarm of ` + b.Name + `: .*(registry_ahead|other_root|set_back)`}
}

// told is law W5: each loss shows somewhere, and without one nothing does.
func (w *world) told() {
	shown := w.shown()
	for _, l := range w.losses {
		for _, sign := range l.signs {
			says := regexp.MustCompile(sign)
			if !slices.ContainsFunc(shown, func(n notice) bool { return n.at > l.at && says.MatchString(n.text) }) {
				w.report.Breach("W5", "%s, and nothing says so (%s)", l.what, report.Line{At: l.at, Text: sign})
			}
		}
	}
	if w.calm && len(w.losses) == 0 && len(shown) > 0 {
		var lines []string
		for _, n := range shown {
			if !w.asksAfterAway(n.text) {
				lines = append(lines, n.text)
			}
		}
		if len(lines) > 0 {
			w.report.Breach("W5", "nothing was wrong, and this is shown: %s", strings.Join(slices.Compact(lines), "; "))
		}
	}
}

// asksForSecond is what a gateway shows that takes a list with a second signature alone.
var asksForSecond = regexp.MustCompile(`^(alarm of (\w+): refused second_signature_needed$|(\w+) says: .*registryd countersign)`)

// asksAfterAway reports whether a line is of a gateway that was off and now asks for a
// second signature: its day of removals is one of its own clock.
func (w *world) asksAfterAway(text string) bool {
	m := asksForSecond.FindStringSubmatch(text)
	return m != nil && w.away[m[2]+m[3]]
}

// shown is all that somebody who looks at a status or at the alarms is told, in the
// order of its words.
func (w *world) shown() (all []notice) {
	add := func(at time.Duration, format string, args ...any) {
		all = append(all, notice{fmt.Sprintf(format, args...), at})
	}
	for _, b := range w.bed.Gateways {
		for text, at := range w.problems[b.Name] {
			add(at, "%s says: %s", b.Name, text)
		}
		for _, e := range w.entries[b.Name] {
			if e.kind == "damaged" || e.kind == "gap" {
				add(e.seen, "%s has an entry %s %s", b.Name, e.kind, e.why)
			}
		}
	}
	alarms, _ := w.bed.Registry.API.Alarms(w.bed.Ctx, testbed.Building, 1000)
	for _, a := range alarms {
		add(a.Heard.Sub(plan.Begin), "alarm of %s: %s %s", a.Gateway, a.Kind, a.Reason)
	}
	for _, text := range w.registrySays() {
		add(w.now(), "the registry says: %s", text)
	}
	slices.SortFunc(all, func(a, b notice) int { return cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.at, b.at)) })
	return all
}

// registrySays is what the operator reads now.
func (w *world) registrySays() (lines []string) {
	if s, err := w.bed.Registry.API.Status(w.bed.Ctx); err == nil {
		lines = append(lines, s.Problems...)
		for _, r := range s.Remarks {
			lines = append(lines, r.Text)
		}
	}
	if gateways, err := w.bed.Registry.API.Gateways(w.bed.Ctx, testbed.Building); err == nil {
		for _, g := range gateways {
			if g.SetBacks > 0 {
				lines = append(lines, g.Gateway+" was set back")
			}
		}
	}
	if s, err := w.bed.Registry.Op.Status(w.bed.Ctx); err == nil {
		lines = append(lines, s.Lines...)
	}
	problems, _ := w.bed.Registry.Op.Problems(w.bed.Ctx, "")
	for _, p := range problems {
		if !strings.Contains(p.Text, "opens for tenancy") {
			lines = append(lines, p.Text)
		}
	}
	return lines
}
