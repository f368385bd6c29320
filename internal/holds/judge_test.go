package holds

import (
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"gatehouse/internal/mandate"
	"gatehouse/internal/trueclock"
	"gatehouse/sync/wire"
)

// reasons are all of them.
func reasons() []reason {
	return []reason{unsigned, otherRegistry, notEnrolled, revoked, certificateOver, noCase, tooWide, future, wrongGateway, notHeld, noDoor, old, notYet, tooMany, noRoom}
}

// TestJudge: what is no order that an enrolled officer of the town has signed for this door, now, is refused in
// words; what is in doubt alone is taken.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *paper)
		ask    func(q *Question)
		want   reason
	}{
		"good":                   {},
		"a whole day":            {change: func(p *paper) { p.order.From, p.order.Until = noon-86400, noon }},
		"for the district":       {change: func(p *paper) { p.officer.Town = "" }},
		"doors not known":        {ask: func(q *Question) { q.Doors = nil }},
		"nobody knows the time":  {ask: func(q *Question) { q.Now = ever }},
		"the last minute":        {ask: func(q *Question) { *q = at(noon + 3*86400 - 60) }},
		"the machine is ahead":   {ask: func(q *Question) { *q = at(noon - early) }},
		"another key":            {change: func(p *paper) { p.key = 2 }, want: unsigned},
		"another registry's":     {change: func(p *paper) { p.registry = "town" }, want: otherRegistry},
		"no issuer":              {change: func(p *paper) { p.issuer = 8 }, want: notEnrolled},
		"the certificate is old": {change: func(p *paper) { p.officer.Until = noon }, want: certificateOver},
		"it is not good yet":     {change: func(p *paper) { p.officer.From = noon + 3600 }, want: certificateOver},
		"no case":                {change: func(p *paper) { p.order.Case = "" }, want: noCase},
		"a second more":          {change: func(p *paper) { p.order.From, p.order.Until = noon-86401, noon }, want: tooWide},
		"what is to come":        {change: func(p *paper) { p.order.From, p.order.Until = noon, noon+60 }, want: future},
		"another house":          {change: func(p *paper) { p.order.Gateway = "house-2/gate-1" }, want: wrongGateway},
		"another town":           {change: func(p *paper) { p.officer.Town = "lao" }, want: notHeld},
		"another district":       {change: func(p *paper) { p.officer.District = "south" }, want: notHeld},
		"another door":           {change: func(p *paper) { p.order.Door = "roof" }, want: noDoor},
		"signed three days ago":  {ask: func(q *Question) { *q = at(noon + 3*86400) }, want: old},
		"signed in an hour":      {ask: func(q *Question) { *q = at(noon - 3600) }, want: notYet},
	} {
		p, q := sample(), at(noon+60)
		if c.change != nil {
			c.change(&p)
		}
		if c.ask != nil {
			c.ask(&q)
		}
		taken, refusal := Judge(p.sign(t), trust(), q)
		switch {
		case refusal == nil && (c.want.name != "" || taken.Order.Case != sample().order.Case || taken.Officer.Badge != "000001" || taken.Sum == wire.Hash{}):
			t.Errorf("%s: taken as %+v, want %q", name, taken, c.want.name)
		case refusal != nil && (refusal.Name != c.want.name || strings.Contains(refusal.Reason.ZH+refusal.Reason.EN, "%")):
			t.Errorf("%s: %+v, want %q", name, refusal, c.want.name)
		}
	}
}

// TestJudgeForged: of 2,000 orders with a byte changed, cut or doubled, none is taken.
func TestJudgeForged(t *testing.T) {
	good, r := sample().sign(t), rand.New(rand.NewPCG(15, 4))
	for range 2000 {
		b := slices.Clone(good)
		switch i := r.IntN(len(b)); r.IntN(3) {
		case 0:
			b[i] ^= 1 << r.IntN(8)
		case 1:
			b = b[:i]
		default:
			b = slices.Insert(b, i, b[i])
		}
		if taken, refusal := Judge(b, trust(), at(noon)); refusal == nil {
			t.Fatalf("taken: %+v from\n%x", taken, b)
		}
	}
}

// TestWords: each reason has a name of its own, and says why, by which rule and what to do in both languages;
// docs/mandate.md has its row.
func TestWords(t *testing.T) {
	page, err := os.ReadFile("../../docs/mandate.md")
	must(t, page, err)
	stable, names := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`), map[string]bool{}
	isHan := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for _, r := range reasons() {
		if !stable.MatchString(r.name) || names[r.name] || len(r.name) > 64 {
			t.Errorf("a name: %q", r.name)
		}
		names[r.name] = true
		for what, text := range map[string]mandate.Text{"reason": r.because, "article": r.article, "what to do": r.do} {
			if !strings.ContainsFunc(text.ZH, isHan) || strings.ContainsFunc(text.EN, isHan) || text.EN == "" {
				t.Errorf("%s: %s: %q, %q", r.name, what, text.ZH, text.EN)
			}
		}
		if strings.Count(r.because.ZH, "%s") != strings.Count(r.because.EN, "%s") {
			t.Errorf("%s: blanks", r.name)
		}
		blank := strings.NewReplacer("%s", "…")
		row := "| `" + r.name + "` | " + blank.Replace(r.because.ZH) + "<br>" + blank.Replace(r.because.EN) + " | " + r.do.ZH + "<br>" + r.do.EN + " |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/mandate.md lacks this row:\n%s", row)
		}
	}
}

// TestUncertain: a clock that is in doubt refuses no order for its age alone.
func TestUncertain(t *testing.T) {
	q := at(noon + 10*86400)
	q.Now = trueclock.Interval{Sure: noon, Lo: noon, Hi: noon + 20*86400}
	if _, refusal := Judge(sample().sign(t), trust(), q); refusal != nil {
		t.Error(refusal)
	}
}
