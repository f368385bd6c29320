package calendar

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/socket"
)

func shanghai(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestTerms: a last day as contracts, cards and spreadsheets have it.
func TestTerms(t *testing.T) {
	zone := shanghai(t)
	for _, c := range []struct{ text, want, hint string }{ // want: the last day, "-" no end, "" refused
		{"2027-12-31", "2027-12-31", ""},
		{"2027/12/31", "2027-12-31", ""},
		{"2027.12.31", "2027-12-31", ""},
		{"20271231", "2027-12-31", ""},
		{"2027年12月31日", "2027-12-31", ""},
		{"2027 年 12 月 31 日", "2027-12-31", ""},
		{"2027年1月5号", "2027-01-05", ""},
		{"2027-1-5", "2027-01-05", ""},
		{"2027/1/5 0:00", "2027-01-05", ""},
		{"2027-01-05T00:00:00", "2027-01-05", ""},
		{"2027 1 15", "2027-01-15", ""},
		{"2027. 12. 31.", "2027-12-31", ""},
		{"２０２７－１２－３１", "2027-12-31", ""},
		{"２０２７年１２月３１日", "2027-12-31", ""},
		{"２０２７／１／５", "2027-01-05", ""},
		{"  2027-12-31\t", "2027-12-31", ""},
		{"\u30002027-12-31\u00a0", "2027-12-31", ""},
		{"30-Nov-2027", "2027-11-30", ""},
		{"30 November 2027", "2027-11-30", ""},
		{"Nov 30, 2027", "2027-11-30", ""},
		{"SEPT. 5 2027", "2027-09-05", ""},
		{"1 may 2027", "2027-05-01", ""},
		{"30-Nov-27", "", form},
		{"30 Novel 2027", "", form},
		{"Nov 2027", "", form},
		{"31 Jun 2027", "", "no such day"},
		{"2106-02-06", "2106-02-06", ""},
		{"", "-", ""},
		{"  ", "-", ""},
		{"9999-12-31", "-", ""},
		{"9999/12/31", "-", ""},
		{"99991231", "-", ""},
		{"9999年12月31日", "-", ""},
		{"长期", "-", ""},
		{" 长 期 ", "-", ""},
		{"長期", "-", ""},
		{"forever", "", openHint},
		{"No  End", "", openHint},
		{"2106-02-07", "", openHint},
		{"2106-02-08", "", openHint},
		{"2150-01-01", "", openHint},
		{"9999-12-30", "", openHint},
		{"1969-12-31", "", "leave it empty"},
		{"31/12/2027", "", form},
		{"12/31/2027", "", form},
		{"1/2/2027", "", form},
		{"27-12-31", "", form},
		{"2027-13-01", "", "no such day"},
		{"2027-02-29", "", "no such day"},
		{"2027-00-10", "", "no such day"},
		{"2027-12", "", form},
		{"202711", "", form},
		{"2027115", "", form},
		{"2027-12-31-01", "", form},
		{"46022", "", form}, // a spreadsheet's own number of a day
		{"tomorrow", "", form},
	} {
		end, err := Last(c.text, zone)
		got := "-"
		if !end.IsZero() {
			got = LastDay(&end, zone)
			if end.In(zone).Format(time.TimeOnly) != "00:00:00" || end.Unix() >= math.MaxUint32 {
				t.Errorf("%q ends at %v", c.text, end.In(zone))
			}
		}
		var said *socket.Error
		switch {
		case c.want == "" && (!errors.As(err, &said) || !strings.Contains(said.Hint, c.hint)):
			t.Errorf("%q: %v %v, want a hint with %q", c.text, got, err, c.hint)
		case c.want != "" && (err != nil || got != c.want):
			t.Errorf("%q: %s %v, want %s", c.text, got, err, c.want)
		}
	}
}

// TestFirst: a first day has no word for never, and the same bounds.
func TestFirst(t *testing.T) {
	zone := shanghai(t)
	if at, err := First("2027.2.1", zone); err != nil || at.Format(time.RFC3339) != "2027-02-01T00:00:00+08:00" {
		t.Errorf("%v %v", at, err)
	}
	if at, err := First(" ", zone); err != nil || !at.IsZero() {
		t.Errorf("empty: %v %v", at, err)
	}
	for _, text := range []string{"2150-01-01", "9999-12-31", "长期", "1/2/2027", "1950-01-01"} {
		var said *socket.Error
		if at, err := First(text, zone); !errors.As(err, &said) || said.Hint == "" {
			t.Errorf("%q: %v %v", text, at, err)
		}
	}
}

// TestMoment: a query has days in the zone, or any time with its own.
func TestMoment(t *testing.T) {
	zone := shanghai(t)
	for text, want := range map[string]string{"2026-01-31": "2026-01-31T00:00:00+08:00", "2026/1/31": "2026-01-31T00:00:00+08:00",
		"2026-01-31T08:00": "2026-01-31T08:00:00+08:00", "2026-01-31 08:00:01": "2026-01-31T08:00:01+08:00", "2026-01-31T08:00:00Z": "2026-01-31T16:00:00+08:00",
		"2026/1/31 8:30": "2026-01-31T08:30:00+08:00", "2026年1月31日 08:30": "2026-01-31T08:30:00+08:00", "2026.01.31 00:00": "2026-01-31T00:00:00+08:00",
		"２０２６－０１－３１　０８：３０：０５": "2026-01-31T08:30:05+08:00", " 20260131 23:59 ": "2026-01-31T23:59:00+08:00", "2026 1 31 8:30": "2026-01-31T08:30:00+08:00",
		"": "0001-01-01T08:05:43+08:05"} {
		if at, err := Moment(text, zone); err != nil || at.In(zone).Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v", text, at, err)
		}
	}
	for _, text := range []string{"yesterday", "2026-01-31 24:00", "2026-01-31 08:60", "8:30", "31/01/2026 08:30", "2026-02-30 08:30", "2026-01-31 0830", "2200-01-01 08:30"} {
		if at, err := Moment(text, zone); err == nil {
			t.Errorf("%s: %v", text, at)
		}
	}
}

// FuzzLast: whatever is typed, no day becomes another one: what is read can be
// written again as the same day.
func FuzzLast(f *testing.F) {
	for _, s := range []string{"2027-12-31", "2027年1月5日", "２０２７", "9999-12-31", "20271231", "2027 1 5", "5 Jan 2027", "May 1, 2027"} {
		f.Add(s)
	}
	zone := shanghai(f)
	f.Fuzz(func(t *testing.T, text string) {
		end, err := Last(text, zone)
		if err != nil || end.IsZero() {
			return
		}
		day := LastDay(&end, zone)
		again, err := Last(day, zone)
		if err != nil || !again.Equal(end) || end.Unix() <= 0 || end.Unix() > math.MaxUint32 {
			t.Errorf("%q is %v, which is written %q and read as %v %v", text, end, day, again, err)
		}
	})
}

// TestMinute: a moment names its zone, and is not Go's own form.
func TestMinute(t *testing.T) {
	at := time.Date(2026, 11, 1, 16, 0, 30, 0, time.UTC)
	if got := Minute(at, shanghai(t)); got != "2026-11-02 00:00 Asia/Shanghai" {
		t.Error(got)
	}
	if got := Minute(at, time.UTC); got != "2026-11-01 16:00 UTC" {
		t.Error(got)
	}
}
