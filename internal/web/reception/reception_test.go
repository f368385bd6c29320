package reception

import (
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/caller"
	"gatehouse/internal/control"
	"gatehouse/internal/web/text"
)

// TestIdle: ten minutes without anything, and what was typed is forgotten; who waits for
// a card then waits no more.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, v := NewCounter(nil), newVisit(nil, "s", CheckIn, caller.Caller{})
		c.sit(v)
		v.state.arrival.Name = "Testperson Eins"
		for range 3 {
			time.Sleep(Idle - time.Second)
			if c.Of("s") != v {
				t.Fatal("the visit is over though it was used")
			}
		}
		time.Sleep(Idle + time.Second)
		if c.Of("s") != nil || v.state.arrival.Name != "" || v.over.Err() == nil {
			t.Errorf("after ten idle minutes: %v", v.state.arrival.Name)
		}
	})
}

// TestTerms: terms end with the day before the one on which they began, or with the month.
func TestTerms(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	d := control.Desk{TimeZone: "Asia/Shanghai"}
	for _, c := range []struct{ from, term, until, want string }{
		{"2026-12-01", "year", "", "2027-12-01"}, {"2026-12-01", "half", "", "2027-06-01"}, {"2026-08-31", "half", "", "2027-03-01"}, {"2028-02-29", "year", "", "2029-03-01"},
		{"2026-12-01", "date", "2026-12-24", "2026-12-25"}, {"2026-12-01", "date", "长期", ""}, {"2026-12-01", "open", "", ""}, {"", "open", "", ""},
	} {
		in, err := Form{From: c.from, Term: c.term, Until: c.until}.arrival(d)
		got := ""
		if in.Until != nil {
			got = in.Until.In(zone).Format(time.DateOnly)
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: until %q, %v", c, got, err)
		}
	}
	for want, f := range map[text.Word]Form{"desk.no_clock": {Term: "year"}, "desk.no_term": {Term: "date"}, "desk.bad_day": {Term: "open", From: "soon"},
		"desk.two_terms": {Term: "half", From: "2026-12-01", Until: "2026-12-24"}, "desk.day_range": {Term: "date", Until: "2106-02-07"}} {
		if _, err := f.arrival(d); err != want {
			t.Errorf("%+v: %v, want %s", f, err, want)
		}
	}
}
