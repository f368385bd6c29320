package reception

import (
	"strings"
	"testing"
	"time"

	"gatehouse/cmd/gatehouse/internal/session"
	"gatehouse/internal/command"
	"gatehouse/internal/control"
)

// TestAnswers: a slip in the JSON is named by its field, and nothing that was
// typed is repeated.
func TestAnswers(t *testing.T) {
	for text, want := range map[string]string{
		`{"document":"passport","informed":true}`:    "",
		`{"doors":"front"}`:                          "doors must be a list of strings",
		`{"informed":"Testperson"}`:                  "informed must be true or false",
		`{"pin":4711}`:                               "pin must be a string",
		`["Testperson"]`:                             ": it is no object",
		`{"Testperson":1}`:                           "a field that is not known",
		`{"name":"Testperson",}`:                     "no JSON at character 22",
		`{"name":"Testperson"`:                       "not the JSON object",
		`{"name":"Testperson"}{"name":"Another"}`:    "something stands behind",
		`{"name":"Testperson"} Testperson 4711`:      "something stands behind",
		"{\"name\":\"Testperson\"}\n \n":             "",
		"passport\nE0000000\nTestperson\n3B\n\n\n\n": "no JSON at character 1",
		`"Testperson"`:                               "have to be: it is no object",
		"{\"name\":\"\xd5\xc5\xce\xb0\"}":            "not UTF-8",
	} {
		s := &session.Session{Console: command.Console{In: strings.NewReader(text)}}
		_, err := CheckIn{Answers: "-"}.gather(visit{s: s})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		case err != nil && (strings.Contains(err.Error(), "Testperson") || strings.Contains(err.Error(), "4711")):
			t.Errorf("%s: it is repeated: %v", text, err)
		}
	}
}

// TestLinesInUTF8: what a terminal in another encoding sends is refused at its question,
// and never kept with a sign in place of what could not be read.
func TestLinesInUTF8(t *testing.T) {
	s := &session.Session{Console: command.Console{In: strings.NewReader("passport\nE0000005\n\xd5\xc5\xce\xb0\n7A\n\n\n\n\ncontract\nyes\n\n")}}
	var a answers
	if err := a.ask(s.Asker(), visit{s: s}); err == nil || !strings.Contains(err.Error(), "not UTF-8") || a.Name != "" {
		t.Errorf("%q, %v", a.Name, err)
	}
}

// TestLastDay: a notice that ends at midnight has the day before as its last, and a
// tenancy that was ended before its time the day on which it was.
func TestLastDay(t *testing.T) {
	at := func(text string) *time.Time {
		if text == "" {
			return nil
		}
		v, err := time.Parse("2006-01-02 15:04", text)
		noErr(t, err)
		return &v
	}
	for _, c := range []struct {
		state, notice, until, ended, want string
	}{
		{"notice", "2026-11-28 16:33", "2027-02-01 00:00", "", "2026-11-28"},
		{"notice", "2026-12-25 00:00", "2027-02-01 00:00", "", "2026-12-24"},
		{"disputed", "2026-11-28 16:33", "2027-02-01 00:00", "", "2027-01-31"},
		{"active", "", "2027-02-01 00:00", "", "2027-01-31"},
		{"active", "", "", "", "-"},
		{"ended", "", "2027-02-01 00:00", "2026-11-20 09:00", "2026-11-20"}, // before its time
		{"ended", "", "", "2026-11-20 09:00", "2026-11-20"},
		{"ended", "2026-11-28 16:33", "", "2026-11-20 09:00", "2026-11-20"},
		{"ended", "", "2026-11-01 00:00", "2026-11-20 09:00", "2026-10-31"}, // noted later
		{"ended", "", "2099-01-01 00:00", "", "?"},
		{"ended", "", "2026-11-01 00:00", "", "2026-10-31"},
	} {
		v := control.Tenancy{State: c.state, Notice: at(c.notice), Until: at(c.until), Ended: at(c.ended)}
		if got := lastDay(v); got != c.want {
			t.Errorf("%+v: last day %s", c, got)
		}
	}
}

// TestAskedAgain: at a terminal a slip costs one question, not the whole
// check-in.
func TestAskedAgain(t *testing.T) {
	yesterday, tomorrow := time.Now().AddDate(0, 0, -2).Format(time.DateOnly), time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	desk := control.Desk{TimeZone: "Asia/Shanghai", Doors: []string{"front", "yard"}, Flats: []string{"3A", "3B"}, Trusted: true}
	for name, c := range map[string]struct {
		check func(string) (string, error)
		slip  []string
		good  []string
	}{
		"flat":    {aFlat(desk), []string{"", "9Z"}, []string{"3A"}},
		"no list": {aFlat(control.Desk{}), []string{""}, []string{"9Z"}},
		"name":    {aName, []string{"", "\u200b", "A\u202eB", "A\ufffd"}, []string{"王", strings.Repeat("长", 80)}},
		"label":   {aLabel, []string{"13800000000", "a\u2028b"}, []string{"", "3-2-1201"}},
		"doors":   {someDoors(desk), []string{"cellar", "front cellar"}, []string{"", "front", "front, yard"}},
		"last day": {func(s string) (string, error) { return s, lastAfter(desk, "", s) },
			[]string{yesterday, "soon"}, []string{"", tomorrow}},
		"last day before the first": {func(s string) (string, error) { return s, lastAfter(desk, "2030-01-02", s) },
			[]string{"2030-01-01", tomorrow}, []string{"2030-01-02", "2030-02-01", ""}},
		"told": {told, []string{"no", "", "y"}, []string{"yes", "YES"}},
	} {
		for _, s := range c.slip {
			if _, err := c.check(s); err == nil {
				t.Errorf("%s: %q is taken", name, s)
			}
		}
		for _, s := range c.good {
			if got, err := c.check(s); err != nil || got != s {
				t.Errorf("%s: %q: %q %v", name, s, got, err)
			}
		}
	}
	desk.Trusted = false
	if err := lastAfter(desk, "", yesterday); err != nil {
		t.Errorf("a clock that can't be trusted judges: %v", err)
	}
}
