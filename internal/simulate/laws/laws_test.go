package laws

import (
	"slices"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/registry/issuer/operator"
	"gatehouse/internal/simulate/model"
	"gatehouse/internal/simulate/plan"
	"gatehouse/internal/simulate/report"
	"gatehouse/internal/simulate/testbed"
)

// broken are the laws that a judgement finds broken.
func broken(judge func(r *report.Report)) (all []string) {
	var r report.Report
	judge(&r)
	for _, b := range r.Breaches {
		all = append(all, b.Law)
	}
	return all
}

func check(t *testing.T, what string, judge func(r *report.Report), want ...string) {
	t.Helper()
	if got := broken(judge); !slices.Equal(got, want) {
		t.Errorf("%s: breaks %q, want %q", what, got, want)
	}
}

// TestSwipe: a card has to open where it was heard of and nothing stops it, and not where
// it was heard that something does.
func TestSwipe(t *testing.T) {
	m := model.NewModel()
	m.Machine("gw1")
	tenant := &model.Tenancy{N: 1, Cards: []*model.Card{m.NewCard()}}
	m.Tenancies = append(m.Tenancies, tenant)
	card := tenant.Cards[0]
	at := func(opened bool, reason string) func(*report.Report) {
		return func(r *report.Report) {
			Swipe{Gateway: "gw1", Card: card, Opened: opened, Reason: reason}.Judge(m, r)
		}
	}
	check(t, "shut before it was heard of", at(false, "unknown_card"))
	m.Say("gw1", model.Arrived, tenant, card.Number)
	check(t, "open", at(true, "granted"))
	check(t, "shut", at(false, "unknown_card"), "W6")
	check(t, "shut by the clock", at(false, "expired"), "W2")
	m.Minds["gw1"].Keyless = true
	check(t, "shut for want of the building's key", at(false, "not_ready"))
	m.Minds["gw1"].Keyless = false
	tenant.Tricks = true
	check(t, "shut by the landlord", at(false, "suspended"), "W8")
	m.Say("issuer", model.Suspended, tenant, card.Number)
	check(t, "suspended elsewhere, open", at(true, "granted"))
	check(t, "suspended elsewhere, shut", at(false, "suspended"))
	m.Hear("gw1", m.Minds["issuer"].Knows)
	check(t, "suspended, open", at(true, "granted"), "W1")
}

// TestReinstatedAfterARestore: who is reinstated gets no suspended card back, but one whose suspension the
// registry can't know any more: it was put back to before, and no list has the cards of an ended tenancy.
func TestReinstatedAfterARestore(t *testing.T) {
	for name, c := range map[string]struct {
		ended, restored bool
		where           string
		want            []string
	}{
		"known":            {ended: true, where: "issuer", want: []string{"W1"}},
		"a list has it":    {restored: true, where: "issuer", want: []string{"W1"}},
		"nobody has it":    {ended: true, restored: true, where: "issuer"},
		"a record has it":  {ended: true, restored: true, where: "gw1", want: []string{"W1"}},
		"suspended by two": {ended: true, restored: true, where: "both", want: []string{"W1"}},
	} {
		m := model.NewModel()
		m.Machine("gw1")
		tenant := &model.Tenancy{N: 1, Cards: []*model.Card{m.NewCard()}}
		m.Tenancies = append(m.Tenancies, tenant)
		card := tenant.Cards[0]
		m.Say("gw1", model.Arrived, tenant, card.Number)
		m.Tell("gw1")
		image := m.Minds["issuer"].Clone()
		if c.where != "gw1" {
			m.Say("issuer", model.Suspended, tenant, card.Number)
		}
		if c.where != "issuer" {
			m.Say("gw1", model.Suspended, tenant, card.Number)
		}
		if c.ended {
			m.Say("issuer", model.Ended, tenant)
		}
		m.Hear("gw1", m.Minds["issuer"].Knows)
		if c.restored {
			m.Minds["issuer"] = image
		}
		m.Tell("gw1")
		m.Reinstate(tenant)
		check(t, name, func(r *report.Report) { Swipe{Gateway: "gw1", Card: card, Opened: true, Reason: "granted"}.Judge(m, r) }, c.want...)
	}
}

// TestShown: a loss has to show after it; where nothing was wrong, nothing may, but for what
// a gateway asks for that was off, and what the calendar brings.
func TestShown(t *testing.T) {
	s := NewShown()
	check(t, "good weather", s.Judge)
	s.Away["gw1"] = true
	s.Says(time.Hour, "gw1 says: a list waits: registryd countersign")
	check(t, "one that was off asks", s.Judge)
	s.Says(time.Hour, "the registry says: for more than 15 days nobody has looked whether residents ask to have something put right")
	check(t, "a reminder of the calendar", s.Judge)
	s.Says(time.Hour, "gw2 says: the clock is missing, gatehouse clock confirm")
	check(t, "shown in good weather", s.Judge, "W5")
	s.Calm = false
	check(t, "shown in bad weather", s.Judge)
	s.Lost(2*time.Hour, "clock of gw2 was deleted", SignsOf("gw2", "clock")[0])
	check(t, "shown before the loss alone", s.Judge, "W5")
	s.Says(3*time.Hour, "gw2 says: the clock is missing, gatehouse clock confirm")
	check(t, "shown after it", s.Judge)
}

// TestEntries: what was seen at a gateway is at the registry once, or it is said that it is not.
func TestEntries(t *testing.T) {
	e := NewEntries()
	one, two := testbed.Entry{At: testbed.Spot{Epoch: "a", N: 0}, Kind: "access"}, testbed.Entry{At: testbed.Spot{Epoch: "a", N: 1}, Kind: "access"}
	if fresh := e.Note("gw1", []testbed.Entry{one}, 0); len(fresh) != 1 {
		t.Errorf("new are %v", fresh)
	}
	if fresh := e.Note("gw1", []testbed.Entry{one, two}, 0); len(fresh) != 1 || fresh[0].At != two.At {
		t.Errorf("new are %v", fresh)
	}
	judge := func(alarmed bool, ones, twos int) func(*report.Report) {
		return func(r *report.Report) {
			e.Judge("gw1", map[testbed.Spot]int{one.At: ones, two.At: twos}, func() bool { return alarmed }, r)
		}
	}
	check(t, "all there", judge(false, 1, 1))
	check(t, "one there twice", judge(false, 1, 2), "W3")
	check(t, "one missing", judge(false, 1, 0), "W3")
	check(t, "one missing, with an alarm", judge(true, 1, 0))
	e.Note("gw1", []testbed.Entry{{At: testbed.Spot{Epoch: "b", N: 3}, Kind: "gap", Why: "lost"}}, time.Hour)
	s := NewShown()
	e.Show(s)
	check(t, "an entry tells of a gap", s.Judge, "W5")
	shown := NewShown()
	shown.Lost(time.Minute, "a file", "^gw1 has an entry damaged ")
	shown.Lost(time.Hour, "another", "^gw1 has an entry damaged ")
	e.Note("gw1", []testbed.Entry{{At: testbed.Spot{Epoch: "c", N: 9}, Kind: "damaged", Why: "missing_file"}}, 2*time.Minute)
	e.Forget("gw1", shown)
	e.Show(shown)
	check(t, "what was entered before another machine came, and a loss after it", shown.Judge, "W5")
	check(t, "of another machine", judge(false, 0, 0))
}

// TestTaken: a thief takes three tenancies a day, and three more for each day for which he waited.
func TestTaken(t *testing.T) {
	taken := NewTaken()
	take := func(at time.Duration, ids ...string) func(*report.Report) {
		return func(r *report.Report) { taken.Judge("gw1", ids, at, r) }
	}
	check(t, "three", take(0, "a", "b", "c"))
	check(t, "one of them again", take(time.Hour, "a"))
	check(t, "a fourth", take(2*time.Hour, "d"), "W8")
	taken.Refused("gw1", 3*plan.Day)
	check(t, "four, after a day in which he waited", take(4*plan.Day, "e", "f", "g", "h"))
	check(t, "four a day later", take(6*plan.Day, "i", "k", "l", "m"), "W8")
}

// TestDesk: desk and registry say the same, but for a desk that doubts after a boot, and one that
// counts the days of a notice on.
func TestDesk(t *testing.T) {
	over, lives := &model.Tenancy{Until: time.Now().Add(-time.Hour)}, &model.Tenancy{}
	active, ended := control.Tenancy{State: "active"}, operator.Tenancy{State: "ended"}
	doubt := active
	doubt.Doubtful = true
	counts := control.Tenancy{State: "notice", Counting: true}
	noticed := func(ago time.Duration) operator.Tenancy {
		at := time.Now().Add(-ago)
		return operator.Tenancy{State: "ended", Until: &at, Notice: &at}
	}
	revoked, soon := noticed(time.Minute), time.Now().Add(-time.Second)
	revoked.Notice = &soon
	for _, c := range []struct {
		what string
		t    *model.Tenancy
		desk Desk
		want []string
	}{
		{"both say active", lives, Desk{Known: true, Here: active, Listed: true, There: operator.Tenancy{State: "active"}}, nil},
		{"active and ended", lives, Desk{Known: true, Here: active, Listed: true, There: ended}, []string{"W6"}},
		{"not at the registry", lives, Desk{Known: true, Here: active}, []string{"W6"}},
		{"not at the desk", lives, Desk{Listed: true, There: ended}, nil},
		{"in doubt", over, Desk{Known: true, Here: doubt, Listed: true, There: ended, Boot: plan.Day}, nil},
		{"in doubt for too long", over, Desk{Known: true, Here: doubt, Listed: true, There: ended, Boot: 3 * plan.Day}, []string{"W6"}},
		{"in doubt of nothing", lives, Desk{Known: true, Here: doubt, Listed: true, There: ended, Boot: plan.Day}, []string{"W6"}},
		{"counts on", over, Desk{Known: true, Here: counts, Listed: true, There: noticed(4 * time.Hour)}, nil},
		{"counts on for too long", over, Desk{Known: true, Here: counts, Listed: true, There: noticed(5 * time.Hour)}, []string{"W6"}},
		{"counts on after a revocation", over, Desk{Known: true, Here: counts, Listed: true, There: revoked}, []string{"W6"}},
		{"counts on before the true end", lives, Desk{Known: true, Here: counts, Listed: true, There: noticed(time.Minute)}, []string{"W6"}},
		{"on notice, and does not say that it counts", over, Desk{Known: true, Here: control.Tenancy{State: "notice"}, Listed: true, There: noticed(time.Minute)}, []string{"W6"}},
	} {
		check(t, c.what, func(r *report.Report) { c.desk.Judge(c.t, r) }, c.want...)
		var opens []string
		if c.desk.There.State == "ended" && c.what != "in doubt" && c.what != "counts on" {
			opens = []string{"W6"}
		}
		check(t, c.what+", and a card opens", func(r *report.Report) { c.desk.Opened(c.t, 1, r) }, opens...)
	}
}
